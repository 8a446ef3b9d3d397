//! Families with one sample for each virtual router, under the labels that the keepalived exporter gives them.

use keepwatch_bus::counters::{Counters, VrrpCounters};
use keepwatch_bus::world::{Instance, World};

use super::family::{Families, Family, Labels, number};

/// The labels of a virtual router.
pub(super) const LABELS: [&str; 3] = ["iname", "intf", "vrid"];

/// A virtual router with its labels.
pub(super) struct Shown<'a> {
    pub(super) labels: Labels,
    pub(super) instance: &'a Instance,
}

/// All, in the order of the configuration.
pub(super) fn shown(world: &World) -> Vec<Shown<'_>> {
    world.instances.values().map(|instance| Shown { labels: labels(instance), instance }).collect()
}

fn labels(instance: &Instance) -> Labels {
    let vrid = instance.settings.vrid.to_string();
    Labels::new(&[("iname", &instance.name), ("intf", instance.settings.interface_name()), ("vrid", &vrid)])
}

/// A family for each counter of a virtual router whose name begins so.
pub(super) fn count(families: &mut Families, prefix: &str, instances: &[Shown<'_>], counters: &Counters) {
    let counted: Vec<_> = instances
        .iter()
        .filter_map(|shown| Some((&shown.labels, counters.vrrp.get(&shown.instance.name)?)))
        .collect();
    for row in VrrpCounters::TABLE.iter().filter(|row| row.metric.starts_with(prefix)) {
        let mut family = families.counter(row.metric, row.help, &LABELS);
        for (labels, counted) in &counted {
            family.sample_of(labels, &[], number((row.get)(counted).get()));
        }
    }
}

/// A sample for every virtual router that has a value.
pub(super) fn sample_each(
    mut family: Family<'_>,
    instances: &[Shown<'_>],
    value: impl Fn(&Instance) -> Option<f64>,
) {
    for Shown { labels, instance } in instances {
        if let Some(value) = value(instance) {
            family.sample_of(labels, &[], value);
        }
    }
}
