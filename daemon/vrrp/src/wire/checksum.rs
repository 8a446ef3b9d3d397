//! The Internet checksum (RFC 1071) as VRRP uses it: over the message alone in version 2, over a pseudo-header and
//! the message in version 3 (RFC 9568 §5.2.8). In goes a slice, out comes a running sum that is folded at the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::IPPROTO_VRRP;

/// A running one's-complement sum; feed it even-sized pieces (the last one may be odd).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds `bytes` as big-endian 16-bit words, padding an odd last byte with zero.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(2);
        for word in words.by_ref() {
            self.0 += u64::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [last] = words.remainder() {
            self.0 += u64::from(*last) << 8;
        }
        self
    }

    /// Adds one 16-bit word.
    pub(crate) fn word(mut self, word: u16) -> Self {
        self.0 += u64::from(word);
        self
    }

    /// Adds the pseudo-header of a VRRPv3 message of `len` bytes between two addresses of one family: for IPv4
    /// source, destination, zero, protocol, length; for IPv6 that of RFC 8200 §8.1.
    pub(crate) fn pseudo_header(self, source: IpAddr, destination: IpAddr, len: usize) -> Self {
        self.address(source).address(destination).word(u16::from(IPPROTO_VRRP)).word(len as u16)
    }

    fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.bytes(&address.octets()),
            IpAddr::V6(address) => self.bytes(&address.octets()),
        }
    }

    /// The checksum to write: the complement of the folded sum. Over data that already holds a right checksum it is 0.
    pub(crate) fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

/// The unspecified address of the family of `address`.
pub(crate) fn unspecified_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_up() {
        // RFC 1071 §3: the words 0001 f203 f4f5 f6f7 have the sum ddf2.
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().bytes(&data).finish(), !0xddf2);
    }

    #[test]
    fn an_odd_last_byte_counts_as_the_high_one() {
        assert_eq!(Sum::default().bytes(&[0x12]).finish(), !0x1200);
    }

    #[test]
    fn data_with_its_checksum_sums_to_zero() {
        let data = [0x21, 0x33, 0x64, 0x01, 0x00, 0x01];
        let checksum = Sum::default().bytes(&data).finish();
        assert_eq!(Sum::default().bytes(&data).word(checksum).finish(), 0);
    }
}
