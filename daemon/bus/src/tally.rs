//! What is counted of events beyond how many there are of each kind. The hub does it, as it folds them: so metrics can't
//! tell another story than the history, and each number can name the event that it stands for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keepwatch_model::Config;

use crate::consumer::{ConsumerFact, ScriptOutcome};
use crate::counters::{Counter, Family};
use crate::daemon::DaemonFact;
use crate::event::{Event, EventId};
use crate::fact::Fact;
use crate::histogram::{Failovers, Histogram, Noted, Works};
use crate::history::History;
use crate::ipvs::{Drift, IpvsFact, TableChange};
use crate::service::ServiceFact;
use crate::subject::{Name, VrrpState};
use crate::vrrp::{AnnounceOccasion, VrrpFact};
use crate::world::World;

/// How far a cause is looked for.
const CHAIN: usize = 8;

/// A way from one state to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transition {
    /// The virtual router.
    pub instance: Name,
    /// The state it left.
    pub from: &'static str,
    /// The state it entered.
    pub to: &'static str,
    /// The kind of fact that led to it; `none` where nothing did.
    pub reason: &'static str,
}

/// What is counted of events, for whoever shows it.
#[derive(Debug, Default)]
pub struct Tallies {
    /// Changes of state.
    pub transitions: Family<Transition, Noted>,
    /// From the last that was heard of a master until this host had announced itself in its place.
    pub failovers: Family<Name, Histogram<Failovers>>,
    /// Time in which a virtual router knew of no master.
    pub without_master: Family<Name, Absence>,
    /// Notify scripts, by how they ended: `success`, `failure`, `killed`, `timeout`.
    pub scripts: Family<&'static str, Histogram<Works>>,
    /// Changes of the table of virtual servers, by what was done.
    pub table: Family<&'static str, Noted>,
    /// Changes of it that were refused, by what was tried.
    pub refused: Family<&'static str, Noted>,
    /// What was put right in it, by how it was wrong.
    pub drift: Family<&'static str, Noted>,
    /// Configurations, by whether they came into force: `success`, `failure`; the first one does not count.
    pub reloads: Family<&'static str, Noted>,
    /// What configurations changed, the first one too: what, and whether it was `defined` or `removed`.
    pub changes: Family<(&'static str, &'static str), Counter>,
    /// How long reloads took, from the signal until each part had been told. Whoever reloads observes it.
    pub reloads_took: Histogram<Works>,
}

impl Tallies {
    /// Forgets what is counted of virtual routers that are not in this configuration.
    pub(crate) fn keep(&self, config: &Config) {
        let known = |name: &Name| config.instances.iter().any(|instance| instance.name == *name);
        self.transitions.retain(|transition| known(&transition.instance));
        self.failovers.retain(known);
        self.without_master.retain(known);
    }

    /// Forgets what is counted of one virtual router: the last that is told of it may come after [`Tallies::keep`].
    fn forget(&self, gone: &Name) {
        self.transitions.retain(|transition| transition.instance != *gone);
        self.failovers.retain(|instance| instance != gone);
        self.without_master.retain(|instance| instance != gone);
    }
}

/// Time in which something was missing.
#[derive(Debug, Default)]
pub struct Absence {
    /// Nanoseconds, those of an absence that lasts not among them.
    past: Counter,
    /// Since when it lasts, by the monotonic clock in nanoseconds; 0 while it does not.
    since: AtomicU64,
}

impl Absence {
    fn begin(&self, at: u64) {
        let _ = self.since.compare_exchange(0, at.max(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn end(&self, at: u64) {
        let since = self.since.swap(0, Ordering::Relaxed);
        if since > 0 {
            self.past.add(at.saturating_sub(since));
        }
    }

    /// All of it up to `now`, by the monotonic clock in nanoseconds.
    pub fn total(&self, now: u64) -> Duration {
        let since = self.since.load(Ordering::Relaxed);
        let lasting = if since > 0 { now.saturating_sub(since) } else { 0 };
        Duration::from_nanos(self.past.get().saturating_add(lasting))
    }
}

/// The hub's own part: what it must remember from one event to the next.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Virtual routers that became master because another one fell silent or resigned, and have not announced
    /// themselves yet: the event, and when the other was last heard.
    announcing: HashMap<Name, (EventId, u64)>,
}

impl Tally {
    /// Counts an event that the world has just taken in, and that the history has not.
    pub(crate) fn take(&mut self, event: &Event, world: &World, history: &History, tallies: &Tallies) {
        match &event.fact {
            Fact::Vrrp(fact) => self.vrrp(fact, event, world, history, tallies),
            Fact::Service(fact) => service(fact, event, tallies),
            Fact::Ipvs(fact) => ipvs(fact, event, tallies),
            Fact::Daemon(fact) => daemon(fact, event, tallies),
            Fact::Consumer(ConsumerFact::ScriptExited { outcome, took, .. }) => {
                let result = match outcome {
                    ScriptOutcome::Exited { status: 0 } => "success",
                    ScriptOutcome::Exited { .. } => "failure",
                    ScriptOutcome::Killed { .. } => "killed",
                    ScriptOutcome::TimedOut => "timeout",
                };
                tallies.scripts.resolve(&result).observe_in(*took, event);
            }
            Fact::Consumer(_) | Fact::Link(_) | Fact::Track(_) | Fact::Routing(_) => {}
        }
    }

    fn vrrp(&mut self, fact: &VrrpFact, event: &Event, world: &World, history: &History, tallies: &Tallies) {
        match fact {
            VrrpFact::StateChanged { instance, from, to, .. } => {
                let mut causes = Causes { history, next: event.cause, left: CHAIN };
                let first = causes.next();
                let transition = Transition {
                    instance: instance.clone(),
                    from: state(*from),
                    to: state(*to),
                    reason: first.map_or("none", |cause| cause.fact.kind()),
                };
                tallies.transitions.resolve(&transition).note(event);
                self.announcing.remove(instance);
                let silent = first.into_iter().chain(causes).find_map(silent_since);
                if let Some(since) = silent.filter(|_| *to == VrrpState::Master) {
                    let known = world.instances.get(instance);
                    let announces = known.is_some_and(|i| {
                        !i.settings.addresses.is_empty() || !i.settings.excluded_addresses.is_empty()
                    });
                    if announces {
                        self.announcing.insert(instance.clone(), (event.id, since));
                    } else {
                        failed_over(tallies, instance, since, event);
                    }
                }
                note_master(instance, event, world, tallies);
            }
            VrrpFact::AddressesAnnounced { instance, occasion: AnnounceOccasion::BecameMaster, .. } => {
                let waiting = self.announcing.remove(instance);
                if let Some((_, since)) = waiting.filter(|(because, _)| event.cause == Some(*because)) {
                    failed_over(tallies, instance, since, event);
                }
            }
            VrrpFact::AdvertTimedOut { instance, master: Some(_), waited, .. } => {
                let waited = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
                tallies.without_master.resolve(instance).past.add(waited);
            }
            VrrpFact::InstanceUnconfigured { instance } => {
                self.announcing.remove(instance);
                tallies.forget(instance);
            }
            VrrpFact::InstanceConfigured { instance, .. }
            | VrrpFact::MasterHeard { instance, .. }
            | VrrpFact::MasterResigned { instance, .. } => note_master(instance, event, world, tallies),
            _ => {}
        }
        let what = match fact {
            VrrpFact::InstanceConfigured { .. } => ("virtual_router", "defined"),
            VrrpFact::InstanceUnconfigured { .. } => ("virtual_router", "removed"),
            VrrpFact::GroupConfigured { .. } => ("sync_group", "defined"),
            VrrpFact::GroupUnconfigured { .. } => ("sync_group", "removed"),
            _ => return,
        };
        tallies.changes.resolve(&what).inc();
    }
}

/// Whether a virtual router knows of a master now. One that is not backup does not listen: nothing is known then.
fn note_master(instance: &Name, event: &Event, world: &World, tallies: &Tallies) {
    let absence = tallies.without_master.resolve(instance);
    let known = world.instances.get(instance);
    if known.is_some_and(|i| i.state == VrrpState::Backup && i.master.is_none()) {
        absence.begin(event.mono);
    } else {
        absence.end(event.mono);
    }
}

fn failed_over(tallies: &Tallies, instance: &Name, since: u64, event: &Event) {
    let took = Duration::from_nanos(event.mono.saturating_sub(since));
    tallies.failovers.resolve(instance).observe_in(took, event);
}

/// When a master was last heard, if this tells of its end.
fn silent_since(cause: &Event) -> Option<u64> {
    match &cause.fact {
        Fact::Vrrp(VrrpFact::AdvertTimedOut { master: Some(_), waited, .. }) => {
            Some(cause.mono.saturating_sub(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX)))
        }
        Fact::Vrrp(VrrpFact::MasterResigned { .. }) => Some(cause.mono),
        _ => None,
    }
}

/// The causes of an event, nearest first, as far as they are held.
struct Causes<'a> {
    history: &'a History,
    next: Option<EventId>,
    left: usize,
}

impl<'a> Iterator for Causes<'a> {
    type Item = &'a Event;

    fn next(&mut self) -> Option<&'a Event> {
        self.left = self.left.checked_sub(1)?;
        let event = self.history.get(self.next?)?;
        self.next = event.cause.filter(|cause| *cause < event.id);
        Some(event)
    }
}

fn service(fact: &ServiceFact, event: &Event, tallies: &Tallies) {
    let done = match fact {
        ServiceFact::VirtualServerAdded { adopted: false, .. } => "add_virtual_server",
        ServiceFact::VirtualServerAdded { adopted: true, .. } => "adopt_virtual_server",
        ServiceFact::VirtualServerRemoved { .. } => "remove_virtual_server",
        ServiceFact::RealServerAdded { adopted: false, .. } => "add_real_server",
        ServiceFact::RealServerAdded { adopted: true, .. } => "adopt_real_server",
        ServiceFact::RealServerRemoved { .. } => "remove_real_server",
        ServiceFact::RealServerWeightChanged { .. } => "change_weight",
        ServiceFact::SorryServerAdded { .. } => "add_sorry_server",
        ServiceFact::SorryServerRemoved { .. } => "remove_sorry_server",
        ServiceFact::VirtualServerConfigured { .. } => return changed(tallies, "virtual_server", "defined"),
        ServiceFact::VirtualServerUnconfigured { .. } => {
            return changed(tallies, "virtual_server", "removed");
        }
        ServiceFact::RealServerConfigured { .. } => return changed(tallies, "real_server", "defined"),
        ServiceFact::RealServerUnconfigured { .. } => return changed(tallies, "real_server", "removed"),
        _ => return,
    };
    tallies.table.resolve(&done).note(event);
}

fn changed(tallies: &Tallies, what: &'static str, how: &'static str) {
    tallies.changes.resolve(&(what, how)).inc();
}

fn ipvs(fact: &IpvsFact, event: &Event, tallies: &Tallies) {
    match fact {
        IpvsFact::DriftRepaired { drift, .. } => {
            let drift = match drift {
                Drift::Missing => "missing",
                Drift::Altered => "altered",
                Drift::Surplus => "surplus",
                Drift::Unmarked => "unmarked",
            };
            tallies.drift.resolve(&drift).note(event);
        }
        IpvsFact::IpvsRefused { change, .. } => {
            let change = match change {
                TableChange::Add => "add",
                TableChange::Change => "change",
                TableChange::Remove => "remove",
            };
            tallies.refused.resolve(&change).note(event);
        }
        IpvsFact::IpvsWithheld { .. }
        | IpvsFact::IpvsAccepted { .. }
        | IpvsFact::IpvsFailed { .. }
        | IpvsFact::IpvsRecovered {} => {}
    }
}

fn daemon(fact: &DaemonFact, event: &Event, tallies: &Tallies) {
    let result = match fact {
        DaemonFact::ConfigLoaded { reload: true, .. } => "success",
        DaemonFact::ConfigRejected { .. } => "failure",
        _ => return,
    };
    tallies.reloads.resolve(&result).note(event);
}

/// A state as a label.
fn state(state: VrrpState) -> &'static str {
    match state {
        VrrpState::Init => "INIT",
        VrrpState::Backup => "BACKUP",
        VrrpState::Master => "MASTER",
        VrrpState::Fault => "FAULT",
    }
}

#[cfg(test)]
mod tests;
