//! Makes the table what it should be, and finds out when it is not.
//!
//! In goes what the director wants; out come operations on the data plane, off the runtime's threads, and facts on the
//! bus about what was wrong (`DriftRepaired`) or refused (`IpvsFailed`).

use std::collections::BTreeSet;

use keepwatch_bus::fact::IpvsFact;
use keepwatch_bus::{
    Bus,
    counters::ServiceCounters,
    fact::Drift,
    subject::{RealKey, ServiceKey},
};
use tokio::task::spawn_blocking;

use crate::{
    dataplane::{Dataplane, DataplaneKind},
    definition::{Definition, Meters, destination_address},
    diff::diff,
    director::Director,
    kernel::{KernelError, Snapshot, SyncDaemon, SyncRole, Timeouts},
    statistics::{Activity, Statistics},
    table::{Operation, Table},
};

/// Something that did not work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Complaint {
    /// The data plane as a whole: it could not be read, programmed, …
    Dataplane(&'static str),
    /// One operation was refused.
    Operation(String),
}

/// See the module.
pub(crate) struct Reconciler {
    bus: Bus,
    kind: DataplaneKind,
    /// Away while a blocking thread works with it.
    dataplane: Option<Dataplane>,
    /// What is in the data plane as far as we know: only services that are ours. None if we do not know.
    believed: Option<Table>,
    /// Services that we have put there, or found there and taken over.
    ours: BTreeSet<ServiceKey>,
    /// What was complained about and has not worked since: said once.
    complaints: BTreeSet<Complaint>,
    /// The timeouts that were in force before ours.
    timeouts_before: Option<Timeouts>,
    timeouts: Timeouts,
    /// Where the statistics go.
    pub(crate) meters: Meters,
}

impl Reconciler {
    pub(crate) fn new(kind: DataplaneKind, bus: Bus) -> Self {
        Self {
            bus,
            kind,
            dataplane: Some(Dataplane::new(kind)),
            believed: None,
            ours: BTreeSet::new(),
            complaints: BTreeSet::new(),
            timeouts_before: None,
            timeouts: Timeouts::default(),
            meters: Meters::default(),
        }
    }

    /// Makes services ours that are about to be defined; gives those of them that are there already.
    pub(crate) async fn prepare(&mut self, definitions: &[Definition]) -> Table {
        let coming: BTreeSet<_> =
            definitions.iter().flat_map(|definition| &definition.entries).copied().collect();
        let new: BTreeSet<_> = coming.difference(&self.ours).copied().collect();
        if new.is_empty() {
            return Table::default();
        }
        self.ours.extend(&new);
        let Some(snapshot) = self.read().await else {
            self.believed = None;
            return Table::default();
        };
        let existing = restrict(&snapshot.table, &new);
        self.believed = Some(restrict(&snapshot.table, &self.ours));
        existing
    }

    /// Brings the data plane to what the director wants.
    pub(crate) async fn reconcile(&mut self, director: &Director) {
        let desired = director.desired();
        if self.believed.is_none() {
            self.believed = self.read().await.map(|snapshot| restrict(&snapshot.table, &self.ours));
        }
        self.program(&desired).await;
    }

    /// Reads the table back, puts right what is not as it should be, and takes the statistics.
    pub(crate) async fn audit(&mut self, director: &Director) {
        let Some(snapshot) = self.read().await else { return };
        count(director, &self.meters, &snapshot);
        let desired = director.desired();
        let actual = restrict(&snapshot.table, &self.ours);
        let operations = diff(&desired, &actual);
        // What somebody else has removed before we could is nobody's now.
        self.ours.retain(|key| desired.services.contains_key(key) || actual.services.contains_key(key));
        let open: BTreeSet<_> = operations.iter().map(Operation::to_string).collect();
        let moot = |complaint: &&Complaint| match complaint {
            Complaint::Dataplane(_) => false,
            Complaint::Operation(operation) => !open.contains(operation),
        };
        for complaint in self.complaints.iter().filter(moot).cloned().collect::<Vec<_>>() {
            self.recover(&complaint);
        }
        self.believed = Some(actual);
        if operations.is_empty() {
            return;
        }
        let done = self.program(&desired).await;
        for fact in drifts(director, &done) {
            self.bus.publish(None, fact);
        }
    }

    /// Removes everything, ours or not.
    pub(crate) async fn flush(&mut self) {
        let done = self.on_dataplane("flush", Dataplane::flush).await;
        self.believed = done.map(|()| Table::default());
    }

    /// Sets the timeouts, if they are others than before; what is not given any more is what it was before us.
    pub(crate) async fn set_timeouts(&mut self, timeouts: Timeouts) {
        let before = self.timeouts_before.unwrap_or_default();
        let timeouts = Timeouts {
            tcp: timeouts.tcp.or(before.tcp),
            tcp_fin: timeouts.tcp_fin.or(before.tcp_fin),
            udp: timeouts.udp.or(before.udp),
        };
        if self.timeouts == timeouts {
            return;
        }
        let before = self.on_dataplane("set timeouts", move |plane| plane.set_timeouts(timeouts)).await;
        if let Some(before) = before {
            self.timeouts_before.get_or_insert(before);
            self.timeouts = timeouts;
        }
    }

    /// Sets the timeouts that were in force before ours.
    pub(crate) async fn restore_timeouts(&mut self) {
        if let Some(before) = self.timeouts_before.take() {
            self.set_timeouts(before).await;
        }
    }

    /// Runs these halves of connection synchronisation and no others.
    pub(crate) async fn synchronize(&mut self, daemon: SyncDaemon, halves: &'static [SyncRole]) {
        self.on_dataplane("switch the sync daemon", move |plane| plane.synchronize(&daemon, halves)).await;
    }

    /// Does what is missing; gives what was done, and complains about what was refused twice.
    async fn program(&mut self, desired: &Table) -> Vec<Operation> {
        let (mut done, refused) = self.push(desired).await;
        if refused.is_empty() && self.believed.is_some() {
            return done;
        }
        // The table was not what we thought it was, or changed while we read it: look, and try once more.
        self.believed = self.read().await.map(|snapshot| restrict(&snapshot.table, &self.ours));
        let (more, refused) = self.push(desired).await;
        done.extend(more);
        let no_service: BTreeSet<_> = refused.iter().filter_map(|(operation, _)| added(operation)).collect();
        for (operation, error) in refused {
            // What it is now will show at the next audit, which tries again.
            self.believed = None;
            if added(&operation).is_none() && no_service.contains(operation.service()) {
                // Without its service no real server can be added: that is said already.
                continue;
            }
            self.complain(Complaint::Operation(operation.to_string()), &error);
        }
        done
    }

    /// Does what is missing, as far as we know what is there; gives what was done and what was refused.
    async fn push(&mut self, desired: &Table) -> (Vec<Operation>, Vec<(Operation, KernelError)>) {
        match &self.believed {
            Some(believed) => self.execute(diff(desired, believed)).await,
            None => (Vec::new(), Vec::new()),
        }
    }

    /// Hands operations to the data plane; gives what was done and what was refused.
    async fn execute(
        &mut self,
        operations: Vec<Operation>,
    ) -> (Vec<Operation>, Vec<(Operation, KernelError)>) {
        if operations.is_empty() {
            return (operations, Vec::new());
        }
        let asked = operations.clone();
        let refused = match self.on_dataplane("program", move |plane| plane.apply(&asked)).await {
            Some(refused) => refused,
            None => {
                self.believed = None;
                return (Vec::new(), Vec::new());
            }
        };
        let done: Vec<_> = operations
            .into_iter()
            .filter(|operation| !refused.iter().any(|(no, _)| no == operation))
            .collect();
        for operation in &done {
            self.recover(&Complaint::Operation(operation.to_string()));
            if let Some(believed) = &mut self.believed {
                // It worked in the kernel; if it does not here we were wrong, and the next audit sees it.
                let _ = believed.apply(operation);
            }
            if let Operation::DeleteService(key) = operation {
                self.ours.remove(key);
            }
            if self.kind == DataplaneKind::Shadow {
                self.bus.publish(None, IpvsFact::IpvsWithheld { operation: operation.to_string() });
            }
        }
        (done, refused)
    }

    async fn read(&mut self) -> Option<Snapshot> {
        self.on_dataplane("read", Dataplane::snapshot).await
    }

    /// Works with the data plane on a thread where it may block. A failure is said, and gives nothing.
    async fn on_dataplane<T: Send + 'static>(
        &mut self,
        operation: &'static str,
        work: impl FnOnce(&mut Dataplane) -> Result<T, KernelError> + Send + 'static,
    ) -> Option<T> {
        let mut dataplane = self.dataplane.take().unwrap_or_else(|| Dataplane::new(self.kind));
        let done = spawn_blocking(move || {
            let done = work(&mut dataplane);
            (dataplane, done)
        });
        // The thread gives no answer only when the runtime ends.
        let (dataplane, done) = done.await.ok()?;
        self.dataplane = Some(dataplane);
        match done {
            Ok(value) => {
                self.recover(&Complaint::Dataplane(operation));
                Some(value)
            }
            Err(error) => {
                self.complain(Complaint::Dataplane(operation), &error);
                None
            }
        }
    }

    /// Takes a complaint back, if there was one; when it was the last, says that all is well.
    fn recover(&mut self, complaint: &Complaint) {
        if self.complaints.remove(complaint) && self.complaints.is_empty() {
            self.bus.publish(None, IpvsFact::IpvsRecovered {});
        }
    }

    /// Says what did not work, once.
    fn complain(&mut self, complaint: Complaint, error: &KernelError) {
        if !self.complaints.insert(complaint.clone()) {
            return;
        }
        let operation = match complaint {
            Complaint::Dataplane(operation) => operation.to_owned(),
            Complaint::Operation(operation) => operation,
        };
        let error = match error {
            // The operation is named already.
            KernelError::Refused { error, .. } => error.to_string(),
            KernelError::NoIpvs | KernelError::Socket(_) | KernelError::Answer { .. } => error.to_string(),
        };
        self.bus.publish(None, IpvsFact::IpvsFailed { operation, error });
    }
}

/// The part of a table that is about these services.
fn restrict(table: &Table, services: &BTreeSet<ServiceKey>) -> Table {
    let ours = table.services.iter().filter(|(key, _)| services.contains(key));
    Table { services: ours.map(|(key, service)| (*key, service.clone())).collect() }
}

/// The service that an operation adds.
fn added(operation: &Operation) -> Option<ServiceKey> {
    match operation {
        Operation::AddService(key, _) => Some(*key),
        Operation::SetService(..)
        | Operation::DeleteService(_)
        | Operation::AddDestination(..)
        | Operation::SetDestination(..)
        | Operation::DeleteDestination(..) => None,
    }
}

/// What was wrong, told by what was done about it. A service that was gone stands for its real servers too.
fn drifts(director: &Director, done: &[Operation]) -> Vec<IpvsFact> {
    let restored: BTreeSet<_> = done.iter().filter_map(added).collect();
    let drift = |operation: &Operation| {
        let entry = *operation.service();
        let (place, drift) = match operation {
            Operation::AddService(..) => (None, Drift::Missing),
            Operation::SetService(..) => (None, Drift::Altered),
            Operation::DeleteService(_) => (None, Drift::Surplus),
            Operation::AddDestination(_, place, _) if !restored.contains(&entry) => {
                (Some(*place), Drift::Missing)
            }
            Operation::AddDestination(..) => return None,
            Operation::SetDestination(_, place, _) => (Some(*place), Drift::Altered),
            Operation::DeleteDestination(_, place) => (Some(*place), Drift::Surplus),
        };
        let owner = director.owner(&entry);
        // Facts name the real server as the configuration does, not by its port in the table.
        let real = place.map(|place| {
            let servers = owner.iter().flat_map(|definition| &definition.servers);
            let named = servers
                .into_iter()
                .find(|(address, server)| destination_address(&entry, **address, server.forwarding) == place);
            named.map_or(place, |(address, _)| *address)
        });
        Some(IpvsFact::DriftRepaired { service: entry, real, drift })
    };
    done.iter().filter_map(drift).collect()
}

/// Puts what the kernel has counted into the counters that everybody reads.
fn count(director: &Director, meters: &Meters, snapshot: &Snapshot) {
    for definition in director.definitions() {
        for service in &definition.entries {
            if let (Some(counters), Some(statistics)) =
                (meters.services.get(service), snapshot.services.get(service))
            {
                store(counters, statistics, &Activity::default());
            }
            for (address, server) in &definition.servers {
                let place = destination_address(service, *address, server.forwarding);
                let (statistics, activity) =
                    snapshot.servers.get(&(*service, place)).copied().unwrap_or_default();
                if let Some(counters) = meters.servers.get(&RealKey { service: *service, real: *address }) {
                    store(counters, &statistics, &activity);
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
mod tests;
