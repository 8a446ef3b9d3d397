//! Millions of random, mutated and nearly right packets, in sequences that sessions live through: nothing panics, nobody is
//! due in the past, nobody speaks more often than he says or comes up without having been heard. Deterministic: the same
//! seeds every run; a debug build takes a share of them. `daemon/bfd/fuzz` looks further.

mod records;

use keepwatch_bfd::packet::{Diagnostic, LENGTH, Packet, State};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use records::{RECORD, feed};

/// Packets of one life of the sessions.
const LIFE: usize = 64;
const LIVES: u64 = if cfg!(debug_assertions) { 2_000 } else { 40_000 };

/// A packet that a neighbour could send, mostly.
fn plausible(random: &mut SmallRng) -> [u8; LENGTH] {
    let states = [State::AdminDown, State::Down, State::Down, State::Init, State::Init, State::Up, State::Up];
    let times = [0, 1, 10_000, 50_000, 1_000_000, u32::MAX];
    let packet = Packet {
        diagnostic: Diagnostic(random.random_range(0..32)),
        state: states[random.random_range(0..states.len())],
        poll: random.random_ratio(1, 4),
        final_bit: random.random_ratio(1, 4),
        control_plane_independent: random.random(),
        demand: random.random_ratio(1, 8),
        multiplier: random.random_range(1..=255),
        mine: std::num::NonZeroU32::MIN.saturating_add(random.random_range(0..4)),
        yours: 0,
        desired_tx: times[random.random_range(0..times.len())],
        required_rx: times[random.random_range(0..times.len())],
        required_echo: random.random(),
    };
    let mut bytes = packet.encode();
    if random.random_ratio(1, 4) {
        let at = random.random_range(0..LENGTH);
        bytes[at] = random.random();
    }
    bytes
}

#[test]
fn whatever_neighbours_send_the_rules_hold() {
    let mut ups = 0;
    for seed in 0..LIVES {
        let mut random = SmallRng::seed_from_u64(seed);
        let noise = seed % 8 == 0;
        let mut bytes = Vec::with_capacity(LIFE * RECORD);
        for _ in 0..LIFE {
            let pause = if random.random_ratio(1, 8) { random.random() } else { random.random_range(0..3) };
            bytes.extend([pause, random.random()]);
            bytes.extend(if noise { random.random() } else { plausible(&mut random) });
        }
        ups += feed(&bytes);
    }
    // The sequences are no mere noise.
    assert!(u64::from(ups) > LIVES, "sessions came up {ups} times in {LIVES} lives");
}
