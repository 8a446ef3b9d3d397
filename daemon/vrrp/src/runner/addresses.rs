//! Virtual addresses: put on, taken off and announced, in the order in which the machine asked, many at a time, and a
//! bounded number each turn, so that a takeover of thousands holds up no advert.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use keepwatch_bus::subject::{Name, VirtualAddress};
use keepwatch_bus::{Bus, EventId, Fact};
use keepwatch_config::model::{InterfaceAddress, LinkTarget};
use keepwatch_net::address::{AddressOperation, AddressSpec, Scope};
use keepwatch_net::link::{self, LinkIndex, LinkTable};
use keepwatch_net::netlink::{AddressSocket, Answer, Outcome};
use keepwatch_net::socket::Announcer;
use keepwatch_net::wire::{arp, ndisc};
use nix::errno::Errno;

use crate::{Node, RouterSpec};

use super::outgoing::{Announce, Change, Work};

/// Requests and announcements in one turn: about half a millisecond of the kernel's time.
const PER_TURN: usize = 16;

/// Whose address a request was about.
struct Token {
    spec: Arc<RouterSpec>,
    addresses: Arc<[InterfaceAddress]>,
    index: usize,
    cause: EventId,
}

/// The requests of the machine that are not yet carried out.
pub(super) struct Addresses {
    socket: AddressSocket<Token>,
    announcer: Announcer,
    /// Requests ever made, and ever answered; they are answered in order.
    requested: u64,
    answered: u64,
    /// Announcements, each with the number of requests that must be answered before it.
    announcements: VecDeque<(u64, Announce)>,
    shadow: bool,
}

impl Addresses {
    pub(super) fn open(shadow: bool) -> keepwatch_net::Result<Self> {
        Ok(Self {
            socket: AddressSocket::open()?,
            announcer: Announcer::open()?,
            requested: 0,
            answered: 0,
            announcements: VecDeque::new(),
            shadow,
        })
    }

    /// Takes over what the machine asked.
    pub(super) fn take(&mut self, work: &mut Vec<Work>, links: &LinkTable, bus: &Bus) {
        for item in work.drain(..) {
            match item {
                Work::Change(operation, change) => self.request(operation, &change, links, bus),
                Work::Announce(announce) => self.announcements.push_back((self.requested, announce)),
            }
        }
    }

    fn request(&mut self, operation: AddressOperation, change: &Change, links: &LinkTable, bus: &Bus) {
        for (index, address) in change.addresses.iter().enumerate() {
            let token = Token {
                spec: change.spec.clone(),
                addresses: change.addresses.clone(),
                index,
                cause: change.cause,
            };
            let interface = interface_of(&change.spec, address);
            match links.by_name(interface) {
                _ if self.shadow => publish(bus, Answer { token, operation, result: Ok(Outcome::Changed) }),
                Some(link) => {
                    self.requested += 1;
                    self.socket.request(operation, link.report.index, plan(address), token);
                }
                // An interface that is gone took its addresses along.
                None => {
                    let result = match operation {
                        AddressOperation::Add => Err(Errno::ENODEV),
                        AddressOperation::Remove => Ok(Outcome::AlreadySo),
                    };
                    publish(bus, Answer { token, operation, result });
                }
            }
        }
    }

    /// Carries out a bounded part of what waits; true while something is left that needs no waiting for.
    pub(super) fn work(&mut self, node: &Node, links: &LinkTable, bus: &Bus) -> bool {
        if self.is_idle() {
            return false;
        }
        let answered = &mut self.answered;
        let more_requests = self.socket.work(PER_TURN, |answer| {
            *answered += 1;
            publish(bus, answer);
        });
        let more_announcements = self.announce(node, links, bus);
        more_requests || more_announcements
    }

    /// Whether everything asked for has been done.
    pub(super) fn is_idle(&self) -> bool {
        self.socket.is_idle() && self.announcements.is_empty()
    }

    fn announce(&mut self, node: &Node, links: &LinkTable, bus: &Bus) -> bool {
        let mut sent: Vec<Announce> = Vec::new();
        while sent.len() < PER_TURN
            && self.announcements.front().is_some_and(|(after, _)| *after <= self.answered)
            && let Some((_, announce)) = self.announcements.pop_front()
        {
            self.push_frames(&announce, links);
            sent.push(announce);
        }
        if !self.shadow {
            self.announcer.send(|_, _| {});
        }
        for announce in sent {
            if let Some(router) = node.router(announce.router) {
                let frames = u64::from(announce.repeat) * announce.addresses.len() as u64;
                router.counters().announcements_sent.add(frames);
            }
            let fact = Fact::AddressesAnnounced {
                instance: announce.spec.name.clone(),
                addresses: announce.addresses.len() as u32,
                repeat: announce.repeat,
                occasion: announce.occasion,
            };
            bus.publish(announce.cause, fact);
        }
        self.announcements.front().is_some_and(|(after, _)| *after <= self.answered)
    }

    fn push_frames(&mut self, announce: &Announce, links: &LinkTable) {
        if self.shadow {
            return;
        }
        let frames: Vec<_> =
            announce.addresses.iter().filter_map(|a| frame(&announce.spec, a, links)).collect();
        // Each address once before any a second time, so that all of them are known as soon as can be.
        for _ in 0..announce.repeat {
            for (link, frame) in &frames {
                match frame {
                    Frame::Arp(repr) => self.announcer.push_arp(*link, repr),
                    Frame::Ndisc(repr) => self.announcer.push_ndisc(*link, repr),
                }
            }
        }
    }
}

/// What announces one address.
enum Frame {
    Arp(arp::Repr),
    Ndisc(ndisc::Repr),
}

/// The announcement of an address, where its interface has such a thing.
fn frame(spec: &RouterSpec, address: &InterfaceAddress, links: &LinkTable) -> Option<(LinkIndex, Frame)> {
    let report = &links.by_name(interface_of(spec, address))?.report;
    let hardware = report.hardware.filter(|_| !report.no_arp && !report.loopback)?;
    let frame = match address.address {
        IpAddr::V4(address) => {
            Frame::Arp(arp::Repr { operation: arp::Operation::Request, hardware, address })
        }
        IpAddr::V6(address) => {
            Frame::Ndisc(ndisc::Repr { hardware, address, router: link::forwards_ipv6(&report.name) })
        }
    };
    Some((report.index, frame))
}

impl AsFd for Addresses {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The interface that an address of a router belongs on.
fn interface_of<'a>(spec: &'a RouterSpec, address: &'a InterfaceAddress) -> &'a Name {
    match &address.link {
        LinkTarget::Instance => &spec.interface,
        LinkTarget::Named(name) => name,
    }
}

/// What the kernel is asked for.
fn plan(address: &InterfaceAddress) -> AddressSpec {
    AddressSpec {
        address: address.address,
        prefix: address.peer.map_or(address.prefix_len, |(_, prefix)| prefix),
        peer: address.peer.map(|(peer, _)| peer),
        broadcast: match address.broadcast {
            Some(IpAddr::V4(broadcast)) => Some(broadcast),
            Some(IpAddr::V6(_)) | None => None,
        },
        scope: Scope(address.scope.number()),
        label: address.label.clone(),
        no_prefix_route: address.no_prefix_route,
        preferred_lifetime: address.preferred_lifetime,
        home: address.home,
        manage_temporary: address.manage_temp_addresses,
        auto_join: address.auto_join,
        // keepalived detects no duplicates; its keyword `-nodad` takes that back.
        duplicate_detection: address.no_dad,
    }
}

/// Says what became of a request.
fn publish(bus: &Bus, answer: Answer<Token>) {
    let Token { spec, addresses, index, cause } = answer.token;
    let Some(address) = addresses.get(index) else { return };
    let instance = spec.name.clone();
    let interface = interface_of(&spec, address).clone();
    let address = VirtualAddress { address: address.address, prefix: address.prefix_len, interface };
    let fact = match (answer.operation, answer.result) {
        (AddressOperation::Add, Ok(outcome)) => {
            Fact::AddressAdded { instance, address, adopted: outcome == Outcome::AlreadySo }
        }
        (AddressOperation::Remove, Ok(Outcome::Changed)) => Fact::AddressRemoved { instance, address },
        // Nothing happened, so there is nothing to tell.
        (AddressOperation::Remove, Ok(Outcome::AlreadySo)) => return,
        (operation, Err(errno)) => {
            let adding = operation == AddressOperation::Add;
            Fact::AddressFailed { instance, address, adding, error: errno.desc().to_owned() }
        }
    };
    bus.publish(Some(cause), fact);
}
