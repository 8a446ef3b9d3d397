//! A line of `static_rules` or `virtual_rules`.
//!
//! It is read as `ip rule add` would read it, with keepalived's own words (`no_track`, `track_group`). A rule must say
//! what it does with its packets, and should say where it stands among the others.

use super::address::prefix;
use super::iproute_names::NameKind;
use super::option_line::OptionLine;
use super::route::{kind, tracked_protocol};
use super::state::{Block, Routing, TrackGroup};
use crate::diagnostics::Diagnostic;
use crate::model::{Family, FwMark, MaskedMark, Name, Prefix, Realms, RouteKind, Rule, RuleAction};
use crate::preprocess::Context;
use crate::source::Span;
use crate::values::of_any_base;
use crate::words::Word;

const OPTIONS: &[&str] = &[
    "inet",
    "inet6",
    "from",
    "to",
    "table",
    "lookup",
    "not",
    "preference",
    "order",
    "priority",
    "tos",
    "dsfield",
    "fwmark",
    "realms",
    "suppress_prefixlength",
    "sup_pl",
    "suppress_ifgroup",
    "sup_group",
    "dev",
    "iif",
    "oif",
    "tunnel-id",
    "uidrange",
    "l3mdev",
    "protocol",
    "ipproto",
    "sport",
    "dport",
    "no_track",
    "track_group",
    "type",
    "goto",
    "nop",
    "blackhole",
    "prohibit",
    "unreachable",
];

/// A rule as far as it is read.
#[derive(Default)]
struct RuleDraft {
    family: Option<Family>,
    /// The family was said with `inet` or `inet6`, so that `all` may follow.
    family_said: bool,
    preference: Option<u32>,
    inverted: bool,
    from: Option<Selector>,
    to: Option<Selector>,
    tos: u8,
    mark: Option<MaskedMark>,
    incoming_interface: Option<Name>,
    outgoing_interface: Option<Name>,
    tunnel_id: Option<u64>,
    users: Option<(u32, u32)>,
    ip_protocol: Option<u8>,
    source_ports: Option<(u16, u16)>,
    destination_ports: Option<(u16, u16)>,
    action: Option<(RuleAction, Span)>,
    realms: Option<Realms>,
    suppress_prefix_length: Option<u32>,
    suppress_interface_group: Option<u32>,
    /// An option that is only for tables.
    for_tables: Option<Span>,
    protocol: Option<(u8, Span)>,
    no_track: bool,
    track_group: TrackGroup,
}

/// What `from` and `to` say; the family of `all` is known at the end of the line.
#[derive(Clone, Copy)]
enum Selector {
    All,
    Prefix(Prefix),
}

impl Selector {
    fn prefix(self, family: Family) -> Prefix {
        match self {
            Self::All => Prefix::all(family),
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// The rule of a line; `None` when it is left out (reported). Only a static one may have a track group.
pub(in crate::lower) fn rule(
    words: &[Word],
    block: Block,
    routing: &mut Routing,
    context: &mut Context,
) -> Option<Rule> {
    let first = words.first()?;
    let mut draft = RuleDraft::default();
    let mut line = OptionLine::new(words, "rule", &mut routing.names, context);
    while let Some(word) = line.next() {
        if block == Block::Static && &*word.text == "track_group" {
            draft.track_group.read(&mut line, word, &routing.group_names)?;
        } else {
            draft.option(&mut line, word)?;
        }
    }
    draft.finish(first, routing, context)
}

impl RuleDraft {
    fn option(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        match &*word.text {
            "inet" => self.say_family(line, Family::Inet, word)?,
            "inet6" => self.say_family(line, Family::Inet6, word)?,
            "from" => self.from = Some(self.selector(line, word)?),
            "to" => self.to = Some(self.selector(line, word)?),
            "not" => self.inverted = true,
            "preference" | "order" | "priority" => self.preference = Some(preference(line, word)?),
            "tos" | "dsfield" => self.tos = line.named_byte(word, NameKind::TypeOfService)?,
            "fwmark" => self.mark = Some(mark(line, word)?),
            "dev" | "iif" => self.incoming_interface = Some(line.interface(word)?),
            "oif" => self.outgoing_interface = Some(line.interface(word)?),
            "tunnel-id" => self.tunnel_id = Some(line.u64(word)?),
            "uidrange" => self.users = Some(users(line, word)?),
            "protocol" => {
                self.protocol = optional(line, word, |text| text.parse().ok())?.map(|n| (n, word.span))
            }
            "ipproto" => self.ip_protocol = optional(line, word, ip_protocol)?,
            "sport" => self.source_ports = optional(line, word, ports)?,
            "dport" => self.destination_ports = optional(line, word, ports)?,
            "realms" => {
                self.realms = Some(line.realms(word)?);
                line.settle(&mut self.family, Family::Inet, word)?;
                self.for_tables = Some(word.span);
            }
            "suppress_prefixlength" | "sup_pl" => {
                self.suppress_prefix_length = Some(line.number(word, 0, i64::from(i32::MAX))?);
                self.for_tables = Some(word.span);
            }
            "suppress_ifgroup" | "sup_group" => {
                self.suppress_interface_group = Some(line.named(word, NameKind::InterfaceGroup)?);
                self.for_tables = Some(word.span);
            }
            "no_track" => self.no_track = true,
            "type" => {
                let value = line.value(word)?;
                self.action(line, value)?;
            }
            _ => self.action(line, word)?,
        }
        Some(())
    }

    fn say_family(&mut self, line: &mut OptionLine, family: Family, word: &Word) -> Option<()> {
        self.family_said = true;
        line.settle(&mut self.family, family, word)
    }

    /// The value of `from` or `to`.
    fn selector(&mut self, line: &mut OptionLine, option: &Word) -> Option<Selector> {
        let value = line.value(option)?;
        if !matches!(&*value.text, "default" | "any" | "all") {
            let prefix = prefix(value, line.context)?;
            line.settle(&mut self.family, Family::of(prefix.address), value)?;
            return Some(Selector::Prefix(prefix));
        }
        if self.family.is_some() && !self.family_said {
            let message = format!("`{}` stands after what says of which family it is", value.text);
            let diagnostic = Diagnostic::error("family-mix", message)
                .at(value.span, "the rule is left out")
                .help(format!("leave `{} {}` out: it is every address anyway", option.text, value.text));
            line.context.report(diagnostic);
            return None;
        }
        Some(Selector::All)
    }

    /// What is done with the packet.
    fn action(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        let action = match &*word.text {
            "table" | "lookup" => match line.named(word, NameKind::Table)? {
                0 => {
                    return line.refuse(
                        word,
                        "out-of-range",
                        "there is no table 0".into(),
                        "the rule is left out",
                    );
                }
                table => RuleAction::Table(table),
            },
            "l3mdev" => RuleAction::L3mdev,
            "goto" => RuleAction::Goto(line.u32(word)?),
            "nop" => RuleAction::Nop,
            text => match kind(text) {
                Some(RouteKind::Blackhole) => RuleAction::Blackhole,
                Some(RouteKind::Unreachable) => RuleAction::Unreachable,
                Some(RouteKind::Prohibit) => RuleAction::Prohibit,
                Some(_) => {
                    let message = format!("`{text}` is nothing that a rule can do");
                    return line.refuse(
                        word,
                        "invalid-value",
                        message,
                        "expected blackhole, unreachable or prohibit",
                    );
                }
                None => return line.unknown(word, OPTIONS),
            },
        };
        if let Some((_, first)) = self.action {
            let diagnostic = Diagnostic::error("conflict", "a rule does one thing with its packets")
                .at(word.span, "the rule is left out")
                .also(first, "it does this already");
            line.context.report(diagnostic);
            return None;
        }
        self.action = Some((action, word.span));
        Some(())
    }

    fn finish(self, first: &Word, routing: &mut Routing, context: &mut Context) -> Option<Rule> {
        let Some((action, at)) = self.action else {
            let diagnostic =
                Diagnostic::error("missing-part", "this rule does not say what happens to a packet");
            context.report(diagnostic.at(first.span, "left out").help("for example: `table 100`"));
            return None;
        };
        self.check_action(action, at, context)?;
        let family = self.family.unwrap_or_default();
        let protocol = tracked_protocol("rule", self.protocol, self.no_track, context);
        let has_interface = self.incoming_interface.is_some();
        let track_group = self.track_group.finish(self.no_track, has_interface, "`iif`", context);
        let preference = self.preference.unwrap_or_else(|| {
            let preference = routing.next_preference(family);
            context.report(
                Diagnostic::warning("missing-preference", "this rule has no `preference`")
                    .changes()
                    .at(first.span, format!("{preference} is used, which is hardly what is meant")),
            );
            preference
        });
        Some(Rule {
            family,
            preference,
            inverted: self.inverted,
            from: self.from.map(|selector| selector.prefix(family)),
            to: self.to.map(|selector| selector.prefix(family)),
            tos: self.tos,
            mark: self.mark,
            incoming_interface: self.incoming_interface,
            outgoing_interface: self.outgoing_interface,
            tunnel_id: self.tunnel_id,
            users: self.users,
            ip_protocol: self.ip_protocol,
            source_ports: self.source_ports,
            destination_ports: self.destination_ports,
            action,
            realms: self.realms,
            suppress_prefix_length: self.suppress_prefix_length,
            suppress_interface_group: self.suppress_interface_group,
            protocol,
            no_track: self.no_track,
            track_group,
        })
    }

    /// What only goes with some actions.
    fn check_action(&self, action: RuleAction, at: Span, context: &mut Context) -> Option<()> {
        let mut refuse = |code: &'static str, message: String, at: Span| {
            context.report(Diagnostic::error(code, message).at(at, "the rule is left out"));
            None
        };
        if let RuleAction::Goto(target) = action {
            match self.preference {
                None => return refuse("missing-part", "a rule with `goto` needs a `preference`".into(), at),
                Some(own) if own >= target => {
                    let message = format!("`goto {target}` does not lead onwards from preference {own}");
                    return refuse("out-of-range", message, at);
                }
                Some(_) => {}
            }
        }
        match (action, self.for_tables) {
            (RuleAction::Table(_) | RuleAction::L3mdev, _) | (_, None) => Some(()),
            (_, Some(option)) => refuse("conflict", "this is only for rules with a `table`".into(), option),
        }
    }
}

/// A value that the rule can go without when it is wrong (reported); `None` only when there is none.
fn optional<T>(line: &mut OptionLine, option: &Word, read: fn(&str) -> Option<T>) -> Option<Option<T>> {
    let value = line.value(option)?;
    let found = read(&value.text);
    if found.is_none() {
        let message = format!("`{}`: `{}` is not known", option.text, value.text);
        let diagnostic = Diagnostic::error("invalid-value", message).at(value.span, "has no effect");
        line.context.report(diagnostic.help("the rule is for more packets than it was meant for"));
    }
    Some(found)
}

/// A preference, in any base.
fn preference(line: &mut OptionLine, option: &Word) -> Option<u32> {
    let value = line.value(option)?;
    match of_any_base(&value.text).and_then(|number| u32::try_from(number).ok()) {
        Some(preference) => Some(preference),
        None => {
            let message = format!("`{}`: `{}` is no preference", option.text, value.text);
            line.refuse(value, "invalid-number", message, "expected a whole number of 32 bits")
        }
    }
}

/// `MARK[/MASK]`, in any base.
fn mark(line: &mut OptionLine, option: &Word) -> Option<MaskedMark> {
    let value = line.value(option)?;
    let (mark, mask) = match value.text.split_once('/') {
        Some((mark, mask)) => (mark, Some(mask)),
        None => (&*value.text, None),
    };
    let bits = |text| u32::try_from(of_any_base(text)?).ok();
    match (bits(mark), mask.map(bits)) {
        (Some(mark), None) => Some(MaskedMark { mark: FwMark(mark), mask: None }),
        (Some(mark), Some(Some(mask))) => Some(MaskedMark { mark: FwMark(mark), mask: Some(mask) }),
        (None, _) | (_, Some(None)) => {
            let message = format!("`{}` is no firewall mark", value.text);
            line.refuse(value, "invalid-number", message, "expected `MARK` or `MARK/MASK`")
        }
    }
}

/// `FIRST-LAST` of user ids.
fn users(line: &mut OptionLine, option: &Word) -> Option<(u32, u32)> {
    let value = line.value(option)?;
    let range =
        value.text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    if range.is_none() {
        let message = format!("`{}` is no range of users", value.text);
        return line.refuse(value, "invalid-number", message, "expected `FIRST-LAST`");
    }
    range
}

/// `FIRST-LAST`, or one port.
fn ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// A protocol above IP, by number or by its name in `/etc/protocols`.
fn ip_protocol(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return Some(number).filter(|number| *number <= 127);
    }
    let file = std::fs::read_to_string("/etc/protocols").unwrap_or_default();
    let known = "icmp 1\ntcp 6\nudp 17\nipv6-icmp 58 icmp6\nsctp 132";
    file.lines().chain(known.lines()).find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (name, number) = (words.next()?, words.next()?);
        let named = std::iter::once(name).chain(words).any(|name| name.eq_ignore_ascii_case(text));
        named.then(|| number.parse().ok())?
    })
}
