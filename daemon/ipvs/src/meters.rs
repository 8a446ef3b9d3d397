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
