//! Network interfaces.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepwatch_model::LinkbeatMethod;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::line::{Level, Written};
use crate::subject::Name;
use crate::world::{Change, World};

/// What happens to network interfaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
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
    /// An interface has another name: under this one there is none any more.
    LinkRenamed {
        /// The name that it had.
        interface: Name,
        /// The name that it has.
        to: Name,
    },
    /// A reload took away the last that used an interface: it is not watched any more.
    LinkForgotten {
        /// Its name.
        interface: Name,
    },
    /// An interface that a virtual router sends by has these addresses of its own: told when it is first looked at, and
    /// when they change. Virtual addresses are not among them.
    LinkAddressed {
        /// Its name.
        interface: Name,
        /// Its kernel index.
        index: u32,
        /// Its Ethernet address.
        hardware: Option<[u8; 6]>,
        /// Its first IPv4 address.
        inet: Option<Ipv4Addr>,
        /// Its first link-local IPv6 address.
        inet6: Option<Ipv6Addr>,
    },
    /// The kernel found out that another host on the link has an address of an interface's own (IPv6, duplicate address
    /// detection), so that it is of no use.
    LinkAddressDuplicate {
        /// The interface.
        interface: Name,
        /// The address.
        address: Ipv6Addr,
    },
    /// An interface is asked for its link in another way than `linkbeat_interfaces` says, to which its driver has no answer.
    LinkbeatOtherwise {
        /// The interface.
        interface: Name,
        /// The way that was configured.
        wanted: LinkbeatMethod,
        /// The way that it answers to.
        used: LinkbeatMethod,
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
    /// What the kernel reports of the groups of a macvlan (MLD) leaves with the virtual hardware address, for the kernel
    /// refused the table that sends it by the interface below. Published once for each macvlan.
    ReportsNotMoved {
        /// The macvlan.
        interface: Name,
        /// What the kernel said.
        error: String,
    },
    /// Somebody had given a VMAC another hardware address; it has that of the virtual router again.
    HardwareRestored {
        /// Its name.
        interface: Name,
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
    /// Its Ethernet address.
    #[serde(default)]
    pub hardware: Option<[u8; 6]>,
    /// Its first IPv4 address that is no virtual one.
    #[serde(default)]
    pub inet: Option<Ipv4Addr>,
    /// Its first link-local IPv6 address that is no virtual one.
    #[serde(default)]
    pub inet6: Option<Ipv6Addr>,
    /// One of its own that another host has, so that it has none that could be used.
    #[serde(default)]
    pub duplicate: Option<Ipv6Addr>,
    /// Last change.
    pub changed: Change,
}

impl Interface {
    /// One of which nothing is known yet but its name.
    fn new(name: Name, changed: Change) -> Self {
        let (up, down_reason, index) = (false, Some(LinkDownReason::Missing), 0);
        Self {
            name,
            up,
            down_reason,
            index,
            hardware: None,
            inet: None,
            inet6: None,
            duplicate: None,
            changed,
        }
    }
}

impl LinkFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::LinkUp { interface, index } => {
                let known = w
                    .interfaces
                    .entry(interface.clone())
                    .or_insert_with(|| Interface::new(interface.clone(), change));
                (known.up, known.down_reason, known.changed) = (true, None, change);
                if std::mem::replace(&mut known.index, *index) != *index {
                    w.layout += 1;
                }
            }
            Self::LinkDown { interface, reason } => {
                let known = w
                    .interfaces
                    .entry(interface.clone())
                    .or_insert_with(|| Interface::new(interface.clone(), change));
                (known.up, known.down_reason, known.changed) = (false, Some(*reason), change);
                known.duplicate = None;
                if *reason == LinkDownReason::Missing {
                    // It took its addresses along; whoever put them there finds nothing to take off.
                    for instance in w.instances.values_mut() {
                        instance.addresses.retain(|address| address.interface != *interface);
                    }
                }
            }
            Self::LinkAddressed { interface, index, hardware, inet, inet6 } => {
                let known = w
                    .interfaces
                    .entry(interface.clone())
                    .or_insert_with(|| Interface::new(interface.clone(), change));
                (known.hardware, known.inet, known.inet6) = (*hardware, *inet, *inet6);
                known.duplicate = known.duplicate.filter(|_| inet6.is_none());
                if std::mem::replace(&mut known.index, *index) != *index {
                    w.layout += 1;
                }
            }
            Self::LinkAddressDuplicate { interface, address } => {
                if let Some(known) = w.interfaces.get_mut(interface) {
                    known.duplicate = Some(*address);
                }
            }
            Self::LinkForgotten { interface } => {
                if w.interfaces.shift_remove(interface).is_some() {
                    w.layout += 1;
                }
            }
            // Whether they are up is told apart from that.
            Self::LinkMade { instance, interface, .. } => {
                w.made.insert(interface.clone(), instance.clone());
            }
            Self::LinkUnmade { interface } => {
                w.made.shift_remove(interface);
            }
            Self::LinkRenamed { .. }
            | Self::LinkbeatOtherwise { .. }
            | Self::LinkMakingFailed { .. }
            | Self::ReportsNotMoved { .. }
            | Self::HardwareRestored { .. }
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
            Self::LinkRenamed { interface, to } => {
                (Level::Info, write!(out, "Interface name has changed from {interface} to {to}"))
            }
            Self::LinkForgotten { interface } => {
                (Level::Detail, write!(out, "No longer watching {interface}: nothing uses it"))
            }
            Self::LinkAddressed { interface, hardware, inet, inet6, .. } => {
                let addresses = inet.map(IpAddr::from).into_iter().chain(inet6.map(IpAddr::from));
                let own: Vec<String> =
                    hardware.iter().map(mac).chain(addresses.map(|address| address.to_string())).collect();
                let own = if own.is_empty() { "no address".to_owned() } else { own.join(", ") };
                (Level::Detail, write!(out, "Netlink reports {interface} has {own}"))
            }
            Self::LinkAddressDuplicate { interface, address } => (
                Level::Warning,
                write!(
                    out,
                    "{address} of {interface} can't be used: another host on the link has it (duplicate address detection)"
                ),
            ),
            Self::LinkbeatOtherwise { interface, wanted, used } => (
                Level::Warning,
                write!(out, "({interface}): Configured linkbeat type {wanted} not supported, using {used}"),
            ),
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
            Self::HardwareRestored { interface } => (
                Level::Warning,
                write!(out, "The hardware address of {interface} was changed by someone; put back"),
            ),
            Self::ReportsNotMoved { interface, error } => (
                Level::Warning,
                write!(
                    out,
                    "What the kernel reports of multicast groups of {interface} leaves with its own hardware address, for \
                     the table of nftables that would send it by the interface below can't be made: {error}"
                ),
            ),
        }
    }
}

/// An Ethernet address as it is written.
fn mac(octets: &[u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::VrrpFact;
    use crate::subject::VirtualAddress;
    use crate::{Configured, sample};

    #[test]
    fn an_interface_that_is_gone_took_its_addresses_along() {
        let instance = Name::from("VI_1");
        let at = |interface: &str| VirtualAddress {
            interface: interface.into(),
            address: IpAddr::from([10, 0, 0, 9]),
            prefix: 24,
        };
        let settings = Configured::new(1, sample::instance());
        let configured = VrrpFact::InstanceConfigured { instance: instance.clone(), settings };
        let added = |interface: &str| VrrpFact::AddressAdded {
            instance: instance.clone(),
            address: at(interface),
            adopted: false,
        };
        let facts = [configured, added("eth0"), added("eth1")];
        let mut world = World::default();
        for (id, fact) in (1..).zip(facts) {
            world.apply(&sample::event(id, None, fact));
        }
        let there = |world: &World| {
            world.instances.get(&instance).map(|known| known.addresses.clone()).unwrap_or_default()
        };
        let down = |reason| LinkFact::LinkDown { interface: "eth1".into(), reason };
        world.apply(&sample::event(4, None, down(LinkDownReason::AdminDown)));
        assert_eq!(there(&world), [at("eth0"), at("eth1")]);
        world.apply(&sample::event(5, None, down(LinkDownReason::Missing)));
        assert_eq!(there(&world), [at("eth0")]);
    }

    #[test]
    fn an_interface_that_nothing_uses_any_more_is_no_trouble() {
        let mut world = World::default();
        let interface = Name::from("eth7");
        let down = LinkFact::LinkDown { interface: interface.clone(), reason: LinkDownReason::Missing };
        world.apply(&sample::event(1, None, down));
        assert_eq!(world.trouble().len(), 1);
        world.apply(&sample::event(2, None, LinkFact::LinkForgotten { interface }));
        assert!(world.trouble().is_empty() && world.interfaces.is_empty());
    }
}
