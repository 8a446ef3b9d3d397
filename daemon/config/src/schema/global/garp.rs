//! Gratuitous ARP and unsolicited neighbour advertisements.

use std::time::Duration;

use super::GlobalDraft;
use crate::model::Garp;
use crate::schema::bounds::{I32, MICROS, SECS, U32};
use crate::schema::entry::Block;
use crate::schema::instance::garp::{at_least_one, extra_interfaces};
use crate::schema::{Kind, kw, one, some, switch};

pub(super) const GARP: Block<GlobalDraft> = Block(&[
    kw(
        "vrrp_garp_master_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "From becoming master to the second burst of gratuitous ARP.",
    )
    .default("5")
    .example("vrrp_garp_master_delay 10")
    .sets(|to, node, _| {
        let delay = &mut to.model.garp.master_delay;
        *delay = node.whole_seconds(0).unwrap_or(*delay);
    }),
    kw("vrrp_garp_master_repeat", &[one("NUMBER", Kind::Int(0, U32))], "Messages per address in each burst.")
        .default("5")
        .example("vrrp_garp_master_repeat 3")
        .sets(|to, node, context| to.model.garp.master_repeat = at_least_one(node, context).unwrap_or(5)),
    kw(
        "vrrp_garp_master_refresh",
        &[one("SECONDS", Kind::Int(0, U32))],
        "Period of refreshing gratuitous ARP while master.",
    )
    .default("0, never")
    .example("vrrp_garp_master_refresh 60")
    .sets(|to, node, _| to.model.garp.master_refresh = node.whole_seconds(0).unwrap_or_default()),
    kw(
        "vrrp_garp_master_refresh_repeat",
        &[one("NUMBER", Kind::Int(0, U32))],
        "Messages per address in each refresh.",
    )
    .default("1")
    .example("vrrp_garp_master_refresh_repeat 2")
    .sets(|to, node, context| to.model.garp.master_refresh_repeat = at_least_one(node, context).unwrap_or(1)),
    kw(
        "vrrp_garp_lower_prio_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "Delay of the second burst after a lower priority was heard.",
    )
    .default("vrrp_garp_master_delay")
    .example("vrrp_garp_lower_prio_delay 10")
    .sets(|to, node, _| to.garp_lower_delay = node.whole_seconds(0)),
    kw(
        "vrrp_garp_lower_prio_repeat",
        &[one("NUMBER", Kind::Int(0, I32))],
        "Messages per address after a lower priority was heard.",
    )
    .default("vrrp_garp_master_repeat")
    .example("vrrp_garp_lower_prio_repeat 1")
    .sets(|to, node, _| to.garp_lower_repeat = node.number(0)),
    kw(
        "vrrp_garp_interval",
        &[one("SECONDS", Kind::Seconds(1, MICROS))],
        "Least time between gratuitous ARP messages on an interface.",
    )
    .default("0")
    .example("vrrp_garp_interval 0.001")
    .sets(|to, node, _| to.model.garp.interval = node.seconds(0).unwrap_or_default()),
    kw(
        "vrrp_gna_interval",
        &[one("SECONDS", Kind::Seconds(1, MICROS))],
        "Least time between unsolicited neighbour advertisements on an interface.",
    )
    .default("0")
    .example("vrrp_gna_interval 0.001")
    .sets(|to, node, _| to.model.garp.gna_interval = node.seconds(0).unwrap_or_default()),
    switch(
        "vrrp_min_garp",
        "One message per address and no second burst, where nothing else was written before.",
    )
    .default("off")
    .example("vrrp_min_garp")
    .sets(|to, node, _| {
        if node.on() {
            fewest(&mut to.model.garp);
        }
    }),
    kw(
        "vrrp_garp_extra_if",
        &[some("[all] SECONDS", Kind::Options("extra interfaces"))],
        "Repeat gratuitous ARP on interfaces other than the instance's.",
    )
    .old(&["vrrp_vmac_garp_intvl"])
    .default("never")
    .example("vrrp_garp_extra_if all 100")
    .sets(|to, node, context| {
        let extra = &mut to.model.garp.extra_interfaces;
        *extra = extra_interfaces(node, 1, context).or(extra.take());
    }),
]);

/// `vrrp_min_garp`: one message and no second burst, but what was written before stays, unless it is the default.
fn fewest(garp: &mut Garp) {
    let unless_given = Garp::default();
    if garp.master_repeat == unless_given.master_repeat {
        garp.master_repeat = 1;
    }
    if garp.master_refresh_repeat == unless_given.master_refresh_repeat {
        // Only matters where there is a refresh, which then sends nothing, as with keepalived.
        garp.master_refresh_repeat = 0;
    }
    if garp.master_delay == unless_given.master_delay {
        garp.master_delay = Duration::ZERO;
    }
}
