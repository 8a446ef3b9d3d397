//! `bfd_instance`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Draft;
use super::track::own_weight;
use crate::diagnostics::Diagnostic;
use crate::model::{BfdSession, MaxHops, Name};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// Hop limit of packets to an IPv4 neighbour unless given (RFC 5881 §5).
const TTL_IPV4: u8 = 255;
/// Hop limit of packets to an IPv6 neighbour unless given.
const TTL_IPV6: u8 = 64;

/// What was written where it is needed to find fault with the whole.
#[derive(Default)]
struct Written {
    neighbour: Option<IpAddr>,
    source: Option<(IpAddr, Span)>,
    ttl: Option<u8>,
    max_hops: Option<(MaxHops, Span)>,
    for_vrrp: bool,
    for_checkers: bool,
}

impl Draft {
    pub(super) fn bfd(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        match session(node, &name, &mut self.bfd_addresses, context) {
            Some(session) => self.bfds.push(session),
            None => self.leave_out(node, name),
        }
    }
}

/// Neighbour and source of a session, and whether it is multihop: no two have the same.
pub(super) type Addresses = (IpAddr, Option<IpAddr>, bool);

/// The session; `None` if it is left out (reported). `others` has those before it.
fn session(
    node: &Node,
    name: &Name,
    others: &mut HashMap<Addresses, Name>,
    context: &mut Context,
) -> Option<BfdSession> {
    let mut made = BfdSession {
        name: name.clone(),
        neighbour: IpAddr::from([0; 4]),
        source: None,
        min_rx: Duration::from_millis(10),
        min_tx: Duration::from_millis(10),
        idle_tx: Duration::from_secs(1),
        multiplier: 5,
        passive: false,
        ttl: TTL_IPV4,
        max_hops: MaxHops::Most(0),
        multihop: false,
        weight: 0,
        reverse: false,
        for_vrrp: true,
        for_checkers: true,
    };
    let mut written = Written::default();
    for child in node.children.iter().filter(|child| !child.bad) {
        take(&mut made, &mut written, child, context);
    }
    let Some(neighbour) = written.neighbour else {
        if !node.bad_children().contains(&"neighbor_ip") {
            context.report(
                Diagnostic::error("missing-neighbour", format!("`bfd_instance` {name} has no `neighbor_ip`"))
                    .at(node.name.span, "left out"),
            );
        }
        return None;
    };
    if let Some((_, at)) = written.source.filter(|(source, _)| source.is_ipv4() != neighbour.is_ipv4()) {
        let message = format!("the addresses of `bfd_instance` {name} are of different families");
        context.report(Diagnostic::error("family-mix", message).at(at, "left out"));
        return None;
    }
    made.neighbour = neighbour;
    made.source = written.source.map(|(source, _)| source);
    let first = others.entry((made.neighbour, made.source, made.multihop)).or_insert_with(|| name.clone());
    if first != name {
        let message = format!("`bfd_instance` {first} has the same addresses");
        context.report(Diagnostic::error("duplicate-server", message).at(node.arg_span(0), "left out"));
        return None;
    }
    made.ttl = written.ttl.unwrap_or(if neighbour.is_ipv4() { TTL_IPV4 } else { TTL_IPV6 });
    if let Some((hops, at)) = written.max_hops {
        made.max_hops = no_more(hops, made.ttl, at, context);
    }
    (made.for_vrrp, made.for_checkers) = match (written.for_vrrp, written.for_checkers) {
        (false, false) => (true, true),
        told => told,
    };
    Some(made)
}

fn take(made: &mut BfdSession, written: &mut Written, node: &Node, context: &mut Context) {
    match node.keyword.name {
        "neighbor_ip" => written.neighbour = node.host(0),
        "source_ip" => written.source = node.host(0).map(|source| (source, node.arg_span(0))),
        "min_rx" => made.min_rx = node.millis(0).unwrap_or(made.min_rx),
        "min_tx" => made.min_tx = node.millis(0).unwrap_or(made.min_tx),
        "idle_tx" => made.idle_tx = node.millis(0).unwrap_or(made.idle_tx),
        "multiplier" => made.multiplier = node.number(0).unwrap_or(made.multiplier),
        "passive" => made.passive = true,
        "ttl" => written.ttl = node.number(0),
        "max_hops" => {
            written.max_hops = Some((node.number(0).map_or(MaxHops::Any, MaxHops::Most), node.arg_span(0)))
        }
        "multihop" => made.multihop = node.on(),
        "weight" => (made.weight, made.reverse) = own_weight(node, context),
        "vrrp" => written.for_vrrp = true,
        "checker" => written.for_checkers = true,
        _ => {}
    }
}

/// A packet cannot come over more routers than its hop limit lets it (reported).
fn no_more(hops: MaxHops, ttl: u8, at: Span, context: &mut Context) -> MaxHops {
    let (too_many, shown) = match hops {
        // 255 and any number are the same, also where the hop limit is 255.
        MaxHops::Any | MaxHops::Most(u8::MAX) => (ttl < u8::MAX, "any number".to_owned()),
        MaxHops::Most(most) => (most > ttl, most.to_string()),
    };
    if !too_many {
        return hops;
    }
    context.report(
        Diagnostic::error("out-of-range", format!("`max_hops`: {shown} is more than the hop limit"))
            .at(at, format!("{ttl} is used"))
            .help("`ttl` is the hop limit: 255 for an IPv4 neighbour and 64 for an IPv6 one unless given"),
    );
    MaxHops::Most(ttl)
}
