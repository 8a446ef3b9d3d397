//! What the machine says, on its way out: facts go to the bus and notices to the daemon at once; packets, addresses
//! and announcements are collected, so that those of many routers leave together.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use keepwatch_bus::fact::{AnnounceOccasion, VrrpFact};
use keepwatch_bus::mailbox::Sender;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Bus, EventId, Fact};
use keepwatch_model::InterfaceAddress;
use keepwatch_net::address::AddressOperation;
use keepwatch_net::link::LinkIndex;
use keepwatch_net::socket::{Destination, Family, SendBatch, VrrpSender};

use crate::{LinkId, Node, Notice, Outbox, Output, RouterId, RouterSpec, Transmission};

/// Advertisements that leave in one go. A thousand back to back would overrun the receive buffer of a neighbour that
/// is not looking for half a millisecond, and always the same ones would be lost.
const BURST: usize = 128;

/// Something to do with addresses, in the order in which the machine said it.
pub(super) enum Work {
    Change(AddressOperation, Change),
    Announce(Announce),
}

/// Addresses of one router to add or remove.
pub(super) struct Change {
    pub(super) router: RouterId,
    pub(super) spec: Arc<RouterSpec>,
    pub(super) addresses: Arc<[InterfaceAddress]>,
    pub(super) cause: EventId,
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
    /// Routers whose last advertisement was refused by the kernel: said once, not for each.
    failing: HashSet<RouterId>,
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
            failing: HashSet::new(),
            shadow,
        })
    }

    /// Sends collected advertisements, a burst of each family; true if more wait. Give the network a moment then.
    pub(super) fn flush(&mut self, node: &Node) -> bool {
        for lane in [&mut self.ipv4, &mut self.ipv6] {
            if lane.batch.is_empty() {
                continue;
            }
            let mut refused = Vec::new();
            let first = lane.routers.len() - lane.batch.len();
            match &lane.sender {
                Some(sender) => {
                    sender.send(&mut lane.batch, BURST, |i, error| refused.push((lane.routers[i], error)));
                }
                None => {
                    lane.batch.clear();
                    let error = || io::Error::from_raw_os_error(nix::libc::EAFNOSUPPORT);
                    refused.extend(lane.routers.iter().map(|router| (*router, error())));
                }
            }
            if !self.failing.is_empty() {
                let end = lane.routers.len() - lane.batch.len();
                for router in &lane.routers[first..end] {
                    if !refused.iter().any(|(other, _)| other == router) {
                        self.failing.remove(router);
                    }
                }
            }
            for (router, error) in refused {
                report_refusal(&self.bus, node, router, &error, self.failing.insert(router));
            }
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
        let link = self.ports.get(transmission.link);
        let (lane, destination) = match (transmission.destination, transmission.source) {
            (IpAddr::V4(destination), _) => {
                // The routing table knows best where a unicast peer is.
                let link = if destination.is_multicast() { link } else { None };
                (&mut self.ipv4, Destination::Ipv4 { link, destination })
            }
            (IpAddr::V6(destination), IpAddr::V6(source)) => {
                let Some(link) = link else { return };
                (&mut self.ipv6, Destination::Ipv6 { link, source, destination })
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => return,
        };
        lane.batch.push(destination, transmission.packet);
        lane.routers.push(transmission.router);
    }
}

fn report_refusal(bus: &Bus, node: &Node, router: RouterId, error: &io::Error, first: bool) {
    let Some(router) = node.router(router) else { return };
    router.counters().send_errors.inc();
    // Behind a dead link a resignation can't leave; that the link is dead has been said.
    if first && router.state() != VrrpState::Fault {
        let instance = router.spec().name.clone();
        bus.publish(None, VrrpFact::AdvertSendFailed { instance, error: error.to_string() });
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
        }
    }
}
