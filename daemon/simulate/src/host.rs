//! One host of a simulated LAN: its machine, its interfaces with their addresses, its clock. Goes in: what the LAN
//! brings. Comes out: packets for the LAN, and what its virtual routers did.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::fact::{LinkDownReason, LinkFact, VrrpFact};
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{EventId, Fact};
use keepwatch_model::InterfaceAddress;
use keepwatch_vrrp::{
    AddressChange, Definitions, Level, LinkAddress, LinkId, LinkState, Node, Origin, Outbox, Output, Release,
    RouterSpec, TrackedKind,
};

/// Datagrams that wait in a socket for a host that stands still; more are lost, as in a kernel.
const SOCKET_HOLDS: usize = 4096;

/// An interface of a host.
#[derive(Clone, Debug)]
pub struct LinkPlan {
    /// Its name there; empty for wherever unicast routers without an interface send from.
    pub name: Name,
    /// The segment that it is plugged into: hosts on one segment hear each other.
    pub segment: usize,
    /// The host's own addresses on it.
    pub addresses: Vec<IpAddr>,
}

/// A host to be.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// What it is called in stories and faults.
    pub name: String,
    /// What runs on it.
    pub definitions: Definitions,
    /// Its interfaces.
    pub links: Vec<LinkPlan>,
    /// How far its clock goes in a second of the LAN's, in millionths: 1,000,000 when it is right.
    pub pace: u64,
}

/// A packet that a host sends.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) segment: usize,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) packet: Arc<[u8]>,
}

/// A packet that came to a host.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) link: usize,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) packet: Arc<[u8]>,
}

/// What a virtual router did that a story tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// The virtual router.
    pub instance: Name,
    /// What it did.
    pub what: VrrpFact,
    /// The event that it did it because of, if it is one of a virtual router.
    pub because: Option<VrrpFact>,
}

/// Takes what the machine says; nothing is kept that nobody asks for.
#[derive(Debug, Default)]
struct Outgoing {
    events: u64,
    sent: Vec<(LinkId, IpAddr, IpAddr, Arc<[u8]>)>,
    /// Interface, address, prefix; whether it is put there.
    changes: Vec<(Name, IpAddr, u8, bool)>,
    deeds: Vec<Deed>,
    /// The last few facts, so that what follows from them can name them.
    lately: VecDeque<(EventId, VrrpFact)>,
}

impl Outgoing {
    fn change(&mut self, change: &AddressChange<'_>, put: bool) {
        for address in change.addresses.iter() {
            if let Some(interface) = change.spec.interface_of(address) {
                self.changes.push((interface.clone(), address.address, prefix_of(address), put));
            }
        }
    }
}

fn prefix_of(address: &InterfaceAddress) -> u8 {
    address.peer.map_or(address.prefix_len, |(_, prefix)| prefix)
}

impl Outbox for Outgoing {
    fn publish(&mut self, cause: Option<EventId>, fact: Fact) -> EventId {
        self.events += 1;
        let id = EventId(self.events);
        if let Fact::Vrrp(fact) = fact {
            if let VrrpFact::StateChanged { instance, .. } | VrrpFact::PriorityChanged { instance, .. } =
                &fact
            {
                let because = self.lately.iter().rev().find(|(known, _)| Some(*known) == cause);
                let because = because.map(|(_, fact)| fact.clone());
                self.deeds.push(Deed { instance: instance.clone(), what: fact.clone(), because });
            }
            if self.lately.len() >= 16 {
                self.lately.pop_front();
            }
            self.lately.push_back((id, fact));
        }
        id
    }

    fn act(&mut self, output: Output<'_>) {
        match output {
            Output::Send(sent) => {
                self.sent.push((sent.link, sent.source, sent.destination, sent.packet.into()));
            }
            Output::AddAddresses(change) => self.change(&change, true),
            Output::RemoveAddresses(change) => self.change(&change, false),
            Output::Announce(_) | Output::Routing(_) | Output::StopDropping { .. } | Output::Notify(_) => {}
        }
    }
}

/// A running host.
#[derive(Debug)]
pub struct Host {
    /// What it was planned as; a reload changes the definitions.
    pub plan: HostPlan,
    /// Its process runs.
    pub alive: bool,
    /// It stands still: a virtual machine that was paused, a process that does not get a processor.
    pub frozen: bool,
    /// Which of its interfaces are up.
    pub link_up: Vec<bool>,
    pub(crate) node: Node,
    ids: Vec<LinkId>,
    out: Outgoing,
    /// The virtual addresses that stand on its interfaces, with what the kernel remembers: they survive the process.
    virtuals: HashMap<(usize, IpAddr), u8>,
    /// Those of them that a process before this one left.
    left_over: HashSet<IpAddr>,
    levels: HashMap<(TrackedKind, Name), Level>,
    waiting: VecDeque<Arrived>,
}

impl Host {
    pub(crate) fn new(plan: HostPlan) -> Self {
        Self {
            alive: false,
            frozen: false,
            link_up: vec![true; plan.links.len()],
            node: Node::new(Arc::new(RouterCounters::default())),
            ids: Vec::new(),
            out: Outgoing::default(),
            virtuals: HashMap::new(),
            left_over: HashSet::new(),
            levels: HashMap::new(),
            waiting: VecDeque::new(),
            plan,
        }
    }

    /// The state of one of its virtual routers; Init while the process does not run.
    pub fn state(&self, router: &str) -> VrrpState {
        match self.node.router_named(router) {
            Some(router) if self.alive => router.state(),
            _ => VrrpState::Init,
        }
    }

    /// The priority that one of its virtual routers advertises.
    pub fn priority(&self, router: &str) -> u8 {
        self.node.router_named(router).map_or(0, |router| router.priority())
    }

    /// Whether a virtual address stands on one of its interfaces, put there by the process that runs now.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.virtuals.keys().any(|(_, held)| *held == address) && !self.left_over.contains(&address)
    }

    /// Whether a virtual address stands there, whoever put it.
    pub fn has(&self, address: IpAddr) -> bool {
        self.virtuals.keys().any(|(_, held)| *held == address)
    }

    /// Whether it answers for the addresses of a virtual router, and forwards what is sent to them: as its master, or since a
    /// process that is gone has left them on an interface that is up. Never while it stands still.
    pub fn answers(&self, router: &RouterSpec) -> bool {
        if self.frozen {
            return false;
        }
        if self.alive {
            return self.state(&router.name) == VrrpState::Master;
        }
        let left = |address: &InterfaceAddress| {
            self.virtuals.keys().any(|(link, held)| *held == address.address && self.link_up[*link])
        };
        router.addresses.iter().any(left)
    }

    /// How something that it follows stands.
    pub(crate) fn level(&self, kind: TrackedKind, name: &Name) -> Option<Level> {
        self.levels.get(&(kind, name.clone())).copied()
    }

    /// Its power was gone, and with it what the kernel knew.
    pub(crate) fn forget_addresses(&mut self) {
        self.virtuals.clear();
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.node.next_deadline().filter(|_| self.alive && !self.frozen)
    }

    pub(crate) fn start(&mut self, now: Instant, wall: Duration) {
        self.node = Node::new(Arc::new(RouterCounters::default()));
        self.node.wall_clock(now, wall);
        self.out = Outgoing::default();
        self.waiting.clear();
        (self.alive, self.frozen) = (true, false);
        self.left_over = self.virtuals.keys().map(|(_, address)| *address).collect();
        self.ids = self
            .plan
            .links
            .iter()
            .map(|link| match &*link.name {
                "" => LinkId::ANYWHERE,
                _ => self.node.link(&link.name),
            })
            .collect();
        self.suppose_all_is_well();
        let own: Vec<IpAddr> = self.plan.links.iter().flat_map(|link| link.addresses.clone()).collect();
        for link in 0..self.ids.len() {
            if self.ids[link] == LinkId::ANYWHERE {
                continue;
            }
            self.tell_link(now, link);
            let addresses = self.plan.links[link].addresses.iter().map(|own| LinkAddress::from(*own));
            let held = self.virtuals.iter().filter(|((at, _), _)| *at == link);
            let held = held.map(|((_, address), prefix)| LinkAddress {
                prefix: *prefix,
                ..LinkAddress::new(*address, Origin::Vrrp)
            });
            for address in addresses.chain(held).collect::<Vec<_>>() {
                self.node.address_added(now, self.ids[link], address, &mut self.out);
            }
        }
        for address in own {
            self.node.source_present(now, address, true, &mut self.out);
        }
        for ((kind, name), level) in self.levels.clone() {
            self.tell_level(now, kind, &name, level);
        }
        self.node.link_changed(now, LinkId::ANYWHERE, LinkState::Up, None, &mut self.out);
        self.node.apply(now, self.plan.definitions.clone(), None, &mut self.out);
    }

    /// What routers follow, and nobody has said anything of, is as it should be.
    fn suppose_all_is_well(&mut self) {
        for follow in self.plan.definitions.routers.iter().flat_map(|router| router.spec.follows.iter()) {
            let level = match follow.kind {
                TrackedKind::Link => continue,
                TrackedKind::File => Level::Number(0),
                TrackedKind::Script | TrackedKind::Process | TrackedKind::Bfd => Level::Up,
            };
            self.levels.entry((follow.kind, follow.name.clone())).or_insert(level);
        }
    }

    pub(crate) fn stop(&mut self, now: Instant) {
        self.node.stop(now, Release::Everything, None, &mut self.out);
    }

    pub(crate) fn reload(&mut self, now: Instant, definitions: Definitions) {
        self.plan.definitions = definitions;
        self.node.apply(now, self.plan.definitions.clone(), None, &mut self.out);
    }

    pub(crate) fn timeouts(&mut self, now: Instant) {
        self.node.handle_timeouts(now, &mut self.out);
    }

    /// A packet came in by one of its interfaces. While it stands still, packets wait.
    pub(crate) fn arrive(&mut self, now: Instant, arrived: Arrived) {
        if !self.alive || !self.link_up[arrived.link] {
            return;
        }
        if self.frozen {
            if self.waiting.len() < SOCKET_HOLDS {
                self.waiting.push_back(arrived);
            }
            return;
        }
        let link = self.ids[arrived.link];
        let datagram = match arrived.source {
            IpAddr::V4(_) => keepwatch_vrrp::Datagram::from_ipv4(link, &arrived.packet).ok(),
            IpAddr::V6(_) => Some(keepwatch_vrrp::Datagram {
                link,
                source: arrived.source,
                destination: arrived.destination,
                ttl: Some(255),
                ah: None,
                message: &arrived.packet,
            }),
        };
        if let Some(datagram) = datagram {
            self.node.receive(now, datagram, &mut self.out);
        }
    }

    /// It goes on: first it hears what waited, then it sees how late it is.
    pub(crate) fn thaw(&mut self, now: Instant) {
        self.frozen = false;
        while let Some(arrived) = self.waiting.pop_front() {
            self.arrive(now, arrived);
        }
        self.timeouts(now);
    }

    pub(crate) fn tell_link(&mut self, now: Instant, link: usize) {
        let up = self.link_up[link];
        let interface = self.plan.links[link].name.clone();
        let down = LinkFact::LinkDown { interface, reason: LinkDownReason::NoCarrier };
        let cause = (!up).then(|| self.out.publish(None, down.into()));
        let state = if up { LinkState::Up } else { LinkState::Down };
        self.node.link_changed(now, self.ids[link], state, cause, &mut self.out);
    }

    pub(crate) fn track(&mut self, now: Instant, kind: TrackedKind, name: &Name, level: Level) {
        self.levels.insert((kind, name.clone()), level);
        if self.alive {
            self.tell_level(now, kind, name, level);
        }
    }

    fn tell_level(&mut self, now: Instant, kind: TrackedKind, name: &Name, level: Level) {
        let id = self.node.tracked_id(kind, name);
        self.node.tracked(now, id, level, None, &mut self.out);
    }

    /// Changes addresses as the machine wants, and says what it did and what it sends.
    pub(crate) fn carry_out(&mut self, now: Instant) -> (Vec<Sent>, Vec<Deed>) {
        while !self.out.changes.is_empty() {
            for (interface, address, prefix, put) in std::mem::take(&mut self.out.changes) {
                self.change(now, &interface, (address, prefix), put);
            }
        }
        let sent =
            std::mem::take(&mut self.out.sent).into_iter().filter_map(|(id, source, destination, packet)| {
                let link = match id {
                    // Without an interface it goes where the address that it is sent from stands.
                    LinkId::ANYWHERE => {
                        self.plan.links.iter().position(|link| link.addresses.contains(&source))
                    }
                    id => self.ids.iter().position(|known| *known == id),
                };
                let link = link.filter(|link| self.link_up[*link])?;
                Some(Sent { segment: self.plan.links[link].segment, source, destination, packet })
            });
        (sent.collect(), std::mem::take(&mut self.out.deeds))
    }

    fn change(&mut self, now: Instant, interface: &Name, (address, prefix): (IpAddr, u8), put: bool) {
        let Some(link) = self.plan.links.iter().position(|link| link.name == *interface) else { return };
        let there = LinkAddress { prefix, ..LinkAddress::new(address, Origin::Vrrp) };
        self.left_over.remove(&address);
        if put {
            if self.virtuals.insert((link, address), prefix).is_none() {
                self.node.address_added(now, self.ids[link], there, &mut self.out);
            }
        } else if self.virtuals.remove(&(link, address)).is_some() {
            self.node.address_removed(now, self.ids[link], there, &mut self.out);
        }
    }
}
