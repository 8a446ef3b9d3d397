//! Advertisements that the kernel did not take: some can leave another way, of the others it is counted and told. Goes in:
//! refusals of a burst. Comes out: frames on the wire, facts, and whose peers the kernel should be told to keep in mind.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use keepwatch_bus::Bus;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;
use keepwatch_net::link::LinkTable;
use keepwatch_net::socket::{Detour, Refusal};

use crate::{Node, RouterId};

/// How often the kernel is asked again to keep a router's peers in mind.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What became of a refused advertisement.
pub(super) enum Fate {
    /// It left as a frame.
    Detoured(io::Error),
    /// It is lost; `unresolved` if because the kernel had no room for the neighbour that it should go to.
    Lost { error: io::Error, unresolved: bool },
}

impl Fate {
    pub(super) fn lost(error: io::Error) -> Self {
        Self::Lost { error, unresolved: false }
    }
}

/// Advertisements of a burst that were refused, in order.
pub(super) type Fates = Vec<(RouterId, Fate)>;

/// What is remembered of one burst to the next, so that each trouble is told once, not for each advertisement.
pub(super) struct Refused {
    detour: Detour,
    failing: HashSet<RouterId>,
    detouring: HashSet<RouterId>,
    asked: HashMap<RouterId, Instant>,
}

impl Refused {
    pub(super) fn open() -> keepwatch_net::Result<Self> {
        Ok(Self {
            detour: Detour::open()?,
            failing: HashSet::new(),
            detouring: HashSet::new(),
            asked: HashMap::new(),
        })
    }

    /// Tries the other way, if there is one. To a group on Ethernet there is; to a peer there would be if its hardware
    /// address were known, which is the kernel's to find out.
    pub(super) fn retry(&mut self, refusal: Refusal<'_>, links: &LinkTable) -> Fate {
        let Some(link) = Detour::of(&refusal) else {
            let unresolved = refusal.lacks_neighbour();
            return Fate::Lost { error: refusal.error, unresolved };
        };
        match links.get(link).and_then(|link| link.report.hardware) {
            None => Fate::lost(refusal.error),
            Some(hardware) => match self.detour.send(&refusal, hardware) {
                Ok(()) => Fate::Detoured(refusal.error),
                Err(error) => Fate::lost(error),
            },
        }
    }

    /// Counts and tells what became of a burst of `routers`. Returns those whose peers the kernel has no room for.
    pub(super) fn settle(
        &mut self,
        bus: &Bus,
        node: &Node,
        burst: &[RouterId],
        fates: Fates,
    ) -> Vec<RouterId> {
        if !self.failing.is_empty() || !self.detouring.is_empty() {
            let troubled: HashSet<RouterId> = fates.iter().map(|(router, _)| *router).collect();
            for router in burst.iter().filter(|router| !troubled.contains(router)) {
                self.failing.remove(router);
                self.detouring.remove(router);
            }
        }
        let mut unresolved = Vec::new();
        for (id, fate) in fates {
            let Some(router) = node.router(id) else { continue };
            let instance = router.spec().name.clone();
            match fate {
                Fate::Detoured(error) => {
                    router.counters().adverts_detoured.inc();
                    if self.detouring.insert(id) {
                        bus.publish(None, VrrpFact::AdvertDetoured { instance, error: error.to_string() });
                    }
                }
                Fate::Lost { error, unresolved: lacks_neighbour } => {
                    router.counters().send_errors.inc();
                    if lacks_neighbour && self.may_ask(id) {
                        unresolved.push(id);
                    }
                    // Behind a dead link a resignation can't leave; that the link is dead has been said.
                    if self.failing.insert(id) && router.state() != VrrpState::Fault {
                        bus.publish(None, VrrpFact::AdvertSendFailed { instance, error: error.to_string() });
                    }
                }
            }
        }
        unresolved
    }

    fn may_ask(&mut self, router: RouterId) -> bool {
        let now = Instant::now();
        let due = self.asked.get(&router).is_none_or(|at| now.saturating_duration_since(*at) >= ASK_AGAIN);
        if due {
            self.asked.insert(router, now);
        }
        due
    }
}
