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
    /// IPv6: duplicate address detection has not finished, or failed.
    pub tentative: bool,
    /// Who put it there (`IFA_PROTO`, since Linux 5.18): [`PROTOCOL_KEEPALIVED`] for keepwatch and keepalived.
    pub protocol: u8,
}

/// The mark of addresses that keepalived, and so keepwatch, puts on interfaces (`proto keepalived` in iproute2).
pub const PROTOCOL_KEEPALIVED: u8 = 18;

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
