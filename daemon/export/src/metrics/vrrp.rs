//! Metrics of virtual routers and sync groups beyond what the keepalived exporter knows.

use std::collections::BTreeMap;

use keepwatch_bus::counters::{Counters, RouterCounters};
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Instance, World};

use super::daemon::seconds;
use super::family::{Families, flag, number};
use super::instances::{count, sample_each};

type Measured = (&'static str, &'static str, fn(&Instance) -> Option<f64>);

const MEASURED: &[Measured] = &[
    ("keepwatch_vrrp_master", "Whether the virtual router is master", |i| {
        Some(flag(i.state == VrrpState::Master))
    }),
    ("keepwatch_vrrp_priority", "Effective priority", |i| Some(f64::from(i.priority))),
    ("keepwatch_vrrp_advert_interval_seconds", "Configured time between advertisements", |i| {
        Some(i.settings.advert_int.as_secs_f64())
    }),
    ("keepwatch_vrrp_addresses", "Virtual addresses that are on their interfaces", |i| {
        Some(number(i.addresses.len() as u64))
    }),
    ("keepwatch_vrrp_missing_addresses", "Virtual addresses that the master should have and has not", |i| {
        Some(number(i.missing.len() as u64))
    }),
    (
        "keepwatch_vrrp_own_addresses",
        "Virtual addresses that the host has by itself: neither added nor removed",
        |i| Some(number(i.own_addresses.len() as u64)),
    ),
    ("keepwatch_vrrp_configured_addresses", "Virtual addresses in the configuration", |i| {
        Some(number((i.settings.addresses.len() + i.settings.excluded_addresses.len()) as u64))
    }),
    ("keepwatch_vrrp_last_transition_timestamp_seconds", "When the state changed last", |i| {
        i.changed.map(|change| seconds(change.at))
    }),
    (
        "keepwatch_vrrp_master_priority",
        "Priority of the master as last heard; missing where there is none",
        |i| i.master.map(|(_, priority)| f64::from(priority)),
    ),
    ("keepwatch_vrrp_split_brain", "Other routers that are master for the same addresses", |i| {
        Some(number(i.rivals.len() as u64))
    }),
];

/// Routes, rules and static addresses by whose they are; `instance` is empty for those that are static.
fn routing(families: &mut Families, world: &World) {
    if world.routing.is_empty() {
        return;
    }
    let mut sums: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for state in world.routing.values() {
        let sum = sums.entry(state.instance.as_deref().unwrap_or_default()).or_default();
        sum[usize::from(state.error.is_some())] += 1;
        sum[2] += state.restored;
    }
    let families_of: [(&str, &str, bool); 3] = [
        ("keepwatch_routing_entries", "Routes, rules and static addresses that are there", false),
        (
            "keepwatch_routing_missing_entries",
            "Routes, rules and static addresses that should be there and are not",
            false,
        ),
        (
            "keepwatch_routing_restored_total",
            "Routes, rules and static addresses put back after somebody removed them",
            true,
        ),
    ];
    for (at, (name, help, counts)) in families_of.into_iter().enumerate() {
        let mut family = if counts { families.counter(name, help) } else { families.gauge(name, help) };
        for (instance, sum) in &sums {
            family.sample(&[("instance", instance)], number(sum[at]));
        }
    }
}

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    let instances = world.instances_in_order();
    for (name, help, measure) in MEASURED {
        sample_each(families.gauge(name, help), &instances, measure);
    }
    let transitions =
        families.counter("keepwatch_vrrp_transitions_total", "Changes of state since the worker began");
    sample_each(transitions, &instances, |i| Some(number(i.transitions)));
    count(families, "keepwatch_", &instances, counters);
    strays(families, counters);
    routing(families, world);
    let mut groups = families
        .gauge("keepwatch_vrrp_group_state", "State of the sync group: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT");
    for group in world.groups_in_order() {
        groups.sample(&[("group", &group.name)], f64::from(group.state.number()));
    }
}

/// Packets that belong to no virtual router here.
fn strays(families: &mut Families, counters: &Counters) {
    let mut strays = families.counter(
        "keepwatch_vrrp_stray_packets_total",
        "Packets that belong to no virtual router here, by what is wrong",
    );
    for row in RouterCounters::TABLE {
        strays.sample(&[("error", row.metric)], number((row.get)(&counters.router).get()));
    }
}
