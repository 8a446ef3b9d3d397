//! An echo request and its answer on the wire (RFC 792, RFC 4443 §4); without I/O.
//!
//! ```text
//!  0                   1                   2                   3
//!  +---------------+---------------+-------------------------------+
//!  |     type      |   code (0)    |           checksum            |
//!  +---------------+---------------+-------------------------------+
//!  |          identifier           |           sequence            |
//!  +-------------------------------+-------------------------------+
//!  |  token, 8 bytes: this check and no other; then the filling    |
//! ```
//! The kernel sets the identifier of a datagram socket, and all checksums but that of a raw ICMP socket. A raw socket
//! hands over IPv4 headers too, and everybody's messages.

use std::net::IpAddr;

/// Bytes before the data.
const HEADER: usize = 8;
/// Bytes of data, as many as keepalived sends: who filters by size sees no difference.
const DATA: usize = 128;
/// Bytes of a message.
pub(super) const LENGTH: usize = HEADER + DATA;
/// What keepalived fills its messages with.
const FILLING: &[u8] = b"keepalived check - ";
/// The only one of a check.
const SEQUENCE: u16 = 1;

/// Through which kind of socket it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// The kernel's own for pings.
    Datagram,
    /// One that sees all of ICMP.
    Raw,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Echo {
    ipv4: bool,
    through: Through,
    token: [u8; 8],
}

impl Echo {
    /// One that nobody else asks, if the token is random.
    pub(super) fn new(to: IpAddr, through: Through, token: [u8; 8]) -> Self {
        Self { ipv4: to.is_ipv4(), through, token }
    }

    /// The message to send.
    pub(super) fn request(&self) -> [u8; LENGTH] {
        let mut message = [0; LENGTH];
        let filling = self.token.iter().chain(FILLING.iter().cycle());
        message.iter_mut().skip(HEADER).zip(filling).for_each(|(byte, filling)| *byte = *filling);
        message[0] = if self.ipv4 { 8 } else { 128 };
        message[4..6].copy_from_slice(&self.identifier());
        message[6..8].copy_from_slice(&SEQUENCE.to_be_bytes());
        if self.ipv4 && self.through == Through::Raw {
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        message
    }

    /// Whether this is the answer, as the socket hands it over.
    pub(super) fn is_answered_by(&self, packet: &[u8]) -> bool {
        let skip = match (self.through, self.ipv4, packet.first()) {
            (Through::Raw, true, Some(first)) => usize::from(first & 0xf) * 4,
            _ => 0,
        };
        let Some([kind, code, _, _, id @ .., sequence_high, sequence_low]) = packet.get(skip..skip + HEADER)
        else {
            return false;
        };
        let is_reply = *code == 0 && *kind == if self.ipv4 { 0 } else { 129 };
        let is_ours = self.through == Through::Datagram || id == self.identifier();
        let token = packet.get(skip + HEADER..).unwrap_or_default();
        is_reply
            && is_ours
            && [*sequence_high, *sequence_low] == SEQUENCE.to_be_bytes()
            && token.starts_with(&self.token)
    }

    fn identifier(&self) -> [u8; 2] {
        [self.token[0], self.token[1]]
    }
}

/// The internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn answer(echo: &Echo) -> Vec<u8> {
        let mut message = echo.request().to_vec();
        message[0] = if echo.ipv4 { 0 } else { 129 };
        if echo.ipv4 && echo.through == Through::Raw {
            // A header with an option: 24 bytes.
            let mut header = vec![0x46; 1];
            header.resize(24, 0);
            message.splice(0..0, header);
        }
        message
    }

    #[test]
    fn an_echo_answers_and_its_like_do_not() {
        for (to, through) in
            [(V4, Through::Datagram), (V4, Through::Raw), (V6, Through::Datagram), (V6, Through::Raw)]
        {
            let echo = Echo::new(to, through, *b"12345678");
            let right = answer(&echo);
            assert!(echo.is_answered_by(&right), "{to} {through:?}");
            assert!(!echo.is_answered_by(&echo.request()), "our own question, looped");
            for at in right.len() - LENGTH..right.len() - DATA + 8 {
                let mut other = right.clone();
                other[at] ^= 0x40;
                let offset = at - (right.len() - LENGTH);
                // The checksum is the kernel's affair, and so is the identifier of its own sockets.
                let matters = match offset {
                    2..4 => false,
                    4..6 => through == Through::Raw,
                    _ => true,
                };
                assert_eq!(echo.is_answered_by(&other), !matters, "{to} {through:?} byte {offset}");
            }
        }
    }

    #[test]
    fn a_message_sums_up_to_nothing() {
        let message = Echo::new(V4, Through::Raw, *b"abcdefgh").request();
        assert_eq!(checksum(&message), 0);
        assert_eq!(message.len(), 136);
    }

    proptest! {
        #[test]
        fn no_packet_breaks_it(packet in proptest::collection::vec(any::<u8>(), 0..200), ipv4: bool, raw: bool) {
            let through = if raw { Through::Raw } else { Through::Datagram };
            Echo::new(if ipv4 { V4 } else { V6 }, through, [1; 8]).is_answered_by(&packet);
        }
    }
}
