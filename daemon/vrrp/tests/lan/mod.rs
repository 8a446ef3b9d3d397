//! A simulated LAN: hosts that run the machine, segments that connect them, with delay, loss, partition, crash, and
//! clocks that run fast or slow. No sockets, no real time: a minute of it takes milliseconds, and the same seed always
//! gives the same run.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "a test may stop at what can't be")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::fact::{LinkDownReason, LinkFact, VrrpFact};
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{Configured, EventId, Fact};
use keepwatch_model::{InterfaceAddress, SyncGroup, VirtualRouterId};
use keepwatch_vrrp::{
    Datagram, Definitions, GroupDefinition, GroupSpec, LinkAddress, LinkId, LinkState, Node, Notice, Origin,
    Outbox, Output, Release, RouterDefinition, RouterSpec,
};

/// A small deterministic source of numbers (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// What a host did, in the order in which it did it.
#[derive(Clone, Debug)]
pub enum Did {
    Published { id: EventId, cause: Option<EventId>, fact: Fact },
    Sent { link: LinkId, destination: IpAddr, packet: Vec<u8> },
    Added(Vec<IpAddr>),
    Routed { wanted: bool },
    StoppedDropping,
    Removed(Vec<IpAddr>),
    Announced { addresses: usize, repeat: u32 },
    Noticed(Notice),
}

/// An outbox that writes everything down. Event ids count up from 1.
#[derive(Default)]
pub struct Recorder {
    pub did: Vec<Did>,
    events: u64,
}

impl Outbox for Recorder {
    fn publish(&mut self, cause: Option<EventId>, fact: Fact) -> EventId {
        self.events += 1;
        let id = EventId(self.events);
        assert!(cause.is_none_or(|cause| cause < id), "a cause comes before its effect");
        self.did.push(Did::Published { id, cause, fact });
        id
    }

    fn act(&mut self, output: Output<'_>) {
        let addresses = |list: &[InterfaceAddress]| list.iter().map(|a| a.address).collect();
        self.did.push(match output {
            Output::Send(sent) => {
                Did::Sent { link: sent.link, destination: sent.destination, packet: sent.packet.to_vec() }
            }
            Output::AddAddresses(change) => Did::Added(addresses(&change.addresses)),
            Output::RemoveAddresses(change) => Did::Removed(addresses(&change.addresses)),
            Output::Announce(announcement) => {
                Did::Announced { addresses: announcement.addresses.len(), repeat: announcement.repeat }
            }
            Output::Routing(change) => Did::Routed { wanted: change.wanted },
            Output::StopDropping { .. } => Did::StoppedDropping,
            Output::Notify(notice) => Did::Noticed(notice),
        });
    }
}

/// A definition with counters of its own.
pub fn definition(spec: RouterSpec) -> RouterDefinition {
    RouterDefinition::detached(spec)
}

/// A sync group of these.
pub fn group(name: &str, members: &[&str]) -> GroupDefinition {
    let members: Vec<Name> = members.iter().map(|member| Name::from(*member)).collect();
    let settings = Configured::new(1, SyncGroup::new(name.into(), members.clone()));
    GroupDefinition { spec: GroupSpec { name: name.into(), members }, settings }
}

/// A version 2 router with one address, 10.<segment>.0.100.
pub fn spec(name: &str, segment: u8, priority: u8) -> RouterSpec {
    let address = InterfaceAddress::host(IpAddr::from([10, segment, 0, 100]));
    let interface = Name::from(format!("eth{segment}"));
    let mut spec = RouterSpec::new(name.into(), interface, VirtualRouterId(51), Arc::from([address]));
    spec.priority.0 = priority;
    spec
}

/// One host: a machine, its interfaces, its clock.
pub struct Host {
    pub node: Node,
    pub out: Recorder,
    pub alive: bool,
    pub links: Vec<LinkId>,
    /// The addresses that stand on each interface, by segment; they survive a crash of the process.
    pub addresses: Vec<Vec<IpAddr>>,
    /// Those of them that the machine put there: a kernel remembers that.
    pub marked: HashSet<IpAddr>,
    pub link_up: Vec<bool>,
    pub definitions: Definitions,
    /// Nanoseconds of its clock in a millisecond of the LAN's: 1,000,000 when the clock is right.
    pub pace: u64,
    /// How far its wall clock is off, in seconds.
    pub wall_off: i64,
    /// How much of `out.did` has been carried out.
    done: usize,
}

struct Flying {
    at: u64,
    number: u64,
    to: usize,
    segment: usize,
    packet: Vec<u8>,
}

impl PartialEq for Flying {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Flying {}
impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Flying {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Seconds since 1970 at the beginning of the LAN, by a clock that is right.
const WALL: u64 = 1_795_841_209;

/// The LAN. Times are microseconds since its beginning.
pub struct Lan {
    pub now: u64,
    pub hosts: Vec<Host>,
    pub dice: Dice,
    /// Percent of packets lost.
    pub loss: u64,
    /// Greatest delay of a packet; the least is a tenth of it.
    pub delay: u64,
    /// No address is taken.
    pub kernel_refuses: bool,
    /// Hosts of different sides don't hear each other.
    pub side: Vec<u8>,
    /// Hosts that hear nothing, though others hear them.
    pub deaf: HashSet<usize>,
    flying: BinaryHeap<Reverse<Flying>>,
    numbers: u64,
    epoch: Instant,
    segments: usize,
}

impl Lan {
    pub fn new(seed: u64, segments: usize) -> Self {
        Self {
            now: 0,
            hosts: Vec::new(),
            dice: Dice(seed),
            loss: 0,
            delay: 1_000,
            kernel_refuses: false,
            side: Vec::new(),
            deaf: HashSet::new(),
            flying: BinaryHeap::new(),
            numbers: 0,
            epoch: Instant::now(),
            segments,
        }
    }

    /// A host that is not running yet; its address on segment `s` is 10.s.0.(number + 1).
    pub fn host(&mut self, definitions: Definitions, pace: u64) -> usize {
        let number = self.hosts.len();
        let own = |segment: usize| IpAddr::from([10, segment as u8, 0, number as u8 + 1]);
        self.hosts.push(Host {
            node: Node::new(Arc::new(RouterCounters::default())),
            out: Recorder::default(),
            alive: false,
            links: Vec::new(),
            addresses: (0..self.segments).map(|segment| vec![own(segment)]).collect(),
            marked: HashSet::new(),
            link_up: vec![true; self.segments],
            definitions,
            pace,
            wall_off: 0,
            done: 0,
        });
        self.side.push(0);
        number
    }

    /// What the clock of a host says.
    pub fn clock(&self, host: usize) -> Instant {
        let nanos = u128::from(self.now) * u128::from(self.hosts[host].pace) / 1_000;
        self.epoch + Duration::from_nanos(nanos as u64)
    }

    /// The time of a host, which also learns what its wall clock says.
    pub fn tick(&mut self, host: usize) -> Instant {
        let now = self.clock(host);
        let h = &mut self.hosts[host];
        let seconds = WALL.saturating_add_signed(h.wall_off);
        h.node.wall_clock(now, Duration::from_secs(seconds) + (now - self.epoch));
        now
    }

    fn wakes(&self, host: usize) -> Option<u64> {
        let deadline = self.hosts[host].node.next_deadline().filter(|_| self.hosts[host].alive)?;
        let nanos = deadline.saturating_duration_since(self.epoch).as_nanos();
        Some((nanos * 1_000).div_ceil(u128::from(self.hosts[host].pace)) as u64)
    }

    /// Starts the process on a host: after a crash too.
    pub fn start(&mut self, host: usize) {
        self.hosts[host].node = Node::new(Arc::new(RouterCounters::default()));
        let now = self.tick(host);
        let h = &mut self.hosts[host];
        h.alive = true;
        h.links = (0..self.segments).map(|s| h.node.link(&Name::from(format!("eth{s}")))).collect();
        for (segment, link) in h.links.clone().into_iter().enumerate() {
            let state = if h.link_up[segment] { LinkState::Up } else { LinkState::Down };
            let down = (state == LinkState::Down).then(|| {
                let interface = Name::from(format!("eth{segment}"));
                h.out
                    .publish(None, LinkFact::LinkDown { interface, reason: LinkDownReason::NoCarrier }.into())
            });
            h.node.link_changed(now, link, state, down, &mut h.out);
            for address in h.addresses[segment].clone() {
                let origin = if h.marked.contains(&address) { Origin::Vrrp } else { Origin::Host };
                h.node.address_added(now, link, LinkAddress::new(address, origin), &mut h.out);
            }
        }
        h.node.apply(now, h.definitions.clone(), None, &mut h.out);
        self.carry_out(host);
    }

    /// The process dies; its addresses stay.
    pub fn crash(&mut self, host: usize) {
        self.hosts[host].alive = false;
    }

    /// The process stops in good order.
    pub fn stop(&mut self, host: usize) {
        let now = self.tick(host);
        let h = &mut self.hosts[host];
        if h.alive {
            h.node.stop(now, Release::Everything, None, &mut h.out);
            self.carry_out(host);
            self.hosts[host].alive = false;
        }
    }

    pub fn set_link(&mut self, host: usize, segment: usize, up: bool) {
        let now = self.tick(host);
        let h = &mut self.hosts[host];
        if h.link_up[segment] == up {
            return;
        }
        h.link_up[segment] = up;
        if h.alive {
            let state = if up { LinkState::Up } else { LinkState::Down };
            h.node.link_changed(now, h.links[segment], state, None, &mut h.out);
            self.carry_out(host);
        }
    }

    pub fn state(&self, host: usize, router: &str) -> VrrpState {
        match self.hosts[host].node.router_named(router) {
            Some(router) if self.hosts[host].alive => router.state(),
            _ => VrrpState::Init,
        }
    }

    /// The hosts on which this router is master.
    pub fn masters(&self, router: &str) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.state(*host, router) == VrrpState::Master).collect()
    }

    /// The states that this router went through on a host.
    pub fn history(&self, host: usize, router: &str) -> Vec<VrrpState> {
        let states = self.hosts[host].out.did.iter().filter_map(|did| match did {
            Did::Published { fact: Fact::Vrrp(VrrpFact::StateChanged { instance, to, .. }), .. }
                if &**instance == router =>
            {
                Some(*to)
            }
            _ => None,
        });
        states.collect()
    }

    /// Does what a host wants done: packets fly, addresses come and go.
    pub fn carry_out(&mut self, host: usize) {
        let now = self.tick(host);
        while self.hosts[host].done < self.hosts[host].out.did.len() {
            let did = self.hosts[host].out.did[self.hosts[host].done].clone();
            self.hosts[host].done += 1;
            match did {
                Did::Sent { link, packet, .. } => {
                    let segment = self.hosts[host].links.iter().position(|l| *l == link).unwrap();
                    self.fly(host, segment, packet);
                }
                Did::Added(addresses) if self.kernel_refuses => {
                    let h = &mut self.hosts[host];
                    let refused: Vec<_> = h
                        .node
                        .routers()
                        .flat_map(|router| router.spec().addresses.iter().map(|a| (router.id(), a.clone())))
                        .filter(|(_, address)| addresses.contains(&address.address))
                        .filter(|(_, address)| !address.detect_duplicates)
                        .collect();
                    for (router, address) in refused {
                        h.node.address_refused(now, router, &address);
                    }
                }
                Did::Added(addresses) => {
                    let h = &mut self.hosts[host];
                    for address in addresses {
                        let segment = segment_of(address);
                        if !h.addresses[segment].contains(&address) {
                            h.addresses[segment].push(address);
                            h.marked.insert(address);
                            let marked = LinkAddress::new(address, Origin::Vrrp);
                            h.node.address_added(now, h.links[segment], marked, &mut h.out);
                        }
                    }
                }
                Did::Removed(addresses) => {
                    let h = &mut self.hosts[host];
                    for address in addresses {
                        let segment = segment_of(address);
                        h.addresses[segment].retain(|other| *other != address);
                        h.marked.remove(&address);
                        h.node.address_removed(now, h.links[segment], address.into(), &mut h.out);
                    }
                }
                Did::Published { .. }
                | Did::Routed { .. }
                | Did::StoppedDropping
                | Did::Announced { .. }
                | Did::Noticed(_) => {}
            }
        }
    }

    fn fly(&mut self, from: usize, segment: usize, packet: Vec<u8>) {
        if !self.hosts[from].link_up[segment] {
            return;
        }
        for to in 0..self.hosts.len() {
            if to == from
                || self.side[to] != self.side[from]
                || self.deaf.contains(&to)
                || self.dice.chance(self.loss)
            {
                continue;
            }
            let least = self.delay / 10;
            let at = self.now + least + self.dice.below(self.delay - least + 1);
            self.numbers += 1;
            self.flying.push(Reverse(Flying {
                at,
                number: self.numbers,
                to,
                segment,
                packet: packet.clone(),
            }));
        }
    }

    /// Lets time pass until `until`, calling `look` after everything that happens.
    pub fn run_until(&mut self, until: u64, look: &mut dyn FnMut(&Lan)) {
        loop {
            let wake = (0..self.hosts.len()).filter_map(|h| Some((self.wakes(h)?, h))).min();
            let arrival = self.flying.peek().map(|Reverse(flying)| flying.at);
            let next = wake.map(|(at, _)| at).into_iter().chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if arrival == Some(next)
                && let Some(Reverse(flying)) = self.flying.pop()
            {
                self.arrive(flying);
            } else if let Some((_, host)) = wake {
                let now = self.tick(host);
                let h = &mut self.hosts[host];
                h.node.handle_timeouts(now, &mut h.out);
                self.carry_out(host);
            }
            look(self);
        }
        self.now = until;
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time.as_micros() as u64, &mut |_| {});
    }

    fn arrive(&mut self, flying: Flying) {
        let now = self.tick(flying.to);
        let h = &mut self.hosts[flying.to];
        if h.alive && h.link_up[flying.segment] {
            let datagram = Datagram::from_ipv4(h.links[flying.segment], &flying.packet).unwrap();
            h.node.receive(now, datagram, &mut h.out);
            self.carry_out(flying.to);
        }
    }

    /// The causes of an event of a host, from itself back to the root.
    pub fn chain(&self, host: usize, event: EventId) -> Vec<&'static str> {
        let mut chain = Vec::new();
        let mut next = Some(event);
        while let Some(wanted) = next {
            next = None;
            for did in &self.hosts[host].out.did {
                if let Did::Published { id, cause, fact } = did
                    && *id == wanted
                {
                    chain.push(fact.kind());
                    next = *cause;
                }
            }
        }
        chain
    }

    /// The last event of a host that `matches`.
    pub fn last(&self, host: usize, matches: impl Fn(&Fact) -> bool) -> Option<EventId> {
        self.hosts[host].out.did.iter().rev().find_map(|did| match did {
            Did::Published { id, fact, .. } if matches(fact) => Some(*id),
            _ => None,
        })
    }

    /// The last packet that a host sent.
    pub fn last_packet(&self, host: usize) -> Vec<u8> {
        let sent = self.hosts[host].out.did.iter().rev().find_map(|did| match did {
            Did::Sent { packet, .. } => Some(packet.clone()),
            _ => None,
        });
        sent.unwrap()
    }

    /// The virtual addresses that a host holds.
    pub fn held(&self, host: usize) -> HashSet<IpAddr> {
        let all = self.hosts[host].addresses.iter().flatten();
        all.copied().filter(|address| matches!(address, IpAddr::V4(v4) if v4.octets()[3] == 100)).collect()
    }
}

fn segment_of(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(address) => usize::from(address.octets()[1]),
        IpAddr::V6(_) => 0,
    }
}
