//! What facts are about: the names and keys of instances, groups, virtual servers, real servers and checkers.
//! Plain values, cheap to clone, that print the way keepalived's log prints them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::{Family, Name, Protocol, TrackedKind};

/// The state of a virtual router (RFC 9568 §6.4, and keepalived's FAULT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VrrpState {
    /// Configured, not yet started.
    Init,
    /// Listens to a master.
    Backup,
    /// Owns the addresses and sends advertisements.
    Master,
    /// Something it tracks is down: takes no part.
    Fault,
}

impl VrrpState {
    /// Every state, in the order of its number.
    pub const ALL: [VrrpState; 4] = [Self::Init, Self::Backup, Self::Master, Self::Fault];

    /// The number of KEEPALIVED-MIB's `VrrpState` and of `keepalived_vrrp_state`.
    pub fn number(self) -> u8 {
        match self {
            Self::Init => 0,
            Self::Backup => 1,
            Self::Master => 2,
            Self::Fault => 3,
        }
    }
}

impl fmt::Display for VrrpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        })
    }
}

/// The identity of a virtual server: two with the same key are the same service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServiceKey {
    /// A virtual address, port (0: any) and protocol.
    Address {
        /// The virtual address.
        address: IpAddr,
        /// The port; 0 stands for every port (persistent services).
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// A firewall mark.
    Fwmark {
        /// The mark, never 0.
        fwmark: u32,
        /// The family whose packets it catches.
        family: Family,
    },
}

impl ServiceKey {
    /// The family of the service.
    pub fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Fwmark { family, .. } => *family,
        }
    }

    /// The protocol, where the key has one; a firewall mark counts as TCP, as in keepalived's log.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Address { protocol, .. } => *protocol,
            Self::Fwmark { .. } => Protocol::Tcp,
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, port, protocol } => write!(f, "[{address}]:{protocol}:{port}"),
            Self::Fwmark { fwmark, .. } => write!(f, "FWM {fwmark}"),
        }
    }
}

/// A real server of one virtual server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RealKey {
    /// The virtual server that it serves.
    pub service: ServiceKey,
    /// Its address and port.
    pub real: SocketAddr,
}

impl RealKey {
    /// The real server alone, as keepalived's log writes it: `[192.168.4.7]:tcp:80`.
    pub fn label(&self) -> String {
        endpoint(&self.real, self.service.protocol())
    }
}

/// An address and port as keepalived's log writes them: `[192.168.4.7]:tcp:80`.
pub fn endpoint(address: &SocketAddr, protocol: Protocol) -> String {
    format!("[{}]:{protocol}:{}", address.ip(), address.port())
}

/// One health checker of one real server. Read it as its [parts](CheckerParts): they stand in one place for all who name it,
/// which are many, of very many checkers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckerKey(Arc<CheckerParts>);

impl CheckerKey {
    /// That of a checker of this kind, at this place among those of its real server.
    pub fn new(real: RealKey, kind: impl Into<Name>, index: u16) -> Self {
        Self(Arc::new(CheckerParts { real, kind: kind.into(), index }))
    }
}

impl Deref for CheckerKey {
    type Target = CheckerParts;

    fn deref(&self) -> &CheckerParts {
        &self.0
    }
}

/// What tells a health checker from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckerParts {
    /// The real server that it watches.
    #[serde(flatten)]
    pub real: RealKey,
    /// Its kind, as the configuration spells it: `TCP_CHECK`.
    #[serde(rename = "checker")]
    pub kind: Name,
    /// Its place among the checkers of the real server, from 0.
    pub index: u16,
}

/// Something that virtual routers follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackedKey {
    /// What it is.
    pub kind: TrackedKind,
    /// Its name in the configuration.
    pub name: Name,
}

impl fmt::Display for TrackedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An address that a virtual router carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// The prefix length in bits.
    pub prefix: u8,
    /// The interface that it is put on.
    pub interface: Name,
}

impl fmt::Display for VirtualAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = if self.address.is_ipv4() { 32 } else { 128 };
        match self.prefix == full {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}
