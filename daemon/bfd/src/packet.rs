//! The BFD control packet (RFC 5880 §4.1): bytes to values and back, and the checks that need no session (§6.8.6).

use std::num::NonZeroU32;

pub use keepwatch_model::{BfdDiagnostic as Diagnostic, BfdState as State};

/// Length of a packet without authentication, in octets.
pub const LENGTH: usize = 24;
/// The only version there is.
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// A control packet. Times are in microseconds, as they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Why the sender's session last left Up.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// It asks for a packet with `final_bit`.
    pub poll: bool,
    /// It answers a packet with `poll`.
    pub final_bit: bool,
    /// Its BFD goes on when its control plane does not.
    pub control_plane_independent: bool,
    /// It wants no packets while both sides are Up, but for polls.
    pub demand: bool,
    /// Detect Mult: packets in a row that may be lost.
    pub multiplier: u8,
    /// The sender's discriminator.
    pub mine: NonZeroU32,
    /// The receiver's, as far as the sender knows it; else 0.
    pub yours: u32,
    /// Desired Min TX Interval.
    pub desired_tx: u32,
    /// Required Min RX Interval; 0: it wants no packets.
    pub required_rx: u32,
    /// Required Min Echo RX Interval; 0: it takes no echo packets.
    pub required_echo: u32,
}

/// Why a packet is not taken, of those reasons that its own bytes give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Fewer octets than a packet has, or than it says it has, or it says that it has fewer than it needs.
    #[error("its length is wrong")]
    Length,
    /// Another version than 1.
    #[error("it has version {0}, not 1")]
    Version(u8),
    /// Detect Mult 0.
    #[error("its Detect Mult is 0")]
    Multiplier,
    /// The multipoint bit is set.
    #[error("its multipoint bit is set")]
    Multipoint,
    /// My Discriminator 0.
    #[error("its My Discriminator is 0")]
    Discriminator,
    /// It does not name our session in a state that knows it.
    #[error("its Your Discriminator is 0 in state {0}")]
    Nameless(State),
    /// It is authenticated, which sessions here are not.
    #[error("it carries authentication")]
    Authenticated,
}

impl Packet {
    /// Reads what came in a datagram.
    ///
    /// # Errors
    /// The first rule of RFC 5880 §6.8.6 that it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let Some(fixed) = bytes.first_chunk::<LENGTH>() else { return Err(Refusal::Length) };
        let (version, flags, length) = (fixed[0] >> 5, fixed[1], usize::from(fixed[3]));
        if version != VERSION {
            return Err(Refusal::Version(version));
        }
        let least = if flags & AUTHENTICATION == 0 { LENGTH } else { LENGTH + 2 };
        if length < least || length > bytes.len() {
            return Err(Refusal::Length);
        }
        if fixed[2] == 0 {
            return Err(Refusal::Multiplier);
        }
        if flags & MULTIPOINT != 0 {
            return Err(Refusal::Multipoint);
        }
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let Some(mine) = NonZeroU32::new(word(4)) else { return Err(Refusal::Discriminator) };
        let state = match flags >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        };
        let yours = word(8);
        if yours == 0 && matches!(state, State::Init | State::Up) {
            return Err(Refusal::Nameless(state));
        }
        if flags & AUTHENTICATION != 0 {
            return Err(Refusal::Authenticated);
        }
        Ok(Self {
            diagnostic: Diagnostic(fixed[0] & 0x1f),
            state,
            poll: flags & POLL != 0,
            final_bit: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            multiplier: fixed[2],
            mine,
            yours,
            desired_tx: word(12),
            required_rx: word(16),
            required_echo: word(20),
        })
    }

    /// Its octets.
    pub fn encode(&self) -> [u8; LENGTH] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION << 5 | self.diagnostic.0;
        bytes[1] = (self.state as u8) << 6
            | flag(self.poll, POLL)
            | flag(self.final_bit, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND);
        bytes[2] = self.multiplier;
        bytes[3] = LENGTH as u8;
        let words = [self.mine.get(), self.yours, self.desired_tx, self.required_rx, self.required_echo];
        for (place, word) in bytes[4..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What FRR's bfdd 8.4 sends while it is up and polls, and what it means.
    const UP: [u8; LENGTH] =
        [0x20, 0xe0, 3, 24, 0, 0, 0, 7, 0, 0, 0, 9, 0, 4, 0x93, 0xe0, 0, 4, 0x93, 0xe0, 0, 0, 0xc3, 0x50];

    #[test]
    fn the_fields_stand_where_the_rfc_puts_them() {
        let packet = Packet::parse(&UP).unwrap();
        assert_eq!(
            packet,
            Packet {
                diagnostic: Diagnostic::NONE,
                state: State::Up,
                poll: true,
                final_bit: false,
                control_plane_independent: false,
                demand: false,
                multiplier: 3,
                mine: NonZeroU32::new(7).unwrap(),
                yours: 9,
                desired_tx: 300_000,
                required_rx: 300_000,
                required_echo: 50_000,
            }
        );
        assert_eq!(packet.encode(), UP);
    }

    #[test]
    fn what_the_rfc_forbids_is_refused() {
        let changed = |at: usize, value: u8| {
            let mut bytes = UP;
            bytes[at] = value;
            bytes
        };
        for (bytes, refusal) in [
            (changed(0, 0x00), Refusal::Version(0)),
            (changed(0, 0x40), Refusal::Version(2)),
            (changed(3, 23), Refusal::Length),
            (changed(3, 25), Refusal::Length),
            (changed(2, 0), Refusal::Multiplier),
            (changed(1, 0xe1), Refusal::Multipoint),
            (changed(7, 0), Refusal::Discriminator),
            (changed(11, 0), Refusal::Nameless(State::Up)),
            // With the bit set there must be room for an authentication section, and here is none.
            (changed(1, 0xe4), Refusal::Length),
        ] {
            assert_eq!(Packet::parse(&bytes), Err(refusal));
        }
        let mut authenticated = UP.to_vec();
        authenticated.extend([1, 4, 1, b'x']);
        (authenticated[1], authenticated[3]) = (0xe4, 28);
        assert_eq!(Packet::parse(&authenticated), Err(Refusal::Authenticated));
        // In Down the neighbour may not know us yet.
        let mut stranger = changed(1, 0x40);
        stranger[11] = 0;
        assert!(Packet::parse(&stranger).is_ok());
        assert_eq!(Packet::parse(&UP[..23]), Err(Refusal::Length));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert_eq!(Packet::parse(&packet.encode()), Ok(packet));
            }
        }

        #[test]
        fn a_nearly_right_packet_is_read_or_refused(at in 0..LENGTH, value: u8) {
            let mut bytes = UP;
            bytes[at] = value;
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert_eq!(packet.encode(), bytes);
            }
        }
    }
}
