//! Ethernet II: addresses and the 14-byte header.

use std::fmt;
use std::net::IpAddr;

/// Bytes of the header.
pub const HEADER_LEN: usize = 14;
/// EtherType of IPv4 (RFC 894).
pub const TYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP (RFC 826).
pub const TYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6 (RFC 2464).
pub const TYPE_IPV6: u16 = 0x86dd;

mod field {
    use std::ops::Range;
    pub(super) const DESTINATION: Range<usize> = 0..6;
    pub(super) const SOURCE: Range<usize> = 6..12;
    pub(super) const TYPE: Range<usize> = 12..14;
}

/// A 48-bit hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Everybody on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// The all-nodes group of IPv6, ff02::1 (RFC 2464 §7).
    pub const IPV6_ALL_NODES: Self = Self([0x33, 0x33, 0, 0, 0, 1]);

    /// Where packets to a multicast group go (RFC 1112 §6.4, RFC 2464 §7); none for other addresses.
    pub fn of_group(group: IpAddr) -> Option<Self> {
        match group {
            _ if !group.is_multicast() => None,
            IpAddr::V4(group) => {
                let [_, b, c, d] = group.octets();
                Some(Self([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
            }
            IpAddr::V6(group) => {
                let [.., a, b, c, d] = group.octets();
                Some(Self([0x33, 0x33, a, b, c, d]))
            }
        }
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Writes the header into the first [`HEADER_LEN`] bytes of `buffer`.
pub(crate) fn emit(buffer: &mut [u8], destination: MacAddress, source: MacAddress, ethertype: u16) {
    buffer[field::DESTINATION].copy_from_slice(&destination.0);
    buffer[field::SOURCE].copy_from_slice(&source.0);
    buffer[field::TYPE].copy_from_slice(&ethertype.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_an_address_of_its_own_and_a_host_has_none() -> Result<(), std::net::AddrParseError> {
        for (group, expected) in [
            ("224.0.0.18", Some([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12])),
            ("239.255.128.1", Some([0x01, 0x00, 0x5e, 0x7f, 0x80, 0x01])),
            ("ff02::12", Some([0x33, 0x33, 0x00, 0x00, 0x00, 0x12])),
            ("10.0.0.1", None),
            ("fe80::1", None),
        ] {
            assert_eq!(MacAddress::of_group(group.parse()?), expected.map(MacAddress), "{group}");
        }
        Ok(())
    }
}
