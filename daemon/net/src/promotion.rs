//! Taking an IPv4 address off that is the first of its network on an interface. The kernel calls the later ones its
//! secondaries, and takes them off with it unless `promote_secondaries` says that the next takes its place. A virtual
//! address can become the first although the host has an address of its own there: that one may have been away for a
//! moment. So the setting is changed for as long as such an address is being taken off.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::address::PresentAddress;
use crate::link::Link;
use crate::sysctl;

/// Whether addresses of an interface that are to stay would go with some that are `going`.
pub fn would_take_along(link: &Link, going: impl Fn(&PresentAddress) -> bool) -> bool {
    let mut secondaries = link.addresses.iter().filter(|address| address.secondary).peekable();
    if secondaries.peek().is_none() {
        return false;
    }
    let networks: Vec<_> =
        link.addresses.iter().filter(|a| !a.secondary && going(a)).filter_map(network).collect();
    if networks.is_empty() {
        return false;
    }
    let mut staying = secondaries.filter(|secondary| !going(secondary)).filter_map(network);
    staying.any(|network| networks.contains(&network))
}

/// What addresses share of which the kernel has one first: the network and its prefix length.
fn network(address: &PresentAddress) -> Option<(u32, u8)> {
    let IpAddr::V4(far) = address.peer.unwrap_or(address.address) else { return None };
    let mask = u32::MAX.checked_shl(32 - u32::from(address.prefix.min(32))).unwrap_or(0);
    Some((Ipv4Addr::to_bits(far) & mask, address.prefix))
}

/// Interfaces whose secondary addresses take the place of a first one that is taken off, until this is released or dropped.
#[derive(Debug, Default)]
pub struct Promotion(BTreeMap<Arc<str>, String>);

impl Promotion {
    /// Has it so on an interface as well, unless it is so there anyway. Where settings can't be written (in many containers)
    /// nothing can be done.
    pub fn hold(&mut self, interface: &Arc<str>) {
        let (own, everywhere) = (setting(interface), setting("all"));
        let is_so = |name: &str| sysctl::get(name).is_ok_and(|value| value != "0");
        if is_so(&everywhere) {
            return;
        }
        let Some(before) = sysctl::get(&own).ok().filter(|before| before == "0") else { return };
        if sysctl::set(&own, "1").is_ok() {
            self.0.insert(interface.clone(), before);
        }
    }

    /// Whether it is so on no interface because of this.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the settings what they were, but for interfaces that `keep` wants to stay so.
    pub fn release(&mut self, keep: impl Fn(&str) -> bool) {
        for (interface, before) in std::mem::take(&mut self.0) {
            if !keep(&interface) {
                // It may be gone, or have another name by now.
                let _ = sysctl::set(&setting(&interface), &before);
            }
        }
    }
}

impl Drop for Promotion {
    fn drop(&mut self) {
        self.release(|_| false);
    }
}

fn setting(interface: &str) -> String {
    format!("ipv4/conf/{interface}/promote_secondaries")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{LinkIndex, LinkKind, LinkReport};

    fn present(text: &str, prefix: u8, secondary: bool) -> PresentAddress {
        PresentAddress {
            link: LinkIndex(2),
            address: text.parse().unwrap(),
            prefix,
            peer: None,
            secondary,
            tentative: false,
            duplicate: false,
            protocol: 0,
        }
    }

    fn link(addresses: Vec<PresentAddress>) -> Link {
        let report = LinkReport {
            index: LinkIndex(2),
            name: "eth0".into(),
            up: true,
            running: true,
            loopback: false,
            no_arp: false,
            hardware: None,
            mtu: 1500,
            group: 0,
            alias: None,
            master: None,
            kind: LinkKind::Other,
        };
        Link { report, addresses }
    }

    #[test]
    fn only_the_first_of_a_network_takes_others_along_and_only_those_of_that_network() {
        let first = present("10.9.0.100", 24, false);
        let own = present("10.9.0.1", 24, true);
        let other = present("10.5.0.1", 24, false);
        let both = link(vec![other.clone(), first.clone(), own.clone()]);
        assert!(would_take_along(&both, |address| *address == first));
        assert!(!would_take_along(&both, |address| *address == own));
        assert!(!would_take_along(&both, |address| *address == other));
        assert!(!would_take_along(&both, |address| [&first, &own].contains(&address)), "both go anyway");
        let narrow = link(vec![present("10.9.0.100", 25, false), own]);
        assert!(!would_take_along(&narrow, |address| address.prefix == 25));
        let alone = link(vec![first]);
        assert!(!would_take_along(&alone, |_| true));
    }
}
