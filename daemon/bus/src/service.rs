//! Virtual servers, their real servers and checkers: who is in the table with which weight, and quorum.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keepwatch_model as model;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::configured::Configured;
use crate::subject::{CheckerKey, RealKey, ServiceKey};

mod failure;
mod fold;
mod line;
mod state;

pub(crate) use failure::FailureCounts;
pub use failure::{Failure, FailureReason};
pub(crate) use state::SeenPage;
pub use state::{Certificate, Checker, Hindrance, RealServer, RealState, Refusal, Service, Sights};

/// What happens to virtual servers: their real servers and checkers, who is in the table with which weight, and quorum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ServiceFact {
    /// A virtual server was defined, or redefined by a reload.
    VirtualServerConfigured {
        /// Its key.
        service: ServiceKey,
        /// All that the configuration says of it but its real servers.
        settings: Configured<model::VirtualServer>,
    },
    /// A reload took the entry away by which a virtual server group was known: what is known of its checkers is told of
    /// another one from now on. Nothing else has changed by that.
    VirtualServerRenamed {
        /// The entry that it is known by.
        service: ServiceKey,
        /// The one that it was known by.
        from: ServiceKey,
    },
    /// A reload took a virtual server away.
    VirtualServerUnconfigured {
        /// Its key.
        service: ServiceKey,
    },
    /// A real server was defined, or redefined by a reload.
    RealServerConfigured {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
        /// Whether it counts as up before any checker has said anything.
        #[serde(default)]
        starts_up: bool,
        /// Whether any checker watches it. Of one that nobody watches, nobody knows whether it is up.
        #[serde(default)]
        checked: bool,
        /// All that the configuration says of it.
        settings: Configured<model::RealServer>,
    },
    /// A reload took a real server away.
    RealServerUnconfigured {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// A checker succeeded: for the first time, after failures, or after checks that could not be made.
    CheckSucceeded {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// How long the check took.
        took: Duration,
    },
    /// A check failed.
    CheckFailed {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// What went wrong.
        #[serde(flatten)]
        failure: Failure,
        /// Which try it was, from 1.
        attempt: u32,
        /// Tries before the real server counts as down.
        attempts: u32,
        /// Its log line is wanted although more tries follow (`log_all_failures`).
        #[serde(default)]
        log_always: bool,
        /// How long the check took.
        took: Duration,
    },
    /// The digest of a page that a checker looks at is another than before, or was seen for the first time.
    PageDigestSeen {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// Which of its URLs, from 0.
        url: u16,
        /// The digest of the page as it is, in hexadecimal.
        digest: Box<str>,
    },
    /// A real server shows another certificate than before, or one was seen for the first time.
    CertificateSeen {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// What it is like.
        certificate: Certificate,
    },
    /// A check could not be made for a reason on this side (no such source address, no permission); nothing is
    /// known of the real server. Published once for each reason, not for each check.
    CheckNotRun {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// Why not.
        error: String,
    },
    /// All checkers of a real server hold: it may serve.
    RealServerUp {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// A checker of a real server gave up on it.
    RealServerDown {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// A virtual server was put into the table.
    VirtualServerAdded {
        /// Its key.
        service: ServiceKey,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// A virtual server was taken out of the table.
    VirtualServerRemoved {
        /// Its key.
        service: ServiceKey,
    },
    /// A real server was put into the table of its virtual server.
    RealServerAdded {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
        /// With this weight.
        weight: i32,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// A real server was taken out of the table of its virtual server.
    RealServerRemoved {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// The weight of a real server changed (0 keeps its connections and gives it no new ones).
    RealServerWeightChanged {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
        /// Before.
        from: i32,
        /// Now.
        to: i32,
    },
    /// Enough weight is up again.
    QuorumGained {
        /// The virtual server.
        service: ServiceKey,
        /// Weight needed.
        quorum: u32,
        /// Hysteresis.
        hysteresis: u32,
        /// Weight that is up.
        weight: i64,
    },
    /// Too little weight is up.
    QuorumLost {
        /// The virtual server.
        service: ServiceKey,
        /// Weight needed.
        quorum: u32,
        /// Hysteresis.
        hysteresis: u32,
        /// Weight that is up.
        weight: i64,
    },
    /// A virtual server began without quorum: `alpha`, or a hysteresis that its weight does not reach.
    QuorumAwaited {
        /// The virtual server.
        service: ServiceKey,
        /// Weight needed.
        quorum: u32,
        /// Hysteresis.
        hysteresis: u32,
        /// Weight that is up.
        weight: i64,
    },
    /// The checkers of a virtual server rest, since none of its addresses is here (`ha_suspend`).
    ChecksSuspended {
        /// The virtual server.
        service: ServiceKey,
    },
    /// They work again.
    ChecksResumed {
        /// The virtual server.
        service: ServiceKey,
        /// The address that is here now; none if it does not matter any more.
        address: Option<IpAddr>,
    },
    /// The sorry server took over.
    SorryServerAdded {
        /// The virtual server.
        service: ServiceKey,
        /// The sorry server.
        sorry: SocketAddr,
    },
    /// The sorry server is not needed any more.
    SorryServerRemoved {
        /// The virtual server.
        service: ServiceKey,
        /// The sorry server.
        sorry: SocketAddr,
    },
}
