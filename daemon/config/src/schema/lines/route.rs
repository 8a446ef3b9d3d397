//! A line of `static_routes` or `virtual_routes`.
//!
//! It is read as `ip route add` would read it, with keepalived's own words (`no_track`, `track_group`) and old ones
//! (`gw`, `or`). What is wrong in it leaves the route out, but for a few things that keepalived goes on without.

mod encap;
mod metrics;
mod nexthop;

use self::metrics::METRICS;
use self::nexthop::HOP;
use super::address::prefix;
use super::option::{Options, flag, option, options_of, set};
use super::track_group::TrackGroup;
use super::{OptionLine, Place};
use crate::diagnostics::Diagnostic;
use crate::iproute_names::NameKind;
use crate::model::{
    AddressScope, Family, NextHop, Prefix, Route, RouteHop, RouteKind, RouteMetrics, RoutePlacement,
    RouterPreference, RoutingProtocol, RoutingTable,
};
use crate::preprocess::Context;
use crate::schema::LineOption;
use crate::schema::compose::compose;
use crate::source::Span;
use crate::values::of_any_base;
use crate::words::Word;

/// A route as far as it is read.
#[derive(Default)]
struct RouteDraft {
    /// The family was said with `inet` or `inet6`, so that `default` may follow.
    family_said: bool,
    destination: Option<Destination>,
    kind: RouteKind,
    from: Option<Prefix>,
    preferred_source: Option<std::net::IpAddr>,
    tos: Option<u8>,
    table: Option<RoutingTable>,
    protocol: Option<(u8, Span)>,
    scope: Option<AddressScope>,
    metric: Option<u32>,
    hop: RouteHop,
    next_hops: Vec<NextHop>,
    /// It says `nexthop`, be it a wrong one (reported).
    says_next_hops: bool,
    expires: Option<u32>,
    router_preference: Option<RouterPreference>,
    ttl_propagate: Option<bool>,
    metrics: RouteMetrics,
    placement: RoutePlacement,
    no_track: bool,
    track_group: TrackGroup,
}

/// Where a route leads.
struct Destination {
    /// `None` for `default`.
    prefix: Option<Prefix>,
    at: Span,
}

/// What a route may say, but for where its packets go and its metrics.
const ROUTE: Options<RouteDraft> = Options(&[
    flag("inet", "It is of IPv4.").takes(|to, line, word| to.say_family(line, Family::Inet, word)),
    flag("inet6", "It is of IPv6.").takes(|to, line, word| to.say_family(line, Family::Inet6, word)),
    option("to", "PREFIX", "Where it leads; the word may be left out.").takes(|to, line, word| {
        let value = line.value(word)?;
        to.destination(line, value)
    }),
    option("src", "ADDRESS", "Source address to prefer.").takes(|to, line, word| {
        let (address, value) = line.address(word)?;
        to.preferred_source = Some(address);
        line.settle(Family::of(address), value)
    }),
    option("as", "[to] ADDRESS", "Translation of addresses: nothing of the kernel any more.")
        .takes(|_, line, word| translation(line, word)),
    option("gw", "ADDRESS", "Old for `via`.").takes(|to, line, word| {
        old(line, word, "via");
        nexthop::via(&mut to.hop, line, word)
    }),
    option("or", "ADDRESS", "Old, after `gw`: a second next hop.").takes(RouteDraft::or),
    option("from", "PREFIX", "Only for packets from there; IPv6 only.").takes(RouteDraft::from),
    option("tos", "TOS", "Only for packets of this type of service.")
        .alias(&["dsfield"])
        .takes(|to, line, word| set(&mut to.tos, line.named_byte(word, NameKind::TypeOfService))),
    option("table", "TABLE", "Routing table, by number or name.")
        .takes(|to, line, word| set(&mut to.table, line.named(word, NameKind::Table).map(RoutingTable::Id))),
    option("vrf", "INTERFACE", "The routing table of this VRF.")
        .takes(|to, line, word| set(&mut to.table, line.interface(word).map(RoutingTable::Vrf))),
    option("protocol", "PROTOCOL", "Who made it; what is tracked has keepalived's.").takes(
        |to, line, word| {
            let number = line.named_byte(word, NameKind::Protocol);
            set(&mut to.protocol, number.map(|number| (number, word.span)))
        },
    ),
    option("scope", "SCOPE", "How far it leads.").takes(|to, line, word| {
        set(&mut to.scope, line.named_byte(word, NameKind::Scope).map(AddressScope::of))
    }),
    option("metric", "NUMBER", "Of several to one destination the least counts.")
        .alias(&["priority", "preference"])
        .takes(|to, line, word| set(&mut to.metric, line.u32(word))),
    option("oif", "INTERFACE", "The same as `dev`.")
        .takes(|to, line, word| set(&mut to.hop.interface, line.interface(word))),
    option("expires", "SECONDS", "How long it lives; IPv6 only.").takes(|to, line, word| {
        line.settle(Family::Inet6, word)?;
        set(&mut to.expires, line.u32(word))
    }),
    option("pref", "low | medium | high", "Preference of a router; IPv6 only.").takes(|to, line, word| {
        line.settle(Family::Inet6, word)?;
        set(&mut to.router_preference, router_preference(line, word))
    }),
    option("ttl-propagate", "enabled | disabled", "MPLS: the TTL of the label becomes that of the packet.")
        .takes(|to, line, word| set(&mut to.ttl_propagate, ttl_propagate(line, word))),
    flag("add", "Fails if there is one already.").is(|to| to.placement = RoutePlacement::Add),
    flag("prepend", "Before those that are there.").is(|to| to.placement = RoutePlacement::Prepend),
    flag("append", "After those that are there.").is(|to| to.placement = RoutePlacement::Append),
    option(
        "nexthop",
        "[via ADDRESS] [dev INTERFACE] [weight NUMBER] …",
        "One of several ways; stands last, and again for each.",
    )
    .takes(RouteDraft::next_hops),
    flag("no_track", "What becomes of it does not matter.").is(|to| to.no_track = true),
    option("track_group", "GROUP", "The `track_group` that a static one is tracked for.")
        .only(Place::Static)
        .takes(|to, line, word| to.track_group.read(line, word)),
]);

/// Everything that a route may say.
pub(in crate::schema) const OPTIONS: &[LineOption] =
    compose!(options: options_of!(ROUTE), nexthop::OPTIONS, metrics::OPTIONS);

/// The route of a line; `None` when it is left out (reported).
pub(crate) fn route(words: &[Word], place: Place, context: &mut Context) -> Option<Route> {
    let first = words.first()?;
    let mut draft = RouteDraft::default();
    let mut line = OptionLine::new(words, "route", context).standing(place);
    while let Some(word) = line.next() {
        let known = ROUTE.take(&mut draft, &mut line, word)?
            || HOP.take(&mut draft.hop, &mut line, word)?
            || METRICS.take(&mut draft.metrics, &mut line, word)?;
        if !known {
            draft.bare_destination(&mut line, word)?;
        }
    }
    let family = line.family.unwrap_or_default();
    draft.finish(family, first, context)
}

impl RouteDraft {
    fn say_family(&mut self, line: &mut OptionLine, family: Family, word: &Word) -> Option<()> {
        self.family_said = true;
        line.settle(family, word)
    }

    /// `from PREFIX`.
    fn from(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = line.value(option)?;
        let from = prefix(value, line.context)?;
        if Family::of(from.address) == Family::Inet {
            let message = "`from` of a route is for IPv6 only".into();
            return line.refuse(value, "family-mix", message, "the route is left out");
        }
        self.from = Some(from);
        line.settle(Family::Inet6, value)
    }

    /// `DESTINATION`, or `TYPE DESTINATION`.
    fn bare_destination(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        let Some(kind) = kind(&word.text) else { return self.destination(line, word) };
        self.kind = kind;
        let value = line.value(word)?;
        self.destination(line, value)
    }

    fn destination(&mut self, line: &mut OptionLine, value: &Word) -> Option<()> {
        let text = &*value.text;
        let destination = match text {
            "default" | "any" | "all" => None,
            "default6" => {
                // Not even keepalived minds.
                let diagnostic = Diagnostic::warning("deprecated-keyword", "`default6` is old");
                line.context.report(diagnostic.at(value.span, "use `inet6 default` in place of it"));
                Some(Prefix::all(Family::Inet6))
            }
            _ if !text.contains(['.', ':']) => {
                return line.unknown(value, OPTIONS);
            }
            _ => Some(prefix(value, line.context)?),
        };
        match destination {
            Some(prefix) => line.settle(Family::of(prefix.address), value)?,
            None if line.family.is_some() && !self.family_said => {
                let message = format!("`{text}` stands after what says of which family it is");
                let diagnostic = Diagnostic::error("family-mix", message)
                    .at(value.span, "the route is left out")
                    .help(format!("begin the route with `{text}`"));
                line.context.report(diagnostic);
                return None;
            }
            None => {}
        }
        if let Some(first) = &self.destination {
            let message = "this route has another destination already";
            let diagnostic = Diagnostic::warning("duplicate-value", message);
            line.context
                .report(diagnostic.at(value.span, "this one is used").also(first.at, "and not this one"));
        }
        self.destination = Some(Destination { prefix: destination, at: value.span });
        Some(())
    }

    /// `or ADDRESS`, the old way to say that there is a second next hop beside `gw`.
    fn or(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        old(line, word, "nexthop");
        let (address, value) = line.address(word)?;
        line.settle(Family::of(address), value)?;
        let hop = |via| NextHop { hop: RouteHop { via, ..RouteHop::default() }, weight: 1 };
        if self.next_hops.is_empty() {
            self.next_hops = vec![hop(self.hop.via.take()), hop(Some(address))];
        }
        Some(())
    }

    /// `nexthop …`, and from there on the rest of the line.
    fn next_hops(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        if !self.next_hops.is_empty() {
            let message = "`nexthop` does not go with `or`".into();
            return line.refuse(word, "conflict", message, "the route is left out");
        }
        self.says_next_hops = true;
        self.next_hops = nexthop::read_all(line, word);
        Some(())
    }

    fn finish(self, family: Family, first: &Word, context: &mut Context) -> Option<Route> {
        let Some(destination) = self.destination else {
            let diagnostic = Diagnostic::error("missing-part", "this route has no destination");
            context.report(diagnostic.at(first.span, "left out"));
            return None;
        };
        let hops = self.says_next_hops || !self.next_hops.is_empty();
        if !hops && nexthop::leads_nowhere(&self.hop) && leads_somewhere(self.kind) {
            let message = "this route says neither `via` nor `dev`, nor that its packets are dropped";
            let diagnostic = Diagnostic::warning("missing-part", message)
                .at(destination.at, "the kernel refuses it")
                .help("where do its packets go? `via ADDRESS`, `dev INTERFACE`, or before the destination `blackhole` or the like");
            context.report(diagnostic);
        }
        let protocol = tracked_protocol("route", self.protocol, self.no_track, context);
        let has_interface = self.hop.interface.is_some();
        Some(Route {
            family,
            destination: destination.prefix.unwrap_or(Prefix::all(family)),
            kind: self.kind,
            from: self.from,
            preferred_source: self.preferred_source,
            tos: self.tos,
            table: self.table.unwrap_or(RoutingTable::MAIN),
            protocol: protocol.unwrap_or(RoutingProtocol::KEEPALIVED),
            scope: self.scope.unwrap_or_default(),
            metric: self.metric,
            hop: self.hop,
            next_hops: self.next_hops,
            expires: self.expires.map(|seconds| std::time::Duration::from_secs(seconds.into())),
            router_preference: self.router_preference,
            ttl_propagate: self.ttl_propagate,
            metrics: self.metrics,
            placement: self.placement,
            no_track: self.no_track,
            track_group: self.track_group.finish(self.no_track, has_interface, "`dev`", context),
        })
    }
}

/// Whether packets of such a route go to somebody.
fn leads_somewhere(kind: RouteKind) -> bool {
    match kind {
        RouteKind::Unicast
        | RouteKind::Local
        | RouteKind::Broadcast
        | RouteKind::Anycast
        | RouteKind::Multicast => true,
        RouteKind::Blackhole
        | RouteKind::Unreachable
        | RouteKind::Prohibit
        | RouteKind::Throw
        | RouteKind::Nat
        | RouteKind::Xresolve
        | RouteKind::Number(_) => false,
    }
}

/// The protocol of a route or rule: what is tracked is known by keepalived's, so no other may stand.
pub(super) fn tracked_protocol(
    what: &str,
    written: Option<(u8, Span)>,
    no_track: bool,
    context: &mut Context,
) -> Option<RoutingProtocol> {
    let ours = RoutingProtocol::KEEPALIVED;
    if no_track {
        return written.map(|(number, _)| RoutingProtocol(number));
    }
    if let Some((_, span)) = written.filter(|(number, _)| *number != ours.0) {
        let message = format!("a tracked {what} has keepalived's protocol ({})", ours.0);
        let diagnostic = Diagnostic::error("conflict", message).at(span, "has no effect");
        context.report(diagnostic.help(format!("`no_track` lets a {what} have another")));
    }
    Some(ours)
}

/// What may stand before a destination, by name or number.
pub(super) fn kind(text: &str) -> Option<RouteKind> {
    let text = if text == "brd" { "broadcast" } else { text };
    if let Some((_, kind)) = RouteKind::NAMES.iter().find(|(name, _)| *name == text) {
        return Some(*kind);
    }
    let number = u8::try_from(of_any_base(text)?).ok()?;
    let known = RouteKind::NAMES.iter().find(|(_, kind)| kind.number() == number);
    Some(known.map_or(RouteKind::Number(number), |(_, kind)| *kind))
}

fn router_preference(line: &mut OptionLine, option: &Word) -> Option<RouterPreference> {
    match line.peek().map(|word| &*word.text) {
        Some("low") => line.next().map(|_| RouterPreference::Low),
        Some("medium") => line.next().map(|_| RouterPreference::Medium),
        Some("high") => line.next().map(|_| RouterPreference::High),
        Some(_) | None => line.number(option, 0, 255).map(|number| match number {
            0 => RouterPreference::Medium,
            1 => RouterPreference::High,
            3 => RouterPreference::Low,
            other => RouterPreference::Number(other),
        }),
    }
}

fn ttl_propagate(line: &mut OptionLine, option: &Word) -> Option<bool> {
    let value = line.value(option)?;
    if !matches!(&*value.text, "enabled" | "disabled") {
        let message = format!("`{}`: `{}` is not known", option.text, value.text);
        let diagnostic = Diagnostic::error("invalid-value", message);
        line.context.report(diagnostic.at(value.span, "expected `enabled` or `disabled`; disabled is used"));
    }
    Some(&*value.text == "enabled")
}

/// `as [to] ADDRESS`: nothing of the kernel any more.
fn translation(line: &mut OptionLine, option: &Word) -> Option<()> {
    line.skip("to");
    line.value(option)?;
    let diagnostic =
        Diagnostic::error("unknown-option", "`as` (translation of addresses) is not for routes of IP");
    line.context.report(diagnostic.at(option.span, "has no effect"));
    Some(())
}

/// An old word.
fn old(line: &mut OptionLine, word: &Word, now: &str) {
    let diagnostic = Diagnostic::warning("deprecated-keyword", format!("`{}` of a route is old", word.text));
    line.context.report(diagnostic.changes().at(word.span, format!("use `{now}` in place of it")));
}
