//! Network interfaces.

use std::fmt::{self, Write};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::line::{Level, Written};
use crate::subject::Name;
use crate::world::{Change, World};

/// What happens to network interfaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LinkFact {
    /// An interface became usable (up, with carrier).
    LinkUp {
        /// Its name.
        interface: Name,
        /// Its kernel index.
        index: u32,
    },
    /// An interface became unusable.
    LinkDown {
        /// Its name.
        interface: Name,
        /// Why.
        reason: LinkDownReason,
    },
    /// An interface was made for a virtual router (`use_vmac`, `use_ipvlan`), or found as it should be.
    LinkMade {
        /// The virtual router.
        instance: Name,
        /// Its name.
        interface: Name,
        /// The interface below it.
        below: Name,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// An interface that was made for a virtual router was removed.
    LinkUnmade {
        /// Its name.
        interface: Name,
    },
    /// The kernel refused to make an interface. Published when that begins, not for each try.
    LinkMakingFailed {
        /// The virtual router.
        instance: Name,
        /// The name that it was to have.
        interface: Name,
        /// What the kernel said.
        error: String,
    },
    /// An address came or went, whoever did that (`--address-monitoring`).
    AddressReflected {
        /// Its interface.
        interface: Name,
        /// The address.
        address: IpAddr,
        /// Whether it is there now.
        there: bool,
    },
}

/// Why an interface can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkDownReason {
    /// It was switched off.
    AdminDown,
    /// It has no carrier.
    NoCarrier,
    /// It does not exist.
    Missing,
    /// It is up, but no socket could be opened on it: adverts would not be heard.
    NoSocket,
}

impl fmt::Display for LinkDownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "switched off",
            Self::NoCarrier => "no carrier",
            Self::Missing => "no such interface",
            Self::NoSocket => "can't be listened on",
        })
    }
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: Name,
    /// Whether it can be used.
    pub up: bool,
    /// Why not.
    pub down_reason: Option<LinkDownReason>,
    /// Kernel index when last up, 0 before.
    pub index: u32,
    /// Last change.
    pub changed: Change,
}

impl LinkFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::LinkUp { interface, index } => {
                let (name, index) = (interface.clone(), *index);
                let new = Interface { name, up: true, down_reason: None, index, changed: change };
                w.interfaces.insert(interface.clone(), new);
            }
            Self::LinkDown { interface, reason } => {
                let index = w.interfaces.get(interface).map_or(0, |i| i.index);
                let (name, down_reason) = (interface.clone(), Some(*reason));
                let new = Interface { name, up: false, down_reason, index, changed: change };
                w.interfaces.insert(interface.clone(), new);
            }
            // Whether they are up is told apart from that.
            Self::LinkMade { .. }
            | Self::LinkUnmade { .. }
            | Self::LinkMakingFailed { .. }
            | Self::AddressReflected { .. } => {}
        }
    }

    /// Writes its line.
    pub(crate) fn line(&self, out: &mut String) -> Written {
        match self {
            Self::LinkUp { interface, .. } => (Level::Info, write!(out, "Netlink reports {interface} up")),
            Self::LinkDown { interface, reason } => {
                (Level::Info, write!(out, "Netlink reports {interface} down ({})", reason))
            }
            Self::LinkMade { instance, interface, adopted: true, .. } => {
                (Level::Info, write!(out, "({instance}) Found matching interface {interface}"))
            }
            Self::LinkMade { instance, interface, below, adopted: false } => (
                Level::Info,
                write!(out, "({instance}): Success creating VMAC interface {interface} on {below}"),
            ),
            Self::AddressReflected { interface, address, there } => {
                let what = if *there { "added" } else { "removed" };
                (Level::Info, write!(out, "Netlink reflector reports IP {address} {what} ({interface})"))
            }
            Self::LinkUnmade { interface } => {
                (Level::Info, write!(out, "Success removing VMAC interface {interface}"))
            }
            Self::LinkMakingFailed { instance, interface, error } => (
                Level::Error,
                write!(out, "({instance}): Unable to create VMAC interface {interface}: {error}"),
            ),
        }
    }
}
