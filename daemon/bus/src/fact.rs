//! Everything that can happen, one variant a thing, in the past tense, in one enum for each subject. Facts name whom
//! they are about and carry data, never text made for people: log lines, metrics, traps and mails are all renderings
//! of these.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use crate::world::{Change, World};

pub use crate::consumer::{ConsumerFact, ManagerSet, ScriptOutcome, about_reader};
pub use crate::daemon::{BlockChange, ConfigChange, DaemonFact, DumpKind};
pub use crate::ipvs::{Drift, IpvsFact, TableChange};
pub use crate::link::{LinkDownReason, LinkFact};
pub use crate::routing::{RoutingEntry, RoutingFact};
pub use crate::service::{Certificate, Failure, FailureReason, ServiceFact};
pub use crate::track::{Evidence, FileContent, ScriptRun, Session, SessionWhy, TrackFact, Verdict};
pub use crate::vrrp::{
    AdvertError, AnnounceOccasion, HoldReason, LastAdvert, MasterReason, NoSource, RefusedPackets, Silence,
    SplitSign, Stranger, VrrpFact,
};

/// A thing that happened. In JSON it is an object whose `kind` is the name of the innermost variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// The daemon, its configuration or its history file.
    Daemon(DaemonFact),
    /// A network interface.
    Link(LinkFact),
    /// A virtual router or a sync group.
    Vrrp(VrrpFact),
    /// A script, a file or a process that virtual routers follow.
    Track(TrackFact),
    /// A virtual server, its real servers or their checkers.
    Service(ServiceFact),
    /// The kernel's table.
    Ipvs(IpvsFact),
    /// A consumer with a life of its own.
    Consumer(ConsumerFact),
    /// A route, a rule or a static address.
    Routing(RoutingFact),
}

/// Lets publishers say what happened without naming its subject again.
macro_rules! facts_of {
    ($($subject:ident($facts:ident)),*) => {
        $(impl From<$facts> for Fact {
            fn from(fact: $facts) -> Self {
                Self::$subject(fact)
            }
        })*
    };
}

facts_of!(
    Daemon(DaemonFact),
    Link(LinkFact),
    Vrrp(VrrpFact),
    Track(TrackFact),
    Service(ServiceFact),
    Ipvs(IpvsFact),
    Consumer(ConsumerFact),
    Routing(RoutingFact)
);

impl Fact {
    /// Its name, as in its JSON form and as the `kind` label of `keepwatch_events_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Daemon(fact) => fact.into(),
            Self::Link(fact) => fact.into(),
            Self::Vrrp(fact) => fact.into(),
            Self::Track(fact) => fact.into(),
            Self::Service(fact) => fact.into(),
            Self::Ipvs(fact) => fact.into(),
            Self::Consumer(fact) => fact.into(),
            Self::Routing(fact) => fact.into(),
        }
    }

    /// Every name that [`Fact::kind`] can give.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        let all = [
            DaemonFact::VARIANTS,
            LinkFact::VARIANTS,
            VrrpFact::VARIANTS,
            TrackFact::VARIANTS,
            ServiceFact::VARIANTS,
            IpvsFact::VARIANTS,
            ConsumerFact::VARIANTS,
            RoutingFact::VARIANTS,
        ];
        all.into_iter().flatten().copied()
    }

    /// Its data as in its JSON form, without its kind and without the settings that it may carry.
    pub fn data(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(mut fields)) => {
                fields.remove("kind");
                fields.remove("settings");
                fields
            }
            // A fact is an object; one that can't be written as such has nothing to say.
            _ => serde_json::Map::new(),
        }
    }

    /// What it does to the world.
    pub(crate) fn fold(&self, world: &mut World, change: Change) {
        match self {
            Self::Daemon(fact) => fact.fold(world, change),
            Self::Link(fact) => fact.fold(world, change),
            Self::Vrrp(fact) => fact.fold(world, change),
            Self::Track(fact) => fact.fold(world, change),
            Self::Service(fact) => fact.fold(world, change),
            Self::Ipvs(fact) => fact.fold(world, change),
            Self::Consumer(fact) => fact.fold(world, change),
            Self::Routing(fact) => fact.fold(world, change),
        }
    }
}
