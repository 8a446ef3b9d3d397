//! Any sequence of packets and pauses against a table of sessions, for the fuzzer and for `hostile.rs`. In: bytes, as records
//! of one byte of pause (milliseconds × 8), one that says from whom, then a packet; the discriminator that it names is replaced
//! by the right one where the third bit of that byte is set. Whatever they are, the rules hold that are asserted here.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bfd::packet::{LENGTH, State};
use keepwatch_bfd::session::{Output, Why};
use keepwatch_bfd::table::{Arrival, Id, Table};
use keepwatch_model::{BfdSession, MaxHops};

/// Length of a record.
pub(crate) const RECORD: usize = 2 + LENGTH;
/// The shortest time between packets that any session here sends by itself.
const SHORTEST: Duration = Duration::from_micros(7_500);

fn session(number: u8) -> Arc<BfdSession> {
    Arc::new(BfdSession {
        name: format!("b{number}").as_str().into(),
        neighbour: [192, 0, 2, number].into(),
        source: None,
        min_rx: Duration::from_millis(10),
        min_tx: Duration::from_millis(10),
        idle_tx: Duration::from_secs(1),
        multiplier: 1 + number,
        passive: number == 1,
        ttl: 255,
        max_hops: MaxHops::Most(0),
        multihop: number == 2,
        weight: 0,
        reverse: false,
        for_vrrp: true,
        for_checkers: true,
    })
}

/// What has been seen of the sessions.
#[derive(Default)]
struct Seen {
    /// Of each, when it last sent a packet that nobody asked for and that tells no change.
    spoke: HashMap<Id, Instant>,
    ups: u32,
}

impl Seen {
    fn check(&mut self, now: Instant, table: &Table, (id, output): (Id, Output), heard: bool) {
        let state = table.get(id).map(|entry| entry.session.state());
        if let Some(changed) = output.changed {
            assert_ne!(changed.from, changed.to);
            assert_eq!(state, Some(changed.to));
            let by_word = matches!(changed.why, Why::Neighbour(State::Init | State::Up));
            assert!(changed.to != State::Up || by_word, "{changed:?}: up, and nobody said that it hears us");
            self.ups += u32::from(changed.to == State::Up);
        }
        let Some(packet) = output.send else { return };
        assert!(!(packet.poll && packet.final_bit), "RFC 5880 §6.8.7");
        assert_eq!(Some(packet.state), state);
        assert!(packet.state == State::Up || packet.desired_tx >= 1_000_000, "RFC 5880 §6.8.3");
        if !heard && output.changed.is_none() {
            let before = self.spoke.insert(id, now);
            let gap = before.map_or(SHORTEST, |before| now - before);
            assert!(gap >= SHORTEST, "{gap:?}: it speaks more often than it says");
        }
    }
}

/// Feeds them in; how often a session came up.
pub(crate) fn feed(bytes: &[u8]) -> u32 {
    let mut now = Instant::now();
    let mut table = Table::new(now, 1);
    table.apply(now, &[session(0), session(1), session(2)]);
    let mut known: Vec<(Id, NonZeroU32)> =
        table.iter().map(|(id, entry)| (id, entry.session.discriminator())).collect();
    known.sort_unstable();
    let mut seen = Seen::default();
    for record in bytes.chunks_exact(RECORD) {
        let (pause, whom, packet) = (record[0], record[1], &record[2..]);
        now += Duration::from_millis(u64::from(pause) * 8);
        let mut packet = packet.to_vec();
        if whom & 4 != 0 {
            let mine = known[usize::from(whom >> 3) % known.len()].1.get();
            packet[8..12].copy_from_slice(&mine.to_be_bytes());
        }
        let arrival = Arrival {
            source: [192, 0, 2, whom & 3].into(),
            destination: [192, 0, 2, 100].into(),
            ttl: Some(255),
            multihop: whom & 3 == 2,
        };
        if let Ok(step) = table.receive(now, &arrival, &packet) {
            seen.check(now, &table, step, true);
        }
        while let Some(step) = table.next_due(now) {
            seen.check(now, &table, step, false);
        }
        assert!(table.deadline().is_none_or(|deadline| deadline > now));
    }
    seen.ups
}
