//! Interfaces that an instance makes for itself: VMAC (macvlan) and ipvlan.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Name, Prefix};

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
