//! What holds for every virtual router.

use crate::schema::bounds::MICROS;
use crate::schema::{Keyword, Kind, flag, kw, one, switch};

pub(super) const VRRP: &[Keyword] = &[
    kw("vrrp_version", &[one("VERSION", Kind::Int(2, 3))], "Version of IPv4 instances.")
        .default("2")
        .example("vrrp_version 3"),
    kw("vrrp_mcast_group4", &[one("ADDRESS", Kind::Multicast4)], "Multicast group of IPv4 adverts.")
        .default("224.0.0.18")
        .example("vrrp_mcast_group4 224.0.0.19"),
    kw("vrrp_mcast_group6", &[one("ADDRESS", Kind::Multicast6)], "Multicast group of IPv6 adverts.")
        .default("ff02::12")
        .example("vrrp_mcast_group6 ff02::13"),
    switch("vrrp_strict", "Keep to the RFC.").default("off").example("vrrp_strict"),
    switch("v3_checksum_as_v2", "No pseudo-header in the checksum of version 3 over IPv4.")
        .default("off")
        .example("v3_checksum_as_v2 on"),
    flag("vrrp_check_unicast_src", "Refuse unicast adverts from others than the peers.")
        .example("vrrp_check_unicast_src"),
    switch("vrrp_skip_check_adv_addr", "Check the address list of a master's adverts only once.")
        .default("off")
        .example("vrrp_skip_check_adv_addr"),
    kw(
        "vrrp_down_timer_adverts",
        &[one("NUMBER", Kind::Int(1, 100))],
        "Adverts missed before a master counts as dead.",
    )
    .default("3")
    .example("vrrp_down_timer_adverts 4"),
    switch("vrrp_lower_prio_no_advert", "No advert in answer to a lower priority.")
        .default("off")
        .example("vrrp_lower_prio_no_advert"),
    switch("vrrp_higher_prio_send_advert", "One more advert before yielding to a higher priority.")
        .default("off")
        .example("vrrp_higher_prio_send_advert"),
    switch("vrrp_owner_ignore_adverts", "The owner does not look at adverts.")
        .default("off")
        .example("vrrp_owner_ignore_adverts"),
    flag("log_unknown_vrids", "Log adverts of virtual routers that are not configured.")
        .example("log_unknown_vrids"),
    kw(
        "vrrp_startup_delay",
        &[one("SECONDS", Kind::Seconds(1000, MICROS))],
        "How long instances wait at start; the longest of several counts.",
    )
    .default("0")
    .example("vrrp_startup_delay 5.5"),
    kw(
        "vrrp_delay_after_boot",
        &[one("SECONDS", Kind::Seconds(1000, MICROS))],
        "How long after boot instances wait; the longest of several counts.",
    )
    .default("0")
    .example("vrrp_delay_after_boot 60"),
];
