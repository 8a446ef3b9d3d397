//! Interfaces that an instance makes for itself: VMAC (macvlan) and ipvlan.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Family, Instance, InterfaceAddress, LinkTarget, Name, Prefix, VirtualRouterId};

/// The hardware address of a virtual router (RFC 9568 §7.3).
pub fn virtual_hardware(family: Family, vrid: VirtualRouterId) -> [u8; 6] {
    let family = match family {
        Family::Inet => 1,
        Family::Inet6 => 2,
    };
    [0, 0, 0x5e, 0, family, vrid.0]
}

/// `use_vmac` or `use_ipvlan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmac {
    /// Name of the interface; made of `vmac_prefix` and the VRID when `None` (`vrrp.51`).
    pub interface: Option<Name>,
    /// `group`: the group that it is put in (`IFLA_GROUP`).
    pub group: Option<u32>,
    /// Which of the two.
    pub kind: VmacKind,
}

/// The kind of an interface that an instance makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VmacKind {
    /// `use_vmac`: a private macvlan.
    Macvlan {
        /// A hardware address of its own; that of the virtual router (RFC 9568 §7.3) when `None`. One that is written
        /// with five bytes ends in the VRID.
        mac: Option<[u8; 6]>,
        /// `netlink_notify_msg`: when it is made, the kernel is made to tell others of the interface below it.
        netlink_notify: bool,
        /// `vmac_xmit_base`: adverts leave through the interface below. Unicast needs it, and has it.
        xmit_base: bool,
    },
    /// `use_ipvlan`.
    Ipvlan {
        /// Who may talk to whom.
        mode: IpvlanMode,
        /// Its address, which adverts come from; IPv4 needs one.
        address: Option<Prefix>,
    },
}

/// How ipvlan interfaces above the same one talk to each other (`IFLA_IPVLAN_FLAGS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// Directly. The default.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// Through the switch outside.
    Vepa,
}

impl Vmac {
    /// The address that adverts come from if the instance says no other.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.kind {
            VmacKind::Macvlan { .. } => None,
            VmacKind::Ipvlan { address, .. } => address.map(|prefix| prefix.address),
        }
    }
}

impl Instance {
    /// The interface below its own macvlan (`use_vmac`), if it has one.
    pub fn below_macvlan(&self) -> Option<&Name> {
        let VmacKind::Macvlan { .. } = self.vmac.as_ref()?.kind else { return None };
        self.interface.as_ref()
    }

    /// The hardware address of its macvlans for a family: as `use_vmac` says, else that of the virtual router.
    pub fn virtual_hardware(&self, family: Family) -> [u8; 6] {
        match self.vmac.as_ref().map(|vmac| &vmac.kind) {
            Some(VmacKind::Macvlan { mac: Some(mac), .. }) => *mac,
            Some(VmacKind::Macvlan { mac: None, .. } | VmacKind::Ipvlan { .. }) | None => {
                virtual_hardware(family, self.vrid)
            }
        }
    }

    /// The interface below the macvlan that one of its addresses goes on; none if it goes on no macvlan. `use_vmac` of the
    /// instance is for those of its own family at home, `use_vmac_addr` for all others, and `use_vmac` of an address for
    /// that one.
    pub fn below_macvlan_of<'a>(&'a self, address: &'a InterfaceAddress) -> Option<&'a Name> {
        let below = match &address.link {
            LinkTarget::Instance => self.interface.as_ref()?,
            LinkTarget::Named(name) => name,
        };
        let on_macvlan = match self.is_at_home(address) {
            true => self.below_macvlan().is_some(),
            false => self.vmac_for_addresses,
        };
        (on_macvlan || address.use_vmac).then_some(below)
    }

    /// Whether one of its addresses is of the family of its adverts, and on their interface.
    pub fn is_at_home(&self, address: &InterfaceAddress) -> bool {
        let home = match &address.link {
            LinkTarget::Instance => true,
            LinkTarget::Named(name) => Some(name) == self.interface.as_ref(),
        };
        home && Family::of(address.address) == self.family
    }
}
