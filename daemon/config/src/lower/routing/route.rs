//! A line of `static_routes` or `virtual_routes`.
//!
//! It is read as `ip route add` would read it, with keepalived's own words (`no_track`, `track_group`) and old ones
//! (`gw`, `or`). What is wrong in it leaves the route out, but for a few things that keepalived goes on without.

mod encap;
mod metrics;
mod nexthop;

use super::address::prefix;
use super::iproute_names::NameKind;
use super::option_line::OptionLine;
use super::state::{Block, Routing, TrackGroup};
use crate::diagnostics::Diagnostic;
use crate::model::{
    AddressScope, Family, NextHop, Prefix, Route, RouteHop, RouteKind, RouteMetrics, RoutePlacement,
    RouterPreference, RoutingProtocol, RoutingTable,
};
use crate::preprocess::Context;
use crate::source::Span;
use crate::values::of_any_base;
use crate::words::Word;

/// Options that stand for themselves here; the rest is in the lists of [`metrics`] and [`nexthop`].
const OPTIONS: &[&str] = &[
    "inet",
    "inet6",
    "to",
    "src",
    "as",
    "gw",
    "or",
    "from",
    "tos",
    "dsfield",
    "table",
    "vrf",
    "protocol",
    "scope",
    "metric",
    "priority",
    "preference",
    "oif",
    "expires",
    "pref",
    "ttl-propagate",
    "add",
    "prepend",
    "append",
    "nexthop",
    "no_track",
    "track_group",
];

/// A route as far as it is read.
#[derive(Default)]
struct RouteDraft {
    family: Option<Family>,
    /// The family was said with `inet` or `inet6`, so that `default` may follow.
    family_said: bool,
    destination: Option<Destination>,
    kind: RouteKind,
    from: Option<Prefix>,
    preferred_source: Option<std::net::IpAddr>,
    tos: Option<u8>,
    table: Option<RoutingTable>,
    protocol: Option<(u8, Span)>,
    scope: AddressScope,
    metric: Option<u32>,
    hop: RouteHop,
    next_hops: Vec<NextHop>,
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

/// The route of a line; `None` when it is left out (reported). Only a static one may have a track group.
pub(in crate::lower) fn route(
    words: &[Word],
    block: Block,
    routing: &mut Routing,
    context: &mut Context,
) -> Option<Route> {
    let first = words.first()?;
    let mut draft = RouteDraft::default();
    let mut line = OptionLine::new(words, "route", &mut routing.names, context);
    while let Some(word) = line.next() {
        if &*word.text == "nexthop" && draft.next_hops.is_empty() {
            // From here on everything belongs to the next hops.
            line.back();
            draft.next_hops = nexthop::read_all(&mut line, &mut draft.family);
            break;
        }
        if block == Block::Static && &*word.text == "track_group" {
            draft.track_group.read(&mut line, word, &routing.group_names)?;
        } else {
            draft.option(&mut line, word)?;
        }
    }
    draft.finish(first, context)
}

impl RouteDraft {
    /// Takes an option, or the destination.
    fn option(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        match &*word.text {
            "inet" => self.say_family(line, Family::Inet, word)?,
            "inet6" => self.say_family(line, Family::Inet6, word)?,
            "src" => {
                let (address, value) = line.address(word)?;
                line.settle(&mut self.family, Family::of(address), value)?;
                self.preferred_source = Some(address);
            }
            "from" => self.from = Some(self.read_from(line, word)?),
            "tos" | "dsfield" => self.tos = Some(line.named_byte(word, NameKind::TypeOfService)?),
            "table" => self.table = Some(RoutingTable::Id(line.named(word, NameKind::Table)?)),
            "vrf" => self.table = Some(RoutingTable::Vrf(line.interface(word)?)),
            "protocol" => self.protocol = Some((line.named_byte(word, NameKind::Protocol)?, word.span)),
            "scope" => self.scope = AddressScope::of(line.named_byte(word, NameKind::Scope)?),
            "metric" | "priority" | "preference" => self.metric = Some(line.u32(word)?),
            "oif" => self.hop.interface = Some(line.interface(word)?),
            "expires" => {
                line.settle(&mut self.family, Family::Inet6, word)?;
                self.expires = Some(line.u32(word)?);
            }
            "pref" => {
                line.settle(&mut self.family, Family::Inet6, word)?;
                self.router_preference = Some(router_preference(line, word)?);
            }
            "ttl-propagate" => self.ttl_propagate = Some(ttl_propagate(line, word)?),
            "add" => self.placement = RoutePlacement::Add,
            "prepend" => self.placement = RoutePlacement::Prepend,
            "append" => self.placement = RoutePlacement::Append,
            "no_track" => self.no_track = true,
            "as" => translation(line, word)?,
            "gw" => {
                old(line, word, "via");
                nexthop::via(&mut self.hop, &mut self.family, line, word)?;
            }
            "or" => self.or(line, word)?,
            "nexthop" => {
                let message = "`nexthop` does not go with `or`".into();
                return line.refuse(word, "conflict", message, "the route is left out");
            }
            _ => {
                if metrics::read(&mut self.metrics, line, word)?
                    || nexthop::read(&mut self.hop, &mut self.family, line, word)?
                {
                    return Some(());
                }
                self.destination(line, word)?;
            }
        }
        Some(())
    }

    fn say_family(&mut self, line: &mut OptionLine, family: Family, word: &Word) -> Option<()> {
        self.family_said = true;
        line.settle(&mut self.family, family, word)
    }

    /// `from PREFIX`.
    fn read_from(&mut self, line: &mut OptionLine, option: &Word) -> Option<Prefix> {
        let value = line.value(option)?;
        let from = prefix(value, line.context)?;
        if Family::of(from.address) == Family::Inet {
            let message = "`from` of a route is for IPv6 only".into();
            return line.refuse(value, "family-mix", message, "the route is left out");
        }
        line.settle(&mut self.family, Family::Inet6, value)?;
        Some(from)
    }

    /// `[to] DESTINATION`, or `TYPE DESTINATION`.
    fn destination(&mut self, line: &mut OptionLine, word: &Word) -> Option<()> {
        let kind = kind(&word.text);
        let value = match (&*word.text, kind) {
            ("to", _) => line.value(word)?,
            (_, Some(kind)) => {
                self.kind = kind;
                line.value(word)?
            }
            _ => word,
        };
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
                let known = [OPTIONS, metrics::OPTIONS, nexthop::OPTIONS].concat();
                return line.unknown(value, &known);
            }
            _ => Some(prefix(value, line.context)?),
        };
        match destination {
            Some(prefix) => line.settle(&mut self.family, Family::of(prefix.address), value)?,
            None if self.family.is_some() && !self.family_said => {
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
        line.settle(&mut self.family, Family::of(address), value)?;
        let hop = |via| NextHop { hop: RouteHop { via, ..RouteHop::default() }, weight: 1 };
        if self.next_hops.is_empty() {
            self.next_hops = vec![hop(self.hop.via.take()), hop(Some(address))];
        }
        Some(())
    }

    fn finish(self, first: &Word, context: &mut Context) -> Option<Route> {
        let Some(destination) = self.destination else {
            let diagnostic = Diagnostic::error("missing-part", "this route has no destination");
            context.report(diagnostic.at(first.span, "left out"));
            return None;
        };
        let family = self.family.unwrap_or_default();
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
            scope: self.scope,
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
