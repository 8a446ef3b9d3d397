//! What holds for every virtual router, and gratuitous ARP.

use std::net::IpAddr;
use std::time::Duration;

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::link_local::is_link_local_group;
use crate::model::{Garp, VrrpVersion};
use crate::preprocess::Context;
use crate::schema::instance::garp::{at_least_one, extra_interfaces};
use crate::tree::Node;

impl GlobalDraft {
    pub(super) fn garp(&mut self, node: &Node, context: &mut Context) -> bool {
        let garp = &mut self.model.garp;
        match node.keyword.name {
            "vrrp_garp_master_delay" => {
                garp.master_delay = node.whole_seconds(0).unwrap_or(garp.master_delay)
            }
            "vrrp_garp_master_repeat" => garp.master_repeat = at_least_one(node, context).unwrap_or(5),
            "vrrp_garp_master_refresh" => garp.master_refresh = node.whole_seconds(0).unwrap_or_default(),
            "vrrp_garp_master_refresh_repeat" => {
                garp.master_refresh_repeat = at_least_one(node, context).unwrap_or(1)
            }
            "vrrp_garp_lower_prio_delay" => self.garp_lower_delay = node.whole_seconds(0),
            "vrrp_garp_lower_prio_repeat" => self.garp_lower_repeat = node.number(0),
            "vrrp_garp_interval" => garp.interval = node.seconds(0).unwrap_or_default(),
            "vrrp_gna_interval" => garp.gna_interval = node.seconds(0).unwrap_or_default(),
            "vrrp_min_garp" if node.on() => fewest(garp),
            "vrrp_min_garp" => {}
            "vrrp_garp_extra_if" => {
                garp.extra_interfaces = extra_interfaces(node, 1, context).or(garp.extra_interfaces.take())
            }
            _ => return false,
        }
        true
    }

    pub(super) fn vrrp(&mut self, node: &Node, context: &mut Context) -> bool {
        let model = &mut self.model;
        match node.keyword.name {
            "vrrp_version" => {
                model.vrrp_version = if node.int(0) == Some(3) { VrrpVersion::V3 } else { VrrpVersion::V2 };
            }
            "vrrp_mcast_group4" => {
                if let Some(IpAddr::V4(group)) = node.address(0) {
                    model.vrrp_mcast_group4 = group;
                }
            }
            "vrrp_mcast_group6" => {
                if let Some(IpAddr::V6(group)) = node.address(0) {
                    model.vrrp_mcast_group6 = group;
                    if !is_link_local_group(group) {
                        context.report(
                            Diagnostic::warning(
                                "invalid-address",
                                format!("{group} is not of the link: routers may pass adverts on"),
                            )
                            .changes()
                            .at(node.arg_span(0), "should begin with ff02:"),
                        );
                    }
                }
            }
            "vrrp_lower_prio_no_advert" => model.vrrp_lower_prio_no_advert = node.on(),
            "vrrp_higher_prio_send_advert" => model.vrrp_higher_prio_send_advert = node.on(),
            "vrrp_down_timer_adverts" => {
                model.vrrp_down_timer_adverts = node.number(0).unwrap_or(model.vrrp_down_timer_adverts)
            }
            "vrrp_strict" => model.vrrp_strict = node.on(),
            "vrrp_skip_check_adv_addr" => model.vrrp_skip_check_adv_addr = node.on(),
            "v3_checksum_as_v2" => model.v3_checksum_as_v2 = node.on(),
            "vrrp_check_unicast_src" => model.vrrp_check_unicast_src = true,
            "vrrp_owner_ignore_adverts" => model.vrrp_owner_ignore_adverts = node.on(),
            "vrrp_notify_priority_changes" => model.vrrp_notify_priority_changes = node.on(),
            "vrrp_startup_delay" => longest(&mut model.vrrp_startup_delay, node),
            "vrrp_delay_after_boot" => longest(&mut model.vrrp_delay_after_boot, node),
            "log_unknown_vrids" => model.log_unknown_vrids = true,
            _ => return false,
        }
        true
    }
}

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

/// Of several delays the longest counts.
fn longest(slot: &mut Duration, node: &Node) {
    *slot = node.seconds(0).unwrap_or_default().max(*slot);
}
