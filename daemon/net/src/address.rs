//! Addresses to put on interfaces, and addresses found on them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::link::LinkIndex;

/// How far an address is valid (`ip address add … scope`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(pub u8);

impl Scope {
    /// Everywhere.
    pub const GLOBAL: Self = Self(0);
    /// Within the site.
    pub const SITE: Self = Self(200);
    /// On the link.
    pub const LINK: Self = Self(253);
    /// In this host.
    pub const HOST: Self = Self(254);
}

/// An address as it shall be on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddressSpec {
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Broadcast address, for IPv4.
    pub broadcast: Option<Ipv4Addr>,
    /// Scope.
    pub scope: Scope,
    /// Label, for IPv4: the interface's name, a colon and more.
    pub label: Option<Arc<str>>,
    /// `noprefixroute`: the kernel makes no route for the prefix.
    pub no_prefix_route: bool,
    /// IPv6: seconds for which it may be the source of new connections; 0 makes it "deprecated" at once, none is for
    /// ever.
    pub preferred_lifetime: Option<u32>,
    /// IPv6: mobile IP's home address.
    pub home: bool,
    /// IPv6: temporary addresses are made after it (`mngtmpaddr`).
    pub manage_temporary: bool,
    /// The kernel joins the multicast group that the address is (`autojoin`).
    pub auto_join: bool,
    /// IPv6: do duplicate address detection. Off by default, because a virtual address must be usable at once.
    pub duplicate_detection: bool,
}

impl AddressSpec {
    /// What takes an address off exactly as it is there.
    pub fn of(present: &PresentAddress) -> Self {
        Self { peer: present.peer, ..Self::new(present.address, present.prefix) }
    }

    /// A plain address of global scope.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        Self {
            address,
            prefix,
            peer: None,
            broadcast: None,
            scope: Scope::GLOBAL,
            label: None,
            no_prefix_route: false,
            preferred_lifetime: None,
            home: false,
            manage_temporary: false,
            auto_join: false,
            duplicate_detection: false,
        }
    }
}

/// An address that is on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentAddress {
    /// The interface.
    pub link: LinkIndex,
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits; of the peer, if there is one.
    pub prefix: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// IPv4: another of its network was there before it, and would take it along (`IFA_F_SECONDARY`).
    pub secondary: bool,
    /// IPv6: duplicate address detection has not finished, or failed.
    pub tentative: bool,
    /// IPv6: it failed: another host on the link has the address.
    pub duplicate: bool,
    /// Who put it there (`IFA_PROTO`, since Linux 5.18): [`PROTOCOL_KEEPALIVED`] for keepwatch and keepalived.
    pub protocol: u8,
}

/// The mark of addresses that keepalived, and so keepwatch, puts on interfaces (`proto keepalived` in iproute2).
pub const PROTOCOL_KEEPALIVED: u8 = 18;

/// Whether this kernel keeps marks of addresses (`IFA_PROTO`, since Linux 5.18); false if it does not say what it is.
pub fn kernel_keeps_marks() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    is_since(&release, (5, 18))
}

fn is_since(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= wanted)
}

impl PresentAddress {
    /// Whether it is the same address on the same interface, whatever its flags.
    pub fn is_same(&self, other: &Self) -> bool {
        self.link == other.link && self.address == other.address && self.prefix == other.prefix
    }

    /// Whether it is what `spec` wants on `link`.
    pub fn matches(&self, link: LinkIndex, spec: &AddressSpec) -> bool {
        self.link == link && self.address == spec.address && self.prefix == spec.prefix
    }
}

/// What is to be done with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressOperation {
    /// Put it on the interface.
    Add,
    /// Take it off.
    Remove,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_compared_by_its_first_two_numbers() {
        for (release, since) in [
            ("5.18.0", true),
            ("6.1.0-49-amd64", true),
            ("6.18.44-fc", true),
            ("5.17.9", false),
            ("5.4.0-216-generic", false),
            ("4.18.0-553.el8", false),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(is_since(release, (5, 18)), since, "{release}");
        }
    }
}
