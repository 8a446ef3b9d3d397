//! Interfaces: how their state is learnt, when it counts, and what those are called that the daemon makes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Name;

/// `dynamic_interfaces`: may interfaces come and go?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DynamicInterfaces {
    /// Not written: every interface must be there at start.
    #[default]
    No,
    /// They may appear later, and go.
    Allowed,
    /// `allow_if_changes`: one that comes back may be of another type, or on another interface.
    MayChange,
}

/// A line of `interface_up_down_delays`: how long an interface must be down or up until it counts as such.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterfaceDelays {
    /// The interface.
    pub interface: Name,
    /// Down for so long, up to 255 s; 0 is at once.
    pub down: Duration,
    /// Up for so long, up to 255 s; 0, at once, unless given.
    pub up: Duration,
}

/// A line of `linkbeat_interfaces`: an interface that is asked for its state rather than tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkbeatInterface {
    /// The interface.
    pub interface: Name,
    /// How it is asked; the first way that it answers to when `None`.
    pub method: Option<LinkbeatMethod>,
}

/// How an interface is asked whether it has a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LinkbeatMethod {
    /// The registers of its transceiver (SIOCGMIIREG).
    Mii,
    /// SIOCETHTOOL.
    Ethtool,
    /// The flags of SIOCGIFFLAGS.
    Ioctl,
}

impl std::fmt::Display for LinkbeatMethod {
    /// As it is written in a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mii => "MII",
            Self::Ethtool => "ETHTOOL",
            Self::Ioctl => "IOCTL",
        })
    }
}

/// What names of VMACs begin with; the VRID follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmacPrefixes {
    /// `vmac_prefix`; `vrrp` unless given.
    pub instances: Name,
    /// `vmac_addr_prefix`: of those for single addresses on other interfaces; that of instances unless given.
    pub addresses: Name,
}

impl Default for VmacPrefixes {
    fn default() -> Self {
        Self { instances: "vrrp".into(), addresses: "vrrp".into() }
    }
}
