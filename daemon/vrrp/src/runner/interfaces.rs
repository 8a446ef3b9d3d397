//! The interfaces: what the kernel tells of them goes to the machine, under their names, and on each that carries
//! virtual routers a socket listens.

mod beside;
mod listeners;
mod own;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{LinkDownReason, LinkFact};
use keepwatch_bus::mailbox::WeakSender;
use keepwatch_bus::subject::{self, Name};
use keepwatch_model::{KernelBuffer, LinkTarget};
use keepwatch_net::address;
use keepwatch_net::link::{Change, LinkIndex, LinkTable, Notification};
use keepwatch_net::netlink::Monitor;
use keepwatch_net::socket::Family;
use nix::errno::Errno;

use crate::{Definitions, LinkState, Node, Outbox, Subscription, TrackedKind};

pub(super) use listeners::Listener;
use own::Own;

use super::Command;
use super::outgoing::Outgoing;
use super::slow::Slow;

/// Notifications (datagrams of them) taken in one turn.
const NOTIFICATIONS_PER_TURN: usize = 64;

/// Which listener: its place in a table, under which the event loop knows its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub(super) usize);

/// Whether an interface can be used, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Up(LinkIndex),
    Down(LinkDownReason),
}

impl Standing {
    fn state(self) -> LinkState {
        match self {
            Self::Up(_) => LinkState::Up,
            Self::Down(_) => LinkState::Down,
        }
    }
}

/// The interfaces of the network namespace, and the sockets on them.
pub(super) struct Interfaces {
    monitor: Monitor,
    table: LinkTable,
    /// The kernel keeps marks of addresses.
    marks: bool,
    listeners: Vec<Option<Listener>>,
    /// Those that the event loop does not know yet.
    fresh: Vec<Slot>,
    /// Those that it is to forget, and to have closed: that may take long.
    closed: Vec<Listener>,
    wanted: Vec<Subscription>,
    /// Interfaces that a definition names: their ups and downs are facts.
    watched: HashSet<Name>,
    /// How each interface stood that a definition names or ever named, when the machine was last told. It hears
    /// nothing of others: a host may see thousands of short-lived ones.
    told: HashMap<Name, Standing>,
    /// The addresses of each watched interface's own that were last told.
    addressed: HashMap<Name, Own>,
    /// Where a socket of a family could not be opened (none: everywhere); tried again now and then.
    deaf: HashSet<(Option<Name>, Family)>,
    /// Source addresses that a definition names, and whether the machine was last told that the host has them.
    sources: HashMap<IpAddr, bool>,
    retried: Option<Instant>,
    slow: Slow,
    /// The macvlans of virtual routers, each with the interface below and the family of its adverts.
    macvlans: HashMap<Name, (Name, Family)>,
}

impl Interfaces {
    /// Subscribes to changes; `buffer` is `vrrp_netlink_monitor_rcv_bufs`.
    pub(super) fn open(own: WeakSender<Command>, buffer: KernelBuffer) -> keepwatch_net::Result<Self> {
        let monitor = Monitor::open()?;
        if let Some(bytes) = buffer.bytes.filter(|bytes| *bytes > 0) {
            monitor.set_receive_buffer(bytes, buffer.force)?;
        }
        Ok(Self {
            monitor,
            table: LinkTable::default(),
            marks: address::kernel_keeps_marks(),
            listeners: Vec::new(),
            fresh: Vec::new(),
            closed: Vec::new(),
            wanted: Vec::new(),
            watched: HashSet::new(),
            told: HashMap::new(),
            addressed: HashMap::new(),
            deaf: HashSet::new(),
            sources: HashMap::new(),
            retried: None,
            slow: Slow::new(own),
            macvlans: HashMap::new(),
        })
    }

    pub(super) fn table(&self) -> &LinkTable {
        &self.table
    }

    pub(super) fn listener(&self, slot: Slot) -> Option<&Listener> {
        self.listeners.get(slot.0)?.as_ref()
    }

    /// Whether there is more to learn of interfaces than the socket tells by being readable.
    pub(super) fn is_behind(&self) -> bool {
        self.monitor.is_behind()
    }

    /// Asks for everything that is there: at the start, and when notifications were lost.
    pub(super) fn resync(
        &mut self,
        now: Instant,
        node: &mut Node,
        out: &mut Outgoing,
    ) -> keepwatch_net::Result<()> {
        let mut dump = Vec::new();
        self.monitor.dump(|notification| dump.push(notification))?;
        let mut changes = Vec::new();
        self.table.replace(dump, |change| changes.push(change));
        self.follow(changes, now, node, out);
        Ok(())
    }

    /// Takes a bounded number of the kernel's notifications; true if more may wait.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        node: &mut Node,
        out: &mut Outgoing,
    ) -> keepwatch_net::Result<bool> {
        let mut notifications: Vec<Notification> = Vec::new();
        let polled =
            self.monitor.poll(NOTIFICATIONS_PER_TURN, |notification| notifications.push(notification));
        let mut changes = Vec::new();
        for notification in notifications {
            self.table.apply(notification, |change| changes.push(change));
        }
        self.follow(changes, now, node, out);
        match polled {
            Ok(more) => Ok(more),
            // If even that was not enough, the next turn goes on: here adverts would wait.
            Err(error) if error.errno() == Some(Errno::ENOBUFS) => {
                self.resync(now, node, out).map(|()| !self.monitor.is_behind())
            }
            Err(error) => Err(error),
        }
    }

    fn follow(&mut self, changes: Vec<Change>, now: Instant, node: &mut Node, out: &mut Outgoing) {
        for change in changes {
            let source = match &change {
                Change::AddressAppeared { address, .. } | Change::AddressVanished { address, .. } => {
                    Some(address.address)
                }
                Change::Appeared(_) | Change::Altered(_) | Change::Vanished { .. } => None,
            };
            self.follow_one(change, now, node, out);
            // Last: whether it is on the interface that it must be on is known now.
            if let Some(source) = source {
                self.tell_source(source, now, node, out);
            }
        }
    }

    fn follow_one(&mut self, change: Change, now: Instant, node: &mut Node, out: &mut Outgoing) {
        let name = match &change {
            Change::Appeared(index) | Change::Altered(index) => match self.table.get(*index) {
                Some(link) => link.report.name.clone(),
                None => return,
            },
            Change::Vanished { name, .. }
            | Change::AddressAppeared { name, .. }
            | Change::AddressVanished { name, .. } => name.clone(),
        };
        if !self.told.contains_key(&name) {
            return;
        }
        let id = node.link(&name);
        if !matches!(change, Change::Vanished { .. }) {
            self.tell_addresses(&name, None, out);
        }
        match change {
            Change::Appeared(index) => {
                out.ports.set(id, Some(index));
                self.listen_on(id, Some(&name));
                self.listen_beside(&name, node);
                self.tell(&name, now, node, out);
            }
            Change::Altered(_) => {
                self.listen_beside(&name, node);
                self.tell(&name, now, node, out);
            }
            Change::Vanished { index, renamed, .. } => {
                self.close(|listener| listener.index == Some(index));
                let port = out.ports.get(id).filter(|port| *port == index);
                // By one that is gone nothing leaves; a master resigns by one that is there still, whatever its name.
                if port.is_some() && renamed.is_none() {
                    out.ports.set(id, None);
                }
                let renamed = renamed.filter(|_| self.watched.contains(&name));
                let interface = name.clone();
                let cause =
                    renamed.map(|to| out.publish(None, LinkFact::LinkRenamed { interface, to }.into()));
                self.tell_because(cause, &name, now, node, out);
                if port.is_some() {
                    out.ports.set(id, None);
                }
            }
            Change::AddressAppeared { address, .. } => {
                if address.duplicate {
                    self.tell_duplicate(&name, &address, None, out);
                    node.address_duplicate(now, id, address.address, out);
                } else if !address.tentative {
                    node.address_added(now, id, self.seen(&address), out);
                }
            }
            Change::AddressVanished { address, .. } => {
                node.address_removed(now, id, self.seen(&address), out)
            }
        }
    }

    /// Tells the machine, and everybody if it is in use, how an interface stands, if that changed.
    fn tell(&mut self, name: &Name, now: Instant, node: &mut Node, out: &mut Outgoing) {
        self.tell_because(None, name, now, node, out);
    }

    fn tell_because(
        &mut self,
        cause: Option<EventId>,
        name: &Name,
        now: Instant,
        node: &mut Node,
        out: &mut Outgoing,
    ) {
        let standing = self.standing(name);
        let told = self.told.get(name).map(|told| told.state());
        if standing == Standing::Down(LinkDownReason::Missing) {
            // It will not come up again by itself.
            self.slow.forget(name);
        } else {
            let begins = self.slow.begins_to_wait(name, told, standing.state());
            let patience = begins.then(|| node.link(name)).and_then(|link| node.patience(link));
            if self.slow.is_too_early(name, told, standing.state(), patience, now) {
                return;
            }
        }
        let Some(told) = self.told.insert(name.clone(), standing).filter(|told| *told != standing) else {
            return;
        };
        let event = self.watched.contains(name).then(|| publish(name, standing, cause, out));
        if told.state() != standing.state() {
            let id = node.link(name);
            node.link_changed(now, id, standing.state(), event, out);
        }
    }

    fn standing(&self, name: &Name) -> Standing {
        match self.table.by_name(name) {
            None => Standing::Down(LinkDownReason::Missing),
            Some(link) if !link.report.up => Standing::Down(LinkDownReason::AdminDown),
            Some(link) if !self.slow.link(name).unwrap_or(link.report.running) => {
                Standing::Down(LinkDownReason::NoCarrier)
            }
            Some(link) if self.is_deaf(name, link.report.index) => Standing::Down(LinkDownReason::NoSocket),
            Some(link) => Standing::Up(link.report.index),
        }
    }

    /// Whether nothing can be heard on an interface. Where IPv6 is switched off, IPv4 goes on; the routers over IPv6 have
    /// no address to speak from then, which is fault enough.
    fn is_deaf(&self, name: &Name, index: LinkIndex) -> bool {
        let deaf = |family| self.deaf.contains(&(Some(name.clone()), family));
        let hears =
            |family| self.listeners.iter().flatten().any(|l| l.index == Some(index) && l.family == family);
        deaf(Family::V4) || (deaf(Family::V6) && !hears(Family::V4))
    }

    /// Watches the interfaces that `definitions` name: tells how those stand that were not watched before, or that count
    /// otherwise with these definitions, and the machine all that there is to know of those that it never heard of.
    pub(super) fn watch(
        &mut self,
        definitions: &Definitions,
        now: Instant,
        cause: Option<EventId>,
        node: &mut Node,
        out: &mut Outgoing,
    ) {
        let sources: HashSet<IpAddr> = definitions.routers.iter().filter_map(|r| r.spec.source).collect();
        for address in sources {
            self.sources.entry(address).or_insert(false);
            self.tell_source(address, now, node, out);
        }
        let named = interfaces_of(definitions);
        self.slow.apply(definitions, &named);
        let mut new: Vec<Name> = named.difference(&self.watched).cloned().collect();
        let mut known: Vec<Name> = named.intersection(&self.watched).cloned().collect();
        let mut gone: Vec<Name> = self.watched.difference(&named).cloned().collect();
        new.sort();
        known.sort();
        gone.sort();
        self.watched = named;
        for interface in gone {
            out.publish(cause, LinkFact::LinkForgotten { interface }.into());
        }
        for name in known {
            self.tell_because(cause, &name, now, node, out);
        }
        for name in new {
            let standing = self.standing(&name);
            let event = publish(&name, standing, cause, out);
            let id = node.link(&name);
            if let Some(told) = self.told.insert(name.clone(), standing) {
                if told.state() != standing.state() {
                    node.link_changed(now, id, standing.state(), Some(event), out);
                }
                continue;
            }
            if let Some(link) = self.table.by_name(&name) {
                out.ports.set(id, Some(link.report.index));
                for address in &link.addresses {
                    self.tell_duplicate(&name, address, Some(event), out);
                    if !address.tentative {
                        node.address_added(now, id, self.seen(address), out);
                    }
                }
            }
            node.link_changed(now, id, standing.state(), Some(event), out);
        }
        let mut watched: Vec<Name> = self.watched.iter().cloned().collect();
        watched.sort();
        self.addressed.retain(|name, _| self.watched.contains(name));
        for name in watched {
            self.tell_addresses(&name, cause, out);
        }
    }

    /// An interface was asked for its link, and answered otherwise than before.
    pub(super) fn beat(&mut self, name: Name, link: bool, now: Instant, node: &mut Node, out: &mut Outgoing) {
        self.slow.beat(name.clone(), link);
        if self.told.contains_key(&name) {
            self.tell(&name, now, node, out);
        }
    }

    /// When an interface will have been down or up for long enough to count.
    pub(super) fn next(&self) -> Option<Instant> {
        self.slow.next()
    }

    /// Tells of the interfaces that have been down or up for long enough.
    pub(super) fn settle(&mut self, now: Instant, node: &mut Node, out: &mut Outgoing) {
        for name in self.slow.due(now) {
            self.tell(&name, now, node, out);
        }
    }
}

/// Every interface that `definitions` name.
pub(super) fn interfaces_of(definitions: &Definitions) -> HashSet<Name> {
    let mut named = HashSet::new();
    for router in &definitions.routers {
        named.extend(router.spec.home().cloned());
        let links = router.spec.follows.iter().filter(|follow| follow.kind == TrackedKind::Link);
        named.extend(links.map(|follow| follow.name.clone()));
        named.extend(router.spec.addresses.iter().filter_map(|address| match &address.link {
            LinkTarget::Instance => None,
            LinkTarget::Named(name) => Some(name.clone()),
        }));
    }
    named
}

fn publish(name: &Name, standing: Standing, cause: Option<EventId>, out: &mut Outgoing) -> EventId {
    let interface = name.clone();
    let fact = match standing {
        Standing::Up(index) => LinkFact::LinkUp { interface, index: index.0 },
        Standing::Down(reason) => LinkFact::LinkDown { interface, reason },
    };
    out.publish(cause, fact.into())
}

fn family(family: subject::Family) -> Family {
    match family {
        subject::Family::Inet => Family::V4,
        subject::Family::Inet6 => Family::V6,
    }
}

impl AsFd for Interfaces {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}
