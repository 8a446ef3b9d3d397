//! `bfd_instance`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::model::{BfdSession, MaxHops, Name};
use crate::preprocess::Context;
use crate::schema::bfd::{BFD, BfdDraft};
use crate::source::Span;
use crate::tree::Node;

/// Hop limit of packets to an IPv4 neighbour unless given (RFC 5881 §5).
const TTL_IPV4: u8 = 255;
/// Hop limit of packets to an IPv6 neighbour unless given.
const TTL_IPV6: u8 = 64;

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
    let mut written = BfdDraft::default();
    BFD.read(&mut written, node, context);
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
    let source = written.source.map(|(source, _)| source);
    let first = others.entry((neighbour, source, written.multihop)).or_insert_with(|| name.clone());
    if first != name {
        let message = format!("`bfd_instance` {first} has the same addresses");
        context.report(Diagnostic::error("duplicate-server", message).at(node.arg_span(0), "left out"));
        return None;
    }
    let ttl = written.ttl.unwrap_or(if neighbour.is_ipv4() { TTL_IPV4 } else { TTL_IPV6 });
    let both = !written.for_vrrp && !written.for_checkers;
    let (weight, reverse) = written.weight;
    Some(BfdSession {
        name: name.clone(),
        neighbour,
        source,
        min_rx: written.min_rx.unwrap_or(Duration::from_millis(10)),
        min_tx: written.min_tx.unwrap_or(Duration::from_millis(10)),
        idle_tx: written.idle_tx.unwrap_or(Duration::from_secs(1)),
        multiplier: written.multiplier.unwrap_or(5),
        passive: written.passive,
        ttl,
        max_hops: match written.max_hops {
            Some((hops, at)) => no_more(hops, ttl, at, context),
            None => MaxHops::Most(0),
        },
        multihop: written.multihop,
        weight,
        reverse,
        for_vrrp: written.for_vrrp || both,
        for_checkers: written.for_checkers || both,
    })
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
