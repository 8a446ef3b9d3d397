//! Metrics of virtual routers and sync groups beyond what the keepalived exporter knows.

use std::collections::BTreeMap;
use std::time::Instant;

use keepwatch_bus::counters::{Counters, RouterCounters};
use keepwatch_bus::monotonic_nanoseconds;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Instance, World};

use super::daemon::seconds;
use super::family::{Families, flag, number};
use super::instances::{self, LABELS, Shown, count, sample_each};

type Measured = (&'static str, &'static str, fn(&Instance) -> Option<f64>);

const MEASURED: [Measured; 10] = [
    ("keepwatch_vrrp_master", "Whether the virtual router is master", |i| {
        Some(flag(i.state == VrrpState::Master))
    }),
    ("keepwatch_vrrp_priority", "Effective priority", |i| Some(f64::from(i.priority))),
    ("keepwatch_vrrp_configured_priority", "Priority in the configuration", |i| {
        Some(f64::from(i.settings.priority.0))
    }),
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
];

/// Of how many intervals one must have been heard in to count as a master now.
const INTERVALS: u32 = 2;

pub(super) fn collect(families: &mut Families, world: &World, counters: &Counters) {
    let instances = instances::shown(world);
    for (name, help, measure) in MEASURED {
        sample_each(families.gauge(name, help, &LABELS), &instances, measure);
    }
    transitions(families, &instances, counters);
    times(families, &instances, counters);
    count(families, "keepwatch_", &instances, counters);
    strays(families, counters);
    routing(families, world);
    let mut groups = families.gauge(
        "keepwatch_vrrp_group_state",
        "State of the sync group: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT",
        &["group"],
    );
    for group in world.groups_in_order() {
        groups.sample(&[&group.name], f64::from(group.state.number()));
    }
}

/// Changes of state, what they took, and what was missing meanwhile.
fn transitions(families: &mut Families, instances: &[Shown<'_>], counters: &Counters) {
    let tallies = &counters.tallies;
    let mut changes = families.counter(
        "keepwatch_vrrp_transitions_total",
        "Changes of state, by the kind of fact that led to them",
        &["iname", "intf", "vrid", "from", "to", "reason"],
    );
    let by_name: BTreeMap<_, _> = instances.iter().map(|shown| (&shown.instance.name, shown)).collect();
    for (transition, noted) in tallies.transitions.all() {
        if let Some(shown) = by_name.get(&transition.instance) {
            let values = [transition.from, transition.to, transition.reason];
            changes.sample_of_like(&shown.labels, &values, number(noted.get()), noted.last());
        }
    }
    let mut failovers = families.histogram(
        "keepwatch_vrrp_failover_duration_seconds",
        "From the last that was heard of a master until this host had announced the addresses in its place",
        &LABELS,
    );
    for Shown { labels, instance } in instances {
        if let Some(seen) = tallies.failovers.get(&instance.name) {
            failovers.observed(labels, &[], &seen.read());
        }
    }
    let now = monotonic_nanoseconds();
    let without = families.counter(
        "keepwatch_vrrp_without_master_seconds_total",
        "Time in which a backup knew of no master, silence before a takeover among it",
        &LABELS,
    );
    sample_each(without, instances, |i| {
        let absence = tallies.without_master.get(&i.name);
        Some(absence.map_or(0.0, |absence| absence.total(now).as_secs_f64()))
    });
}

/// What the thread of the virtual routers measures.
fn times(families: &mut Families, instances: &[Shown<'_>], counters: &Counters) {
    let now = Instant::now();
    let measured: Vec<_> = instances
        .iter()
        .filter_map(|shown| Some((shown, counters.times.get(&shown.instance.name)?)))
        .collect();
    let mut masters = families.gauge(
        "keepwatch_vrrp_masters_seen",
        "Masters, this host among them, that advertised in the last two intervals; more than 1 for long is split brain",
        &LABELS,
    );
    for (Shown { labels, instance }, times) in &measured {
        let heard = times.masters_heard(now, instance.settings.advert_int * INTERVALS) as u64;
        let own = u64::from(instance.state == VrrpState::Master);
        masters.sample_of(labels, &[], number(heard + own));
    }
    let mut gaps = families.histogram(
        "keepwatch_vrrp_advert_gap_seconds",
        "Time between two advertisements of a master, one after the other",
        &LABELS,
    );
    for (shown, times) in &measured {
        gaps.observed(&shown.labels, &[], &times.gaps.read());
    }
    let mut largest = families.gauge(
        "keepwatch_vrrp_advert_gap_max_seconds",
        "Largest time between two advertisements of a sender, in the last five to ten minutes",
        &["iname", "intf", "vrid", "sender"],
    );
    for (shown, times) in &measured {
        for sender in times.senders(now) {
            if let Some(gap) = sender.largest_gap {
                largest.sample_of(&shown.labels, &[&sender.address.to_string()], gap.as_secs_f64());
            }
        }
    }
    let mut late = families.histogram(
        "keepwatch_vrrp_timer_lateness_seconds",
        "How late timers were looked at that send an advertisement, or end the wait for one",
        &LABELS,
    );
    for (shown, times) in &measured {
        late.observed(&shown.labels, &[], &times.lateness.read());
    }
}

/// Routes, rules and static addresses by whose they are; `iname` is empty for those that are static.
fn routing(families: &mut Families, world: &World) {
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
        let labels = &["iname"];
        let mut family =
            if counts { families.counter(name, help, labels) } else { families.gauge(name, help, labels) };
        for (instance, sum) in &sums {
            family.sample(&[instance], number(sum[at]));
        }
    }
}

/// Packets that belong to no virtual router here.
fn strays(families: &mut Families, counters: &Counters) {
    let mut strays = families.counter(
        "keepwatch_vrrp_stray_packets_total",
        "Packets that belong to no virtual router here, by what is wrong",
        &["error"],
    );
    for row in RouterCounters::TABLE {
        strays.sample(&[row.metric], number((row.get)(&counters.router).get()));
    }
}
