//! Where traffic is counted: what the kernel has counted goes into the counters that everybody reads.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use keepwatch_bus::{
    Counters,
    counters::{Demand, Family, ServiceCounters},
    subject::{RealKey, ServiceKey},
};

use crate::{
    definition::{Definition, destination_address},
    kernel::Snapshot,
    statistics::{Activity, Statistics},
};

/// Where traffic is counted.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    /// Of each service.
    pub services: BTreeMap<ServiceKey, Arc<ServiceCounters>>,
    /// Of real servers: there may be very many, so that one has counters once there is something to count.
    pub servers: Arc<Family<RealKey, ServiceCounters>>,
    /// Whether somebody wants them fresh.
    pub demand: Arc<Demand>,
    /// How old they may be when somebody does (`snmp_vs_stats_update_interval`, `snmp_rs_stats_update_interval`): one
    /// look at the table tells of both, so the shorter one.
    pub freshness: Option<Duration>,
}

impl Meters {
    /// The counters of these virtual servers.
    #[must_use]
    pub fn resolve(definitions: &[Definition], counters: &Counters) -> Self {
        let entries = definitions.iter().flat_map(|definition| &definition.entries);
        let services = entries.map(|service| (*service, counters.services.resolve(service))).collect();
        let (servers, demand) = (counters.reals.clone(), counters.traffic_demand.clone());
        Self { services, servers, demand, freshness: None }
    }

    /// Forgets what was counted of real servers that these do not have.
    pub(crate) fn keep<'a>(&self, definitions: impl Iterator<Item = &'a Definition>) {
        let by_entry: BTreeMap<_, _> = definitions
            .flat_map(|definition| definition.entries.iter().map(move |entry| (*entry, definition)))
            .collect();
        self.servers.retain(|key| {
            by_entry.get(&key.service).is_some_and(|definition| definition.servers.contains_key(&key.real))
        });
    }

    /// Takes in what the kernel has counted.
    pub(crate) fn count<'a>(&self, definitions: impl Iterator<Item = &'a Definition>, snapshot: &Snapshot) {
        for (definition, service) in
            definitions.flat_map(|definition| definition.entries.iter().map(move |entry| (definition, entry)))
        {
            if let (Some(counters), Some(statistics)) =
                (self.services.get(service), snapshot.services.get(service))
            {
                store(counters, statistics, &Activity::default());
            }
            for (address, server) in &definition.servers {
                let place = destination_address(service, *address, server.forwarding);
                let (statistics, activity) =
                    snapshot.servers.get(&(*service, place)).copied().unwrap_or_default();
                let key = RealKey { service: *service, real: *address };
                let counts = statistics != Statistics::default() || activity != Activity::default();
                let known = self.servers.get(&key);
                if let Some(counters) = known.or_else(|| counts.then(|| self.servers.resolve(&key))) {
                    store(&counters, &statistics, &activity);
                }
            }
        }
    }
}

fn store(counters: &ServiceCounters, statistics: &Statistics, activity: &Activity) {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    counters.connections.set(signed(statistics.connections));
    counters.packets_in.set(signed(statistics.packets_in));
    counters.packets_out.set(signed(statistics.packets_out));
    counters.bytes_in.set(signed(statistics.bytes_in));
    counters.bytes_out.set(signed(statistics.bytes_out));
    counters.connections_per_second.set(signed(statistics.connection_rate));
    counters.packets_in_per_second.set(signed(statistics.packet_rate_in));
    counters.packets_out_per_second.set(signed(statistics.packet_rate_out));
    counters.bytes_in_per_second.set(signed(statistics.byte_rate_in));
    counters.bytes_out_per_second.set(signed(statistics.byte_rate_out));
    counters.active.set(activity.active.into());
    counters.inactive.set(activity.inactive.into());
    counters.persistent.set(activity.persistent.into());
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::{BusSettings, Hub};

    use super::*;
    use crate::fixture::{VIP, definition, server, web};

    /// One look at the table may come between a reload and the engine's turn.
    #[test]
    fn what_a_reload_took_away_is_forgotten_after_the_last_sample() {
        let (_bus, hub) = Hub::new(BusSettings::default()).unwrap();
        let reader = hub.reader();
        let counters = reader.counters();
        let real = |n| RealKey { service: VIP, real: web(n) };
        let before = [definition([(2, server(1)), (3, server(1))])];
        let meters = Meters::resolve(&before, counters);
        let statistics = Statistics { connections: 5, ..Statistics::default() };
        let servers = [2, 3].map(|n| ((VIP, web(n)), (statistics, Activity::default())));
        let snapshot = Snapshot { servers: servers.into(), ..Snapshot::default() };
        meters.count(before.iter(), &snapshot);
        assert!(counters.reals.get(&real(2)).is_some() && counters.reals.get(&real(3)).is_some());

        let after = [definition([(3, server(1))])];
        counters.keep(&keepwatch_model::Config::default());
        meters.count(before.iter(), &snapshot);
        meters.keep(after.iter());
        let left: Vec<_> = counters.reals.all().into_iter().map(|(key, _)| key).collect();
        assert_eq!(left, [real(3)]);
    }
}
