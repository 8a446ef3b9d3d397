//! What IPVS counts for virtual and real servers, as the columns tell it: connections as gauges, though they only rise,
//! and rates as a gauge, as two halves, and whole.

use std::sync::Arc;

use keepwatch_bus::counters::{Gauge, ServiceCounters};
use snmp_agentx::value;

use crate::cells::Cell;

/// The number now; 0 of what has no counters yet.
pub(super) fn read(counters: Option<Arc<ServiceCounters>>, field: fn(&ServiceCounters) -> &Gauge) -> u64 {
    counters.map_or(0, |counters| u64::try_from(field(&counters).get()).unwrap_or(0))
}

pub(super) fn counter32(number: u64) -> Cell {
    Some(value::counter32(number))
}

pub(super) fn counter64(number: u64) -> Cell {
    Some(value::counter64(number))
}

/// The lower half.
pub(super) fn low(number: u64) -> Cell {
    Some(value::unsigned(number as u32))
}

/// The upper half.
pub(super) fn high(number: u64) -> Cell {
    Some(value::unsigned((number >> 32) as u32))
}
