//! Requests for macvlans and ipvlans as bytes (`linux/if_link.h`).

use keepwatch_bus::subject::Name;
use keepwatch_model::{IpvlanMode, VmacKind, virtual_hardware};
use keepwatch_net::link::{LinkIndex, LinkReport, MACVLAN_MODE_PRIVATE};
use keepwatch_net::netlink::Attributes;
use keepwatch_net::wire::ethernet::MacAddress;
use nix::libc;

use crate::spec::VmacPlan;

const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// No link-local address is made.
const ADDR_GEN_NONE: u8 = 1;
const IPVLAN_MODE_L2: u16 = 0;

/// The hardware address of a plan's macvlan.
pub(super) fn hardware(plan: &VmacPlan) -> MacAddress {
    MacAddress(match plan.settings.kind {
        VmacKind::Macvlan { mac: Some(mac), .. } => mac,
        VmacKind::Macvlan { mac: None, .. } | VmacKind::Ipvlan { .. } => {
            virtual_hardware(plan.family, plan.vrid)
        }
    })
}

/// `IPVLAN_F_…`.
pub(super) fn ipvlan_flags(mode: IpvlanMode) -> u16 {
    match mode {
        IpvlanMode::Bridge => 0,
        IpvlanMode::Private => 1,
        IpvlanMode::Vepa => 2,
    }
}

/// `struct ifinfomsg`; these flags are set.
pub(super) fn header(index: LinkIndex, flags: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(index.0.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes
}

/// An interface above `below`: in its group, unless the plan names another, and in its VRF.
pub(super) fn creation(
    plan: &VmacPlan,
    name: &Name,
    below: &LinkReport,
    vrf: Option<LinkIndex>,
) -> Attributes {
    let mut body = Attributes::after(&header(LinkIndex(0), 0));
    body.text(libc::IFLA_IFNAME, name).u32(libc::IFLA_LINK, below.index.0);
    body.u32(IFLA_GROUP, plan.settings.group.unwrap_or(below.group));
    if let Some(vrf) = vrf {
        body.u32(libc::IFLA_MASTER, vrf.0);
    }
    match &plan.settings.kind {
        VmacKind::Macvlan { .. } => {
            body.bytes(libc::IFLA_ADDRESS, &hardware(plan).0);
            body.nest(libc::IFLA_LINKINFO, |info| {
                info.text(1, "macvlan").nest(2, |data| {
                    data.u32(1, MACVLAN_MODE_PRIVATE);
                });
            });
        }
        VmacKind::Ipvlan { mode, .. } => {
            body.nest(libc::IFLA_LINKINFO, |info| {
                info.text(1, "ipvlan").nest(2, |data| {
                    data.u16(1, IPVLAN_MODE_L2).u16(2, ipvlan_flags(*mode));
                });
            });
        }
    }
    body
}

/// An interface is put in the group that it is in.
pub(super) fn regroup(index: LinkIndex, group: u32) -> Attributes {
    let mut body = Attributes::after(&header(index, 0));
    body.u32(IFLA_GROUP, group);
    body
}

/// An interface is in this VRF, or in none.
pub(super) fn in_vrf(index: LinkIndex, vrf: Option<LinkIndex>) -> Attributes {
    let mut body = Attributes::after(&header(index, 0));
    body.u32(libc::IFLA_MASTER, vrf.map_or(0, |vrf| vrf.0));
    body
}

/// A macvlan gets the hardware address of its plan again.
pub(super) fn hardware_again(index: LinkIndex, plan: &VmacPlan) -> Attributes {
    let mut body = Attributes::after(&header(index, 0));
    body.bytes(libc::IFLA_ADDRESS, &hardware(plan).0);
    body
}

/// An interface is marked.
pub(super) fn marking(index: LinkIndex, mark: &str) -> Attributes {
    let mut body = Attributes::after(&header(index, 0));
    body.bytes(libc::IFLA_IFALIAS, mark.as_bytes());
    body
}

/// No link-local address is to be made on an interface.
pub(super) fn without_link_local(index: LinkIndex) -> Attributes {
    let mut body = Attributes::after(&header(index, 0));
    body.nest(IFLA_AF_SPEC, |families| {
        families.nest(libc::AF_INET6 as u16, |inet6| {
            inet6.u8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE);
        });
    });
    body
}
