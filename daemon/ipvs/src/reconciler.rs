//! Makes the table what it should be, and finds out when it is not.
//!
//! In goes what the director wants; out come operations on the data plane, off the runtime's threads, and facts on the
//! bus: of what was done (by the [`Ledger`]), refused (`IpvsRefused`, `IpvsFailed`) or found wrong (`DriftRepaired`).
//!
//! What we believe to be in the table is what was read last and has been done since. When the data plane fails, that
//! is not certain any more: the table is read again before anything else is done, at the next definitions or at the
//! next audit, whichever comes first. What is refused is tried again at each audit.

use std::collections::BTreeSet;

use keepwatch_bus::Bus;
use keepwatch_bus::fact::IpvsFact;
use tokio::time::Instant;

use crate::{
    complaints::Complaints,
    dataplane::{Dataplane, DataplaneKind},
    desk::Desk,
    diff::diff_of,
    drift::drifts,
    kernel::{Access, KernelError, Snapshot, Timeouts},
    leaving::Leaving,
    ledger::Ledger,
    marking::Marking,
    meters::Meters,
    step::Step,
    table::{Operation, ServiceKey, Table},
};

/// What is asked of the data plane, in the words of facts.
const READ: &str = "read the table";
const CHANGE: &str = "change the table";
const READ_ENTRY: &str = "read an entry of the table, which is left alone";
const RESIZE: &str = "set the receive buffer";

mod calls;
mod surroundings;

use surroundings::Synchronizing;

/// See the module.
pub(crate) struct Reconciler {
    bus: Bus,
    kind: DataplaneKind,
    /// Away while a blocking thread works with it.
    dataplane: Option<Dataplane>,
    /// What is in the data plane, or was when we last knew: only services that are ours.
    believed: Table,
    /// Why it may be otherwise by now.
    uncertain: Option<Uncertain>,
    /// Services that we have put there, or found there and taken over.
    ours: BTreeSet<ServiceKey>,
    complaints: Complaints,
    ledger: Ledger,
    /// Services that were told anew, and had been put there by us: whoever stands in them still is no stranger.
    handed: BTreeSet<ServiceKey>,
    /// Something was refused of them, and is not known any more.
    forgotten: bool,
    /// The timeouts that were in force before ours.
    timeouts_before: Option<Timeouts>,
    timeouts: Timeouts,
    access: Access,
    /// How packets of groups are to be marked, and how they are.
    pub(crate) marking: Marking,
    marked: Marking,
    /// What runs before this one have left of marks was looked for.
    cleared: bool,
    /// Connection synchronisation, where it should run.
    synchronizing: Option<Synchronizing>,
    /// Who goes when his connections are over.
    leaving: Leaving,
    /// Where the statistics go.
    pub(crate) meters: Meters,
}

/// Why we do not know what is in the table.
enum Uncertain {
    /// Nobody has looked.
    Unread,
    /// The data plane failed, with these words; to be tried again later.
    Failed(String),
}

/// The services that are looked at.
enum Scope {
    All,
    These(BTreeSet<ServiceKey>),
}

/// What is in the table of services that were told anew.
#[derive(Default)]
pub(crate) struct Existing {
    /// Of those that nobody of this run put there.
    pub(crate) strange: Table,
    /// Of all.
    anew: Table,
}

/// What was done about some services.
#[derive(Default)]
struct Done {
    /// What was done, and whether the ledger had anything to tell of it.
    steps: Vec<(Step, bool)>,
    /// What was refused, with the data plane's words.
    refused: Vec<(Step, String)>,
}

impl Reconciler {
    pub(crate) fn new(kind: DataplaneKind, access: Access, bus: Bus) -> Self {
        Self {
            kind,
            dataplane: Some(Dataplane::new(kind, &access)),
            believed: Table::default(),
            uncertain: Some(Uncertain::Unread),
            ours: BTreeSet::new(),
            complaints: Complaints::default(),
            ledger: Ledger::new(bus.clone(), kind == DataplaneKind::Shadow),
            handed: BTreeSet::new(),
            forgotten: false,
            timeouts_before: None,
            timeouts: Timeouts::default(),
            access,
            marking: Marking::default(),
            marked: Marking::default(),
            cleared: false,
            synchronizing: None,
            leaving: Leaving::default(),
            meters: Meters::default(),
            bus,
        }
    }

    /// Makes all the services ours that should be there from now on. Gives what is in the table already of those that nobody of
    /// this run put there, and of all that were told `anew`, which may have been another virtual server's before.
    pub(crate) async fn prepare(
        &mut self,
        coming: BTreeSet<ServiceKey>,
        anew: &BTreeSet<ServiceKey>,
        desk: &mut Desk,
    ) -> Existing {
        let new: BTreeSet<_> = coming.difference(&self.ours).copied().collect();
        self.try_again();
        // What was told of them before is not known any more.
        self.ledger.forget(anew);
        self.forgotten |= self.complaints.forget(anew);
        self.handed.extend(anew.intersection(&self.ours));
        self.ours.extend(&new);
        if !new.is_empty() || (self.uncertain.is_some() && !anew.is_empty()) {
            // That it failed is said.
            let _ = self.read(desk).await;
        }
        match self.uncertain {
            None => {
                let anew = restrict(&self.believed, anew);
                Existing { strange: restrict(&anew, &new), anew }
            }
            Some(_) => Existing::default(),
        }
    }

    /// Tells of services that were there before they were told of.
    pub(crate) fn adopt(&mut self, existing: &Existing, desk: &Desk) {
        self.ledger.adopt(&desk.director, &existing.anew);
    }

    /// Lets the data plane be tried again, if it failed.
    pub(crate) fn try_again(&mut self) {
        if self.uncertain.is_some() {
            self.uncertain = Some(Uncertain::Unread);
        }
    }

    /// Brings the data plane to what the director wants, where that may be otherwise than before.
    pub(crate) async fn reconcile(&mut self, desk: &mut Desk) {
        let dirty = desk.director.take_dirty();
        if self.has_nothing_to_do(desk) {
            return;
        }
        let scope = match self.uncertain {
            Some(Uncertain::Unread) => {
                self.look(desk).await;
                Scope::All
            }
            Some(Uncertain::Failed(_)) | None => Scope::These(dirty),
        };
        self.program(&scope, desk).await;
    }

    /// Reads the table back, puts right what is not as it should be, and takes the statistics.
    pub(crate) async fn audit(&mut self, desk: &mut Desk) {
        self.audit_marks(desk).await;
        self.audit_sync(desk).await;
        // What has not been done yet is no drift, nor what was refused before.
        let pending = desk.director.take_dirty();
        if self.has_nothing_to_do(desk) {
            return;
        }
        let refused: BTreeSet<_> = self.complaints.entries().copied().collect();
        if let Some(snapshot) = self.look(desk).await {
            self.meters.count(desk.director.definitions(), &snapshot);
        }
        // What somebody else has removed before we could is nobody's now.
        let (ours, believed, director) = (&mut self.ours, &self.believed, &desk.director);
        ours.retain(|key| director.owns(key) || believed.services.contains_key(key));
        let mut done = self.program(&Scope::All, desk).await;
        done.retain(|(step, told)| {
            !told && !pending.contains(step.operation.service()) && !refused.contains(&step.subject())
        });
        for fact in drifts(done.iter().map(|(step, _)| step)) {
            self.bus.publish(None, fact);
        }
    }

    /// Whether anybody waits for his connections to be over.
    pub(crate) fn has_leavers(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Lets those go whose connections are over.
    pub(crate) async fn see_off(&mut self, desk: &mut Desk) {
        if self.leaving.welcome(|entry, place| desk.director.names(entry, place)) {
            // They were told as removed.
            self.ledger.adopt(&desk.director, &self.believed);
            if self.leaving.is_empty() {
                return;
            }
        }
        let services = self.leaving.services();
        let read = move |plane: &mut Dataplane| plane.activities(&services);
        let Ok(there) = self.on_dataplane(READ, desk, read).await else { return };
        let services = self.leaving.look(Instant::now(), &there);
        if !services.is_empty() {
            self.program(&Scope::These(services), desk).await;
        }
    }

    /// Whether nobody has asked for a virtual server yet, or again: then nobody wants to hear that there is no IPVS, and
    /// that it failed before is over.
    fn has_nothing_to_do(&mut self, desk: &Desk) -> bool {
        let nothing = self.ours.is_empty() && desk.director.definitions().next().is_none();
        if nothing && self.complaints.not_wanted(&[READ, READ_ENTRY, CHANGE]) {
            self.recovered();
        }
        nothing
    }

    /// Removes everything, ours or not.
    pub(crate) async fn flush(&mut self, desk: &mut Desk) {
        if self.on_dataplane("flush the table", desk, Dataplane::flush).await.is_ok() {
            self.believed = Table::default();
            self.uncertain = None;
            self.ledger.emptied(desk.director.last_cause());
        }
    }

    /// Does what is missing; gives what was done, and whether it was told of.
    async fn program(&mut self, scope: &Scope, desk: &mut Desk) -> Vec<(Step, bool)> {
        let mut done = self.push(scope, desk).await;
        if !done.refused.is_empty() || self.uncertain.is_some() {
            // The table was not what we thought it was, or changed while we read it: look, and try once more.
            if !matches!(self.uncertain, Some(Uncertain::Failed(_))) {
                self.look(desk).await;
            }
            let more = self.push(scope, desk).await;
            done.steps.extend(more.steps);
            done.refused = more.refused;
        }
        if self.uncertain.is_none() {
            self.handed.clear();
        }
        self.judge(scope, done.refused, desk);
        done.steps
    }

    /// Does what is missing, as far as we know what is there. While the data plane fails, all that is missing counts
    /// as refused.
    async fn push(&mut self, scope: &Scope, desk: &mut Desk) -> Done {
        let operations = match scope {
            Scope::All => {
                let desired = desk.director.desired();
                let all = desired.services.keys().chain(self.believed.services.keys());
                diff_of(all, &desired, &self.believed)
            }
            Scope::These(these) => diff_of(these, &desk.director.desired_of(these), &self.believed),
        };
        let named = |entry: &ServiceKey, place| desk.director.names(entry, place);
        let known =
            |entry: &ServiceKey, place| self.handed.contains(entry) || self.ledger.knows(entry, place);
        let operations = match self.kind {
            DataplaneKind::Kernel => {
                self.leaving.soften(Instant::now(), operations, &self.believed, named, known)
            }
            // There are no connections.
            DataplaneKind::Memory | DataplaneKind::Shadow => {
                operations.into_iter().map(|operation| (operation, false)).collect()
            }
        };
        let steps: Vec<_> = operations
            .into_iter()
            .map(|(operation, quiet)| Step { quiet, ..desk.director.step(operation) })
            .collect();
        match &self.uncertain {
            None => self.execute(steps, desk).await,
            Some(Uncertain::Failed(error)) => {
                let refused = steps.into_iter().map(|step| (step, error.clone())).collect();
                Done { steps: Vec::new(), refused }
            }
            Some(Uncertain::Unread) => Done::default(),
        }
    }

    /// Hands steps to the data plane, and tells what was done.
    async fn execute(&mut self, steps: Vec<Step>, desk: &mut Desk) -> Done {
        let mut result = Done::default();
        if steps.is_empty() {
            return result;
        }
        let asked: Vec<_> = steps.iter().map(|step| step.operation.clone()).collect();
        let apply = move |plane: &mut Dataplane| plane.apply(&asked);
        let Ok(refused) = self.on_dataplane(CHANGE, desk, apply).await else {
            self.uncertain = Some(Uncertain::Unread);
            return result;
        };
        let mut refused = refused.into_iter().peekable();
        let mut done = Vec::with_capacity(steps.len());
        for (place, step) in steps.into_iter().enumerate() {
            match refused.next_if(|(no, _)| *no == place) {
                Some((_, error)) => result.refused.push((step, error.reason())),
                None => done.push(step),
            }
        }
        // It worked in the kernel; if it does not here we were wrong, and the next audit sees it.
        let _ = self.believed.apply_all(done.iter().map(|step| &step.operation));
        for step in &done {
            if let Operation::DeleteService(key) = &step.operation {
                self.ours.remove(key);
            }
        }
        let told = self.ledger.done(&done);
        result.steps = done.into_iter().zip(told).collect();
        result
    }

    /// Tells what is refused, each thing once; and of what was refused before, that it is not any more.
    fn judge(&mut self, scope: &Scope, refused: Vec<(Step, String)>, desk: &Desk) {
        let mut still = BTreeSet::new();
        for (step, error) in refused {
            let subject = step.subject();
            // Without its service no real server can be added: that is said already.
            if step.operation.place().is_some() && still.contains(&(subject.0, None)) {
                continue;
            }
            still.insert(subject);
            if self.complaints.of_entry(subject, step.change(), &error) {
                self.ledger.refused(&step, &error);
            }
        }
        let before: Vec<_> = match scope {
            Scope::All => self.complaints.entries().copied().collect(),
            Scope::These(these) => {
                these.iter().flat_map(|service| self.complaints.entries_of(*service)).copied().collect()
            }
        };
        for subject in before.into_iter().filter(|subject| !still.contains(subject)) {
            let covered = still.contains(&(subject.0, None)) && desk.director.owns(&subject.0);
            if !covered && self.complaints.entry_works(&subject) {
                let (service, real) = subject;
                self.bus.publish(None, IpvsFact::IpvsAccepted { service, real });
                self.recovered();
            }
        }
        if std::mem::take(&mut self.forgotten) {
            self.recovered();
        }
    }

    /// Reads what is there. What nobody had told of is told.
    async fn look(&mut self, desk: &mut Desk) -> Option<Snapshot> {
        let snapshot = self.read(desk).await?;
        self.ledger.adopt(&desk.director, &self.believed);
        Some(snapshot)
    }

    async fn read(&mut self, desk: &mut Desk) -> Option<Snapshot> {
        match self.on_dataplane(READ, desk, Dataplane::snapshot).await {
            Ok(snapshot) => {
                self.believed = restrict(&snapshot.table, &self.ours);
                self.uncertain = None;
                self.judge_unread(&snapshot.unread);
                Some(snapshot)
            }
            Err(error) => {
                if matches!(error, KernelError::NoIpvs) {
                    // Of all that there was nothing can be left.
                    self.believed = Table::default();
                }
                self.uncertain = Some(Uncertain::Failed(error.reason()));
                None
            }
        }
    }
}

/// The part of a table that is about these services.
fn restrict(table: &Table, services: &BTreeSet<ServiceKey>) -> Table {
    let ours = table.services.iter().filter(|(key, _)| services.contains(key));
    Table { services: ours.map(|(key, service)| (*key, service.clone())).collect() }
}

#[cfg(test)]
impl Reconciler {
    /// With a table in memory that holds something already.
    pub(crate) fn on_memory(table: Table, bus: Bus) -> Self {
        Self {
            dataplane: Some(Dataplane::Memory(table)),
            ..Self::new(DataplaneKind::Memory, Access::default(), bus)
        }
    }

    /// What should be in the data plane, as far as is known.
    pub(crate) fn believed(&self) -> &Table {
        &self.believed
    }
}

#[cfg(test)]
mod tests;
