//! Everything that can happen, one variant a thing, in the past tense, in one enum for each subject. Facts name whom
//! they are about and carry data, never text made for people: log lines, metrics, traps and mails are all renderings
//! of these.

use serde::{Deserialize, Serialize};

pub use consumer::ConsumerFact;
pub use daemon::DaemonFact;
pub use ipvs::IpvsFact;
pub use link::LinkFact;
pub use reasons::{
    AdvertError, AnnounceOccasion, Drift, HoldReason, LinkDownReason, ScriptOutcome, TableChange,
};
pub use service::ServiceFact;
pub use vrrp::VrrpFact;

mod consumer;
mod daemon;
mod ipvs;
mod kind;
mod link;
mod reasons;
mod service;
mod vrrp;

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
    /// A virtual server, its real servers or their checkers.
    Service(ServiceFact),
    /// The kernel's table.
    Ipvs(IpvsFact),
    /// A consumer with a life of its own.
    Consumer(ConsumerFact),
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
    Service(ServiceFact),
    Ipvs(IpvsFact),
    Consumer(ConsumerFact)
);
