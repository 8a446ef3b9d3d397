//! BFD sessions.

use std::net::IpAddr;
use std::time::Duration;

use super::entry::Block;
use super::track::own_weight;
use super::{Kind, flag, kw, one, opt};
use crate::model::MaxHops;
use crate::source::{Placed, Span};

/// A session as written; what is missing is what holds unless given.
#[derive(Debug, Default)]
pub(crate) struct BfdDraft {
    pub(crate) neighbour: Option<IpAddr>,
    pub(crate) source: Placed<IpAddr>,
    pub(crate) min_rx: Option<Duration>,
    pub(crate) min_tx: Option<Duration>,
    pub(crate) idle_tx: Option<Duration>,
    pub(crate) multiplier: Option<u8>,
    pub(crate) passive: bool,
    pub(crate) ttl: Option<u8>,
    pub(crate) max_hops: Option<(MaxHops, Span)>,
    pub(crate) multihop: bool,
    pub(crate) weight: (i32, bool),
    pub(crate) for_vrrp: bool,
    pub(crate) for_checkers: bool,
}

const MOST_MICROS: u64 = 4_294_967_000;

/// `bfd_instance NAME { … }`.
pub(crate) const BFD: Block<BfdDraft> = Block(&[
    kw("neighbor_ip", &[one("ADDRESS", Kind::Host)], "The neighbour.")
        .alias(&["neighbour_ip"])
        .example("neighbor_ip 192.0.2.2")
        .sets(|to, node, _| to.neighbour = node.host(0)),
    kw("source_ip", &[one("ADDRESS", Kind::Host)], "Source address.")
        .example("source_ip 192.0.2.1")
        .sets(|to, node, _| to.source = node.host(0).map(|source| (source, node.arg_span(0)))),
    kw(
        "min_rx",
        &[one("MILLISECONDS", Kind::Millis(1_000, MOST_MICROS))],
        "Least time between packets that are taken.",
    )
    .default("10")
    .example("min_rx 10")
    .sets(|to, node, _| to.min_rx = node.millis(0)),
    kw(
        "min_tx",
        &[one("MILLISECONDS", Kind::Millis(1_000, MOST_MICROS))],
        "Least time between packets that are sent.",
    )
    .default("10")
    .example("min_tx 10")
    .sets(|to, node, _| to.min_tx = node.millis(0)),
    kw(
        "idle_tx",
        &[one("MILLISECONDS", Kind::Millis(1_000_000, MOST_MICROS))],
        "Time between packets while the session is down.",
    )
    .default("1000")
    .example("idle_tx 1000")
    .sets(|to, node, _| to.idle_tx = node.millis(0)),
    kw("multiplier", &[one("NUMBER", Kind::Int(1, 255))], "Packets missed before the session is down.")
        .default("5")
        .example("multiplier 5")
        .sets(|to, node, _| to.multiplier = node.number(0)),
    flag("passive", "Wait for the neighbour to begin.").example("passive").sets(|to, _, _| to.passive = true),
    kw("ttl", &[one("TTL", Kind::Int(1, 255))], "TTL or hop limit of packets.")
        .alias(&["hoplimit"])
        .default("255 for an IPv4 neighbour, 64 for an IPv6 one")
        .example("ttl 128")
        .sets(|to, node, _| to.ttl = node.number(0)),
    kw(
        "max_hops",
        &[one("HOPS", Kind::Int(-1, 255))],
        "Most hops of packets that are taken; -1 is any number.",
    )
    .default("0")
    .example("max_hops 2")
    .sets(|to, node, _| {
        let hops = node.number(0).map_or(MaxHops::Any, MaxHops::Most);
        to.max_hops = Some((hops, node.arg_span(0)));
    }),
    kw("multihop", &[opt("BOOL", Kind::Bool)], "The neighbour is behind routers (RFC 5883).")
        .default("off")
        .example("multihop")
        .sets(|to, node, _| to.multihop = node.on()),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-253, 253)), opt("reverse", Kind::Options("weight"))],
        "Added to the priority of instances that track it.",
    )
    .default("0")
    .example("weight -20")
    .sets(|to, node, context| to.weight = own_weight(node, context)),
    flag("vrrp", "Only VRRP is told of its state.")
        .default("both are")
        .example("vrrp")
        .sets(|to, _, _| to.for_vrrp = true),
    flag("checker", "Only checkers are told of its state.")
        .default("both are")
        .example("checker")
        .sets(|to, _, _| to.for_checkers = true),
]);
