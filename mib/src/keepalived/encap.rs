//! What packets of a route go inside of, as the columns of routes and of next hops tell it.

use std::net::IpAddr;

use keepwatch_model::{Encap, RouteHop};

use super::traffic::counter64;
use crate::cells::{Cell, address, integer, text, unsigned};

/// EncapType: mpls(1), ip(2), ila(3), ip6(4).
pub(super) fn kind(hop: &RouteHop) -> Cell {
    integer(match hop.encap.as_ref()? {
        Encap::Mpls { .. } => 1,
        Encap::Ip(_) => 2,
        Encap::Ila { .. } => 3,
        Encap::Ip6(_) => 4,
    })
}

/// The labels, the outer one first.
pub(super) fn labels(hop: &RouteHop) -> Cell {
    match hop.encap.as_ref()? {
        Encap::Mpls { labels } => text(labels.iter().map(ToString::to_string).collect::<Vec<_>>().join("/")),
        Encap::Ip(_) | Encap::Ip6(_) | Encap::Ila { .. } => None,
    }
}

/// A tunnel over IP, whichever.
struct OverIp {
    id: Option<u64>,
    destination: Option<IpAddr>,
    source: Option<IpAddr>,
    traffic_class: Option<u8>,
    hop_limit: Option<u8>,
    flags: Option<u16>,
}

fn over_ip(hop: &RouteHop) -> Option<OverIp> {
    match hop.encap.as_ref()? {
        Encap::Ip(ip) => Some(OverIp {
            id: ip.id,
            destination: ip.destination.map(IpAddr::from),
            source: ip.source.map(IpAddr::from),
            traffic_class: ip.traffic_class,
            hop_limit: ip.hop_limit,
            flags: ip.flags,
        }),
        Encap::Ip6(ip) => Some(OverIp {
            id: ip.id,
            destination: ip.destination.map(IpAddr::from),
            source: ip.source.map(IpAddr::from),
            traffic_class: ip.traffic_class,
            hop_limit: ip.hop_limit,
            flags: ip.flags,
        }),
        Encap::Mpls { .. } | Encap::Ila { .. } => None,
    }
}

pub(super) fn id(hop: &RouteHop) -> Cell {
    counter64(over_ip(hop)?.id?)
}

pub(super) fn destination(hop: &RouteHop) -> Cell {
    address(&over_ip(hop)?.destination?)
}

pub(super) fn source(hop: &RouteHop) -> Cell {
    address(&over_ip(hop)?.source?)
}

pub(super) fn traffic_class(hop: &RouteHop) -> Cell {
    unsigned(over_ip(hop)?.traffic_class?)
}

pub(super) fn hop_limit(hop: &RouteHop) -> Cell {
    unsigned(over_ip(hop)?.hop_limit?)
}

pub(super) fn flags(hop: &RouteHop) -> Cell {
    unsigned(over_ip(hop)?.flags?)
}

pub(super) fn locator(hop: &RouteHop) -> Cell {
    match hop.encap.as_ref()? {
        Encap::Ila { locator } => counter64(*locator),
        Encap::Mpls { .. } | Encap::Ip(_) | Encap::Ip6(_) => None,
    }
}
