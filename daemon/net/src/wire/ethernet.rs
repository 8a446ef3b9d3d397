//! Ethernet II: addresses and the 14-byte header.

use std::fmt;

/// Bytes of the header.
pub const HEADER_LEN: usize = 14;
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
