//! Families with one sample for each virtual router, under the labels that the keepalived exporter gives them.

use keepwatch_bus::counters::{Counter, Counters, VrrpCounters};
use keepwatch_bus::world::Instance;

use super::family::{Families, Family, number};

/// Name, help and counter of what every virtual router counts.
pub(super) type Counted = (&'static str, &'static str, fn(&VrrpCounters) -> &Counter);

/// A family of counters for each of these.
pub(super) fn count(
    families: &mut Families,
    counted: &[Counted],
    instances: &[&Instance],
    counters: &Counters,
) {
    for (name, help, counter) in counted {
        let family = families.counter(name, help);
        sample_each(family, instances, |i| Some(number(counter(&*counters.vrrp.get(&i.name)?).get())));
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
            let interface = instance.settings.interface.as_deref().unwrap_or_default();
            let labels = [("iname", &*instance.name), ("intf", interface), ("vrid", &*vrid)];
            family.sample(&labels, value);
        }
    }
}
