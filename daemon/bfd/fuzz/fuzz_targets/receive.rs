//! Any sequence of packets and pauses against a table of sessions: no panic, nobody due in the past, no packet that asks and
//! answers at once. Input: records of one byte of pause (milliseconds × 8), one that says from whom, then the packet; the
//! discriminator that it names is replaced by the right one where the third bit of that byte is set.
#![no_main]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bfd::packet::LENGTH;
use keepwatch_bfd::session::Output;
use keepwatch_bfd::table::{Arrival, Table};
use keepwatch_model::{BfdSession, MaxHops};
use libfuzzer_sys::fuzz_target;

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

fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let mut table = Table::new(1);
    table.apply(now, &[session(0), session(1), session(2)]);
    let known: Vec<NonZeroU32> = table.iter().map(|(_, entry)| entry.session.discriminator()).collect();
    let check = |output: &Output| {
        assert!(output.send.is_none_or(|packet| !(packet.poll && packet.final_bit)), "RFC 5880 6.8.7");
    };
    for record in bytes.chunks_exact(2 + LENGTH) {
        let (pause, whom, packet) = (record[0], record[1], &record[2..]);
        now += Duration::from_millis(u64::from(pause) * 8);
        let mut packet = packet.to_vec();
        if whom & 4 != 0 {
            let mine = known[usize::from(whom >> 3) % known.len()].get();
            packet[8..12].copy_from_slice(&mine.to_be_bytes());
        }
        let arrival = Arrival {
            source: [192, 0, 2, whom & 3].into(),
            destination: [192, 0, 2, 100].into(),
            ttl: Some(255),
            multihop: whom & 3 == 2,
        };
        if let Ok((_, output)) = table.receive(now, &arrival, &packet) {
            check(&output);
        }
        while let Some((_, output)) = table.next_due(now) {
            check(&output);
        }
        assert!(table.deadline().is_none_or(|deadline| deadline > now));
    }
});
