//! Requests to the kernel for addresses: made of jobs, remembered, told of once they are answered.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::InterfaceAddress;
use keepwatch_net::address::AddressOperation;
use keepwatch_net::link::LinkIndex;
use keepwatch_net::netlink::{Answer, Outcome};
use nix::errno::Errno;

use super::{Report, Worker};
use crate::RouterId;
use crate::link::prefix_of;
use crate::runner::addresses::plan;
use crate::runner::outgoing::Change;

/// An address that the kernel did not take.
pub(in crate::runner) struct Refusal {
    pub(in crate::runner) router: RouterId,
    pub(in crate::runner) address: InterfaceAddress,
}

/// An address of an interface, by names: the interface may have another name, or another number, when it is taken off.
pub(super) type Place = (Name, IpAddr, u8);

/// Whose address a request was about.
pub(super) struct Token {
    router: RouterId,
    place: Place,
    link: Option<LinkIndex>,
    /// It was put there.
    placed: bool,
    spec: Arc<crate::RouterSpec>,
    addresses: Arc<[InterfaceAddress]>,
    index: usize,
    cause: EventId,
    lost: Option<Instant>,
}

impl Worker {
    pub(super) fn request(
        &mut self,
        operation: AddressOperation,
        change: &Change,
        links: &[Option<LinkIndex>],
    ) {
        for (index, (address, link)) in change.addresses.iter().zip(links).enumerate() {
            let Some(interface) = change.spec.interface_of(address) else { continue };
            let place: Place = (interface.clone(), address.address, prefix_of(address));
            // An interface that was renamed has the address all the same.
            let placed = match operation {
                AddressOperation::Add => None,
                AddressOperation::Remove => self.placed.remove(&place),
            };
            let token = Token {
                router: change.router,
                place,
                link: placed.or(*link),
                placed: placed.is_some(),
                spec: change.spec.clone(),
                addresses: change.addresses.clone(),
                index,
                cause: change.cause,
                lost: change.lost,
            };
            let result = match (token.link, operation) {
                _ if self.shadow => Ok(Outcome::Changed),
                (Some(link), _) => {
                    self.requested += 1;
                    self.socket.request(operation, link, plan(address), token);
                    continue;
                }
                (None, AddressOperation::Add) => Err(Errno::ENODEV),
                // An interface that is gone took its addresses along.
                (None, AddressOperation::Remove) => Ok(Outcome::AlreadySo),
            };
            let answer = Answer { token, operation, result };
            if self.remember(&answer) {
                publish(&self.bus, answer);
            }
        }
    }

    /// Remembers what became of a request; whether that is to be told.
    pub(super) fn remember(&mut self, answer: &Answer<Token>) -> bool {
        let Token { router, place, link, addresses, index, .. } = &answer.token;
        let key = (*router, place.clone());
        match (answer.operation, answer.result) {
            (AddressOperation::Add, Ok(_)) => {
                self.refused.remove(&key);
                self.placed.extend(link.map(|link| (key.1, link)));
                true
            }
            (AddressOperation::Add, Err(errno)) => {
                if let Some(address) = addresses.get(*index) {
                    let refusal = Refusal { router: *router, address: address.clone() };
                    self.reports.send(Report::Refused(refusal));
                }
                // Said once, not for each try.
                self.refused.insert(key, errno) != Some(errno)
            }
            (AddressOperation::Remove, _) => {
                self.refused.remove(&key);
                true
            }
        }
    }
}

/// Says what became of a request.
pub(super) fn publish(bus: &Bus, answer: Answer<Token>) {
    let Token { placed, spec, addresses, index, cause, lost, .. } = answer.token;
    let Some(address) = addresses.get(index) else { return };
    let instance: Name = spec.name.clone();
    let slow = address.detect_duplicates && address.address.is_ipv6();
    let Some(address) = spec.virtual_address(address) else { return };
    let fact = match (answer.operation, answer.result) {
        // The kernel looks for duplicates first; who waits for that tells.
        (AddressOperation::Add, Ok(Outcome::Changed)) if slow => return,
        (AddressOperation::Add, Ok(outcome)) => match lost.filter(|_| outcome == Outcome::Changed) {
            Some(lost) => VrrpFact::AddressRestored { instance, address, after: lost.elapsed() },
            None => VrrpFact::AddressAdded { instance, address, adopted: outcome == Outcome::AlreadySo },
        },
        (AddressOperation::Remove, Ok(Outcome::Changed)) => VrrpFact::AddressRemoved { instance, address },
        // The kernel took it away with something else: those of IPv6 when the interface was switched off, say.
        (AddressOperation::Remove, Ok(Outcome::AlreadySo)) if placed => {
            VrrpFact::AddressRemoved { instance, address }
        }
        // Nothing happened, so there is nothing to tell.
        (AddressOperation::Remove, Ok(Outcome::AlreadySo)) => return,
        (operation, Err(errno)) => {
            let adding = operation == AddressOperation::Add;
            VrrpFact::AddressFailed { instance, address, adding, error: errno.desc().to_owned() }
        }
    };
    bus.publish(Some(cause), fact);
}
