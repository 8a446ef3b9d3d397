//! A line of `static_rules` or `virtual_rules`.
//!
//! It is read as `ip rule add` would read it, with keepalived's own words (`no_track`, `track_group`). A rule must say
//! what it does with its packets, and should say where it stands among the others.

use super::address::prefix;
use super::option::{Options, flag, option, options_of, set};
use super::route::{kind, tracked_protocol};
use super::track_group::TrackGroup;
use super::{OptionLine, Place};
use crate::diagnostics::Diagnostic;
use crate::iproute_names::NameKind;
use crate::model::{Family, FwMark, MaskedMark, Name, Prefix, Realms, RouteKind, Rule, RuleAction};
use crate::preprocess::Context;
use crate::schema::LineOption;
use crate::schema::bounds::I32;
use crate::schema::compose::compose;
use crate::source::Span;
use crate::values::of_any_base;
use crate::words::Word;

/// A rule as far as it is read.
#[derive(Default)]
struct RuleDraft {
    /// The family was said with `inet` or `inet6`, so that `all` may follow.
    family_said: bool,
    preference: Option<u32>,
    inverted: bool,
    from: Option<Selector>,
    to: Option<Selector>,
    tos: Option<u8>,
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

/// What a rule may say, but for what it does with its packets.
const RULE: Options<RuleDraft> = Options(&[
    flag("inet", "It is of IPv4.").takes(|to, line, word| to.say_family(line, Family::Inet, word)),
    flag("inet6", "It is of IPv6.").takes(|to, line, word| to.say_family(line, Family::Inet6, word)),
    option("from", "PREFIX", "Packets from there.").takes(|to, line, word| {
        let from = to.selector(line, word);
        set(&mut to.from, from)
    }),
    option("to", "PREFIX", "Packets to there.").takes(|to, line, word| {
        let to_there = to.selector(line, word);
        set(&mut to.to, to_there)
    }),
    flag("not", "All packets but those that the rest says.").is(|to| to.inverted = true),
    option("preference", "NUMBER", "Its place among the rules: lower ones come first.")
        .alias(&["order", "priority"])
        .takes(|to, line, word| set(&mut to.preference, preference(line, word))),
    option("tos", "TOS", "Packets of this type of service.")
        .alias(&["dsfield"])
        .takes(|to, line, word| set(&mut to.tos, line.named_byte(word, NameKind::TypeOfService))),
    option("fwmark", "MARK[/MASK]", "Packets with this firewall mark.")
        .takes(|to, line, word| set(&mut to.mark, mark(line, word))),
    option("realms", "[FROM/]TO", "Realms of its packets; IPv4 only.").takes(|to, line, word| {
        set(&mut to.realms, line.realms(word))?;
        to.for_tables = Some(word.span);
        line.settle(Family::Inet, word)
    }),
    option("suppress_prefixlength", "NUMBER", "Not by a route with a prefix of this length or less.")
        .alias(&["sup_pl"])
        .takes(|to, line, word| {
            to.for_tables = Some(word.span);
            set(&mut to.suppress_prefix_length, line.number(word, 0, I32))
        }),
    option("suppress_ifgroup", "GROUP", "Not by a route out of an interface of this group.")
        .alias(&["sup_group"])
        .takes(|to, line, word| {
            to.for_tables = Some(word.span);
            set(&mut to.suppress_interface_group, line.named(word, NameKind::InterfaceGroup))
        }),
    option("iif", "INTERFACE", "Packets that came in here.")
        .alias(&["dev"])
        .takes(|to, line, word| set(&mut to.incoming_interface, line.interface(word))),
    option("oif", "INTERFACE", "Packets of sockets that are bound to this interface.")
        .takes(|to, line, word| set(&mut to.outgoing_interface, line.interface(word))),
    option("tunnel-id", "NUMBER", "Packets of this tunnel.")
        .takes(|to, line, word| set(&mut to.tunnel_id, line.u64(word))),
    option("uidrange", "FIRST-LAST", "Packets of these users.")
        .takes(|to, line, word| set(&mut to.users, users(line, word))),
    option("protocol", "PROTOCOL", "Who made it; what is tracked has keepalived's.").takes(
        |to, line, word| {
            to.protocol = optional(line, word, |text| text.parse().ok())?.map(|number| (number, word.span));
            Some(())
        },
    ),
    option("ipproto", "PROTOCOL", "Packets of this protocol, by number or name.").takes(|to, line, word| {
        to.ip_protocol = optional(line, word, ip_protocol)?;
        Some(())
    }),
    option("sport", "PORT | FIRST-LAST", "Packets from these ports.").takes(|to, line, word| {
        to.source_ports = port_range(line, word)?;
        Some(())
    }),
    option("dport", "PORT | FIRST-LAST", "Packets to these ports.").takes(|to, line, word| {
        to.destination_ports = port_range(line, word)?;
        Some(())
    }),
    flag("no_track", "What becomes of it does not matter.").is(|to| to.no_track = true),
    option("track_group", "GROUP", "The `track_group` that a static one is tracked for.")
        .only(Place::Static)
        .takes(|to, line, word| to.track_group.read(line, word)),
    option("type", "ACTION", "What is done with them: blackhole, prohibit, unreachable.").takes(
        |to, line, word| {
            let value = line.value(word)?;
            to.action(line, value)
        },
    ),
]);

/// What a rule does with its packets.
const ACTIONS: Options<RuleDraft> = Options(&[
    option("table", "TABLE", "They are routed by this table.").alias(&["lookup"]).takes(RuleDraft::table),
    flag("l3mdev", "They are routed by the table of their VRF.")
        .takes(|to, line, word| to.does(RuleAction::L3mdev, line, word)),
    option("goto", "PREFERENCE", "The rule with this preference is next.").takes(|to, line, word| {
        let next = line.u32(word)?;
        to.does(RuleAction::Goto(next), line, word)
    }),
    flag("nop", "Nothing is done with them.").takes(|to, line, word| to.does(RuleAction::Nop, line, word)),
    flag("blackhole", "They are thrown away.").takes(RuleDraft::route_kind),
    flag("prohibit", "They are refused as forbidden.").takes(RuleDraft::route_kind),
    flag("unreachable", "They are refused as unreachable.").takes(RuleDraft::route_kind),
]);

/// Everything that a rule may say.
pub(in crate::schema) const OPTIONS: &[LineOption] =
    compose!(options: options_of!(RULE), options_of!(ACTIONS));

/// The rule of a line; `None` when it is left out (reported).
pub(crate) fn rule(words: &[Word], place: Place, context: &mut Context) -> Option<Rule> {
    let first = words.first()?;
    let mut draft = RuleDraft::default();
    let mut line = OptionLine::new(words, "rule", context).standing(place);
    while let Some(word) = line.next() {
        if !RULE.take(&mut draft, &mut line, word)? {
            draft.action(&mut line, word)?;
        }
    }
    let family = line.family.unwrap_or_default();
    draft.finish(family, first, context)
}

impl RuleDraft {
    fn say_family(&mut self, line: &mut OptionLine, family: Family, word: &Word) -> Option<()> {
        self.family_said = true;
        line.settle(family, word)
    }

    /// The value of `from` or `to`.
    fn selector(&self, line: &mut OptionLine, option: &Word) -> Option<Selector> {
        let value = line.value(option)?;
        if !matches!(&*value.text, "default" | "any" | "all") {
            let prefix = prefix(value, line.context)?;
            line.settle(Family::of(prefix.address), value)?;
            return Some(Selector::Prefix(prefix));
        }
        if line.family.is_some() && !self.family_said {
            let message = format!("`{}` stands after what says of which family it is", value.text);
            let diagnostic = Diagnostic::error("family-mix", message)
                .at(value.span, "the rule is left out")
                .help(format!("leave `{} {}` out: it is every address anyway", option.text, value.text));
            line.context.report(diagnostic);
            return None;
        }
        Some(Selector::All)
    }

    /// What is done with the packet, which this word says.
    fn action(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        match ACTIONS.take(self, line, word)? {
            true => Some(()),
            false => self.route_kind(line, word),
        }
    }

    fn table(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        match line.named(word, NameKind::Table)? {
            0 => line.refuse(word, "out-of-range", "there is no table 0".into(), "the rule is left out"),
            table => self.does(RuleAction::Table(table), line, word),
        }
    }

    /// What routes of this kind, by name or number, do with their packets.
    fn route_kind(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        let action = match kind(&word.text) {
            Some(RouteKind::Blackhole) => RuleAction::Blackhole,
            Some(RouteKind::Unreachable) => RuleAction::Unreachable,
            Some(RouteKind::Prohibit) => RuleAction::Prohibit,
            Some(_) => {
                let message = format!("`{}` is nothing that a rule can do", word.text);
                let label = "expected blackhole, unreachable or prohibit";
                return line.refuse(word, "invalid-value", message, label);
            }
            None => return line.unknown(word, OPTIONS),
        };
        self.does(action, line, word)
    }

    fn does(&mut self, action: RuleAction, line: &mut OptionLine, word: &Word) -> Option<()> {
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

    fn finish(self, family: Family, first: &Word, context: &mut Context) -> Option<Rule> {
        let Some((action, at)) = self.action else {
            let diagnostic =
                Diagnostic::error("missing-part", "this rule does not say what happens to a packet");
            context.report(diagnostic.at(first.span, "left out").help("for example: `table 100`"));
            return None;
        };
        self.check_action(action, at, context)?;
        let protocol = tracked_protocol("rule", self.protocol, self.no_track, context);
        let has_interface = self.incoming_interface.is_some();
        let track_group = self.track_group.finish(self.no_track, has_interface, "`iif`", context);
        let preference = self.preference.unwrap_or_else(|| {
            let preference = context.known.next_preference(family);
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
            tos: self.tos.unwrap_or(0),
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
    range.inspect(|(first, last)| in_order(line, value, first <= last))
}

fn port_range(line: &mut OptionLine, option: &Word) -> Option<Option<(u16, u16)>> {
    let value = line.peek();
    let found = optional(line, option, ports)?;
    if let Some(((first, last), value)) = found.zip(value) {
        in_order(line, value, first <= last);
    }
    Some(found)
}

/// The kernel takes no range whose first is greater than its last.
fn in_order(line: &mut OptionLine, value: &Word, ordered: bool) {
    if !ordered {
        let message = format!("`{}` begins behind its end", value.text);
        let diagnostic = Diagnostic::warning("conflict", message);
        line.context.report(diagnostic.at(value.span, "the kernel refuses the rule"));
    }
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
