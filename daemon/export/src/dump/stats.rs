//! `keepalived.stats`: what virtual routers counted since the start, or since it was cleared.

use std::collections::HashMap;
use std::sync::Arc;

use keepwatch_bus::World;
use keepwatch_bus::counters::{Counter, Counters, VrrpCounters};
use keepwatch_bus::subject::Name;

use super::Page;

/// What the counters were when the statistics were last cleared. The counters themselves only rise: Prometheus and SNMP
/// read the same, and would take one that falls for a restart.
#[derive(Debug, Default)]
pub struct Cleared(HashMap<Name, (Arc<VrrpCounters>, Vec<u64>)>);

impl Cleared {
    /// From now on the dumps count from zero.
    pub fn clear(&mut self, counters: &Counters) {
        let all = counters.vrrp.all();
        self.0 = all.into_iter().map(|(name, held)| (name, (held.clone(), values(&held)))).collect();
    }
}

fn values(counters: &VrrpCounters) -> Vec<u64> {
    VrrpCounters::TABLE.iter().map(|row| (row.get)(counters).get()).collect()
}

/// What one virtual router counted since it was cleared.
pub(super) struct Since(Arc<VrrpCounters>, Vec<u64>);

impl Since {
    /// Of a virtual router.
    pub(super) fn of(name: &Name, counters: &Counters, cleared: &Cleared) -> Self {
        let now = counters.vrrp.get(name).unwrap_or_default();
        let mut values = values(&now);
        // One that a reload took away and another brought back counts from its own start.
        if let Some((_, before)) = cleared.0.get(name).filter(|(held, _)| Arc::ptr_eq(held, &now)) {
            values.iter_mut().zip(before).for_each(|(value, before)| *value = value.saturating_sub(*before));
        }
        Self(now, values)
    }

    /// One counter.
    pub(super) fn get(&self, which: impl Fn(&VrrpCounters) -> &Counter) -> u64 {
        let wanted = which(&self.0);
        let rows = VrrpCounters::TABLE.iter().zip(&self.1);
        rows.into_iter()
            .find(|(row, _)| std::ptr::eq((row.get)(&self.0), wanted))
            .map_or(0, |(_, value)| *value)
    }
}

pub(super) fn write(page: &mut Page, world: &World, counters: &Counters, cleared: &Cleared) {
    for instance in world.instances.values() {
        let since = Since::of(&instance.name, counters, cleared);
        page.line(format_args!("VRRP Instance: {}", instance.name));
        page.line(format_args!("  Advertisements:"));
        page.line(format_args!("    Received: {}", since.get(|c| &c.adverts_received)));
        page.line(format_args!("    Sent: {}", since.get(|c| &c.adverts_sent)));
        page.line(format_args!("  Became master: {}", since.get(|c| &c.became_master)));
        page.line(format_args!("  Released master: {}", since.get(|c| &c.released_master)));
        page.line(format_args!("  Packet Errors:"));
        page.line(format_args!("    Length: {}", since.get(|c| &c.packet_length_errors)));
        page.line(format_args!("    TTL: {}", since.get(|c| &c.ttl_errors)));
        page.line(format_args!("    Invalid Type: {}", since.get(|c| &c.invalid_type)));
        page.line(format_args!("    Advertisement Interval: {}", since.get(|c| &c.interval_errors)));
        page.line(format_args!("    Address List: {}", since.get(|c| &c.address_list_errors)));
        page.line(format_args!("  Authentication Errors:"));
        page.line(format_args!("    Invalid Type: {}", since.get(|c| &c.invalid_auth_type)));
        page.line(format_args!("    Type Mismatch: {}", since.get(|c| &c.auth_type_mismatch)));
        page.line(format_args!("    Failure: {}", since.get(|c| &c.auth_failures)));
        page.line(format_args!("  Authentication Extension Errors:"));
        page.line(format_args!("    Missing: {}", since.get(|c| &c.auth_ext_missing)));
        page.line(format_args!("    Malformed: {}", since.get(|c| &c.auth_ext_malformed)));
        page.line(format_args!("    Unknown Key: {}", since.get(|c| &c.auth_ext_unknown_key)));
        page.line(format_args!("    Invalid HMAC: {}", since.get(|c| &c.auth_ext_invalid_hmac)));
        page.line(format_args!("    Stale: {}", since.get(|c| &c.auth_ext_stale)));
        page.line(format_args!("    Replay: {}", since.get(|c| &c.auth_ext_replay)));
        page.line(format_args!("  Priority Zero:"));
        page.line(format_args!("    Received: {}", since.get(|c| &c.priority_zero_received)));
        page.line(format_args!("    Sent: {}", since.get(|c| &c.priority_zero_sent)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cleared_counts_from_zero_and_one_that_came_back_from_its_own_start() {
        let (counters, mut cleared, name) = (Counters::default(), Cleared::default(), Name::from("VI_1"));
        let sent = |cleared: &Cleared| Since::of(&name, &counters, cleared).get(|c| &c.adverts_sent);
        counters.vrrp.resolve(&name).adverts_sent.add(5);
        assert_eq!(sent(&cleared), 5);
        cleared.clear(&counters);
        counters.vrrp.resolve(&name).adverts_sent.add(2);
        assert_eq!(sent(&cleared), 2);
        assert_eq!(counters.vrrp.resolve(&name).adverts_sent.get(), 7, "the counter itself only rises");
        counters.vrrp.retain(|_| false);
        counters.vrrp.resolve(&name).adverts_sent.add(3);
        assert_eq!(sent(&cleared), 3);
    }
}
