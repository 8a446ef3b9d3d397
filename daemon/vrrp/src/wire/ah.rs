//! The IP authentication header that stands before a version 2 message of authentication type 2 (RFC 2338 §5.3.6):
//! its fields, and the integrity check value (ICV) in it. In goes a whole IPv4 packet and the key; out comes whether
//! they belong together, or the packet with its value filled in.
//!
//! ```text
//! IP header, protocol 51 │ authentication header (RFC 2402 §2) │ VRRP message
//!
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |Next Header 112|Payload Len  4 |           reserved            |  0   length: 32-bit words less two
//! +---------------+---------------+-------------------------------+
//! |               Security Parameters Index (SPI)                 |  4   the sender's own address
//! +---------------------------------------------------------------+
//! |                       Sequence Number                         |  8
//! +---------------------------------------------------------------+
//! |        ICV: the first 12 bytes of HMAC-MD5 (RFC 2403)         | 12
//! |                                                               |
//! |                                                               |
//! +---------------------------------------------------------------+
//! ```
//!
//! The value covers the packet from the first byte of the IP header to the last of the message, with the ICV, the type
//! of service, the fragment word and the header checksum taken as zero (RFC 2402 §3.3.3.1.1.1). The TTL counts as it is
//! to a multicast group, where nobody may change it, and as zero to a unicast peer: keepalived's rule, in 2.2.7 and
//! 2.4.3. Its key is always eight bytes, a shorter password padded with zeros.

use std::net::Ipv4Addr;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use subtle::ConstantTimeEq;

use super::{IPPROTO_VRRP, IPV4_HEADER_LEN};

/// The IP protocol number of the authentication header (RFC 2402 §2).
pub const IPPROTO_AH: u8 = 51;
/// Bytes of an authentication header with an HMAC-MD5-96 value.
pub const AH_LEN: usize = 24;
/// Bytes of HMAC-MD5-96 (RFC 2403 §2).
const ICV_LEN: usize = 12;

/// Payload Len of this header: its 32-bit words less two.
const PAYLOAD_LEN: u8 = (AH_LEN / 4 - 2) as u8;

/// Offsets in the authentication header.
mod field {
    use std::ops::Range;

    pub(super) const NEXT_HEADER: usize = 0;
    pub(super) const SPI: Range<usize> = 4..8;
    pub(super) const SEQUENCE: Range<usize> = 8..12;
    pub(super) const ICV: Range<usize> = 12..super::AH_LEN;
}

/// Offsets in the IP header, of what the value covers in a way of its own.
mod ip {
    pub(super) const TOS: usize = 1;
    pub(super) const LENGTH: usize = 2;
    pub(super) const FRAGMENT: usize = 6;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const SOURCE: usize = 12;
}

/// An authentication header in the packet that it protects; its length was checked: every accessor is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthHeader<'a> {
    /// From the IP header to the end of the message.
    packet: &'a [u8],
    /// Where the authentication header starts: at the end of the IP header, at least 20.
    start: usize,
}

impl<'a> AuthHeader<'a> {
    /// The authentication header at `start` of `packet`, behind a whole IP header. None if it is not all there, or
    /// something else than VRRP follows it. Its own length is not looked at, as in keepalived: the value covers it.
    pub fn new_checked(packet: &'a [u8], start: usize) -> Option<Self> {
        let whole = start >= IPV4_HEADER_LEN && packet.len() >= start + AH_LEN;
        (whole && packet[start + field::NEXT_HEADER] == IPPROTO_VRRP).then_some(Self { packet, start })
    }

    fn bytes(&self) -> &'a [u8] {
        &self.packet[self.start..self.start + AH_LEN]
    }

    /// The SPI, which is the sender's address.
    pub fn spi(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32_at(self.bytes(), field::SPI))
    }

    /// The sequence number.
    pub fn sequence(&self) -> u32 {
        u32_at(self.bytes(), field::SEQUENCE)
    }

    /// What follows: the VRRP message.
    pub fn message(&self) -> &'a [u8] {
        &self.packet[self.start + AH_LEN..]
    }
}

fn u32_at(bytes: &[u8], range: std::ops::Range<usize>) -> u32 {
    let mut octets = [0; 4];
    octets.copy_from_slice(&bytes[range]);
    u32::from_be_bytes(octets)
}

/// An authentication header without sequence number and value.
pub(super) fn blank(source: Ipv4Addr) -> [u8; AH_LEN] {
    let mut header = [0; AH_LEN];
    header[..2].copy_from_slice(&[IPPROTO_VRRP, PAYLOAD_LEN]);
    header[field::SPI].copy_from_slice(&source.octets());
    header
}

/// Writes a sequence number into the authentication header of a packet of ours.
pub(super) fn write_sequence(packet: &mut [u8], sequence: u32) {
    if let Some(header) = packet.get_mut(IPV4_HEADER_LEN..IPV4_HEADER_LEN + AH_LEN) {
        header[field::SEQUENCE].copy_from_slice(&sequence.to_be_bytes());
    }
}

/// A key, ready for use. Computing a value with it allocates nothing.
#[derive(Clone)]
pub struct Seal {
    keyed: Hmac<Md5>,
    /// Whether the value covers the TTL.
    ttl: bool,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// The seal of a password, padded with zeros; `unicast` says whether packets go to peers instead of a group.
    pub fn new(password: &[u8; 8], unicast: bool) -> Self {
        // HMAC pads with zeros up to its block, so this is the key that RFC 2104 §2 makes of the eight bytes.
        let mut block = hmac::digest::Key::<Hmac<Md5>>::default();
        block[..password.len()].copy_from_slice(password);
        Self { keyed: Hmac::new(&block), ttl: !unicast }
    }

    /// Whether the value in a received packet is that of its content under this key. Takes the same time for every wrong
    /// value.
    pub fn fits(&self, header: &AuthHeader<'_>) -> bool {
        self.value(header.packet, header.start).ct_eq(&header.bytes()[field::ICV]).into()
    }

    /// Fills in the value of a packet that is otherwise complete: an IP header of 20 bytes, an authentication header, a
    /// message. Anything shorter stays as it is.
    pub fn close(&self, packet: &mut [u8]) {
        if packet.len() >= IPV4_HEADER_LEN + AH_LEN {
            let value = self.value(packet, IPV4_HEADER_LEN);
            packet[IPV4_HEADER_LEN..][field::ICV].copy_from_slice(&value);
        }
    }

    /// The value of a packet whose authentication header starts at `start`.
    fn value(&self, packet: &[u8], start: usize) -> [u8; ICV_LEN] {
        let mut mac = self.keyed.clone();
        mac.update(&packet[..ip::TOS]);
        mac.update(&[0]);
        mac.update(&packet[ip::LENGTH..ip::FRAGMENT]);
        let ttl = if self.ttl { packet[ip::TTL] } else { 0 };
        mac.update(&[0, 0, ttl, packet[ip::PROTOCOL], 0, 0]);
        mac.update(&packet[ip::SOURCE..start + field::ICV.start]);
        mac.update(&[0; ICV_LEN]);
        mac.update(&packet[start + AH_LEN..]);
        let digest = mac.finalize().into_bytes();
        let mut value = [0; ICV_LEN];
        value.copy_from_slice(&digest[..ICV_LEN]);
        value
    }
}
