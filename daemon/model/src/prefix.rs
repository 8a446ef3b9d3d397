//! Networks as routes and rules name them, and the numbers that the kernel's tables of names stand for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Family, Name};

/// `ADDRESS/LENGTH`, as written: bits after the prefix are not cleared, and the kernel refuses a route that has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; 32 or 128 when none is written.
    pub length: u8,
}

impl Prefix {
    /// `default`, `any` or `all`: every address of the family.
    pub fn all(family: Family) -> Self {
        let address = match family {
            Family::Inet => Ipv4Addr::UNSPECIFIED.into(),
            Family::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self { address, length: 0 }
    }

    /// Reads what [`Display`](fmt::Display) writes.
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        Some(Self { address: address.parse().ok()?, length: length.parse().ok()? })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("`{text}`: no ADDRESS/LENGTH")))
    }
}

/// A routing table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutingTable {
    /// By number (`RTA_TABLE`); names were looked up in iproute2's `rt_tables`.
    Id(u32),
    /// `vrf NAME`: the table of this VRF, known once the interface is there.
    Vrf(Name),
}

impl RoutingTable {
    /// `main`, where a route goes that says nothing else (`RT_TABLE_MAIN`).
    pub const MAIN: Self = Self::Id(254);
}

/// Who made a route or rule (`enum rtm_protocol` of rtnetlink).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoutingProtocol(pub u8);

impl RoutingProtocol {
    /// keepalived's number, 18: by it what is ours is known when the kernel says that it is gone.
    pub const KEEPALIVED: Self = Self(18);
}

/// `realms [FROM/]TO`: what a packet is counted under (IPv4 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Realms {
    /// Where it came from.
    pub from: Option<u8>,
    /// Where it goes.
    pub to: u8,
}

impl Realms {
    /// As `RTA_FLOW` has it.
    pub fn number(self) -> u32 {
        u32::from(self.from.unwrap_or(0)) << 16 | u32::from(self.to)
    }
}
