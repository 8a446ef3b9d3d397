//! Gratuitous ARP (RFC 826, RFC 5227 §3): "this address is at this hardware address now", told to everybody.
//!
//! keepalived announces with requests whose target hardware address is the broadcast address; caches and switches
//! learn from that in practice, so ours are the same to the byte.

use std::net::Ipv4Addr;

use super::ethernet::{self, HEADER_LEN, MacAddress, TYPE_ARP};

/// Bytes of a frame: Ethernet header and ARP payload, unpadded (the driver pads to 60).
pub const FRAME_LEN: usize = HEADER_LEN + 28;

const HARDWARE_ETHERNET: u16 = 1;
const PROTOCOL_IPV4: u16 = 0x0800;

mod field {
    use std::ops::Range;
    pub(super) const HARDWARE: Range<usize> = 0..2;
    pub(super) const PROTOCOL: Range<usize> = 2..4;
    pub(super) const HARDWARE_LEN: usize = 4;
    pub(super) const PROTOCOL_LEN: usize = 5;
    pub(super) const OPERATION: Range<usize> = 6..8;
    pub(super) const SENDER_HARDWARE: Range<usize> = 8..14;
    pub(super) const SENDER_PROTOCOL: Range<usize> = 14..18;
    pub(super) const TARGET_HARDWARE: Range<usize> = 18..24;
    pub(super) const TARGET_PROTOCOL: Range<usize> = 24..28;
}

/// The two forms in which ARP can be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Operation 1: what keepalived sends.
    Request,
    /// Operation 2: what some hosts insist on.
    Reply,
}

/// An announcement of one IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Request or reply.
    pub operation: Operation,
    /// Where the address lives now; the frame's source too.
    pub hardware: MacAddress,
    /// The address.
    pub address: Ipv4Addr,
}

impl Repr {
    /// Writes the whole broadcast frame into the first [`FRAME_LEN`] bytes of `buffer`.
    pub fn emit(&self, buffer: &mut [u8; FRAME_LEN]) {
        ethernet::emit(buffer, MacAddress::BROADCAST, self.hardware, TYPE_ARP);
        let arp = &mut buffer[HEADER_LEN..];
        arp[field::HARDWARE].copy_from_slice(&HARDWARE_ETHERNET.to_be_bytes());
        arp[field::PROTOCOL].copy_from_slice(&PROTOCOL_IPV4.to_be_bytes());
        arp[field::HARDWARE_LEN] = 6;
        arp[field::PROTOCOL_LEN] = 4;
        let operation: u16 = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        arp[field::OPERATION].copy_from_slice(&operation.to_be_bytes());
        arp[field::SENDER_HARDWARE].copy_from_slice(&self.hardware.0);
        arp[field::SENDER_PROTOCOL].copy_from_slice(&self.address.octets());
        arp[field::TARGET_HARDWARE].copy_from_slice(&MacAddress::BROADCAST.0);
        arp[field::TARGET_PROTOCOL].copy_from_slice(&self.address.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARDWARE: MacAddress = MacAddress([0x06, 0x01, 0xa0, 0xab, 0xf3, 0x08]);

    /// What keepalived 2.4.3 put on the wire for 10.78.9.9 (tcpdump -XX).
    const KEEPALIVED: [u8; FRAME_LEN] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x06, 0x01, 0xa0, 0xab, 0xf3, 0x08, 0x08, 0x06, 0x00, 0x01, 0x08,
        0x00, 0x06, 0x04, 0x00, 0x01, 0x06, 0x01, 0xa0, 0xab, 0xf3, 0x08, 0x0a, 0x4e, 0x09, 0x09, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0x0a, 0x4e, 0x09, 0x09,
    ];

    #[test]
    fn a_gratuitous_request_is_keepalived_s_to_the_byte() {
        let mut frame = [0; FRAME_LEN];
        Repr { operation: Operation::Request, hardware: HARDWARE, address: Ipv4Addr::new(10, 78, 9, 9) }
            .emit(&mut frame);
        assert_eq!(frame, KEEPALIVED);
    }

    #[test]
    fn a_gratuitous_reply_differs_only_in_the_operation() {
        let mut frame = [0; FRAME_LEN];
        Repr { operation: Operation::Reply, hardware: HARDWARE, address: Ipv4Addr::new(10, 78, 9, 9) }
            .emit(&mut frame);
        let mut expected = KEEPALIVED;
        expected[21] = 2;
        assert_eq!(frame, expected);
    }
}
