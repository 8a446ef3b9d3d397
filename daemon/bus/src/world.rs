//! The state of everything, built by folding events and in no other way.
//!
//! [`World::apply`] is the only writer. SNMP, Prometheus, the status page, the dumps and the operator's command all
//! read it, so they can't contradict each other; folding the recorded events again gives the same world.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Event, EventId};
use crate::fact::{DaemonFact, Fact, LinkDownReason, TableChange};
use crate::settings::{DaemonSettings, GroupSettings, InstanceSettings, RealServerSettings, ServiceSettings};
use crate::subject::{CheckerKey, Name, RealKey, ServiceKey, VirtualAddress, VrrpState};

mod fold;
mod keyed;
mod order;

pub use order::{Placed, from_position};

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
    /// Virtual routers, in the order of the configuration.
    #[serde(with = "keyed")]
    pub instances: IndexMap<Name, Instance>,
    /// Sync groups, likewise.
    #[serde(with = "keyed")]
    pub groups: IndexMap<Name, Group>,
    /// Virtual servers, likewise.
    #[serde(with = "keyed")]
    pub services: IndexMap<ServiceKey, Service>,
    /// Mail.
    pub mail: MailState,
    /// The AgentX session.
    pub snmp: SnmpState,
    /// Why the history file can't be written, while it can't.
    pub history_error: Option<String>,
    /// Consumers that could not start, with the reason.
    pub failed_consumers: IndexMap<Name, String>,
    /// What IPVS refused last, while there is anything that it refuses.
    pub ipvs_error: Option<String>,
    /// Parts that stand still.
    pub hung: IndexMap<Name, Hung>,
}

/// A part that stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hung {
    /// What it is doing.
    pub doing: String,
    /// Since when.
    pub since: Timestamp,
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
    /// Addresses that it should have as master and has not, with the reason.
    pub missing: Vec<(VirtualAddress, String)>,
    /// Those of its addresses that the host has by itself.
    pub own_addresses: Vec<VirtualAddress>,
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
    /// What IPVS did not take of the virtual server itself or of its sorry server, while it does not.
    pub refused: Option<Refusal>,
    /// Whether it has its quorum; it is thought to have it until it is lost.
    pub quorum: bool,
    /// Whether the sorry server serves.
    pub sorry: bool,
    /// Last change of quorum.
    pub changed: Option<Change>,
    /// Its real servers, in the order of the configuration.
    #[serde(with = "keyed")]
    pub reals: IndexMap<SocketAddr, RealServer>,
}

/// A change of the table that IPVS does not take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is tried.
    pub change: TableChange,
    /// The sorry server, if it is about that one.
    pub sorry: Option<SocketAddr>,
    /// What the kernel says.
    pub error: String,
    /// Since when.
    pub changed: Change,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorry = if self.sorry.is_some() { " the sorry server" } else { "" };
        write!(f, "IPVS refuses to {}{sorry}: {}", self.change, self.error)
    }
}

/// What is known of whether a real server may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RealState {
    /// Its checkers hold.
    Up,
    /// A checker of it has given up on it.
    Down,
    /// Nobody looks: it serves, and nobody knows how.
    Unchecked,
}

impl RealState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Up, Self::Down, Self::Unchecked];
}

impl fmt::Display for RealState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unchecked => "unchecked",
        })
    }
}

impl Service {
    /// Real servers that serve as far as checkers are concerned: those that nobody checks are among them.
    pub fn reals_up(&self) -> usize {
        self.reals.values().filter(|r| r.up).count()
    }

    /// Real servers in this state.
    pub fn reals_that_are(&self, state: RealState) -> usize {
        self.reals.values().filter(|r| r.state() == state).count()
    }

    /// How its real servers are, for people: `1 of 3 real servers up, 1 unchecked`.
    pub fn reals_in_words(&self) -> String {
        let up = format!("{} of {} real servers up", self.reals_that_are(RealState::Up), self.reals.len());
        match self.reals_that_are(RealState::Unchecked) {
            0 => up,
            unchecked => format!("{up}, {unchecked} unchecked"),
        }
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
    /// Whether any checker watches it.
    pub checked: bool,
    /// Weight in the table; none while it is not there.
    pub weight: Option<i32>,
    /// What IPVS did not take of it, while it does not. One whose virtual server is refused is not told of by itself.
    pub refused: Option<Refusal>,
    /// Last change between up and down.
    pub changed: Option<Change>,
    /// Its checkers, those that have reported.
    pub checkers: Vec<Checker>,
}

impl RealServer {
    /// Whether it may serve, as far as anybody knows.
    pub fn state(&self) -> RealState {
        match (self.up, self.checked) {
            (false, _) => RealState::Down,
            (true, true) => RealState::Up,
            (true, false) => RealState::Unchecked,
        }
    }
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

/// What became of mails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MailState {
    /// Mails that the server took.
    pub sent: u64,
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
        self.reals.values().collect()
    }
}
