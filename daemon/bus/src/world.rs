//! The state of everything, built by folding events and in no other way.
//!
//! [`World::apply`] is the only writer. SNMP, Prometheus, the status page, the dumps and the operator's command all
//! read it, so they can't contradict each other; folding the recorded events again gives the same world.

use indexmap::IndexMap;
use jiff::Timestamp;
use keepwatch_model::Priority;
use serde::{Deserialize, Serialize};

use crate::configured::Process;
use crate::event::{Event, EventId};
use crate::fact::{DaemonFact, Fact};
use crate::subject::{Name, RealKey, ServiceKey};

pub(crate) mod keyed;
mod order;

pub use order::{Ordered, Placed};

pub use crate::consumer::{DbusState, FifoState, MailState, ScriptsState, SnmpState};
pub use crate::daemon::{ConfigState, Hung};
pub use crate::link::Interface;
pub use crate::routing::{RoutingKey, RoutingState};
pub use crate::service::{Checker, RealServer, RealState, Refusal, Service};
pub use crate::track::{Influence, Tracker, Trackers};
pub use crate::vrrp::{Group, Instance};

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
    pub interrupted: IndexMap<Name, String>,
    /// The system bus.
    #[serde(default)]
    pub dbus: DbusState,
    /// Why the history file can't be written, while it can't.
    pub history_error: Option<String>,
    /// Consumers that could not start, with the reason.
    pub failed_consumers: IndexMap<Name, String>,
    /// What IPVS refused last, while there is anything that it refuses.
    pub ipvs_error: Option<String>,
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

/// Something that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What: `SNMP`, `the last reload was refused`, `interface eth0 is down`.
    pub what: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// How it shows, or why it is so.
    pub error: String,
}

impl World {
    /// All that does not work, what weighs most first: the one list that whoever shows trouble goes by.
    pub fn trouble(&self) -> Vec<Trouble> {
        let trouble =
            |what: &str, error: &str| Trouble { what: what.into(), since: None, error: error.into() };
        let reported =
            |what: &'static str, error: &Option<String>| error.as_deref().map(|error| trouble(what, error));
        let hung = self.hung.iter().map(|(part, hung)| Trouble {
            what: format!("{part} hangs"),
            since: Some(hung.since),
            error: hung.doing.clone(),
        });
        let down = self.interfaces.values().filter(|interface| !interface.up).map(|interface| Trouble {
            what: format!("interface {} is down", interface.name),
            since: Some(interface.changed.at),
            error: interface.down_reason.map_or_else(String::new, |reason| reason.to_string()),
        });
        let missing = self.instances.values().flat_map(|instance| {
            instance.missing.iter().map(|(address, error)| {
                let Instance { name, .. } = instance;
                trouble(&format!("{name}: VIP {address} is not on {}", address.interface), error)
            })
        });
        let unrouted = self.routing.values().filter_map(|state| {
            let owner = state.instance.as_deref().unwrap_or("static");
            let what = format!("{owner}: {} is not there", state.entry);
            state.error.as_ref().map(|error| trouble(&what, error))
        });
        let shared =
            self.instances.values().filter(|i| i.settings.priority != Priority::OWNER).flat_map(|instance| {
                instance.own_addresses.iter().map(|address| {
                    let Instance { name, .. } = instance;
                    let what =
                        format!("{name}: VIP {address} is this host's own address on {}", address.interface);
                    trouble(&what, "it stays there")
                })
            });
        let mut all: Vec<Trouble> =
            reported("the last reload was refused", &self.config.rejected).into_iter().chain(hung).collect();
        all.extend(reported("IPVS", &self.ipvs_error));
        all.extend(reported("history file", &self.history_error));
        all.extend(reported("SNMP", &self.snmp.error));
        all.extend(reported("D-Bus", &self.dbus.error));
        all.extend(reported("mail", &self.mail.error));
        all.extend(
            self.scripts.overdue.iter().map(|(about, script)| {
                trouble(&format!("script for {about}"), &format!("{script} still runs"))
            }),
        );
        all.extend(self.fifos.iter().filter_map(|(path, fifo)| {
            let error = fifo.error.as_ref().or(fifo.losing.as_ref())?;
            let what = if fifo.error.is_some() { "FIFO" } else { "lines are lost for FIFO" };
            Some(trouble(&format!("{what} {path}"), error))
        }));
        all.extend(self.interrupted.iter().map(|(name, error)| trouble(name, error)));
        all.extend(self.failed_consumers.iter().map(|(name, error)| trouble(name, error)));
        all.extend(missing);
        all.extend(self.instances.values().filter_map(|instance| {
            let what = format!("{}: packets to its addresses are not dropped", instance.name);
            instance.drop_error.as_ref().map(|error| trouble(&what, error))
        }));
        all.extend(unrouted);
        all.extend(shared);
        all.extend(down);
        all
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
