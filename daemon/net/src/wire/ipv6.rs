//! The fixed header of an IPv6 packet (RFC 8200 §3).

use std::net::Ipv6Addr;

/// Bytes of the header.
pub(crate) const HEADER_LEN: usize = 40;

/// What differs from packet to packet; the flow label is always 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) traffic_class: u8,
    pub(crate) next_header: u8,
    /// Bytes behind the header.
    pub(crate) payload: u16,
    /// 255 where no router may be crossed unnoticed.
    pub(crate) hop_limit: u8,
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
}

impl Header {
    pub(crate) fn emit(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = 0x60 | (self.traffic_class >> 4);
        bytes[1] = self.traffic_class << 4;
        bytes[4..6].copy_from_slice(&self.payload.to_be_bytes());
        bytes[6] = self.next_header;
        bytes[7] = self.hop_limit;
        bytes[8..24].copy_from_slice(&self.source.octets());
        bytes[24..40].copy_from_slice(&self.destination.octets());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_as_keepalived_s_adverts_do_but_for_the_flow_label() {
        let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
        let destination = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
        let (traffic_class, next_header, payload, hop_limit) = (0xc0, 112, 68, 255);
        let bytes = Header { traffic_class, next_header, payload, hop_limit, source, destination }.emit();
        assert_eq!(bytes[..8], [0x6c, 0x00, 0, 0, 0, 0x44, 0x70, 0xff]);
        assert_eq!((&bytes[8..24], &bytes[24..]), (&source.octets()[..], &destination.octets()[..]));
    }
}
