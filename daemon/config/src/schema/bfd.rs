//! BFD sessions.

use super::{Keyword, Kind, flag, kw, one, opt};

const MOST_MICROS: u64 = 4_294_967_000;

/// `bfd_instance NAME { … }`.
pub(super) const BFD: &[Keyword] = &[
    kw("neighbor_ip", &[one("ADDRESS", Kind::Host)], "The neighbour.")
        .alias(&["neighbour_ip"])
        .example("neighbor_ip 192.0.2.2"),
    kw("source_ip", &[one("ADDRESS", Kind::Host)], "Source address.").example("source_ip 192.0.2.1"),
    kw(
        "min_rx",
        &[one("MILLISECONDS", Kind::Millis(1_000, MOST_MICROS))],
        "Least time between packets that are taken.",
    )
    .default("10")
    .example("min_rx 10"),
    kw(
        "min_tx",
        &[one("MILLISECONDS", Kind::Millis(1_000, MOST_MICROS))],
        "Least time between packets that are sent.",
    )
    .default("10")
    .example("min_tx 10"),
    kw(
        "idle_tx",
        &[one("MILLISECONDS", Kind::Millis(1_000_000, MOST_MICROS))],
        "Time between packets while the session is down.",
    )
    .default("1000")
    .example("idle_tx 1000"),
    kw("multiplier", &[one("NUMBER", Kind::Int(1, 255))], "Packets missed before the session is down.")
        .default("5")
        .example("multiplier 5"),
    flag("passive", "Wait for the neighbour to begin.").example("passive"),
    kw("ttl", &[one("TTL", Kind::Int(1, 255))], "TTL or hop limit of packets.")
        .alias(&["hoplimit"])
        .default("255 for an IPv4 neighbour, 64 for an IPv6 one")
        .example("ttl 128"),
    kw(
        "max_hops",
        &[one("HOPS", Kind::Int(-1, 255))],
        "Most hops of packets that are taken; -1 is any number.",
    )
    .default("0")
    .example("max_hops 2"),
    kw("multihop", &[opt("BOOL", Kind::Bool)], "The neighbour is behind routers (RFC 5883).")
        .default("off")
        .example("multihop"),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-253, 253)), opt("reverse", Kind::Options("weight"))],
        "Added to the priority of instances that track it.",
    )
    .default("0")
    .example("weight -20"),
    flag("vrrp", "Only VRRP is told of its state.").default("both are").example("vrrp"),
    flag("checker", "Only checkers are told of its state.").default("both are").example("checker"),
];
