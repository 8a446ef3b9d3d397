//! Unsolicited IPv6 neighbour advertisements (RFC 4861 §4.4 and §7.2.6): the IPv6 counterpart of gratuitous ARP.
//!
//! ```text
//!  Ethernet 33:33:00:00:00:01 │ IPv6 from the address itself to ff02::1, hop limit 255 │ ICMPv6 type 136
//!  flags R? O │ target = the address │ option 2: target link-layer address
//! ```

use std::net::Ipv6Addr;

use super::checksum::Sum;
use super::ethernet::{self, HEADER_LEN, MacAddress, TYPE_IPV6};
use super::ipv6::{HEADER_LEN as IPV6_LEN, Header};

/// So that who receives it knows that no router sent it on (RFC 4861 §7.1.2).
const HOP_LIMIT: u8 = 255;
const ADVERT_LEN: usize = 32;
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Bytes of a frame.
pub const FRAME_LEN: usize = HEADER_LEN + IPV6_LEN + ADVERT_LEN;

/// An announcement of one IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Where the address lives now; the frame's source too.
    pub hardware: MacAddress,
    /// The address.
    pub address: Ipv6Addr,
    /// Whether this host forwards IPv6 on the interface (the R flag).
    pub router: bool,
}

impl Repr {
    /// Writes the whole multicast frame into `buffer`.
    pub fn emit(&self, buffer: &mut [u8; FRAME_LEN]) {
        buffer.fill(0);
        ethernet::emit(buffer, MacAddress::IPV6_ALL_NODES, self.hardware, TYPE_IPV6);
        let (header, advert) = buffer[HEADER_LEN..].split_at_mut(IPV6_LEN);
        let fields = Header {
            hop_limit: HOP_LIMIT,
            traffic_class: 0,
            next_header: ICMPV6,
            payload: ADVERT_LEN as u16,
            source: self.address,
            destination: ALL_NODES,
        };
        header.copy_from_slice(&fields.emit());
        advert[0] = NEIGHBOUR_ADVERT;
        advert[4] = FLAG_OVERRIDE | if self.router { FLAG_ROUTER } else { 0 };
        advert[8..24].copy_from_slice(&self.address.octets());
        advert[24] = OPTION_TARGET_LINK_LAYER;
        advert[25] = 1;
        advert[26..32].copy_from_slice(&self.hardware.0);
        let sum = Sum::default()
            .with(&header[8..40])
            .with_u32(ADVERT_LEN as u32)
            .with_u32(u32::from(ICMPV6))
            .with(advert)
            .finish();
        advert[2..4].copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_covers_pseudo_header_and_message() {
        let mut frame = [0; FRAME_LEN];
        let address = Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 9, 9);
        Repr { hardware: MacAddress([2, 0, 0, 0, 0, 1]), address, router: false }.emit(&mut frame);
        let sum = Sum::default().with(&frame[22..54]).with_u32(32).with_u32(58).with(&frame[54..]);
        assert_eq!(sum.finish(), 0);
        assert_eq!(&frame[..6], &[0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(frame[58], 0x20);
    }

    #[test]
    fn a_router_says_so() {
        let mut frame = [0; FRAME_LEN];
        let address = Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 9, 9);
        Repr { hardware: MacAddress([2, 0, 0, 0, 0, 1]), address, router: true }.emit(&mut frame);
        assert_eq!(frame[58], 0xa0);
    }
}
