//! A received packet with what the kernel says about it. In goes what a raw socket gives: for IPv4 the packet with
//! its IP header, for IPv6 the message and the ancillary data. Out comes one form for both.

use std::net::{IpAddr, Ipv4Addr};

use super::{AH_LEN, AuthHeader, DecodeError, HEADER_LEN, IPPROTO_AH};
use crate::ids::LinkId;

/// Bytes of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;

mod field {
    use std::ops::Range;

    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const TOTAL_LENGTH: Range<usize> = 2..4;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const SOURCE: Range<usize> = 12..16;
    pub(super) const DESTINATION: Range<usize> = 16..20;
}

/// A VRRP message and the envelope that it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The interface that it came in by.
    pub link: LinkId,
    /// Its source address.
    pub source: IpAddr,
    /// Its destination address.
    pub destination: IpAddr,
    /// TTL or hop limit; none where the kernel did not say (it is not checked then).
    pub ttl: Option<u8>,
    /// The authentication header that stands before the message, where there is one: over IPv4 only.
    pub ah: Option<AuthHeader<'a>>,
    /// The message after these headers.
    pub message: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Takes an IPv4 packet apart, as a raw socket hands it over: header first. Link-layer padding behind the total
    /// length is cut off. The header checksum is the kernel's business.
    ///
    /// # Errors
    /// [`DecodeError::PacketLength`] when the header, or the packet that it announces, or a VRRP header in it, is not
    /// all there. An authentication header with something else than VRRP behind it counts as such.
    pub fn from_ipv4(link: LinkId, packet: &'a [u8]) -> Result<Self, DecodeError> {
        let short = |expected| DecodeError::PacketLength { expected, actual: packet.len() };
        if packet.len() < IPV4_HEADER_LEN {
            return Err(short(IPV4_HEADER_LEN + HEADER_LEN));
        }
        let header_len = usize::from(packet[field::VERSION_IHL] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([
            packet[field::TOTAL_LENGTH.start],
            packet[field::TOTAL_LENGTH.start + 1],
        ]));
        if header_len < IPV4_HEADER_LEN || total < header_len + HEADER_LEN || packet.len() < total {
            return Err(short(total.max(header_len.max(IPV4_HEADER_LEN) + HEADER_LEN)));
        }
        let packet = &packet[..total];
        let ah = match packet[field::PROTOCOL] {
            IPPROTO_AH if total < header_len + AH_LEN + HEADER_LEN => {
                return Err(short(header_len + AH_LEN + HEADER_LEN));
            }
            IPPROTO_AH => Some(AuthHeader::new_checked(packet, header_len).ok_or_else(|| short(total))?),
            _ => None,
        };
        let address = |range: std::ops::Range<usize>| {
            let mut octets = [0; 4];
            octets.copy_from_slice(&packet[range]);
            IpAddr::V4(Ipv4Addr::from(octets))
        };
        Ok(Self {
            link,
            source: address(field::SOURCE),
            destination: address(field::DESTINATION),
            ttl: Some(packet[field::TTL]),
            ah,
            message: ah.map_or(&packet[header_len..], |ah| ah.message()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADVERT: [u8; 40] = [
        0x45, 0xc0, 0x00, 0x28, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x00, 0x00, 10, 0, 0, 1, 224, 0, 0,
        18, // IP
        0x21, 0x33, 0x64, 0x01, 0x00, 0x01, 0xbb, 0x69, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, // VRRP
    ];

    #[test]
    fn a_packet_is_taken_apart() {
        let datagram = Datagram::from_ipv4(LinkId(3), &ADVERT).unwrap();
        assert_eq!(datagram.source, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(datagram.destination, IpAddr::from([224, 0, 0, 18]));
        assert_eq!(datagram.ttl, Some(255));
        assert_eq!(datagram.message, &ADVERT[20..]);
    }

    #[test]
    fn padding_of_the_link_layer_is_cut_off() {
        let mut padded = ADVERT.to_vec();
        padded.extend([0; 6]);
        assert_eq!(Datagram::from_ipv4(LinkId(0), &padded).unwrap().message, &ADVERT[20..]);
    }

    #[test]
    fn every_truncation_is_refused() {
        for len in 0..ADVERT.len() {
            assert!(Datagram::from_ipv4(LinkId(0), &ADVERT[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn a_header_length_beyond_the_packet_is_refused() {
        let mut packet = ADVERT;
        packet[0] = 0x4f;
        assert!(Datagram::from_ipv4(LinkId(0), &packet).is_err());
        packet[0] = 0x44;
        assert!(Datagram::from_ipv4(LinkId(0), &packet).is_err());
    }
}
