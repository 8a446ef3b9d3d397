//! The state of everything, built by folding events and in no other way.
//!
//! [`World::apply`] is the only writer. SNMP, Prometheus, the status page, the dumps and the operator's command all
//! read it, so they can't contradict each other; folding the recorded events again gives the same world.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::configured::Process;
use crate::event::{Event, EventId};
use crate::fact::{DaemonFact, Fact};
use crate::subject::{Name, RealKey, ServiceKey};

pub(crate) mod keyed;
mod order;
mod trouble;

pub use order::{Ordered, Placed};
pub use trouble::{Trouble, Weight};

pub use crate::consumer::{Broken, DbusState, FifoState, MailState, Overdue, ScriptsState, SnmpState};
pub use crate::daemon::{ConfigState, Diagnosed, Hung, Restarts};
pub use crate::link::Interface;
pub use crate::routing::{RoutingKey, RoutingState};
pub use crate::service::{Checker, Hindrance, RealServer, RealState, Refusal, Service, Sights};
pub use crate::track::{Influence, LeftOut, Standing, Tracker, Trackers};
pub use crate::vrrp::{Group, Instance, Missing, Rival};

/// Everything that is known, at one version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Rises by one with each event.
    pub version: u64,
    /// Rises when virtual routers come, go or change their place, and when interfaces change their index: for whoever
    /// keeps an order of them.
    #[serde(default)]
    pub layout: u64,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
    /// Whether a clean stop is under way.
    pub stopping: bool,
    /// The process and `global_defs`.
    pub settings: Process,
    /// The configuration in force.
    pub config: ConfigState,
    /// Interfaces that matter to a virtual router.
    #[serde(with = "keyed")]
    pub interfaces: IndexMap<Name, Interface>,
    /// Virtual routers, in the order of the configuration.
    pub instances: Ordered<Name, Instance>,
    /// Sync groups, likewise.
    pub groups: Ordered<Name, Group>,
    /// What virtual routers follow besides interfaces.
    #[serde(default)]
    pub trackers: Trackers,
    /// Virtual servers, likewise.
    pub services: Ordered<ServiceKey, Service>,
    /// Routes and rules of virtual routers, and static entries of the kernel's tables: those that should be there now.
    #[serde(with = "keyed", default)]
    pub routing: IndexMap<RoutingKey, RoutingState>,
    /// Interfaces that were made for virtual routers, each with its virtual router.
    #[serde(default)]
    pub made: IndexMap<Name, Name>,
    /// Notify scripts.
    #[serde(default)]
    pub scripts: ScriptsState,
    /// FIFOs, by their path.
    #[serde(default)]
    pub fifos: IndexMap<Name, FifoState>,
    /// Mail.
    pub mail: MailState,
    /// The AgentX session.
    pub snmp: SnmpState,
    /// Receivers of events that take none, or not all, with the reason.
    #[serde(default)]
    pub interrupted: IndexMap<Name, Broken>,
    /// The system bus.
    #[serde(default)]
    pub dbus: DbusState,
    /// Why the history file can't be written, while it can't.
    pub history_error: Option<String>,
    /// Since when that is so.
    #[serde(default)]
    pub history_failed: Option<Change>,
    /// Consumers that could not start, with the reason.
    pub failed_consumers: IndexMap<Name, Broken>,
    /// What IPVS refused last, while there is anything that it refuses.
    pub ipvs_error: Option<String>,
    /// Since when it refuses something.
    #[serde(default)]
    pub ipvs_failed: Option<Change>,
    /// How often the worker had to be started again since the last clean start; none if it never had to.
    #[serde(default)]
    pub restarts: Option<Restarts>,
    /// Parts that stand still.
    pub hung: IndexMap<Name, Hung>,
}

/// The last change of something: when, and by which event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Wall-clock time.
    pub at: Timestamp,
    /// The event, for `keepwatch why`.
    pub event: EventId,
}

impl World {
    /// Whether nothing is done, and only told of (`--dataplane shadow`): what the world shows is then what would be.
    pub fn is_shadow(&self) -> bool {
        self.settings.dataplane == "shadow"
    }

    /// Virtual routers in the order of the configuration.
    pub fn instances_in_order(&self) -> Vec<&Instance> {
        self.instances.values().collect()
    }

    /// Sync groups in the order of the configuration.
    pub fn groups_in_order(&self) -> Vec<&Group> {
        self.groups.values().collect()
    }

    /// Virtual servers in the order of the configuration.
    pub fn services_in_order(&self) -> Vec<&Service> {
        self.services.values().collect()
    }

    /// A real server of a virtual server.
    pub fn real(&self, key: &RealKey) -> Option<&RealServer> {
        self.services.get(&key.service)?.reals.get(&key.real)
    }

    /// The entry of its virtual server group whose checkers speak for this one too: itself, where it is of none.
    pub fn first_of<'a>(&'a self, service: &'a Service) -> &'a Service {
        if service.settings.group().is_none() {
            return service;
        }
        // A new one that a reload has put before the others stands behind them, and has their checkers.
        let speaks = |entry: &&Service| entry.reals.values().any(|real| !real.checkers.is_empty());
        let entries = || self.entries_of(service);
        entries().find(speaks).or_else(|| entries().next()).unwrap_or(service)
    }

    /// The entries of the virtual server group that this is one of; itself, where it is of none.
    pub(crate) fn entries_of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Service> {
        let key = service.settings.key.lasting();
        let here = self.services.at_position(service.settings.position);
        here.filter(move |entry| entry.settings.key.lasting() == key)
    }

    pub(crate) fn real_mut(&mut self, key: &RealKey) -> Option<&mut RealServer> {
        self.services.get_mut(&key.service)?.reals.get_mut(&key.real)
    }

    /// Folds one event in. Facts about unknown subjects change nothing but the version.
    pub fn apply(&mut self, event: &Event) {
        if let Fact::Daemon(DaemonFact::DaemonStarted { settings }) = &event.fact {
            // A worker knows nothing of what the one before it knew; versions go on so that readers see the change.
            *self = Self { version: self.version, settings: (**settings).clone(), ..Self::default() };
            self.started_at = Some(event.at);
        }
        self.version += 1;
        event.fact.fold(self, Change { at: event.at, event: event.id });
    }
}
