//! What is known of virtual servers, real servers and checkers.

use std::fmt;
use std::net::SocketAddr;

use jiff::Timestamp;
use keepwatch_model as model;
use keepwatch_model::{Rare, Usual};
use serde::{Deserialize, Serialize};

use crate::configured::Configured;
use crate::ipvs::TableChange;
use crate::subject::{CheckerKey, ServiceKey};
use crate::world::{Change, Ordered};

use super::Failure;

/// A virtual server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its key.
    pub key: ServiceKey,
    /// What the configuration says.
    pub settings: Configured<model::VirtualServer>,
    /// Whether it is in the table.
    pub present: bool,
    /// What IPVS did not take of the virtual server itself or of its sorry server, while it does not.
    pub refused: Option<Box<Refusal>>,
    /// Whether it has its quorum; it is thought to have it until it is lost.
    pub quorum: bool,
    /// Whether the sorry server serves.
    pub sorry: bool,
    /// Whether its checkers rest, since none of its addresses is here (`ha_suspend`).
    #[serde(default)]
    pub resting: bool,
    /// Last change of quorum.
    pub changed: Option<Change>,
    /// Its real servers, in the order of the configuration.
    pub reals: Ordered<SocketAddr, RealServer>,
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
    /// Nobody looks, or nobody at the moment: it serves, and nobody knows how.
    Unchecked,
}

impl RealState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Up, Self::Down, Self::Unchecked];

    /// The state of one that is `up` as far as checkers are concerned, and is `watched` by one that works.
    pub fn of(up: bool, watched: bool) -> Self {
        match (up, watched) {
            (false, _) => Self::Down,
            (true, true) => Self::Up,
            (true, false) => Self::Unchecked,
        }
    }
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
        let rest = if self.resting { "; its checkers rest: none of its addresses is here" } else { "" };
        match self.reals_that_are(RealState::Unchecked) {
            0 => up + rest,
            unchecked => format!("{up}, {unchecked} unchecked{rest}"),
        }
    }
}

/// A real server of a virtual server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealServer {
    /// Its address and port.
    pub address: SocketAddr,
    /// What the configuration says.
    pub settings: Configured<model::RealServer>,
    /// Whether its checkers hold; as in keepalived, it is thought up until one fails (`alpha` turns that round).
    pub up: bool,
    /// Whether any checker watches it.
    pub checked: bool,
    /// Whether its checkers rest.
    #[serde(default)]
    pub resting: bool,
    /// Whether none of its checks can be made, so that nobody knows how it is; with all entries of a group, since one of
    /// them is checked for all.
    #[serde(default)]
    pub hindered: bool,
    /// Weight in the table; none while it is not there.
    pub weight: Option<i32>,
    /// What IPVS did not take of it, while it does not. One whose virtual server is refused is not told of by itself.
    pub refused: Option<Box<Refusal>>,
    /// Last change between up and down.
    pub changed: Option<Change>,
    /// Its checkers, those that have reported.
    pub checkers: Vec<Checker>,
}

impl RealServer {
    /// Whether it may serve, as far as anybody knows.
    pub fn state(&self) -> RealState {
        RealState::of(self.up, self.checked && !self.resting && !self.hindered)
    }

    /// Its checks that can't be made, each with why.
    pub fn hindrances(&self) -> impl Iterator<Item = (&CheckerKey, &Hindrance)> {
        self.checkers.iter().filter_map(|checker| Some((&checker.key, checker.seen.hindrance.as_deref()?)))
    }
}

/// A health checker, since its first report, or since it saw something if that was before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checker {
    /// Its key.
    #[serde(flatten)]
    pub key: CheckerKey,
    /// Whether its last known result was a success; none while it has come to none: it has seen something, and has tries
    /// left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// The last failure, while it lasts.
    #[serde(flatten)]
    pub failure: Option<Failure>,
    /// Last report; when it first saw something while there is none.
    pub changed: Change,
    /// What it has seen: nothing, mostly.
    #[serde(flatten)]
    pub seen: Rare<Sights>,
}

impl Checker {
    /// What is wrong, for people: why its check can't be made, else why it fails. None while it works, and is content.
    pub fn complaint(&self) -> Option<String> {
        let hindered =
            self.seen.hindrance.as_ref().map(|hindrance| format!("can't be made: {}", hindrance.error));
        hindered.or_else(|| self.failure.as_ref().map(ToString::to_string))
    }
}

/// What a checker sees besides whether its server is well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sights {
    /// Its pages, those whose digest matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<SeenPage>,
    /// The certificate that the server showed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_seen: Option<Change>,
    /// Why its check can't be made, while that lasts: what it said before says nothing of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindrance: Option<Box<Hindrance>>,
}

/// Why a check can't be made: a reason on this side, such as a key that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hindrance {
    /// What is in the way.
    pub error: Box<str>,
    /// Since when.
    pub changed: Change,
}

impl Usual for Sights {
    fn usual() -> &'static Self {
        static USUAL: Sights =
            Sights { pages: Vec::new(), certificate: None, certificate_seen: None, hindrance: None };
        &USUAL
    }
}

/// A page, as a checker saw it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPage {
    /// Which URL of the checker, from 0.
    pub url: u16,
    /// Its digest, in hexadecimal.
    pub digest: Box<str>,
    /// Since when.
    pub changed: Change,
}

/// A certificate, as a real server shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose it is.
    pub subject: Box<str>,
    /// Who signed it.
    pub issuer: Box<str>,
    /// The last moment that it holds.
    pub not_after: Timestamp,
    /// Why the `ca` of the `SSL` block would not have it; `None` if it would, or if there is no `ca`.
    pub distrust: Option<Box<str>>,
}

impl Service {
    /// Real servers in the order of the configuration.
    pub fn reals_in_order(&self) -> Vec<&RealServer> {
        self.reals.values().collect()
    }
}
