//! Instances and sync groups: defaults, inheritance, and the checks that need more than one line.
//!
//! Where keepalived changes a value and goes on, so do we, with a diagnostic that says what was changed; an instance
//! that cannot be run is left out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::group::GroupDraft;
use super::instance::InstanceDraft;
use super::tracked_names::{Definitions, Tracked, objects};
use super::{alerts, authentication, resolve_advert, resolve_group, strict_mode};
use crate::diagnostics::{Diagnostic, Outcome};
use crate::model::{
    Config, Family, Garp, InitialState, Instance, InterfaceAddress, Name, Notify, Priority, SyncGroup,
    VirtualRouterId, Vmac, VrrpVersion,
};
use crate::preprocess::Context;
use crate::source::Span;

/// Makes the instances and groups of the model.
#[allow(clippy::vec_box)] // as in the draft
pub(super) fn resolve(
    instances: Vec<Box<InstanceDraft>>,
    groups: Vec<GroupDraft>,
    places: &HashMap<Name, Span>,
    skipped: &[Box<str>],
    config: &mut Config,
    context: &mut Context,
) {
    let tracked = Definitions::of(config, skipped);
    config.sync_groups = resolve_group::sync_groups(groups, places, skipped, &tracked, config, context);
    let membership: HashMap<Name, usize> = config
        .sync_groups
        .iter()
        .enumerate()
        .flat_map(|(index, group)| group.members.iter().map(move |member| (member.clone(), index)))
        .collect();
    config.instances.reserve_exact(instances.len());
    let mut routers: HashMap<RouterKey, Span> = HashMap::new();
    for draft in instances {
        let at = draft.at;
        let vrid_at = draft.vrid.map_or(at, |(_, span)| span);
        let group = membership.get(&draft.name).and_then(|index| config.sync_groups.get(*index));
        let Some(instance) = resolve_one(*draft, group, &tracked, config, context) else { continue };
        let keys = router_keys(&instance);
        if let Some(first) = keys.iter().find_map(|key| routers.get(key)) {
            let interface = instance.interface.as_deref().unwrap_or("no interface");
            context.report(
                Diagnostic::error(
                    "duplicate-vrid",
                    format!(
                        "virtual router {} is already used on {interface} ({})",
                        instance.vrid, instance.family
                    ),
                )
                .fatal()
                .at(vrid_at, "used again here")
                .also(*first, "first used here"),
            );
            continue;
        }
        routers.extend(keys.into_iter().map(|key| (key, vrid_at)));
        config.instances.push(instance);
    }
    leave_missing_members(config);
}

/// What no two instances may have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RouterKey {
    interface: Option<Name>,
    vrid: VirtualRouterId,
    family: Family,
    source: Option<IpAddr>,
    /// The multicast group, or one of the peers.
    heard_by: IpAddr,
}

/// Multicast instances are apart by their group, unicast ones by source and peers.
fn router_keys(instance: &Instance) -> Vec<RouterKey> {
    let key = |source, heard_by| RouterKey {
        interface: instance.interface.clone(),
        vrid: instance.vrid,
        family: instance.family,
        source,
        heard_by,
    };
    if instance.unicast_peers.is_empty() {
        return vec![key(None, instance.multicast_group)];
    }
    instance.unicast_peers.iter().map(|peer| key(instance.source_address, peer.address)).collect()
}

/// An instance that was left out is no member of its group any more.
fn leave_missing_members(config: &mut Config) {
    let names: std::collections::HashSet<Name> =
        config.instances.iter().map(|instance| instance.name.clone()).collect();
    for group in &mut config.sync_groups {
        group.members.retain(|member| names.contains(member));
    }
    config.sync_groups.retain(|group| !group.members.is_empty());
}

/// Makes one instance; `None` when it cannot be run (reported).
fn resolve_one(
    mut draft: InstanceDraft,
    group: Option<&SyncGroup>,
    tracked: &Definitions,
    config: &Config,
    context: &mut Context,
) -> Option<Instance> {
    let global = &config.global;
    let at = draft.at;
    let name = draft.name.clone();
    let Some((vrid, _)) = draft.vrid else {
        if draft.bad.contains(&"virtual_router_id") {
            context.leads_to(Outcome::CannotRun);
            return None;
        }
        context.report(
            Diagnostic::error("missing-vrid", format!("`{name}` has no `virtual_router_id`"))
                .fatal()
                .at(at, "this instance cannot run")
                .help("for example: `virtual_router_id 51`, the same number on all routers of the group"),
        );
        return None;
    };
    let family = family_of(&mut draft, context);
    let strict = draft.strict.unwrap_or(global.vrrp_strict);
    let version = version_of(&draft, family, strict, global.vrrp_version, context);
    let interface = draft.interface.take().or_else(|| global.default_interface.clone());
    if interface.is_none() && (draft.peers.is_empty() || draft.source.is_none()) {
        if draft.bad.contains(&"interface") {
            context.leads_to(Outcome::CannotRun);
            return None;
        }
        context.report(
            Diagnostic::error("missing-interface", format!("`{name}` has no `interface`"))
                .fatal()
                .at(at, "this instance cannot run")
                .help(
                    "for example: `interface eth0`; only a unicast instance with `unicast_src_ip` needs none",
                ),
        );
        return None;
    }
    let (state, priority) = state_and_priority(&draft, strict, context);
    strict_mode::check(&mut draft, strict, version, priority, context);
    resolve_advert::check_preemption(&mut draft, state, priority, strict, context);
    let advert_int = resolve_advert::advert_int(&draft, version, context);
    let authentication = authentication::resolve(&draft, version, family, strict, context)?;
    let state = authentication::initial_state(&authentication, &draft, (state, priority), context);
    if let (Some(span), true, false) = (draft.unicast_keyword, draft.peers.is_empty(), draft.peers_written) {
        context.report(
            Diagnostic::warning(
                "unicast-without-peers",
                format!("`{name}` has settings of unicast but no `unicast_peer`"),
            )
            .changes()
            .at(span, "adverts go to the multicast group"),
        );
    }
    needs(&draft, interface.is_some(), context);
    let (addresses, excluded) = resolve_advert::addresses(&mut draft, family, version, context)?;
    let owner_ignore = draft.owner_ignore_adverts.map(|(on, _)| on);
    if let (Some((true, span)), false) = (draft.owner_ignore_adverts, priority == Priority::OWNER) {
        context.report(
            Diagnostic::error("conflict", "`owner_ignore_adverts` is for priority 255 only")
                .at(span, "has no effect"),
        );
    }
    let tracking_weights = group.is_none_or(|group| group.tracking_weight);
    let mut instance = Instance {
        state,
        interface,
        vrid: VirtualRouterId(vrid),
        priority,
        advert_int,
        version,
        family,
        authentication,
        addresses,
        excluded_addresses: excluded,
        nopreempt: draft.nopreempt.is_some(),
        preempt_delay: draft.preempt_delay.map_or(Duration::ZERO, |(delay, _)| delay),
        down_timer_adverts: draft.down_timer_adverts.map_or(global.vrrp_down_timer_adverts, |(n, _)| n),
        accept: draft.accept.map_or(priority == Priority::OWNER || !strict, |(on, _)| on),
        strict,
        garp: garp(&draft, &global.garp, strict),
        lower_prio_no_advert: draft
            .lower_prio_no_advert
            .map_or(strict || global.vrrp_lower_prio_no_advert, |(on, _)| on),
        higher_prio_send_advert: draft
            .higher_prio_send_advert
            .map_or(!strict && global.vrrp_higher_prio_send_advert, |(on, _)| on),
        owner_ignore_adverts: priority == Priority::OWNER
            && owner_ignore.unwrap_or(strict || global.vrrp_owner_ignore_adverts),
        dont_track_primary: draft.dont_track_primary,
        track_interfaces: draft.interfaces,
        track_scripts: objects(draft.scripts, Tracked::Script, tracked, context),
        track_files: objects(draft.files, Tracked::File, tracked, context),
        track_processes: objects(draft.processes, Tracked::Process, tracked, context),
        track_bfds: objects(draft.bfds, Tracked::Bfd, tracked, context),
        source_address: draft.source.map(|(address, _)| address),
        track_source_address: draft.track_source,
        multicast_group: draft.multicast.map_or(
            match family {
                Family::V4 => global.vrrp_mcast_group4.into(),
                Family::V6 => global.vrrp_mcast_group6.into(),
            },
            |(address, _)| address,
        ),
        unicast_peers: draft.peers.into_iter().map(|(peer, _)| peer).collect(),
        unicast_ttl: draft.unicast_ttl.map_or(255, |(ttl, _)| ttl),
        check_unicast_source: draft.check_unicast_source || global.vrrp_check_unicast_src,
        skip_check_adv_addr: draft.skip_check_adv_addr.unwrap_or(global.vrrp_skip_check_adv_addr),
        v3_checksum_as_v2: draft.v3_checksum_as_v2.unwrap_or(global.v3_checksum_as_v2),
        promote_secondaries: draft.promote_secondaries,
        smtp_alert: alerts::vrrp(draft.smtp_alert, global),
        notify: draft.notify.map_or_else(Notify::default, |notify| *notify),
        notify_priority_changes: draft
            .notify_priority_changes
            .or(group.and_then(|group| group.notify_priority_changes))
            .unwrap_or(global.vrrp_notify_priority_changes),
        lvs_sync_daemon_interface: draft.lvs_sync_daemon_interface,
        vmac: draft.vmac.map(|vmac| Vmac {
            xmit_base: draft.vmac_xmit_base.is_some(),
            addresses: draft.vmac_addr,
            ..vmac
        }),
        no_virtual_ipaddress: draft.no_virtual_ipaddress.is_some(),
        kernel_rx_buf_size: draft.kernel_rx_buf_size,
        debug: draft.debug,
        name,
    };
    resolve_advert::drop_own_interface(&mut instance, at, context);
    if !tracking_weights || priority == Priority::OWNER {
        resolve_advert::drop_weights(&mut instance, at, !tracking_weights, context);
    }
    Some(instance)
}

/// Settings that mean nothing without another one, or beside it.
fn needs(draft: &InstanceDraft, has_interface: bool, context: &mut Context) {
    let unicast = draft.peers_written || !draft.peers.is_empty();
    let lone = [
        (draft.unicast_ttl.filter(|_| !unicast).map(|(_, span)| span), "`unicast_ttl` needs `unicast_peer`"),
        (draft.vmac_xmit_base.filter(|_| draft.vmac.is_none()), "`vmac_xmit_base` needs `use_vmac`"),
        (draft.vrf.filter(|_| has_interface), "`vrf` is for instances without `interface`"),
    ];
    for (span, message) in lone {
        if let Some(span) = span {
            context.report(Diagnostic::error("conflict", message).at(span, "has no effect"));
        }
    }
}

/// The family of the adverts: of the first address, the source, the peers or the multicast group.
fn family_of(draft: &mut InstanceDraft, context: &mut Context) -> Family {
    let first =
        |list: &[(InterfaceAddress, Span)]| list.first().map(|(address, _)| Family::of(address.address));
    let family = if draft.native_ipv6.is_some() { Some(Family::V6) } else { first(&draft.addresses) };
    let family = family
        .or(draft.source.map(|(address, _)| Family::of(address)))
        .or(draft.peers.first().map(|(peer, _)| Family::of(peer.address)))
        .or(draft.multicast.map(|(address, _)| Family::of(address)))
        .unwrap_or_default();
    let wrong = |address: IpAddr| Family::of(address) != family;
    let mut say = |what: &str, span: Span| {
        context.report(
            Diagnostic::error(
                "family-mix",
                format!("{what} of `{}` is not {family} as its adverts are", draft.name),
            )
            .at(span, "left out"),
        );
    };
    if let Some((_, span)) = draft.source.filter(|(address, _)| wrong(*address)) {
        say("the source address", span);
        draft.source = None;
    }
    if let Some((_, span)) = draft.multicast.filter(|(address, _)| wrong(*address)) {
        say("the multicast group", span);
        draft.multicast = None;
    }
    draft.peers.retain(|(peer, span)| {
        let right = !wrong(peer.address);
        if !right {
            say("a peer", *span);
        }
        right
    });
    family
}

fn version_of(
    draft: &InstanceDraft,
    family: Family,
    strict: bool,
    default: VrrpVersion,
    context: &mut Context,
) -> VrrpVersion {
    if draft.native_ipv6.is_some() {
        return VrrpVersion::V3;
    }
    match (draft.version, family) {
        (Some((VrrpVersion::V2, span)), Family::V6) if strict => {
            context.report(
                Diagnostic::error("strict", "strict mode has no version 2 over IPv6")
                    .at(span, "version 3 is used"),
            );
            VrrpVersion::V3
        }
        (Some((version, _)), _) => version,
        (None, Family::V6) => VrrpVersion::V3,
        (None, Family::V4) => default,
    }
}

fn state_and_priority(
    draft: &InstanceDraft,
    strict: bool,
    context: &mut Context,
) -> (InitialState, Priority) {
    let master = matches!(draft.state, Some((InitialState::Master, _)));
    let priority = match draft.priority {
        Some((priority, _)) => Priority(priority),
        None if master => Priority::OWNER,
        None => Priority::DEFAULT,
    };
    let owner = priority == Priority::OWNER;
    let by_priority = if owner { InitialState::Master } else { InitialState::Backup };
    match draft.state {
        None => (by_priority, priority),
        Some((_, span)) if strict && master != owner => {
            context.report(
                Diagnostic::error("strict", "in strict mode only the owner (priority 255) begins as MASTER")
                    .at(span, "changed to fit the priority"),
            );
            (by_priority, priority)
        }
        Some((state, _)) => (state, priority),
    }
}

fn garp(draft: &InstanceDraft, global: &Garp, strict: bool) -> Garp {
    let delay = draft.garp_delay.unwrap_or(global.master_delay);
    let lower_delay = if strict { Duration::ZERO } else { global.lower_prio_delay };
    let lower_repeat = if strict { 0 } else { global.lower_prio_repeat };
    Garp {
        master_delay: delay,
        master_repeat: draft.garp_repeat.unwrap_or(global.master_repeat),
        master_refresh: draft.garp_refresh.unwrap_or(global.master_refresh),
        master_refresh_repeat: draft.garp_refresh_repeat.unwrap_or(global.master_refresh_repeat),
        lower_prio_delay: draft.garp_lower_delay.map_or(lower_delay, |(delay, _)| delay),
        lower_prio_repeat: draft.garp_lower_repeat.map_or(lower_repeat, |(number, _)| number),
        interval: global.interval,
        gna_interval: global.gna_interval,
    }
}
