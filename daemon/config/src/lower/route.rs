//! Lines of `virtual_routes`, `static_routes`, `virtual_rules` and `static_rules`: do they read as `ip route` and
//! `ip rule` want them. They are not in the model yet, but a mistake in them is one.

use super::address::network;
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::preprocess::Context;
use crate::words::Word;

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Nothing.
    None,
    /// Any word: a name or number of one of iproute2's tables, or something that only the kernel knows.
    Word,
    /// An address, with or without prefix.
    Address,
    /// An address after an optional family.
    Gateway,
    /// An interface.
    Interface,
    /// A number up to this.
    Number(i64),
    /// A number up to this, after an optional `lock`.
    Lockable(i64),
    /// A time or other word, after an optional `lock`.
    LockableWord,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Everything up to the next option.
    UpToOption,
}

use Value::{Address, Choice, Gateway, Interface, Lockable, LockableWord, Number, UpToOption};

const U32: i64 = u32::MAX as i64;

const ROUTE: &[(&str, Value)] = &[
    ("inet", Value::None),
    ("inet6", Value::None),
    ("to", Address),
    ("src", Address),
    ("as", UpToOption),
    ("via", Gateway),
    ("gw", Gateway),
    ("or", Gateway),
    ("from", Address),
    ("tos", Value::Word),
    ("dsfield", Value::Word),
    ("table", Value::Word),
    ("protocol", Value::Word),
    ("scope", Value::Word),
    ("metric", Number(U32)),
    ("priority", Number(U32)),
    ("preference", Number(U32)),
    ("dev", Interface),
    ("oif", Interface),
    ("onlink", Value::None),
    ("encap", UpToOption),
    ("expires", Number(U32)),
    ("mtu", Lockable(U32)),
    ("hoplimit", Number(255)),
    ("advmss", Lockable(U32)),
    ("rtt", LockableWord),
    ("rttvar", LockableWord),
    ("reordering", Lockable(U32)),
    ("window", Number(U32)),
    ("cwnd", Lockable(U32)),
    ("ssthresh", Lockable(U32)),
    ("realms", Value::Word),
    ("rto_min", LockableWord),
    ("initcwnd", Number(U32)),
    ("initrwnd", Number(U32)),
    ("features", Choice(&["ecn"])),
    ("quickack", Number(1)),
    ("congctl", LockableWord),
    ("pref", Value::Word),
    ("ttl-propagate", Choice(&["enabled", "disabled"])),
    ("fastopen_no_cookie", Number(1)),
    ("add", Value::None),
    ("prepend", Value::None),
    ("append", Value::None),
    ("nexthop", Value::None),
    ("weight", Number(256)),
    ("no_track", Value::None),
    ("track_group", Value::Word),
    ("vrf", Interface),
];

/// What may stand before a destination.
const TYPES: &[&str] = &[
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
];

const RULE: &[(&str, Value)] = &[
    ("inet", Value::None),
    ("inet6", Value::None),
    ("from", Address),
    ("to", Address),
    ("table", Value::Word),
    ("lookup", Value::Word),
    ("not", Value::None),
    ("preference", Number(U32)),
    ("order", Number(U32)),
    ("priority", Number(U32)),
    ("tos", Value::Word),
    ("dsfield", Value::Word),
    ("fwmark", Value::Word),
    ("realms", Value::Word),
    ("suppress_prefixlength", Number(128)),
    ("sup_pl", Number(128)),
    ("suppress_ifgroup", Value::Word),
    ("sup_group", Value::Word),
    ("dev", Interface),
    ("iif", Interface),
    ("oif", Interface),
    ("tunnel-id", Value::Word),
    ("uidrange", Value::Word),
    ("l3mdev", Value::None),
    ("protocol", Value::Word),
    ("ipproto", Value::Word),
    ("sport", Value::Word),
    ("dport", Value::Word),
    ("no_track", Value::None),
    ("track_group", Value::Word),
    ("type", Value::Word),
    ("goto", Number(U32)),
    ("nop", Value::None),
    ("blackhole", Value::None),
    ("prohibit", Value::None),
    ("unreachable", Value::None),
];

/// Options of a rule that say what happens to a packet.
const ACTIONS: &[&str] =
    &["table", "lookup", "l3mdev", "type", "goto", "nop", "blackhole", "prohibit", "unreachable"];

/// Checks a line of a block of routes.
pub(super) fn route(words: &[Word], context: &mut Context) {
    let mut reader = Reader { words, at: 0, table: ROUTE, context };
    let mut destination = false;
    while let Some(word) = reader.next() {
        match reader.option(word) {
            Some(("gw" | "or", _)) => {
                let now = if &*word.text == "gw" { "`via`" } else { "`nexthop`" };
                reader.context.report(
                    Diagnostic::warning("deprecated-keyword", format!("`{}` of a route is old", word.text))
                        .changes()
                        .at(word.span, format!("use {now} in place of it")),
                );
                if reader.value(word, Gateway).is_none() {
                    return;
                }
            }
            Some((name, value)) => {
                destination |= name == "to";
                if reader.value(word, value).is_none() {
                    return;
                }
            }
            None if TYPES.contains(&&*word.text) => {}
            None if destination => {
                unknown(word, "route", reader.context);
                return;
            }
            None => {
                destination = true;
                let named = matches!(&*word.text, "default" | "default6" | "any" | "all");
                if !named && network(word, reader.context).is_none() {
                    return;
                }
            }
        }
    }
    if let (false, Some(first)) = (destination, words.first()) {
        context.report(
            Diagnostic::error("missing-part", "this route has no destination").at(first.span, "left out"),
        );
    }
}

/// Checks a line of a block of rules.
pub(super) fn rule(words: &[Word], context: &mut Context) {
    let mut reader = Reader { words, at: 0, table: RULE, context };
    let mut action = false;
    let mut preference = false;
    while let Some(word) = reader.next() {
        let Some((name, value)) = reader.option(word) else {
            unknown(word, "rule", reader.context);
            return;
        };
        action |= ACTIONS.contains(&name);
        preference |= matches!(name, "preference" | "order" | "priority");
        if reader.value(word, value).is_none() {
            return;
        }
    }
    let Some(first) = words.first() else { return };
    if !action {
        let diagnostic = Diagnostic::error("missing-part", "this rule does not say what happens to a packet");
        context.report(diagnostic.at(first.span, "left out").help("for example: `table 100`"));
    } else if !preference {
        context.report(
            Diagnostic::warning("missing-preference", "this rule has no `preference`")
                .changes()
                .at(first.span, "where it comes among the others is left to chance"),
        );
    }
}

fn unknown(word: &Word, what: &str, context: &mut Context) {
    context.report(
        Diagnostic::error("unknown-option", format!("`{}` is no option of a {what}", word.text))
            .at(word.span, "not known"),
    );
}

/// Goes through the words of a line.
struct Reader<'a> {
    words: &'a [Word],
    at: usize,
    table: &'static [(&'static str, Value)],
    context: &'a mut Context,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    fn option(&self, word: &Word) -> Option<(&'static str, Value)> {
        self.table.iter().find(|(name, _)| **name == *word.text).copied()
    }

    /// Takes the value of an option; `None` when it is wrong (reported).
    fn value(&mut self, option: &Word, value: Value) -> Option<()> {
        if value == Value::None {
            return Some(());
        }
        if value == UpToOption {
            while self.words.get(self.at).is_some_and(|word| self.option(word).is_none()) {
                self.at += 1;
            }
            return Some(());
        }
        let skips = match value {
            Gateway => &["inet", "inet6"] as &[&str],
            Lockable(_) | LockableWord => &["lock"],
            _ => &[],
        };
        if self.words.get(self.at).is_some_and(|word| skips.contains(&&*word.text)) {
            self.at += 1;
        }
        let Some(word) = self.next() else {
            self.context.report(
                Diagnostic::error("missing-value", format!("`{}` needs a value", option.text))
                    .at(option.span.after(), "missing here"),
            );
            return None;
        };
        match value {
            Value::None | Value::Word | LockableWord | UpToOption => Some(()),
            Address if matches!(&*word.text, "any" | "all" | "default") => Some(()),
            Address | Gateway => network(word, self.context).map(|_| ()),
            Interface => line_interface(word, &option.text, self.context).map(|_| ()),
            Number(most) | Lockable(most) => {
                line_number(word, 0, most, &option.text, self.context).map(|_| ())
            }
            Choice(choices) if choices.contains(&&*word.text) => Some(()),
            Choice(choices) => {
                self.context.report(
                    Diagnostic::error(
                        "invalid-value",
                        format!("`{}`: `{}` is not known", option.text, word.text),
                    )
                    .at(word.span, format!("expected one of {}", choices.join(", "))),
                );
                None
            }
        }
    }
}
