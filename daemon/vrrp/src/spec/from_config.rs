//! From the configuration's model to [`Definitions`].

use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::Counters;
use keepwatch_bus::fact::HoldReason;
use keepwatch_bus::settings::{AuthKind, GroupSettings, InstanceSettings};
use keepwatch_bus::subject::{Name, VirtualAddress, VrrpState};
use keepwatch_config::Config;
use keepwatch_config::model::{
    self, ConfigFault, InitialState, Instance, InterfaceAddress, LinkTarget, Priority, SyncGroup, Tracked,
    VrrpVersion,
};

use super::details;
use super::{
    Authentication, Definitions, GarpTiming, GroupDefinition, GroupSpec, Preemption, RouterDefinition,
    RouterSpec, Transport, Version,
};

impl Definitions {
    /// The VRRP part of a configuration. Takes the counters of each instance from `counters`, which locks: call it
    /// outside the VRRP thread. An instance that this crate can't run yet (VMAC) has been refused by then.
    pub fn from_config(config: &Config, counters: &Counters) -> Self {
        let routers = config
            .instances
            .iter()
            .enumerate()
            .map(|(index, instance)| RouterDefinition {
                spec: router_spec(instance, config.sync_group_of(&instance.name)),
                settings: instance_settings(config, instance, index as u32 + 1),
                counters: counters.vrrp.resolve(&instance.name),
            })
            .collect();
        let groups = config
            .sync_groups
            .iter()
            .enumerate()
            .map(|(index, group)| group_definition(group, index as u32 + 1))
            .collect();
        Self { routers, groups, startup_delay: config.global.vrrp_startup_delay }
    }
}

fn router_spec(instance: &Instance, group: Option<&SyncGroup>) -> RouterSpec {
    let addresses: Arc<[InterfaceAddress]> =
        instance.addresses.iter().chain(&instance.excluded_addresses).cloned().collect();
    RouterSpec {
        name: instance.name.clone(),
        interface: instance.interface.clone(),
        family: instance.family,
        version: version(instance),
        vrid: instance.vrid,
        priority: instance.priority,
        initial_master: instance.state == InitialState::Master,
        advert_interval: instance.advert_int,
        down_adverts: instance.down_timer_adverts.max(1),
        preemption: preemption(instance),
        transport: transport(instance),
        source: instance.source_address,
        track_source: instance.track_source_address,
        addresses,
        advertised: instance.addresses.len(),
        garp: garp(&instance.garp),
        lower_prio_no_advert: instance.lower_prio_no_advert,
        higher_prio_send_advert: instance.higher_prio_send_advert,
        owner_ignore_adverts: instance.owner_ignore_adverts,
        skip_check_addresses: instance.skip_check_adv_addr,
        dont_track_primary: instance.dont_track_primary,
        tracked_interfaces: tracked_interfaces(instance, group),
        held: held(instance),
    }
}

/// What keeps an instance in Fault. One that is to be authenticated in a way that is not built must not go without.
fn held(instance: &Instance) -> Option<HoldReason> {
    match instance.config_fault {
        Some(ConfigFault::UnicastWithoutPeers) => Some(HoldReason::NoPeers),
        Some(ConfigFault::IpvlanWithoutAddress) => Some(HoldReason::IpvlanWithoutAddress),
        Some(ConfigFault::SharedVmac) => Some(HoldReason::SharedVmac),
        None => instance.auth_hmac.as_ref().map(|_| HoldReason::HmacNotBuilt),
    }
}

/// The interfaces that an instance follows: its own `track_interface`, that of its group, and those that its addresses
/// stand on. As in keepalived, a weight in a group counts as none (any fault is a fault of the group) unless the group
/// says `sync_group_tracking_weight`, and an owner follows no weighted one.
fn tracked_interfaces(instance: &Instance, group: Option<&SyncGroup>) -> Arc<[Tracked]> {
    let weightless = group.is_some_and(|group| !group.tracking_weight);
    let of_group = group.map(|group| group.tracking.interfaces.as_slice()).unwrap_or_default();
    let mut tracked: Vec<Tracked> = Vec::new();
    for line in instance.tracking.interfaces.iter().chain(of_group) {
        let weight = if weightless { 0 } else { line.weight };
        match tracked.iter_mut().find(|other| other.name == line.name) {
            // Named in both: the fault wins, else the group's weight.
            Some(other) if other.weight != 0 => *other = Tracked { weight, ..line.clone() },
            Some(_) => {}
            None => tracked.push(Tracked { weight, ..line.clone() }),
        }
    }
    if instance.priority == Priority::OWNER {
        tracked.retain(|line| line.weight == 0);
    }
    for address in instance.addresses.iter().chain(&instance.excluded_addresses) {
        let LinkTarget::Named(interface) = &address.link else { continue };
        let known = Some(interface) == instance.interface.as_ref()
            || tracked.iter().any(|other| other.name == *interface);
        if !known && !address.no_track {
            tracked.push(Tracked { name: interface.clone(), weight: 0, reverse: false });
        }
    }
    tracked.into()
}

fn version(instance: &Instance) -> Version {
    match instance.version {
        VrrpVersion::V2 => Version::V2 {
            authentication: match &instance.authentication {
                model::Authentication::Pass(password) => Authentication::Password(*password.reveal()),
                model::Authentication::Ah(password) => Authentication::Ah(*password.reveal()),
                model::Authentication::None => Authentication::None,
            },
        },
        VrrpVersion::V3 => Version::V3 { checksum_as_v2: instance.v3_checksum_as_v2 },
    }
}

fn preemption(instance: &Instance) -> Preemption {
    if instance.nopreempt {
        Preemption::Never
    } else if instance.preempt_delay > Duration::ZERO {
        Preemption::After(instance.preempt_delay)
    } else {
        Preemption::Always
    }
}

fn transport(instance: &Instance) -> Transport {
    if instance.unicast_peers.is_empty() {
        Transport::Multicast { group: instance.multicast_group }
    } else {
        Transport::Unicast {
            peers: instance.unicast_peers.clone().into(),
            ttl: instance.unicast_ttl,
            check_source: instance.check_unicast_source,
        }
    }
}

fn garp(garp: &model::Garp) -> GarpTiming {
    GarpTiming {
        repeat: garp.master_repeat,
        delay: garp.master_delay,
        refresh: garp.master_refresh,
        refresh_repeat: garp.master_refresh_repeat,
        lower_prio_repeat: garp.lower_prio_repeat,
        lower_prio_delay: garp.lower_prio_delay,
        interval: garp.interval,
        gna_interval: garp.gna_interval,
    }
}

fn instance_settings(config: &Config, instance: &Instance, position: u32) -> InstanceSettings {
    let interface = instance.interface.clone();
    let addresses = |list: &[InterfaceAddress]| {
        list.iter().filter_map(|a| virtual_address(a, interface.as_ref())).collect()
    };
    InstanceSettings {
        position,
        interface: interface.clone(),
        vrid: instance.vrid.0,
        version: instance.version.number(),
        family: instance.family,
        initial_state: match instance.state {
            InitialState::Master => VrrpState::Master,
            InitialState::Backup => VrrpState::Backup,
        },
        priority: instance.priority.0,
        advert_interval: instance.advert_int,
        preempt: !instance.nopreempt,
        preempt_delay: instance.preempt_delay,
        auth: match &instance.authentication {
            model::Authentication::None => AuthKind::None,
            model::Authentication::Pass(_) => AuthKind::Pass,
            model::Authentication::Ah(_) => AuthKind::Ah,
        },
        source: instance.source_address,
        addresses: addresses(&instance.addresses),
        excluded_addresses: addresses(&instance.excluded_addresses),
        garp_master_delay: instance.garp.master_delay,
        garp_master_repeat: instance.garp.master_repeat,
        garp_master_refresh: instance.garp.master_refresh,
        garp_master_refresh_repeat: instance.garp.master_refresh_repeat,
        garp_lower_prio_delay: instance.garp.lower_prio_delay,
        garp_lower_prio_repeat: instance.garp.lower_prio_repeat,
        smtp_alert: instance.smtp_alert,
        accept: instance.accept,
        group: config.sync_group_of(&instance.name).map(|group| group.name.clone()),
        lvs_sync_daemon_interface: instance.lvs_sync_daemon_interface.clone(),
        details: details::of_instance(instance),
    }
}

/// An address of a virtual router as facts name it: with the interface that it really goes on.
pub(crate) fn virtual_address(
    address: &InterfaceAddress,
    interface: Option<&Name>,
) -> Option<VirtualAddress> {
    let interface = match &address.link {
        LinkTarget::Instance => interface?,
        LinkTarget::Named(name) => name,
    };
    Some(VirtualAddress {
        address: address.address,
        prefix: address.prefix_len,
        interface: interface.clone(),
    })
}

fn group_definition(group: &SyncGroup, position: u32) -> GroupDefinition {
    GroupDefinition {
        spec: GroupSpec { name: group.name.clone(), members: group.members.clone() },
        settings: GroupSettings {
            position,
            members: group.members.clone(),
            smtp_alert: group.smtp_alert,
            details: details::of_group(group),
        },
    }
}
