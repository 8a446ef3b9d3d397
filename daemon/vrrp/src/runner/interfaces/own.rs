//! Addresses: what an interface has of its own is told, and the machine hears of each whose it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::LinkFact;
use keepwatch_bus::subject::Name;
use keepwatch_net::address::{PROTOCOL_KEEPALIVED, PresentAddress};
use keepwatch_net::link::LinkIndex;
use keepwatch_net::wire::ethernet::MacAddress;

use super::Interfaces;
use crate::runner::outgoing::Outgoing;
use crate::{LinkAddress, Node, Origin, Outbox};

/// What an interface has of its own, besides virtual addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Own {
    index: LinkIndex,
    hardware: Option<MacAddress>,
    inet: Option<Ipv4Addr>,
    inet6: Option<Ipv6Addr>,
}

impl Interfaces {
    /// Tells everybody what addresses of its own an interface in use has, if that changed.
    pub(super) fn tell_addresses(&mut self, name: &Name, cause: Option<EventId>, out: &mut Outgoing) {
        let Some(link) = self.table.by_name(name).filter(|_| self.watched.contains(name)) else { return };
        let own = |address: &&PresentAddress| {
            !address.tentative && !address.duplicate && self.seen(address).origin != Origin::Vrrp
        };
        let addresses = || link.addresses.iter().filter(own).map(|address| address.address);
        let own = Own {
            index: link.report.index,
            hardware: link.report.hardware,
            inet: addresses().find_map(|address| if let IpAddr::V4(v4) = address { Some(v4) } else { None }),
            inet6: addresses().find_map(|address| match address {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
                IpAddr::V6(_) | IpAddr::V4(_) => None,
            }),
        };
        if self.addressed.insert(name.clone(), own) == Some(own) {
            return;
        }
        let Own { index, hardware, inet, inet6 } = own;
        let (interface, index, hardware) = (name.clone(), index.0, hardware.map(|hardware| hardware.0));
        out.publish(cause, LinkFact::LinkAddressed { interface, index, hardware, inet, inet6 }.into());
    }

    /// Tells everybody that an interface in use has an address of its own that is of no use, for another host has it.
    pub(super) fn tell_duplicate(
        &self,
        name: &Name,
        address: &PresentAddress,
        cause: Option<EventId>,
        out: &mut Outgoing,
    ) {
        if let IpAddr::V6(duplicate) = address.address
            && address.duplicate
            && self.watched.contains(name)
            && self.seen(address).origin != Origin::Vrrp
        {
            let (interface, address) = (name.clone(), duplicate);
            out.publish(cause, LinkFact::LinkAddressDuplicate { interface, address }.into());
        }
    }

    /// Tells the machine whether this host has a source address that a definition names, or ever named, if that changed.
    pub(super) fn tell_source(&mut self, address: IpAddr, now: Instant, node: &mut Node, out: &mut Outgoing) {
        let Some(told) = self.sources.get_mut(&address) else { return };
        let present = self.table.carrying(address).next().is_some();
        if std::mem::replace(told, present) != present {
            node.source_present(now, address, present, out);
        }
    }

    /// An address as the machine sees it.
    pub(super) fn seen(&self, address: &PresentAddress) -> LinkAddress {
        let origin = match address.protocol {
            PROTOCOL_KEEPALIVED => Origin::Vrrp,
            _ if self.marks => Origin::Host,
            _ => Origin::Unmarked,
        };
        LinkAddress { address: address.address, prefix: address.prefix, origin }
    }
}
