//! Addresses that hold on one link only.

use std::net::{IpAddr, Ipv6Addr};

/// fe80::/10 (RFC 4291 §2.5.6); of IPv4 none counts.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// A group whose packets routers don't pass on (RFC 4291 §2.7).
pub(crate) fn is_link_local_group(group: Ipv6Addr) -> bool {
    matches!(group.octets(), [0xff, flags_and_scope, ..] if flags_and_scope & 0xf == 2)
}
