//! Gratuitous ARP and unsolicited neighbour advertisements.

use crate::schema::bounds::{I32, MICROS, SECS, U32};
use crate::schema::{Keyword, Kind, kw, one, some, switch};

pub(super) const GARP: &[Keyword] = &[
    kw(
        "vrrp_garp_master_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "From becoming master to the second burst of gratuitous ARP.",
    )
    .default("5")
    .example("vrrp_garp_master_delay 10"),
    kw("vrrp_garp_master_repeat", &[one("NUMBER", Kind::Int(0, U32))], "Messages per address in each burst.")
        .default("5")
        .example("vrrp_garp_master_repeat 3"),
    kw(
        "vrrp_garp_master_refresh",
        &[one("SECONDS", Kind::Int(0, U32))],
        "Period of refreshing gratuitous ARP while master.",
    )
    .default("0, never")
    .example("vrrp_garp_master_refresh 60"),
    kw(
        "vrrp_garp_master_refresh_repeat",
        &[one("NUMBER", Kind::Int(0, U32))],
        "Messages per address in each refresh.",
    )
    .default("1")
    .example("vrrp_garp_master_refresh_repeat 2"),
    kw(
        "vrrp_garp_lower_prio_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "Delay of the second burst after a lower priority was heard.",
    )
    .default("vrrp_garp_master_delay")
    .example("vrrp_garp_lower_prio_delay 10"),
    kw(
        "vrrp_garp_lower_prio_repeat",
        &[one("NUMBER", Kind::Int(0, I32))],
        "Messages per address after a lower priority was heard.",
    )
    .default("vrrp_garp_master_repeat")
    .example("vrrp_garp_lower_prio_repeat 1"),
    kw(
        "vrrp_garp_interval",
        &[one("SECONDS", Kind::Seconds(1, MICROS))],
        "Least time between gratuitous ARP messages on an interface.",
    )
    .default("0")
    .example("vrrp_garp_interval 0.001"),
    kw(
        "vrrp_gna_interval",
        &[one("SECONDS", Kind::Seconds(1, MICROS))],
        "Least time between unsolicited neighbour advertisements on an interface.",
    )
    .default("0")
    .example("vrrp_gna_interval 0.001"),
    switch(
        "vrrp_min_garp",
        "One message per address and no second burst, where nothing else was written before.",
    )
    .default("off")
    .example("vrrp_min_garp"),
    kw(
        "vrrp_garp_extra_if",
        &[some("[all] SECONDS", Kind::Options("extra interfaces"))],
        "Repeat gratuitous ARP on interfaces other than the instance's.",
    )
    .old(&["vrrp_vmac_garp_intvl"])
    .default("never")
    .example("vrrp_garp_extra_if all 100"),
];
