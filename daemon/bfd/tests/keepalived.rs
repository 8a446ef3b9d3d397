//! Packets of keepalived 2.4.3, as recorded between two of them (min_rx 50, min_tx 60, multiplier 3): each means what it
//! should, and a session in the place of the one says to the other what keepalived said.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use keepwatch_bfd::pace::Pace;
use keepwatch_bfd::packet::{Diagnostic, LENGTH, Packet, State};
use keepwatch_bfd::session::{Session, Timing};

const TIMING: Timing =
    Timing { min_rx: 50_000, min_tx: 60_000, idle_tx: 1_000_000, multiplier: 3, passive: false };

/// The one of them, in the order in which it said it: down, heard, an answer to a poll and up, down after a loss.
const ONE: [&str; 5] = [
    "204003184f0def6a00000000000f42400000c35000000000",
    "208003184f0def6ae1527d95000f42400000c35000000000",
    "20d003184f0def6ae1527d950000ea600000c35000000000",
    "20c003184f0def6ae1527d950000ea600000c35000000000",
    "2140031851a0ec3000000000000f42400000c35000000000",
];
/// The other: down, up and polling, up; and after a loss heard, and an answer.
const OTHER: [&str; 5] = [
    "20400318e1527d9500000000000f42400000c35000000000",
    "20e00318e1527d954f0def6a0000ea600000c35000000000",
    "20c00318e1527d954f0def6a0000ea600000c35000000000",
    "208003186711ab5851a0ec30000f42400000c35000000000",
    "20d003186711ab5851a0ec300000ea600000c35000000000",
];

fn bytes(hex: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    }
    bytes
}

fn packet(hex: &str) -> Packet {
    Packet::parse(&bytes(hex)).unwrap()
}

#[test]
fn each_is_read_and_written_as_it_was() {
    for hex in ONE.into_iter().chain(OTHER) {
        assert_eq!(packet(hex).encode(), bytes(hex), "{hex}");
    }
    let lost = packet(ONE[4]);
    assert_eq!((lost.state, lost.diagnostic), (State::Down, Diagnostic::TIME_EXPIRED));
}

#[test]
fn a_session_says_what_keepalived_said() {
    let begin = Instant::now();
    let at = |milliseconds| begin + Duration::from_millis(milliseconds);
    let mine = NonZeroU32::new(0x4f0d_ef6a).unwrap();
    let mut session = Session::new(begin, TIMING, mine, Pace::new(begin, 1));
    let said = |packet: Option<Packet>| packet.map(|packet| packet.encode());
    assert_eq!(said(session.tick(at(0)).send), Some(bytes(ONE[0])));
    assert_eq!(said(session.receive(at(500), &packet(OTHER[0])).send), Some(bytes(ONE[1])));
    // It is up, and asks whether its times are known: the answer comes at once, and is no question.
    let answer = session.receive(at(1000), &packet(OTHER[1]));
    assert_eq!((said(answer.send), session.state()), (Some(bytes(ONE[2])), State::Up));
    // keepalived came up by the packet before that one, and so had no question of its own left.
    let asked = session.tick(session.due().unwrap()).send.unwrap();
    assert!(asked.poll);
    assert_eq!(Packet { poll: false, ..asked }.encode(), bytes(ONE[3]));
    // What it answers ends that.
    session.receive(at(1100), &Packet { final_bit: true, ..packet(OTHER[2]) });
    session.receive(at(1150), &packet(OTHER[2]));
    let next = session.due().unwrap();
    assert_eq!(said(session.tick(next).send), Some(bytes(ONE[3])));
    assert_eq!(session.transmit_interval(), Duration::from_millis(60));
    assert_eq!(session.detection_time(), Duration::from_millis(180), "3 x the larger of 50 and 60");
    // Silence.
    let lost = session.tick(at(1150 + 180));
    let said = lost.send.unwrap();
    assert_eq!((said.state, said.diagnostic), (State::Down, Diagnostic::TIME_EXPIRED));
    // What keepalived says then, but for its discriminator, which is a new one: ours lasts.
    assert_eq!(Packet { mine: packet(ONE[4]).mine, ..said }.encode(), bytes(ONE[4]));
    assert_eq!(said.mine, mine);
}
