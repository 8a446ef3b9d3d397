//! What holds for every virtual router.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::link_local::is_link_local_group;
use crate::model::VrrpVersion;
use crate::preprocess::Context;
use crate::schema::bounds::MICROS;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, switch};
use crate::tree::Node;

pub(super) const VRRP: Block<GlobalDraft> = Block(&[
    kw("vrrp_version", &[one("VERSION", Kind::Int(2, 3))], "Version of IPv4 instances.")
        .default("2")
        .example("vrrp_version 3")
        .sets(|to, node, _| {
            to.model.vrrp_version = if node.int(0) == Some(3) { VrrpVersion::V3 } else { VrrpVersion::V2 };
        }),
    kw("vrrp_mcast_group4", &[one("ADDRESS", Kind::Multicast4)], "Multicast group of IPv4 adverts.")
        .default("224.0.0.18")
        .example("vrrp_mcast_group4 224.0.0.19")
        .sets(|to, node, _| {
            if let Some(IpAddr::V4(group)) = node.address(0) {
                to.model.vrrp_mcast_group4 = group;
            }
        }),
    kw("vrrp_mcast_group6", &[one("ADDRESS", Kind::Multicast6)], "Multicast group of IPv6 adverts.")
        .default("ff02::12")
        .example("vrrp_mcast_group6 ff02::13")
        .sets(|to, node, context| {
            if let Some(IpAddr::V6(group)) = node.address(0) {
                to.model.vrrp_mcast_group6 = group;
                doubt_group(group, node, context);
            }
        }),
    switch("vrrp_strict", "Keep to the RFC.")
        .default("off")
        .example("vrrp_strict")
        .sets(|to, node, _| to.model.vrrp_strict = node.on()),
    switch("v3_checksum_as_v2", "No pseudo-header in the checksum of version 3 over IPv4.")
        .default("off")
        .example("v3_checksum_as_v2 on")
        .sets(|to, node, _| to.model.v3_checksum_as_v2 = node.on()),
    flag("vrrp_check_unicast_src", "Refuse unicast adverts from others than the peers.")
        .example("vrrp_check_unicast_src")
        .sets(|to, _, _| to.model.vrrp_check_unicast_src = true),
    switch("vrrp_skip_check_adv_addr", "Check the address list of a master's adverts only once.")
        .default("off")
        .example("vrrp_skip_check_adv_addr")
        .sets(|to, node, _| to.model.vrrp_skip_check_adv_addr = node.on()),
    kw(
        "vrrp_down_timer_adverts",
        &[one("NUMBER", Kind::Int(1, 100))],
        "Adverts missed before a master counts as dead.",
    )
    .default("3")
    .example("vrrp_down_timer_adverts 4")
    .sets(|to, node, _| {
        let adverts = &mut to.model.vrrp_down_timer_adverts;
        *adverts = node.number(0).unwrap_or(*adverts);
    }),
    switch("vrrp_lower_prio_no_advert", "No advert in answer to a lower priority.")
        .default("off")
        .example("vrrp_lower_prio_no_advert")
        .sets(|to, node, _| to.model.vrrp_lower_prio_no_advert = node.on()),
    switch("vrrp_higher_prio_send_advert", "One more advert before yielding to a higher priority.")
        .default("off")
        .example("vrrp_higher_prio_send_advert")
        .sets(|to, node, _| to.model.vrrp_higher_prio_send_advert = node.on()),
    switch("vrrp_owner_ignore_adverts", "The owner does not look at adverts.")
        .default("off")
        .example("vrrp_owner_ignore_adverts")
        .sets(|to, node, _| to.model.vrrp_owner_ignore_adverts = node.on()),
    flag("log_unknown_vrids", "Log adverts of virtual routers that are not configured.")
        .example("log_unknown_vrids")
        .sets(|to, _, _| to.model.log_unknown_vrids = true),
    kw(
        "vrrp_startup_delay",
        &[one("SECONDS", Kind::Seconds(1000, MICROS))],
        "How long instances wait at start; the longest of several counts.",
    )
    .repeats()
    .default("0")
    .example("vrrp_startup_delay 5.5")
    .sets(|to, node, _| longest(&mut to.model.vrrp_startup_delay, node)),
    kw(
        "vrrp_delay_after_boot",
        &[one("SECONDS", Kind::Seconds(1000, MICROS))],
        "How long after boot instances wait; the longest of several counts.",
    )
    .repeats()
    .default("0")
    .example("vrrp_delay_after_boot 60")
    .sets(|to, node, _| longest(&mut to.model.vrrp_delay_after_boot, node)),
]);

/// Adverts should not leave the link.
fn doubt_group(group: Ipv6Addr, node: &Node, context: &mut Context) {
    if !is_link_local_group(group) {
        let message = format!("{group} is not of the link: routers may pass adverts on");
        let diagnostic = Diagnostic::warning("invalid-address", message).changes();
        context.report(diagnostic.at(node.arg_span(0), "should begin with ff02:"));
    }
}

/// Of several delays the longest counts.
fn longest(slot: &mut Duration, node: &Node) {
    *slot = node.seconds(0).unwrap_or_default().max(*slot);
}
