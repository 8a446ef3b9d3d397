//! The Internet checksum as VRRP uses it: over the message alone in version 2, over a pseudo-header and the message in
//! version 3 (RFC 9568 §5.2.8).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepwatch_net::wire::checksum::Sum;

use super::IPPROTO_VRRP;

/// Adds the pseudo-header of a VRRPv3 message of `len` bytes between two addresses of one family: for IPv4 source,
/// destination, zero, protocol, length; for IPv6 that of RFC 8200 §8.1.
pub(crate) fn with_pseudo_header(sum: Sum, source: IpAddr, destination: IpAddr, len: usize) -> Sum {
    let sum = with_address(with_address(sum, source), destination);
    sum.with_u16(u16::from(IPPROTO_VRRP)).with_u16(len as u16)
}

pub(crate) fn with_address(sum: Sum, address: IpAddr) -> Sum {
    match address {
        IpAddr::V4(address) => sum.with(&address.octets()),
        IpAddr::V6(address) => sum.with(&address.octets()),
    }
}

/// The unspecified address of the family of `address`.
pub(crate) fn unspecified_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
