//! Network interfaces as the kernel reports them, and a table of them that is kept true by its notifications.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::address::PresentAddress;
use crate::wire::ethernet::MacAddress;

/// The kernel's number of an interface; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkIndex(pub u32);

/// What a link message says of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkReport {
    /// Its number.
    pub index: LinkIndex,
    /// Its name.
    pub name: Arc<str>,
    /// `IFF_UP`: an administrator wants it up.
    pub up: bool,
    /// `IFF_RUNNING`: it has carrier.
    pub running: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// `IFF_NOARP`: announcements are pointless.
    pub no_arp: bool,
    /// Its Ethernet address, if it has one of that kind.
    pub hardware: Option<MacAddress>,
    /// Largest packet, bytes.
    pub mtu: u32,
    /// The group that it is in (`IFLA_GROUP`); 0 unless somebody put it in one.
    pub group: u32,
    /// What somebody wrote beside it (`IFLA_IFALIAS`).
    pub alias: Option<Arc<str>>,
    /// The bridge, bond or VRF that it belongs to.
    pub master: Option<LinkIndex>,
    /// What it is, where that matters.
    pub kind: LinkKind,
}

/// The mode of a macvlan that no other one above the same interface may talk to (`MACVLAN_MODE_PRIVATE`).
pub const MACVLAN_MODE_PRIVATE: u32 = 1;

/// What kind of interface one is (`IFLA_INFO_KIND`), with what matters of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// Another.
    #[default]
    Other,
    /// A macvlan.
    Macvlan {
        /// The interface below.
        below: LinkIndex,
        /// Its mode (`MACVLAN_MODE_…`).
        mode: u32,
    },
    /// An ipvlan.
    Ipvlan {
        /// The interface below.
        below: LinkIndex,
        /// Its mode (`IPVLAN_MODE_…`).
        mode: u16,
        /// Who may talk to whom (`IPVLAN_F_…`).
        flags: u16,
    },
    /// A VRF.
    Vrf {
        /// Its routing table.
        table: u32,
    },
}

/// An interface with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The last report of it.
    pub report: LinkReport,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<PresentAddress>,
}

impl Link {
    /// Whether it can carry traffic, by keepalived's rule: `IFF_UP` and `IFF_RUNNING`.
    pub fn is_usable(&self) -> bool {
        self.report.up && self.report.running
    }
}

/// Whether this host forwards IPv6 packets that come in by an interface: its neighbour advertisements then say that it
/// is a router (RFC 4861 §4.4).
pub fn forwards_ipv6(name: &str) -> bool {
    let setting = format!("/proc/sys/net/ipv6/conf/{name}/forwarding");
    std::fs::read(setting).is_ok_and(|value| value.first() == Some(&b'1'))
}

/// What the kernel tells, at first in answer to a dump and then as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// An interface exists, and this is how it is now.
    Link(LinkReport),
    /// An interface is gone.
    LinkGone(LinkIndex),
    /// An address is on an interface.
    Address(PresentAddress),
    /// An address is no longer on an interface.
    AddressGone(PresentAddress),
    /// A rule, or a route with keepalived's mark, is no longer there. Comes only after
    /// [`Monitor::follow_routing`](crate::netlink::Monitor::follow_routing).
    RoutingGone {
        /// The socket by which that was asked for; 0 is the kernel itself.
        by: u32,
    },
}

/// What a notification changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An interface that was not there before, or was under another name.
    Appeared(LinkIndex),
    /// Flags, hardware address or MTU.
    Altered(LinkIndex),
    /// The interface that had this name is gone or renamed.
    Vanished {
        /// The number that it had.
        index: LinkIndex,
        /// The name that it had.
        name: Arc<str>,
        /// The name that it has now; none if it is gone.
        renamed: Option<Arc<str>>,
    },
    /// An address came or changed.
    AddressAppeared {
        /// The name of its interface.
        name: Arc<str>,
        /// The address.
        address: PresentAddress,
    },
    /// An address went.
    AddressVanished {
        /// The name of its interface.
        name: Arc<str>,
        /// The address.
        address: PresentAddress,
    },
}

/// Every interface of the network namespace.
#[derive(Clone, Debug, Default)]
pub struct LinkTable {
    links: HashMap<LinkIndex, Link>,
    by_name: HashMap<Arc<str>, LinkIndex>,
}

impl LinkTable {
    /// Folds a notification in, and tells what it changed (nothing, if all was known) to `changed`.
    pub fn apply(&mut self, notification: Notification, mut changed: impl FnMut(Change)) {
        match notification {
            Notification::RoutingGone { .. } => {}
            Notification::Link(report) => self.report(report, &mut changed),
            Notification::LinkGone(index) => self.forget(index, &mut changed),
            Notification::Address(address) => {
                let Some(link) = self.links.get_mut(&address.link) else { return };
                match link.addresses.iter_mut().find(|a| a.is_same(&address)) {
                    Some(known) if *known == address => return,
                    Some(known) => *known = address.clone(),
                    None => link.addresses.push(address.clone()),
                }
                changed(Change::AddressAppeared { name: link.report.name.clone(), address });
            }
            Notification::AddressGone(address) => {
                let Some(link) = self.links.get_mut(&address.link) else { return };
                let before = link.addresses.len();
                link.addresses.retain(|a| !a.is_same(&address));
                if link.addresses.len() < before {
                    changed(Change::AddressVanished { name: link.report.name.clone(), address });
                }
            }
        }
    }

    /// Makes the table what a whole dump says: folds it in, and forgets what is not in it.
    pub fn replace(&mut self, dump: Vec<Notification>, mut changed: impl FnMut(Change)) {
        let mut links = HashSet::new();
        let mut addresses = HashSet::new();
        for notification in &dump {
            match notification {
                Notification::Link(report) => {
                    links.insert(report.index);
                }
                Notification::Address(address) => {
                    addresses.insert((address.link, address.address, address.prefix));
                }
                Notification::LinkGone(_)
                | Notification::AddressGone(_)
                | Notification::RoutingGone { .. } => {}
            }
        }
        let gone: Vec<_> = self.links.keys().copied().filter(|index| !links.contains(index)).collect();
        let lost = self.links.values().flat_map(|link| &link.addresses).filter(|a| links.contains(&a.link));
        let lost: Vec<_> =
            lost.filter(|a| !addresses.contains(&(a.link, a.address, a.prefix))).cloned().collect();
        // What is gone first: an interface may be back under its name with another number.
        let gone = gone.into_iter().map(Notification::LinkGone);
        let lost = lost.into_iter().map(Notification::AddressGone);
        for notification in gone.chain(lost).chain(dump) {
            self.apply(notification, &mut changed);
        }
    }

    fn report(&mut self, report: LinkReport, changed: &mut impl FnMut(Change)) {
        let index = report.index;
        match self.links.get_mut(&index) {
            Some(link) if link.report == report => {}
            Some(link) if link.report.name == report.name => {
                link.report = report;
                changed(Change::Altered(index));
            }
            Some(link) => {
                let name = report.name.clone();
                let old = std::mem::replace(&mut link.report, report).name;
                self.by_name.remove(&old);
                self.by_name.insert(name.clone(), index);
                // First: that its addresses are not there under the old name is not why.
                changed(Change::Vanished { index, name: old.clone(), renamed: Some(name.clone()) });
                for address in &link.addresses {
                    changed(Change::AddressVanished { name: old.clone(), address: address.clone() });
                }
                changed(Change::Appeared(index));
                for address in &link.addresses {
                    changed(Change::AddressAppeared { name: name.clone(), address: address.clone() });
                }
            }
            None => {
                self.by_name.insert(report.name.clone(), index);
                self.links.insert(index, Link { report, addresses: Vec::new() });
                changed(Change::Appeared(index));
            }
        }
    }

    fn forget(&mut self, index: LinkIndex, changed: &mut impl FnMut(Change)) {
        if let Some(link) = self.links.remove(&index) {
            if self.by_name.get(&link.report.name) == Some(&index) {
                self.by_name.remove(&link.report.name);
            }
            changed(Change::Vanished { index, name: link.report.name.clone(), renamed: None });
            for address in link.addresses {
                changed(Change::AddressVanished { name: link.report.name.clone(), address });
            }
        }
    }

    /// The interface of this number.
    pub fn get(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The interfaces that have this address, usable as a source.
    pub fn carrying(&self, address: IpAddr) -> impl Iterator<Item = &Link> {
        let has = move |link: &&Link| link.addresses.iter().any(|a| a.address == address && !a.tentative);
        self.links.values().filter(has)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The interface of this name.
    pub fn by_name(&self, name: &str) -> Option<&Link> {
        self.by_name.get(name).and_then(|index| self.links.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(index: u32, name: &str, up: bool) -> LinkReport {
        LinkReport {
            index: LinkIndex(index),
            name: name.into(),
            up,
            running: up,
            loopback: false,
            no_arp: false,
            hardware: None,
            mtu: 1500,
            group: 0,
            alias: None,
            master: None,
            kind: LinkKind::Other,
        }
    }

    fn address(index: u32, text: &str) -> PresentAddress {
        PresentAddress {
            link: LinkIndex(index),
            address: text.parse().unwrap(),
            prefix: 24,
            peer: None,
            secondary: false,
            tentative: false,
            duplicate: false,
            protocol: 0,
        }
    }

    fn apply(table: &mut LinkTable, notification: Notification) -> Vec<Change> {
        let mut changes = Vec::new();
        table.apply(notification, |c| changes.push(c));
        changes
    }

    #[test]
    fn what_is_said_twice_changes_nothing() {
        let mut table = LinkTable::default();
        assert_eq!(
            apply(&mut table, Notification::Link(report(2, "eth0", true))),
            [Change::Appeared(LinkIndex(2))]
        );
        assert_eq!(apply(&mut table, Notification::Link(report(2, "eth0", true))), []);
        assert_eq!(
            apply(&mut table, Notification::Link(report(2, "eth0", false))),
            [Change::Altered(LinkIndex(2))]
        );
        assert!(!table.by_name("eth0").unwrap().is_usable());
    }

    #[test]
    fn a_renamed_interface_vanishes_with_its_addresses_under_its_old_name() {
        let mut table = LinkTable::default();
        apply(&mut table, Notification::Link(report(2, "eth0", true)));
        apply(&mut table, Notification::Address(address(2, "10.0.0.1")));
        let changes = apply(&mut table, Notification::Link(report(2, "lan0", true)));
        let (old, new): (Arc<str>, Arc<str>) = ("eth0".into(), "lan0".into());
        assert_eq!(
            changes,
            [
                Change::Vanished { index: LinkIndex(2), name: old.clone(), renamed: Some(new.clone()) },
                Change::AddressVanished { name: old, address: address(2, "10.0.0.1") },
                Change::Appeared(LinkIndex(2)),
                Change::AddressAppeared { name: new, address: address(2, "10.0.0.1") },
            ]
        );
        assert!(table.by_name("eth0").is_none() && table.by_name("lan0").is_some());
    }

    #[test]
    fn an_interface_that_comes_back_under_a_new_number_is_found_by_its_name() {
        let mut table = LinkTable::default();
        apply(&mut table, Notification::Link(report(2, "eth0", true)));
        apply(&mut table, Notification::Link(report(7, "eth0", true)));
        apply(&mut table, Notification::LinkGone(LinkIndex(2)));
        assert_eq!(table.by_name("eth0").unwrap().report.index, LinkIndex(7));
    }

    #[test]
    fn a_dump_replaces_all_that_was_known() {
        let mut table = LinkTable::default();
        apply(&mut table, Notification::Link(report(2, "eth0", true)));
        apply(&mut table, Notification::Link(report(3, "eth1", true)));
        apply(&mut table, Notification::Address(address(3, "10.0.0.1")));
        let mut changes = Vec::new();
        let dump =
            vec![Notification::Link(report(3, "eth1", true)), Notification::Link(report(9, "eth0", true))];
        table.replace(dump, |c| changes.push(c));
        assert_eq!(
            changes,
            [
                Change::Vanished { index: LinkIndex(2), name: "eth0".into(), renamed: None },
                Change::AddressVanished { name: "eth1".into(), address: address(3, "10.0.0.1") },
                Change::Appeared(LinkIndex(9)),
            ]
        );
    }

    #[test]
    fn addresses_come_and_go_with_their_interface() {
        let mut table = LinkTable::default();
        apply(&mut table, Notification::Link(report(2, "eth0", true)));
        assert_eq!(apply(&mut table, Notification::Address(address(2, "10.78.0.1"))).len(), 1);
        assert_eq!(apply(&mut table, Notification::Address(address(2, "10.78.0.1"))), [], "it was known");
        assert_eq!(
            apply(&mut table, Notification::Address(address(3, "10.78.0.1"))),
            [],
            "there is no such interface"
        );
        let gone = apply(&mut table, Notification::LinkGone(LinkIndex(2)));
        assert!(matches!(gone.as_slice(), [Change::Vanished { .. }, Change::AddressVanished { .. }]));
    }
}
