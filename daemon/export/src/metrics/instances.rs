//! Families with one sample for each virtual router, under the labels that the keepalived exporter gives them.

use keepwatch_bus::counters::{Counters, VrrpCounters};
use keepwatch_bus::world::Instance;

use super::family::{Families, Family, number};

/// A family for each counter of a virtual router whose name begins so.
pub(super) fn count(families: &mut Families, prefix: &str, instances: &[&Instance], counters: &Counters) {
    for row in VrrpCounters::TABLE.iter().filter(|row| row.metric.starts_with(prefix)) {
        let family = families.counter(row.metric, row.help);
        sample_each(family, instances, |i| Some(number((row.get)(&*counters.vrrp.get(&i.name)?).get())));
    }
}

/// A sample for every instance that has a value.
pub(super) fn sample_each(
    mut family: Family<'_>,
    instances: &[&Instance],
    value: impl Fn(&Instance) -> Option<f64>,
) {
    for instance in instances {
        if let Some(value) = value(instance) {
            let vrid = instance.settings.vrid.to_string();
            let labels =
                [("iname", &*instance.name), ("intf", instance.settings.interface_name()), ("vrid", &*vrid)];
            family.sample(&labels, value);
        }
    }
}
