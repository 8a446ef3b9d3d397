//! The state of everything, built by folding events and in no other way.
//!
//! [`World::apply`] is the only writer. SNMP, Prometheus, the status page, the dumps and the operator's command all
//! read it, so they can't contradict each other; folding the recorded events again gives the same world.

use std::net::IpAddr;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Event, EventId};
use crate::fact::{DaemonFact, Fact, LinkDownReason};
use crate::settings::{DaemonSettings, GroupSettings, InstanceSettings, RealServerSettings, ServiceSettings};
use crate::subject::{CheckerKey, Name, RealKey, ServiceKey, VirtualAddress, VrrpState};
use std::net::SocketAddr;

mod fold;
mod keyed;

/// Everything that is known, at one version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Rises by one with each event.
    pub version: u64,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
    /// Whether a clean stop is under way.
    pub stopping: bool,
    /// The process and `global_defs`.
    pub settings: DaemonSettings,
    /// The configuration in force.
    pub config: ConfigState,
    /// Interfaces that matter to a virtual router.
    #[serde(with = "keyed")]
    pub interfaces: IndexMap<Name, Interface>,
    /// Virtual routers; sort by `settings.position` for the order of the configuration.
    #[serde(with = "keyed")]
    pub instances: IndexMap<Name, Instance>,
    /// Sync groups.
    #[serde(with = "keyed")]
    pub groups: IndexMap<Name, Group>,
    /// Virtual servers.
    #[serde(with = "keyed")]
    pub services: IndexMap<ServiceKey, Service>,
    /// Notify scripts.
    #[serde(default)]
    pub scripts: ScriptsState,
    /// Mail.
    pub mail: MailState,
    /// The AgentX session.
    pub snmp: SnmpState,
    /// Why the history file can't be written, while it can't.
    pub history_error: Option<String>,
    /// Consumers that could not start, with the reason.
    pub failed_consumers: IndexMap<Name, String>,
    /// What IPVS refused last, since the last success.
    pub ipvs_error: Option<String>,
}

/// The last change of something: when, and by which event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Wall-clock time.
    pub at: Timestamp,
    /// The event, for `keepwatch why`.
    pub event: EventId,
}

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigState {
    /// 1 for the first, one more with each reload.
    pub generation: u64,
    /// When it came into force.
    pub loaded_at: Option<Timestamp>,
    /// The last reload that was refused since: first error.
    pub rejected: Option<String>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: Name,
    /// Whether it can be used.
    pub up: bool,
    /// Why not.
    pub down_reason: Option<LinkDownReason>,
    /// Kernel index when last up, 0 before.
    pub index: u32,
    /// Last change.
    pub changed: Change,
}

/// A virtual router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: Name,
    /// What the configuration says.
    pub settings: InstanceSettings,
    /// Its state.
    pub state: VrrpState,
    /// The state that it would be in if no sync group held it back.
    pub wanted: VrrpState,
    /// Its effective priority.
    pub priority: u8,
    /// The master as last heard; none while it is master itself or has heard none.
    pub master: Option<(IpAddr, u8)>,
    /// Addresses that are on their interfaces because of it.
    pub addresses: Vec<VirtualAddress>,
    /// Last change of state.
    pub changed: Option<Change>,
    /// Changes of state since the worker began.
    pub transitions: u64,
}

/// A sync group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// What the configuration says.
    pub settings: GroupSettings,
    /// Its state.
    pub state: VrrpState,
    /// Last change of state.
    pub changed: Option<Change>,
}

/// A virtual server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its key.
    pub key: ServiceKey,
    /// What the configuration says.
    pub settings: ServiceSettings,
    /// Whether it is in the table.
    pub present: bool,
    /// Whether it has its quorum; it is thought to have it until it is lost.
    pub quorum: bool,
    /// Whether the sorry server serves.
    pub sorry: bool,
    /// Last change of quorum.
    pub changed: Option<Change>,
    /// Its real servers.
    #[serde(with = "keyed")]
    pub reals: IndexMap<SocketAddr, RealServer>,
}

impl Service {
    /// Real servers that are up.
    pub fn reals_up(&self) -> usize {
        self.reals.values().filter(|r| r.up).count()
    }
}

/// A real server of a virtual server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealServer {
    /// Its address and port.
    pub address: SocketAddr,
    /// What the configuration says.
    pub settings: RealServerSettings,
    /// Whether its checkers hold; as in keepalived, it is thought up until one fails (`alpha` turns that round).
    pub up: bool,
    /// Weight in the table; none while it is not there.
    pub weight: Option<i32>,
    /// Last change between up and down.
    pub changed: Option<Change>,
    /// Its checkers, those that have reported.
    pub checkers: Vec<Checker>,
}

/// A health checker, since its first report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checker {
    /// Its key.
    #[serde(flatten)]
    pub key: CheckerKey,
    /// Whether its last known result was a success.
    pub ok: bool,
    /// The last failure, while it lasts.
    pub error: Option<String>,
    /// Last report.
    pub changed: Change,
}

/// What became of notify scripts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptsState {
    /// Scripts that have ended, in whatever way.
    pub run: u64,
    /// Of these, the ones that failed, were killed or had to be ended.
    pub failed: u64,
    /// Scripts that could not be run.
    pub not_run: u64,
    /// Scripts that have run for long and still do: about what (`INSTANCE VI_1 MASTER`), and the command.
    pub overdue: IndexMap<Name, String>,
}

/// What became of mails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MailState {
    /// Mails that the server took.
    pub sent: u64,
    /// Recipients whom the server refused, while it took the mail for others.
    #[serde(default)]
    pub refused: u64,
    /// Mails given up.
    pub failed: u64,
    /// The last error, until a mail is sent.
    pub error: Option<String>,
}

/// The AgentX session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnmpState {
    /// Whether it stands.
    pub connected: bool,
    /// The master agent's socket.
    pub socket: Option<String>,
    /// Why it does not stand.
    pub error: Option<String>,
    /// Sessions since the worker began.
    pub sessions: u64,
}

impl World {
    /// Virtual routers in the order of the configuration.
    pub fn instances_in_order(&self) -> Vec<&Instance> {
        let mut all: Vec<_> = self.instances.values().collect();
        all.sort_by_key(|i| i.settings.position);
        all
    }

    /// Sync groups in the order of the configuration.
    pub fn groups_in_order(&self) -> Vec<&Group> {
        let mut all: Vec<_> = self.groups.values().collect();
        all.sort_by_key(|g| g.settings.position);
        all
    }

    /// Virtual servers in the order of the configuration.
    pub fn services_in_order(&self) -> Vec<&Service> {
        let mut all: Vec<_> = self.services.values().collect();
        all.sort_by_key(|s| s.settings.position);
        all
    }

    /// A real server of a virtual server.
    pub fn real(&self, key: &RealKey) -> Option<&RealServer> {
        self.services.get(&key.service)?.reals.get(&key.real)
    }

    fn real_mut(&mut self, key: &RealKey) -> Option<&mut RealServer> {
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
        fold::fold(self, event);
    }
}

impl Service {
    /// Real servers in the order of the configuration.
    pub fn reals_in_order(&self) -> Vec<&RealServer> {
        let mut all: Vec<_> = self.reals.values().collect();
        all.sort_by_key(|r| r.settings.position);
        all
    }
}
