//! Addresses as the configuration writes them: on interfaces, as ranges, and as mail servers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::Name;
use super::subject::VirtualAddress;

/// Address family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    #[default]
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Inet,
            IpAddr::V6(_) => Self::Inet6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inet => "IPv4",
            Self::Inet6 => "IPv6",
        })
    }
}

/// The kernel's address scope, as `ip address add … scope` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressScope {
    /// Valid everywhere (0). The default of an ordinary address.
    #[default]
    Global,
    /// Valid inside this site (200, IPv6 only).
    Site,
    /// Valid on this link (253).
    Link,
    /// Valid on this host (254).
    Host,
    /// Destination doesn't exist (255).
    Nowhere,
    /// Another number of `/etc/iproute2/rt_scopes`.
    Number(u8),
}

impl AddressScope {
    /// The scope of this number.
    pub fn of(number: u8) -> Self {
        match number {
            0 => Self::Global,
            200 => Self::Site,
            253 => Self::Link,
            254 => Self::Host,
            255 => Self::Nowhere,
            other => Self::Number(other),
        }
    }

    /// The kernel's number (`enum rt_scope_t` of rtnetlink).
    pub fn number(self) -> u8 {
        match self {
            Self::Global => 0,
            Self::Site => 200,
            Self::Link => 253,
            Self::Host => 254,
            Self::Nowhere => 255,
            Self::Number(number) => number,
        }
    }
}

/// The interface that an address goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkTarget {
    /// No `dev`: the instance's own interface (its VMAC interface if it uses one).
    Instance,
    /// `dev NAME`; of a static address without one, `default_interface`, else `eth0`.
    Named(Name),
}

/// One line of `virtual_ipaddress`, `virtual_ipaddress_excluded` or `static_ipaddress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; 32 or 128 when none is written.
    pub prefix_len: u8,
    /// Where it goes.
    pub link: LinkTarget,
    /// `brd`: the broadcast address (`brd +` is already computed); none is set when `None`. IPv4 only.
    pub broadcast: Option<IpAddr>,
    /// `label`, at most 15 bytes. IPv4 only.
    pub label: Option<Name>,
    /// `scope`.
    pub scope: AddressScope,
    /// `peer`: address and prefix length at the other end of a point-to-point link.
    pub peer: Option<(IpAddr, u8)>,
    /// `home`: Mobile IPv6 home address.
    pub home: bool,
    /// `-nodad`: let the kernel detect duplicates, which it is told not to do otherwise (IPv6).
    pub detect_duplicates: bool,
    /// `mngtmpaddr` (IPv6).
    pub manage_temp_addresses: bool,
    /// `noprefixroute`.
    pub no_prefix_route: bool,
    /// `autojoin`.
    pub auto_join: bool,
    /// `no_track`: the instance does not follow the state of this address's interface.
    pub no_track: bool,
    /// `track_group`: a group of instances that tracks it (static addresses only).
    pub track_group: Option<Name>,
    /// `use_vmac`: put it on a VMAC of its own interface.
    pub use_vmac: bool,
    /// `preferred_lft` in seconds; `None` is for ever. 0 makes an IPv6 address deprecated at once.
    pub preferred_lifetime: Option<u32>,
}

impl InterfaceAddress {
    /// As facts name it, where the instance is on `interface`.
    pub fn beside(&self, interface: &str) -> VirtualAddress {
        VirtualAddress {
            address: self.address,
            prefix: self.prefix_len,
            interface: match &self.link {
                LinkTarget::Instance => interface.into(),
                LinkTarget::Named(name) => name.clone(),
            },
        }
    }

    /// An address with its full prefix on the instance's interface, and nothing else said.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            prefix_len: if address.is_ipv4() { 32 } else { 128 },
            link: LinkTarget::Instance,
            broadcast: None,
            label: None,
            scope: AddressScope::Global,
            peer: None,
            home: false,
            detect_duplicates: false,
            manage_temp_addresses: false,
            no_prefix_route: false,
            auto_join: false,
            no_track: false,
            track_group: None,
            use_vmac: false,
            preferred_lifetime: None,
        }
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// `a.b.c.d-e` of a virtual server group: `count` addresses from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AddressRange {
    /// First address.
    pub first: IpAddr,
    /// How many, at least 1.
    pub count: u32,
}

impl AddressRange {
    /// The last address, which may be the first.
    pub fn last(self) -> IpAddr {
        self.addresses().last().unwrap_or(self.first)
    }

    /// Every address of the range, in order.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (0..self.count).map(move |offset| match self.first {
            IpAddr::V4(first) => IpAddr::V4(u32::from(first).wrapping_add(offset).into()),
            IpAddr::V6(first) => IpAddr::V6(u128::from(first).wrapping_add(u128::from(offset)).into()),
        })
    }
}

/// `smtp_server`: an address, or a host name that is resolved when mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailServer {
    /// A literal address and port.
    Address(SocketAddr),
    /// A host name and port.
    Host(Name, u16),
}

impl MailServer {
    /// Its TCP port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Host(_, port) => *port,
        }
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}
