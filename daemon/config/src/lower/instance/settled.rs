//! What an instance comes to: the model of it, made of its draft and of what was settled before.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{link, strict_mode};
use crate::diagnostics::Diagnostic;
use crate::lower::alerts;
use crate::model::{
    AuthHmac, Authentication, ConfigFault, Family, Garp, Global, InitialState, Instance, InterfaceAddress,
    Name, Priority, Rare, Tracking, VirtualRouterId, VrrpVersion,
};
use crate::preprocess::Context;
use crate::schema::instance::InstanceDraft;

/// What several lines, or a line and what it goes with, say of an instance.
pub(super) struct Settled {
    pub(super) vrid: u8,
    pub(super) family: Family,
    pub(super) version: VrrpVersion,
    /// `strict_mode`, else `vrrp_strict`.
    pub(super) strict: bool,
    pub(super) state: InitialState,
    pub(super) priority: Priority,
    pub(super) advert_int: Duration,
    pub(super) interface: Option<Name>,
    pub(super) vrf: Option<Name>,
    pub(super) fault: Option<ConfigFault>,
    pub(super) authentication: Authentication,
    pub(super) auth_hmac: Option<Box<AuthHmac>>,
    pub(super) addresses: Vec<InterfaceAddress>,
    pub(super) excluded_addresses: Vec<InterfaceAddress>,
}

impl Settled {
    /// The model. `tell_priority` is `notify_priority_changes` of its group.
    pub(super) fn into_instance(
        self,
        draft: InstanceDraft,
        tracking: Rare<Tracking>,
        garp: Arc<Garp>,
        tell_priority: Option<bool>,
        global: &Global,
        context: &mut Context,
    ) -> Instance {
        Instance {
            nopreempt: draft.nopreempt.is_some(),
            preempt_delay: draft.preempt_delay.map_or(Duration::ZERO, |(delay, _)| delay),
            timer_expired_backup: timer_expired(&draft, context),
            down_timer_adverts: strict_mode::down_timer_adverts(&draft, self.strict, global, context),
            accept: draft.accept.map_or(self.priority == Priority::OWNER || !self.strict, |(on, _)| on),
            strict: self.strict,
            garp,
            lower_prio_no_advert: draft
                .lower_prio_no_advert
                .map_or(self.strict || global.vrrp_lower_prio_no_advert, |(on, _)| on),
            higher_prio_send_advert: draft
                .higher_prio_send_advert
                .map_or(!self.strict && global.vrrp_higher_prio_send_advert, |(on, _)| on),
            owner_ignore_adverts: self.owner_ignore_adverts(&draft, global, context),
            dont_track_primary: draft.dont_track_primary,
            tracking,
            source_address: draft.path.source.map(|(address, _)| address),
            track_source_address: draft.path.track_source && draft.path.source.is_some(),
            multicast_group: self.multicast_group(&draft, global, context),
            unicast_checksum: draft.path.unicast_checksum,
            unicast_ttl: unicast_ttl(&draft, context),
            check_unicast_source: draft.path.check_unicast_source || global.vrrp_check_unicast_src,
            unicast_peers: draft.path.peers.iter().map(|(peer, _)| peer.clone()).collect(),
            skip_check_adv_addr: draft.skip_check_adv_addr.unwrap_or(global.vrrp_skip_check_adv_addr),
            v3_checksum_as_v2: draft.v3_checksum_as_v2.unwrap_or(global.v3_checksum_as_v2),
            promote_secondaries: draft.promote_secondaries.is_some(),
            smtp_alert: alerts::vrrp(draft.smtp_alert, global),
            notify: draft.notify,
            notify_priority_changes: draft
                .notify_priority_changes
                .or(tell_priority)
                .unwrap_or(global.vrrp_notify_priority_changes),
            group: None,
            lvs_sync_daemon_interface: draft.lvs_sync_daemon_interface,
            config_fault: self.fault.or(link::ipvlan_fault(&draft.vmac, self.family, context)),
            vmac: draft.vmac.map(|vmac| Box::new(vmac.finish(self.vrid, draft.vmac_xmit_base.is_some()))),
            vmac_for_addresses: draft.vmac_addr,
            vrf: self.vrf,
            routes: draft.routes.into(),
            rules: draft.rules.into(),
            no_virtual_ipaddress: draft.no_virtual_ipaddress.is_some(),
            kernel_rx_buf_size: draft.kernel_rx_buf_size,
            debug: draft.debug,
            poll_link: draft.poll_link && self.interface.is_some(),
            name: draft.name,
            state: self.state,
            interface: self.interface,
            vrid: VirtualRouterId(self.vrid),
            priority: self.priority,
            advert_int: self.advert_int,
            version: self.version,
            family: self.family,
            authentication: self.authentication,
            auth_hmac: self.auth_hmac,
            addresses: self.addresses,
            excluded_addresses: self.excluded_addresses,
        }
    }

    /// `owner_ignore_adverts`: only an owner has it, and an owner that says anything of it has it.
    fn owner_ignore_adverts(&self, draft: &InstanceDraft, global: &Global, context: &mut Context) -> bool {
        let owner = self.priority == Priority::OWNER;
        let (message, label) = match (draft.owner_ignore_adverts, owner) {
            (None, _) => return owner && (self.strict || global.vrrp_owner_ignore_adverts),
            (Some((on, _)), _) if on == owner => return owner,
            (Some(_), true) => ("an owner that is told to look at adverts does not do so", "has no effect"),
            (Some(_), false) => ("`owner_ignore_adverts` is for priority 255 only", "has no effect"),
        };
        if let Some((_, span)) = draft.owner_ignore_adverts {
            context.report(Diagnostic::error("conflict", message).at(span, label));
        }
        owner
    }

    /// `mcast_dst_ip`, else that of the family; unicast has none of its own.
    fn multicast_group(&self, draft: &InstanceDraft, global: &Global, context: &mut Context) -> IpAddr {
        let general = match self.family {
            Family::Inet => global.vrrp_mcast_group4.into(),
            Family::Inet6 => global.vrrp_mcast_group6.into(),
        };
        match draft.path.multicast {
            Some((_, span)) if !draft.path.peers.is_empty() => {
                let message = "`mcast_dst_ip` does not go with `unicast_peer`";
                context.report(Diagnostic::error("conflict", message).at(span, "has no effect"));
                general
            }
            Some((group, _)) => group,
            None => general,
        }
    }
}

/// `timer_expired_backup` is for instances that don't preempt.
fn timer_expired(draft: &InstanceDraft, context: &mut Context) -> Option<Priority> {
    let (priority, at) = draft.timer_expired?;
    if draft.nopreempt.is_none() {
        let diagnostic = Diagnostic::error("conflict", "`timer_expired_backup` needs `nopreempt`");
        context.report(diagnostic.at(at, "has no effect"));
        return None;
    }
    Some(priority)
}

/// `unicast_ttl`, which needs peers.
fn unicast_ttl(draft: &InstanceDraft, context: &mut Context) -> u8 {
    match draft.path.unicast_ttl {
        Some((_, span)) if draft.path.peers.is_empty() => {
            if !draft.path.peers_written {
                let diagnostic = Diagnostic::error("conflict", "`unicast_ttl` needs `unicast_peer`");
                context.report(diagnostic.at(span, "has no effect"));
            }
            u8::MAX
        }
        Some((ttl, _)) => ttl,
        None => u8::MAX,
    }
}
