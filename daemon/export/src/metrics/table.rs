//! Metrics of what was done to the table of virtual servers.

use keepwatch_bus::counters::{Counters, Family as Counted};
use keepwatch_bus::histogram::Noted;

use super::family::{Families, number};

type Tallied = (&'static str, &'static str, &'static str, fn(&Counters) -> &Counted<&'static str, Noted>);

const TALLIED: [Tallied; 3] = [
    ("keepwatch_ipvs_operations_total", "Changes of the table, by what was done", "operation", |c| {
        &c.tallies.table
    }),
    ("keepwatch_ipvs_refused_total", "Changes that IPVS did not take, by what was tried", "change", |c| {
        &c.tallies.refused
    }),
    (
        "keepwatch_ipvs_drift_repaired_total",
        "What was put right in the kernel's table, by how it was wrong",
        "drift",
        |c| &c.tallies.drift,
    ),
];

pub(super) fn collect(families: &mut Families, counters: &Counters) {
    for drift in ["missing", "altered", "surplus"] {
        // There from the beginning: an alert on their rate must see the first one.
        counters.tallies.drift.resolve(&drift);
    }
    for (name, help, label, of) in TALLIED {
        let mut family = families.counter(name, help, &[label]);
        for (what, noted) in of(counters).all() {
            family.sample_like(&[what], number(noted.get()), noted.last());
        }
    }
}
