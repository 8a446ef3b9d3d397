//! From the configuration's model to [`Definitions`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::fact::{HoldReason, RoutingEntry};
use keepwatch_bus::subject::{Family, Name};
use keepwatch_bus::{Configured, Counters};
use keepwatch_model::{
    self as model, AdvertBuffers, Config, Follow, InitialState, Instance, LinkbeatInterface, Priority, Route,
    Rule, SyncGroup, TrackedKind, VrrpVersion,
};

use super::{
    Authentication, Definitions, ExtraInterfaces, GarpTiming, GroupDefinition, GroupSpec, Preemption,
    ReceiveBuffer, RouterDefinition, RouterSpec, Transport, Version, VmacPlan,
};
use crate::wire::message::{address_len, auth_data_len};
use crate::wire::{AH_LEN, HEADER_LEN, IPV4_HEADER_LEN, TRAILER_LEN};

impl Definitions {
    /// The VRRP part of a configuration. Takes the counters of each instance from `counters`, which locks: call it
    /// outside the VRRP thread.
    pub fn from_config(config: &Config, counters: &Counters) -> Self {
        let groups: HashMap<&Name, &SyncGroup> =
            config.sync_groups.iter().map(|group| (&group.name, group)).collect();
        let group_of =
            |instance: &Instance| instance.group.as_ref().and_then(|name| groups.get(name).copied());
        let routers = (1..).zip(&config.instances).map(|(position, instance)| RouterDefinition {
            spec: RouterSpec {
                follows: follows(config, instance, group_of(instance)),
                ..router_spec(instance, &config.global.receive_buffers)
            },
            settings: Configured::new(position, instance.clone()),
            counters: counters.vrrp.resolve(&instance.name),
            times: counters.times.resolve(&instance.name),
        });
        let groups = (1..).zip(&config.sync_groups).map(|(position, group)| GroupDefinition {
            spec: GroupSpec { name: group.name.clone(), members: group.members.clone() },
            settings: Configured::new(position, group.clone()),
        });
        Self {
            routers: routers.collect(),
            groups: groups.collect(),
            interface_delays: config.global.interface_delays.clone(),
            linkbeat: linkbeat(config),
            linkbeat_everywhere: config.global.linkbeat_use_polling,
            statics: statics(config),
            garp_groups: config.garp_groups.clone().into(),
            promoting: promoting(config).collect(),
            vmacs: VmacPlan::all(config),
            firewall: config.global.firewall.clone(),
            tell_unknown: config.global.log_unknown_vrids,
            startup_delay: config.global.vrrp_startup_delay,
        }
    }
}

/// What an instance follows: as [`Follow::of`] says, and the interfaces of the static addresses, routes and rules that a
/// `track_group` with it is named at.
fn follows(config: &Config, instance: &Instance, group: Option<&SyncGroup>) -> Arc<[Follow]> {
    let mut all = Follow::of(instance, group);
    for name in config.static_links_of(&instance.name) {
        let known = instance.interface.as_ref() == Some(name)
            || all.iter().any(|follow| (follow.kind, &follow.name) == (TrackedKind::Link, name));
        if !known {
            all.push(Follow { kind: TrackedKind::Link, name: name.clone(), weight: 0, reverse: false });
        }
    }
    all.into()
}

fn router_spec(instance: &Instance, buffers: &model::ReceiveBuffers) -> RouterSpec {
    RouterSpec {
        name: instance.name.clone(),
        interface: instance.interface.clone(),
        transmit_on: None,
        addresses_on: None,
        address_vmacs: Vec::new(),
        heard_beside: None,
        vrf: instance.vrf.clone(),
        family: instance.family,
        version: version(instance),
        hmac: instance.auth_hmac.clone(),
        unicast_checksum: instance.unicast_checksum,
        timer_expired_backup: instance.timer_expired_backup,
        receive_buffer: receive_buffer(instance, buffers),
        vrid: instance.vrid,
        priority: instance.priority,
        initial_master: instance.state == InitialState::Master,
        advert_interval: instance.advert_int,
        down_adverts: instance.down_timer_adverts.max(1),
        preemption: preemption(instance),
        transport: transport(instance),
        source: instance.source_address,
        track_source: instance.track_source_address,
        addresses: instance.all_addresses().cloned().collect(),
        advertised: instance.addresses.len(),
        routing: routing(&instance.routes, &instance.rules).collect(),
        accepts: instance.accept || instance.priority == Priority::OWNER,
        garp: garp(&instance.garp),
        lower_prio_no_advert: instance.lower_prio_no_advert,
        higher_prio_send_advert: instance.higher_prio_send_advert,
        owner_ignore_adverts: instance.owner_ignore_adverts,
        skip_check_addresses: instance.skip_check_adv_addr,
        dont_track_primary: instance.dont_track_primary,
        follows: Arc::from([]),
        held: instance.config_fault.map(HoldReason::from),
    }
}

fn promoting(config: &Config) -> impl Iterator<Item = Name> {
    let promoting = config.instances.iter().filter(|instance| instance.promote_secondaries);
    promoting.filter_map(|instance| instance.interface.clone())
}

/// Routes before the rules that may lead to them.
fn routing<'a>(routes: &'a [Route], rules: &'a [Rule]) -> impl Iterator<Item = RoutingEntry> + 'a {
    let routes = routes.iter().cloned().map(|route| RoutingEntry::Route(Box::new(route)));
    routes.chain(rules.iter().cloned().map(|rule| RoutingEntry::Rule(Box::new(rule))))
}

/// The interfaces that are asked for their link: those listed, and those whose instances say so (`linkbeat_use_polling`).
fn linkbeat(config: &Config) -> Vec<LinkbeatInterface> {
    let mut all = config.global.linkbeat_interfaces.clone();
    for instance in config.instances.iter().filter(|instance| instance.poll_link) {
        if let Some(interface) = &instance.interface
            && !all.iter().any(|line| line.interface == *interface)
        {
            all.push(LinkbeatInterface { interface: interface.clone(), method: None });
        }
    }
    all
}

/// Addresses before the routes that may go by them.
fn statics(config: &Config) -> Arc<[RoutingEntry]> {
    let addresses = config.static_addresses.iter().cloned();
    let addresses = addresses.map(|address| RoutingEntry::Address(Box::new(address)));
    addresses.chain(routing(&config.static_routes, &config.static_rules)).collect()
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

/// `kernel_rx_buf_size`, else what `vrrp_rx_bufs_policy` makes of it.
fn receive_buffer(instance: &Instance, buffers: &model::ReceiveBuffers) -> Option<ReceiveBuffer> {
    if let Some(bytes) = instance.kernel_rx_buf_size.filter(|bytes| *bytes > 0) {
        return Some(ReceiveBuffer::Bytes(bytes));
    }
    let times = buffers.adverts_multiplier.0;
    match buffers.adverts {
        AdvertBuffers::System => None,
        AdvertBuffers::Bytes(bytes) => Some(ReceiveBuffer::Bytes(bytes.saturating_mul(times))),
        AdvertBuffers::Mtu => Some(ReceiveBuffer::Mtu(times)),
        AdvertBuffers::Advert => {
            let ip = if instance.family == Family::Inet { IPV4_HEADER_LEN } else { 0 };
            let each = address_len(instance.family);
            let rest = auth_data_len(version(instance).number(), instance.family) + AH_LEN.max(TRAILER_LEN);
            let advert = ip + HEADER_LEN + each * instance.addresses.len() + rest;
            Some(ReceiveBuffer::Bytes((advert as u32).saturating_mul(times)))
        }
    }
}

pub(crate) fn preemption(instance: &Instance) -> Preemption {
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
        extra: garp
            .extra_interfaces
            .as_ref()
            .map(|extra| ExtraInterfaces { every: extra.every, all: extra.all }),
    }
}
