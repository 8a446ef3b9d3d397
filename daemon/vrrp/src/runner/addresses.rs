//! Virtual addresses, on the VRRP thread: what the machine wants done with them becomes jobs for the thread that may
//! wait for the kernel, with the kernel's numbers of the interfaces as they are now.

use std::collections::HashSet;
use std::net::IpAddr;

use keepwatch_bus::fact::AnnounceOccasion;
use keepwatch_bus::mailbox::Sender;
use keepwatch_bus::subject::Name;
use keepwatch_model::InterfaceAddress;
use keepwatch_net::address::{AddressOperation, AddressSpec, PresentAddress, Scope};
use keepwatch_net::link::{LinkIndex, LinkTable};
use keepwatch_net::promotion::would_take_along;
use keepwatch_net::wire::arp;

use crate::link::prefix_of;
use crate::spec::Transport;
use crate::{Node, Router, RouterSpec};

use super::kept::Peer;
use super::outgoing::{Change, Work};
use super::worker::{Frame, Job};

/// The interfaces on which what a hand-over takes off, all of it together, would take along addresses that are to stay:
/// what goes in one go keeps nobody. Each is looked at once, however many virtual routers leave it together.
struct Shielded(HashSet<LinkIndex>);

impl Shielded {
    fn of(work: &[Work], links: &LinkTable) -> Self {
        let mut going: HashSet<(LinkIndex, IpAddr, u8)> = HashSet::new();
        for item in work {
            let Work::Change(AddressOperation::Remove, change) = item else { continue };
            for address in change.addresses.iter() {
                let index = home(&change.spec, address, links);
                going.extend(index.map(|index| (index, address.address, prefix_of(address))));
            }
        }
        let interfaces: HashSet<LinkIndex> = going.iter().map(|(index, ..)| *index).collect();
        let goes = |a: &PresentAddress| going.contains(&(a.link, a.address, a.prefix));
        let takes_along =
            |index: &LinkIndex| links.get(*index).is_some_and(|link| would_take_along(link, goes));
        Self(interfaces.into_iter().filter(takes_along).collect())
    }

    /// Those of a change.
    fn among(&self, indices: &[Option<LinkIndex>], links: &LinkTable) -> Vec<Name> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let own: HashSet<LinkIndex> = indices.iter().copied().flatten().collect();
        let shielded = own.intersection(&self.0).filter_map(|index| links.get(*index));
        shielded.map(|link| link.report.name.clone()).collect()
    }
}

/// The interface that an address belongs on, if there is such a one.
fn home(spec: &RouterSpec, address: &InterfaceAddress, links: &LinkTable) -> Option<LinkIndex> {
    Some(links.by_name(spec.interface_of(address)?)?.report.index)
}

/// Hands over the changes of addresses that stand before everything else: nothing has to be done before them.
pub(super) fn hand_over_changes(work: &mut Vec<Work>, links: &LinkTable, worker: &Sender<Job>) {
    let others = |item: &Work| !matches!(item, Work::Change(..));
    let first = work.iter().position(others).unwrap_or(work.len());
    let shielded = Shielded::of(work.get(..first).unwrap_or_default(), links);
    for item in work.drain(..first) {
        if let Work::Change(operation, change) = item {
            hand_over_change(operation, change, &shielded, links, worker);
        }
    }
}

fn hand_over_change(
    operation: AddressOperation,
    change: Change,
    shielded: &Shielded,
    links: &LinkTable,
    worker: &Sender<Job>,
) {
    let indices = change.addresses.iter().map(|address| home(&change.spec, address, links));
    let indices: Vec<Option<LinkIndex>> = indices.collect();
    if operation == AddressOperation::Remove {
        let shielded = shielded.among(&indices, links);
        if !shielded.is_empty() {
            worker.send(Job::Shield(shielded));
        }
    }
    worker.send(Job::Change(operation, change, indices));
}

/// Hands over what the machine asked.
pub(super) fn hand_over(work: &mut Vec<Work>, node: &Node, links: &LinkTable, worker: &Sender<Job>) {
    let mut renewed = Vec::new();
    let shielded = Shielded::of(work, links);
    for item in work.drain(..) {
        match item {
            Work::Change(operation, change) => {
                hand_over_change(operation, change, &shielded, links, worker);
            }
            Work::Announce(announce) => {
                // A reload may have taken the router away since.
                let Some(router) = node.router(announce.router) else { continue };
                if announce.occasion == AnnounceOccasion::LeftFault {
                    renewed.extend(peers_of(router, links));
                }
                let frames =
                    announce.addresses.iter().filter_map(|a| frame(&announce.spec, a, links)).collect();
                worker.send(Job::Announce(announce, frames, router.counters().clone()));
            }
            Work::Routing(wish) => worker.send(Job::Routing(wish)),
            Work::StopDropping(router, cause) => worker.send(Job::StopDropping(router, cause)),
            Work::Sweep(cause) => worker.send(Job::Sweep(cause)),
            Work::KeepPeers => {
                worker.send(Job::Keep(node.routers().flat_map(|router| peers_of(router, links)).collect()));
            }
            Work::RenewPeers(router) => {
                renewed.extend(node.router(router).into_iter().flat_map(|router| peers_of(router, links)));
            }
        }
    }
    if !renewed.is_empty() {
        worker.send(Job::Renew(renewed));
    }
    // What hundreds of routers wanted at once is no measure for later.
    if work.capacity() > 512 {
        work.shrink_to(64);
    }
}

/// The hosts that a unicast router sends to, each with the interface if it may be no other.
fn peers_of(router: &Router, links: &LinkTable) -> Vec<Peer> {
    let spec = router.spec();
    let Transport::Unicast { peers, .. } = &spec.transport else { return Vec::new() };
    let link = match spec.home() {
        None => None,
        Some(name) => match links.by_name(name) {
            None => return Vec::new(),
            Some(link) => Some(link.report.index),
        },
    };
    peers.iter().map(|peer| Peer { link, address: peer.address }).collect()
}

/// The announcement of an address, where its interface has such a thing.
fn frame(spec: &RouterSpec, address: &InterfaceAddress, links: &LinkTable) -> Option<(LinkIndex, Frame)> {
    let link = match spec.interface_of(address) {
        Some(name) => links.by_name(name),
        // The source address of a unicast router without an interface.
        None => links.carrying(address.address).next(),
    };
    let report = &link?.report;
    let hardware = report.hardware.filter(|_| !report.no_arp && !report.loopback)?;
    let frame = match address.address {
        IpAddr::V4(address) => {
            Frame::Arp(arp::Repr { operation: arp::Operation::Request, hardware, address })
        }
        IpAddr::V6(address) => Frame::Ndisc { hardware, address, interface: report.name.clone() },
    };
    Some((report.index, frame))
}

/// What the kernel is asked for.
pub(super) fn plan(address: &InterfaceAddress) -> AddressSpec {
    AddressSpec {
        address: address.address,
        prefix: prefix_of(address),
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
        duplicate_detection: address.detect_duplicates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<InterfaceAddress, std::net::AddrParseError> {
        Ok(InterfaceAddress::host(text.parse()?))
    }

    #[test]
    fn a_plain_address_is_asked_for_with_its_full_prefix_and_nothing_else()
    -> Result<(), std::net::AddrParseError> {
        assert_eq!(plan(&address("10.78.9.9")?), AddressSpec::new("10.78.9.9".parse()?, 32));
        assert_eq!(plan(&address("fd78::9")?), AddressSpec::new("fd78::9".parse()?, 128));
        Ok(())
    }

    #[test]
    fn with_a_peer_the_prefix_is_the_peer_s() -> Result<(), std::net::AddrParseError> {
        let mut near = address("10.0.0.1")?;
        near.peer = Some(("10.0.0.2".parse()?, 30));
        let spec = plan(&near);
        assert_eq!((spec.prefix, spec.peer), (30, Some("10.0.0.2".parse()?)));
        Ok(())
    }
}
