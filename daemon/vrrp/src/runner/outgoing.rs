//! What the machine says, on its way out: facts go to the bus and notices to the daemon at once; packets, addresses
//! and announcements are collected, so that those of many routers leave together.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use keepwatch_bus::fact::AnnounceOccasion;
use keepwatch_bus::mailbox::Sender;
use keepwatch_bus::{Bus, EventId, Fact};
use keepwatch_model::InterfaceAddress;
use keepwatch_net::address::AddressOperation;
use keepwatch_net::link::{LinkIndex, LinkTable};
use keepwatch_net::socket::{Destination, Family, SendBatch, VrrpSender};

use crate::{LinkId, Node, Notice, Outbox, Output, RouterId, RouterSpec, Transmission};

use super::refused::{Fate, Fates, Refused};
use super::routing::{Owner, Wish};

/// Advertisements that leave in one go. A thousand back to back would overrun the receive buffer of a neighbour that
/// is not looking for half a millisecond, and always the same ones would be lost.
const BURST: usize = 128;

/// Something to do with addresses, in the order in which the machine said it.
pub(super) enum Work {
    Change(AddressOperation, Change),
    Announce(Announce),
    /// Routes and rules of one router.
    Routing(Wish),
    /// Nothing is to be dropped for one router any more, once its addresses are off.
    StopDropping(RouterId, EventId),
    /// Interfaces that routers no longer want can go.
    Sweep(Option<EventId>),
    /// Have the kernel keep the neighbours in mind by which the peers of all routers are reached, and no others.
    KeepPeers,
    /// See at once that it does so for the peers of one router.
    RenewPeers(RouterId),
}

/// Addresses of one router to add or remove.
pub(super) struct Change {
    pub(super) router: RouterId,
    pub(super) spec: Arc<RouterSpec>,
    pub(super) addresses: Arc<[InterfaceAddress]>,
    pub(super) cause: EventId,
    /// When they were found to be gone, if somebody had taken them off.
    pub(super) lost: Option<Instant>,
}

/// Addresses of one router to announce.
pub(super) struct Announce {
    pub(super) router: RouterId,
    pub(super) spec: Arc<RouterSpec>,
    pub(super) addresses: Arc<[InterfaceAddress]>,
    pub(super) repeat: u32,
    pub(super) occasion: AnnounceOccasion,
    pub(super) cause: Option<EventId>,
}

/// The kernel's numbers of the interfaces that the machine knows, by its own.
#[derive(Default)]
pub(super) struct Ports(Vec<Option<LinkIndex>>);

impl Ports {
    pub(super) fn get(&self, link: LinkId) -> Option<LinkIndex> {
        self.0.get(link.0 as usize).copied().flatten()
    }

    pub(super) fn set(&mut self, link: LinkId, index: Option<LinkIndex>) {
        let slot = link.0 as usize;
        if slot >= self.0.len() {
            self.0.resize(slot + 1, None);
        }
        self.0[slot] = index;
    }
}

/// Advertisements of one family that wait to leave together.
struct Lane {
    sender: Option<VrrpSender>,
    batch: SendBatch,
    /// Whose the packets of the batch are.
    routers: Vec<RouterId>,
}

/// Collects what the machine says.
pub(super) struct Outgoing {
    pub(super) bus: Bus,
    pub(super) ports: Ports,
    pub(super) work: Vec<Work>,
    notices: Sender<Notice>,
    ipv4: Lane,
    ipv6: Lane,
    refused: Refused,
    shadow: bool,
}

impl Outgoing {
    pub(super) fn open(bus: Bus, notices: Sender<Notice>, shadow: bool) -> keepwatch_net::Result<Self> {
        let lane = |sender| Lane { sender, batch: SendBatch::new(), routers: Vec::new() };
        Ok(Self {
            bus,
            ports: Ports::default(),
            work: Vec::new(),
            notices,
            ipv4: lane(Some(VrrpSender::open(Family::V4)?)),
            // A host may have no IPv6 at all.
            ipv6: lane(VrrpSender::open(Family::V6).ok()),
            refused: Refused::open()?,
            shadow,
        })
    }

    /// Sends collected advertisements, a burst of each family; true if more wait. Give the network a moment then.
    pub(super) fn flush(&mut self, node: &Node, links: &LinkTable) -> bool {
        let Self { bus, work, refused, .. } = self;
        for lane in [&mut self.ipv4, &mut self.ipv6] {
            if lane.batch.is_empty() {
                continue;
            }
            let mut fates = Fates::new();
            let first = lane.routers.len() - lane.batch.len();
            match &lane.sender {
                Some(sender) => sender.send(&mut lane.batch, BURST, |refusal| {
                    fates.push((lane.routers[refusal.number], refused.retry(refusal, links)));
                }),
                None => {
                    lane.batch.clear();
                    let lost = || Fate::lost(io::Error::from_raw_os_error(nix::libc::EAFNOSUPPORT));
                    fates.extend(lane.routers.iter().map(|router| (*router, lost())));
                }
            }
            let burst = &lane.routers[first..lane.routers.len() - lane.batch.len()];
            work.extend(refused.settle(bus, node, burst, fates).into_iter().map(Work::RenewPeers));
            if lane.batch.is_empty() {
                lane.routers.clear();
            }
        }
        !self.ipv4.batch.is_empty() || !self.ipv6.batch.is_empty()
    }

    fn send(&mut self, transmission: &Transmission<'_>) {
        if self.shadow {
            return;
        }
        let link = match transmission.link {
            LinkId::ANYWHERE => None,
            // Nothing leaves by an interface that is gone; that it is gone has been said.
            link => match self.ports.get(link) {
                None => return,
                there => there,
            },
        };
        let (lane, destination) = match (transmission.destination, transmission.source) {
            (IpAddr::V4(destination), _) => (&mut self.ipv4, Destination::Ipv4 { link, destination }),
            (IpAddr::V6(destination), IpAddr::V6(source)) => {
                (&mut self.ipv6, Destination::Ipv6 { link, source, destination, hop_limit: transmission.ttl })
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => return,
        };
        lane.batch.push(destination, transmission.packet);
        lane.routers.push(transmission.router);
    }
}

impl Outbox for Outgoing {
    fn publish(&mut self, cause: Option<EventId>, fact: Fact) -> EventId {
        self.bus.publish(cause, fact)
    }

    fn act(&mut self, output: Output<'_>) {
        match output {
            Output::Send(transmission) => self.send(&transmission),
            Output::AddAddresses(change) => {
                self.work.push(Work::Change(AddressOperation::Add, change.into()))
            }
            Output::RemoveAddresses(change) => {
                self.work.push(Work::Change(AddressOperation::Remove, change.into()))
            }
            Output::Routing(change) => self.work.push(Work::Routing(Wish {
                owner: Owner::Router(change.router),
                instance: Some(change.spec.name.clone()),
                entries: change.spec.routing.clone(),
                wanted: change.wanted,
                dropped: change
                    .dropped
                    .iter()
                    .map(|address| (address.address, change.spec.interface_of(address).cloned()))
                    .collect(),
                cause: change.cause,
            })),
            Output::StopDropping { router, cause } => self.work.push(Work::StopDropping(router, cause)),
            Output::Announce(announcement) => self.work.push(Work::Announce(Announce {
                router: announcement.router,
                spec: announcement.spec.clone(),
                addresses: announcement.addresses,
                repeat: announcement.repeat,
                occasion: announcement.occasion,
                cause: announcement.cause,
            })),
            Output::Notify(notice) => self.notices.send(notice),
        }
    }
}

impl From<crate::AddressChange<'_>> for Change {
    fn from(change: crate::AddressChange<'_>) -> Self {
        Self {
            router: change.router,
            spec: change.spec.clone(),
            addresses: change.addresses,
            cause: change.cause,
            lost: change.lost,
        }
    }
}
