//! Small numbers that would be dangerous to mix up, each in a type of its own, and the shared name type.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name of the configuration (instance, group, interface, …): cheap to clone, shared by everybody who needs it.
pub type Name = Arc<str>;

/// `virtual_router_id`, 1 to 255 (RFC 9568 §5.2.3). Unique per interface, family and multicast group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VirtualRouterId(pub u8);

impl fmt::Display for VirtualRouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// VRRP priority, 1 to 255; 255 is the address owner, 0 is only ever on the wire (RFC 9568 §5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub u8);

impl Priority {
    /// What an instance has when nothing is configured.
    pub const DEFAULT: Self = Self(100);
    /// The address owner's.
    pub const OWNER: Self = Self(255);
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Weight of a real server, 0 to 65535; 0 takes no new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(pub u32);

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Firewall mark: of a virtual server (then not 0), or set on the packets of a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FwMark(pub u32);

impl fmt::Display for FwMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
