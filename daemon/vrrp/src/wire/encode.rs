//! Advertisements, ready for the wire. A router builds its packet once per change of configuration or source address;
//! an advertisement then only writes the priority, the identification and the checksums into it.

use std::net::{IpAddr, Ipv4Addr};

use keepwatch_bus::subject::Family;
use keepwatch_net::wire::checksum::Sum;

use super::ah::{self, AH_LEN, IPPROTO_AH, Seal};
use super::checksum::{unspecified_like, with_address, with_pseudo_header};
use super::message::{address_len, auth_data_len, field};
use super::trailer::{SigningKey, Stamp, TRAILER_LEN};
use super::{HEADER_LEN, IPPROTO_VRRP, IPV4_HEADER_LEN, VRRP_TOS};

/// What stands in an advertisement and does not change from one to the next.
#[derive(Clone, Copy, Debug)]
pub struct AdvertFields<'a> {
    /// 2 or 3.
    pub version: u8,
    /// Virtual router id.
    pub vrid: u8,
    /// Bytes 4 and 5: authentication type and seconds, or centiseconds.
    pub timing: [u8; 2],
    /// The advertised addresses, all of the family of `source`; those beyond the 255th are left out.
    pub addresses: &'a [IpAddr],
    /// Authentication data of version 2 over IPv4.
    pub auth_data: [u8; 8],
    /// Whether the checksum covers the pseudo-header (version 3 always over IPv6, over IPv4 unless told otherwise).
    pub pseudo_header: bool,
    /// Source address; its family is that of the advertisement.
    pub source: IpAddr,
    /// TTL of the IPv4 header.
    pub ttl: u8,
    /// Whether an authentication header stands before the message; over IPv4 only.
    pub ah: bool,
    /// Whether there is room for a signature behind the message.
    pub trailer: bool,
}

/// A packet under construction: over IPv4 with its IP header, over IPv6 the message alone.
///
/// ```text
/// IPv4: 45 c0 <total length> <identification> 00 00 <TTL> 70 <checksum> <source> <destination> <message>
///                                          with AH: 33 …          <authentication header> <message>
/// ```
#[derive(Clone, Debug, Default)]
pub struct AdvertBuffer {
    bytes: Vec<u8>,
    /// Where the message starts: 20 over IPv4, 44 with an authentication header; 0 over IPv6.
    message: usize,
    /// Bytes of room for a signature behind it: 28 or 0.
    trailer: usize,
    /// The sum of the message without priority and checksum, and of the pseudo-header without the destination.
    sum: Sum,
    pseudo_header: bool,
    identification: u16,
}

impl AdvertBuffer {
    /// Builds the packet anew, keeping the memory and the count of identifications.
    pub fn build(&mut self, fields: &AdvertFields<'_>) {
        let family = Family::of(fields.source);
        let count = fields.addresses.len().min(usize::from(u8::MAX));
        let len = HEADER_LEN + count * address_len(family) + auth_data_len(fields.version, family);
        self.bytes.clear();
        if let IpAddr::V4(source) = fields.source {
            self.ipv4_header(source, len, fields);
        }
        self.message = self.bytes.len();
        self.bytes.extend([(fields.version << 4) | 1, fields.vrid, 0, count as u8]);
        self.bytes.extend(fields.timing);
        self.bytes.extend([0, 0]);
        for address in &fields.addresses[..count] {
            match address {
                IpAddr::V4(address) => self.bytes.extend(address.octets()),
                IpAddr::V6(address) => self.bytes.extend(address.octets()),
            }
        }
        self.bytes.extend(&fields.auth_data[..auth_data_len(fields.version, family)]);
        self.bytes.resize(self.message + len, 0);
        self.trailer = if fields.trailer { TRAILER_LEN } else { 0 };

        self.pseudo_header = fields.pseudo_header;
        self.sum = Sum::default().with(&self.bytes[self.message..]);
        if self.pseudo_header {
            let nowhere = unspecified_like(fields.source);
            let summed = if family == Family::Inet6 { len + self.trailer } else { len };
            self.sum = with_pseudo_header(self.sum, fields.source, nowhere, summed);
        }
        self.bytes.resize(self.message + len + self.trailer, 0);
    }

    fn ipv4_header(&mut self, source: Ipv4Addr, message_len: usize, fields: &AdvertFields<'_>) {
        let (protocol, ah_len) = if fields.ah { (IPPROTO_AH, AH_LEN) } else { (IPPROTO_VRRP, 0) };
        let trailer_len = if fields.trailer { TRAILER_LEN } else { 0 };
        let total = (IPV4_HEADER_LEN + ah_len + message_len + trailer_len) as u16;
        self.bytes.extend([0x45, VRRP_TOS]);
        self.bytes.extend(total.to_be_bytes());
        self.bytes.extend([0, 0, 0, 0, fields.ttl, protocol, 0, 0]);
        self.bytes.extend(source.octets());
        self.bytes.extend([0; 4]);
        if fields.ah {
            self.bytes.extend(ah::blank(source));
        }
    }

    /// Begins an advertisement with `priority`: the next identification (never 0, which the kernel would replace).
    /// Follow it with one [`AdvertBuffer::packet`] per destination.
    pub fn advertise(&mut self, priority: u8) {
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        if let Some(byte) = self.bytes.get_mut(self.message + field::PRIORITY) {
            *byte = priority;
        }
    }

    /// The sequence number of this advertisement, for a packet with an authentication header: after
    /// [`AdvertBuffer::advertise`], before [`AdvertBuffer::packet_sealed`].
    pub fn number(&mut self, sequence: u32) {
        if self.message == IPV4_HEADER_LEN + AH_LEN {
            ah::write_sequence(&mut self.bytes, sequence);
        }
    }

    /// Signs this advertisement, for a packet with room for it: after [`AdvertBuffer::advertise`], before
    /// [`AdvertBuffer::packet`]. One signature is good for every destination.
    pub fn sign(&mut self, key_id: u8, key: &SigningKey, stamp: Stamp, source: IpAddr) {
        if self.trailer > 0 {
            key.sign(key_id, stamp, source, &mut self.bytes[self.message..]);
        }
    }

    /// The packet for one destination, its authentication header closed with `seal`.
    pub fn packet_sealed(&mut self, destination: IpAddr, seal: &Seal) -> &[u8] {
        self.packet(destination);
        if self.message == IPV4_HEADER_LEN + AH_LEN {
            seal.close(&mut self.bytes);
        }
        &self.bytes
    }

    /// The packet for one destination.
    pub fn packet(&mut self, destination: IpAddr) -> &[u8] {
        self.packet_summed(destination, destination)
    }

    /// The packet for one destination, with another one in the pseudo-header: keepalived before 1.3.7 summed unicast
    /// packets as if they went to the multicast group.
    pub(crate) fn packet_summed(&mut self, destination: IpAddr, summed: IpAddr) -> &[u8] {
        if self.bytes.len() < self.message + HEADER_LEN {
            return &[];
        }
        let priority = self.bytes[self.message + field::PRIORITY];
        let mut sum = self.sum.with_u16(u16::from(priority) << 8);
        if self.pseudo_header {
            sum = with_address(sum, summed);
        }
        if self.message == 0 {
            // Over IPv6 the sum covers the signature too.
            sum = sum.with(&self.bytes[self.bytes.len() - self.trailer..]);
        }
        let checksum = sum.finish().to_be_bytes();
        self.bytes[self.message..][field::CHECKSUM].copy_from_slice(&checksum);
        if self.message >= IPV4_HEADER_LEN
            && let IpAddr::V4(destination) = destination
        {
            self.bytes[4..6].copy_from_slice(&self.identification.to_be_bytes());
            self.bytes[10..12].copy_from_slice(&[0, 0]);
            self.bytes[16..20].copy_from_slice(&destination.octets());
            let checksum = Sum::default().with(&self.bytes[..IPV4_HEADER_LEN]).finish();
            self.bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        &self.bytes
    }
}
