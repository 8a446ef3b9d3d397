//! What is wrong now, the worst first, each with its root; and what happened lately. Things that are wrong for the same
//! reason are one finding: a cable that is out is told once, with everything that it took along.

use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::fact::{DaemonFact, IpvsFact, LinkFact, RoutingFact, ServiceFact, TrackFact, VrrpFact};
use keepwatch_bus::world::{Trouble, Weight};
use keepwatch_bus::{Event, EventId, Fact, History, World};
use serde::{Deserialize, Serialize};

use super::stories::{self, Story};

/// So many of the last things that happened are told.
const LATELY: usize = 5;

/// How things stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Now {
    /// What is wrong, the worst first. Nothing is wrong if it is empty.
    pub wrong: Vec<Finding>,
    /// What happened lately, right or wrong, the last first.
    pub lately: Vec<Story>,
}

/// Something that is wrong, with all that is wrong for the same reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// What: `VI_1 is in FAULT`.
    pub what: String,
    /// How it shows: `interface eth0 is down (no carrier)`.
    pub error: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// From the root to the event that told of it, oldest first; empty if they are no longer held, or if none did.
    pub chain: Vec<Arc<Event>>,
    /// What else is wrong for that reason.
    pub also: Vec<String>,
}

impl Finding {
    fn root(&self) -> Option<EventId> {
        self.chain.first().map(|event| event.id)
    }
}

/// What is wrong, and what happened lately.
pub fn now(world: &World, history: &History) -> Now {
    let mut wrong: Vec<Finding> = Vec::new();
    for Trouble { weight, what, since, error, event } in world.trouble() {
        let chain = match (event, weight) {
            // What a mail was to tell of is no reason that it does not go out.
            (Some(event), Weight::Telling) => history.get(event).cloned().into_iter().collect(),
            (Some(event), _) => history.chain(event),
            (None, _) => Vec::new(),
        };
        // A start or a reload is the root of much that has nothing to do with each other.
        let root = chain.first().filter(|root| !is_beginning(root)).map(|root| root.id);
        match wrong.iter_mut().find(|finding| root.is_some() && finding.root() == root) {
            Some(finding) => finding.also.push(what),
            None => wrong.push(Finding { weight, what, error, since, chain, also: Vec::new() }),
        }
    }
    let notable = history.iter().rev().filter(|event| is_notable(&event.fact));
    Now { wrong, lately: stories::gather(history, notable, LATELY) }
}

fn is_beginning(event: &Event) -> bool {
    matches!(event.fact, Fact::Daemon(DaemonFact::DaemonStarted { .. } | DaemonFact::ConfigLoaded { .. }))
}

/// Whether somebody who asks what happened wants to hear of it: somebody's state changed, or something was mended.
fn is_notable(fact: &Fact) -> bool {
    match fact {
        Fact::Vrrp(fact) => matches!(
            fact,
            VrrpFact::StateChanged { .. }
                | VrrpFact::PriorityChanged { .. }
                | VrrpFact::AddressLost { .. }
                | VrrpFact::AddressRestored { .. }
                | VrrpFact::SplitBrainBegan { .. }
                | VrrpFact::SplitBrainEnded { .. }
                | VrrpFact::AddressFailed { .. }
                | VrrpFact::AdvertRejected { .. }
                | VrrpFact::OtherOwner { .. }
                | VrrpFact::AdvertSendFailed { .. }
                | VrrpFact::AdvertDelayed { .. }
        ),
        Fact::Link(fact) => matches!(fact, LinkFact::LinkDown { .. } | LinkFact::LinkUp { .. }),
        Fact::Track(fact) => matches!(fact, TrackFact::TrackerChanged { .. }),
        Fact::Service(fact) => matches!(
            fact,
            ServiceFact::RealServerUp { .. }
                | ServiceFact::RealServerDown { .. }
                | ServiceFact::QuorumGained { .. }
                | ServiceFact::QuorumLost { .. }
        ),
        Fact::Ipvs(fact) => !matches!(fact, IpvsFact::IpvsWithheld { .. }),
        Fact::Routing(fact) => {
            matches!(fact, RoutingFact::RoutingRestored { .. } | RoutingFact::RoutingFailed { .. })
        }
        Fact::Daemon(fact) => !matches!(fact, DaemonFact::ConfigDiagnosed { .. }),
        Fact::Consumer(_) => false,
    }
}
