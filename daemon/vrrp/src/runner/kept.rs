//! The hosts that unicast routers send to, and that the kernel is to keep in mind: so that they can be reached, and get an
//! answer when they ask for us, however full its table of neighbours is. Goes in: who they are. Comes out: requests to the
//! kernel, one at a time, again now and then: somebody may flush the table, or a route lead elsewhere.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use keepwatch_net::link::LinkIndex;
use keepwatch_net::netlink::{Neighbour, Neighbours};

/// Between two looks at all of them.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A host that must be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    /// By this interface, or by whichever leads there.
    pub(super) link: Option<LinkIndex>,
    pub(super) address: IpAddr,
}

/// Who is kept in mind.
pub(super) struct Kept {
    peers: HashSet<Peer>,
    /// Those that the kernel has to be asked for.
    waiting: VecDeque<Peer>,
    /// What it keeps for them.
    neighbours: HashSet<Neighbour>,
    again: Instant,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            peers: HashSet::new(),
            waiting: VecDeque::new(),
            neighbours: HashSet::new(),
            again: Instant::now(),
        }
    }

    /// These from now on, and no others.
    pub(super) fn replace(&mut self, peers: HashSet<Peer>) {
        self.peers = peers;
        self.waiting = self.peers.iter().copied().collect();
        self.again = Instant::now() + LOOK_AGAIN;
    }

    /// The kernel is asked for these before it is their turn.
    pub(super) fn renew(&mut self, peers: Vec<Peer>) {
        let waits: HashSet<Peer> = self.waiting.iter().copied().collect();
        self.peers.extend(&peers);
        self.waiting.extend(peers.into_iter().filter(|peer| !waits.contains(peer)));
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        (!self.peers.is_empty()).then_some(self.again)
    }

    /// Whether there is something to do now.
    pub(super) fn is_due(&self) -> bool {
        !self.waiting.is_empty() || self.next().is_some_and(|at| at <= Instant::now())
    }

    /// Asks the kernel for one. Where it can't (there is no route, or it is older than Linux 5.0), adverts that don't
    /// leave are counted and told.
    pub(super) fn work(&mut self, kernel: &mut Neighbours) {
        if self.next().is_some_and(|at| at <= Instant::now()) {
            let peers = std::mem::take(&mut self.peers);
            self.replace(peers);
        }
        if let Some(Peer { link, address }) = self.waiting.pop_front()
            && let Ok(neighbour) = kernel.keep(link, address)
        {
            self.neighbours.insert(neighbour);
        }
    }

    /// Nothing stays behind that the kernel would keep for ever.
    pub(super) fn release(&mut self, kernel: &mut Neighbours) {
        for neighbour in self.neighbours.drain() {
            // It is gone if its interface went down or somebody removed it.
            let _ = kernel.release(neighbour);
        }
    }
}
