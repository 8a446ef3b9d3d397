//! Two machines on a wire: come up, agree on times, notice silence, AdminDown, restarts, loss.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use keepwatch_bfd::pace::Pace;
use keepwatch_bfd::packet::{Diagnostic, Packet, State};
use keepwatch_bfd::session::{Changed, Output, Session, Timing, Why};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

const TIMING: Timing =
    Timing { min_rx: 10_000, min_tx: 10_000, idle_tx: 1_000_000, multiplier: 3, passive: false };

fn id(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

struct Wire {
    now: Instant,
    ends: [Session; 2],
    /// When each packet arrives, and where.
    flight: VecDeque<(Instant, usize, Packet)>,
    /// Nothing gets through to this end.
    deaf: [bool; 2],
    agreed: [usize; 2],
    sent: [Vec<(Instant, Packet)>; 2],
    changes: [Vec<(Instant, Changed)>; 2],
}

impl Wire {
    fn new(timings: [Timing; 2]) -> Self {
        let now = Instant::now();
        let end = |n: usize| Session::new(now, timings[n], id(n as u32 + 1), Pace::new(now, n as u64));
        Self {
            now,
            ends: [end(0), end(1)],
            flight: VecDeque::new(),
            deaf: [false; 2],
            agreed: [0; 2],
            sent: [Vec::new(), Vec::new()],
            changes: [Vec::new(), Vec::new()],
        }
    }

    fn take(&mut self, end: usize, output: Output) {
        self.agreed[end] += usize::from(output.agreed);
        self.changes[end].extend(output.changed.map(|changed| (self.now, changed)));
        if let Some(packet) = output.send {
            assert!(!(packet.poll && packet.final_bit), "RFC 5880 §6.8.7");
            self.sent[end].push((self.now, packet));
            if !self.deaf[1 - end] {
                self.flight.push_back((self.now + MS / 10, 1 - end, packet));
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrives = self.flight.front().map(|(at, ..)| *at);
            let due = self.ends.iter().filter_map(Session::due).min();
            let Some(next) = arrives.into_iter().chain(due).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            if arrives == Some(next) {
                let Some((_, to, packet)) = self.flight.pop_front() else { break };
                // Over the wire and back: what is not in the octets does not count.
                let packet = Packet::parse(&packet.encode()).unwrap();
                let output = self.ends[to].receive(self.now, &packet);
                self.take(to, output);
            } else {
                for n in 0..2 {
                    if self.ends[n].due().is_some_and(|at| at <= self.now) {
                        let output = self.ends[n].tick(self.now);
                        self.take(n, output);
                    }
                }
            }
        }
        self.now = end;
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }

    fn since(&self, end: usize, at: Instant) -> Vec<(Duration, Packet)> {
        self.sent[end].iter().filter(|(t, _)| *t >= at).map(|(t, packet)| (*t - at, *packet)).collect()
    }
}

fn up() -> Wire {
    let mut wire = Wire::new([TIMING; 2]);
    wire.run(Duration::from_secs(3));
    assert_eq!(wire.states(), [State::Up; 2]);
    wire
}

#[test]
fn two_ends_come_up_and_speak_as_often_as_both_allow() {
    let slow = Timing { min_rx: 50_000, min_tx: 20_000, ..TIMING };
    let mut wire = Wire::new([TIMING, slow]);
    wire.run(Duration::from_secs(3));
    assert_eq!(wire.states(), [State::Up; 2]);
    assert_eq!(wire.ends[0].transmit_interval(), 50 * MS, "the other can take no more");
    assert_eq!(wire.ends[1].transmit_interval(), 20 * MS);
    assert_eq!(wire.ends[0].detection_time(), 60 * MS, "3 × the larger of 10 and 20");
    assert!(
        wire.agreed.iter().all(|times| (1..=2).contains(times)),
        "{:?}: told when it changes",
        wire.agreed
    );
    let from = wire.now;
    wire.run(Duration::from_secs(1));
    let sent = wire.since(0, from);
    assert!((20..=27).contains(&sent.len()), "{}: 50 ms less up to a quarter", sent.len());
    for pair in sent.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!((37 * MS..=51 * MS).contains(&gap), "{gap:?}");
    }
    assert!(sent.iter().all(|(_, packet)| !packet.poll), "the poll has been answered");
}

#[test]
fn no_more_than_one_a_second_before_it_is_up() {
    let mut wire = Wire::new([TIMING; 2]);
    wire.deaf = [true; 2];
    wire.run(Duration::from_secs(10));
    assert!((10..=14).contains(&wire.sent[0].len()), "{}", wire.sent[0].len());
    let packet = wire.sent[0][0].1;
    assert_eq!(
        (packet.state, packet.yours, packet.desired_tx, packet.required_rx),
        (State::Down, 0, 1_000_000, 10_000)
    );
}

#[test]
fn silence_is_noticed_in_the_detection_time_and_told_to_the_other_end() {
    let mut wire = up();
    wire.deaf = [true, false];
    let cut = wire.now;
    wire.run(Duration::from_millis(200));
    let (at, changed) = *wire.changes[0].last().unwrap();
    assert!((20 * MS..=31 * MS).contains(&(at - cut)), "{:?}", at - cut);
    assert_eq!(
        (changed.from, changed.to, changed.diagnostic),
        (State::Up, State::Down, Diagnostic::TIME_EXPIRED)
    );
    assert!(matches!(changed.why, Why::Silence { limit, .. } if limit == 30 * MS));
    // The other one hears of it at once, not after an idle interval.
    let (told, other) = *wire.changes[1].last().unwrap();
    assert!(told - at < MS, "{:?}", told - at);
    assert_eq!((other.to, other.diagnostic), (State::Down, Diagnostic::NEIGHBOUR_DOWN));
    assert_eq!(other.why, Why::Neighbour(State::Down));
    wire.deaf = [false; 2];
    wire.run(Duration::from_secs(3));
    assert_eq!(wire.states(), [State::Up; 2]);
}

#[test]
fn admin_down_is_told_and_does_not_come_back_by_itself() {
    let mut wire = up();
    let output = wire.ends[0].take_down(wire.now);
    assert_eq!(output.send.map(|packet| packet.state), Some(State::AdminDown));
    wire.take(0, output);
    wire.run(Duration::from_secs(5));
    let (_, changed) = wire.changes[1][wire.changes[1].len() - 1];
    assert_eq!((changed.to, changed.why), (State::Down, Why::Neighbour(State::AdminDown)));
    assert_eq!(changed.remote_diagnostic, Diagnostic::ADMINISTRATIVELY_DOWN);
    assert_eq!(wire.states(), [State::AdminDown, State::Down]);
}

#[test]
fn a_passive_end_waits_to_be_spoken_to() {
    let passive = Timing { passive: true, ..TIMING };
    let mut wire = Wire::new([passive; 2]);
    wire.run(Duration::from_secs(5));
    assert!(wire.sent.iter().all(Vec::is_empty));
    let mut wire = Wire::new([passive, TIMING]);
    wire.run(Duration::from_secs(4));
    assert_eq!(wire.states(), [State::Up; 2]);
}

#[test]
fn a_restarted_neighbour_is_noticed_at_once() {
    let mut wire = up();
    wire.ends[1] = Session::new(wire.now, TIMING, id(77), Pace::new(wire.now, 5));
    let from = wire.changes[0].len();
    wire.run(Duration::from_secs(4));
    assert_eq!(wire.changes[0][from].1.to, State::Down);
    assert_eq!(wire.states(), [State::Up; 2]);
}

#[test]
fn slower_times_are_asked_for_before_they_are_used() {
    let mut wire = up();
    let slower = Timing { min_tx: 100_000, min_rx: 100_000, ..TIMING };
    let changes = [wire.changes[0].len(), wire.changes[1].len()];
    let from = wire.now;
    let now = wire.now;
    wire.ends[0].set_timing(now, slower);
    assert_eq!(wire.ends[0].transmit_interval(), 10 * MS, "not before the neighbour knows");
    wire.run(Duration::from_secs(2));
    let first = wire.since(0, from)[0].1;
    assert!(first.poll && first.desired_tx == 100_000);
    assert_eq!(wire.ends[0].transmit_interval(), 100 * MS);
    assert_eq!(wire.ends[1].detection_time(), 300 * MS);
    // And faster again.
    let now = wire.now;
    wire.ends[0].set_timing(now, TIMING);
    wire.run(Duration::from_secs(2));
    assert_eq!(wire.ends[1].detection_time(), 30 * MS);
    assert_eq!([wire.changes[0].len(), wire.changes[1].len()], changes, "neither believed the other gone");
}

#[test]
fn a_neighbour_that_wants_no_packets_gets_none_but_answers() {
    let now = Instant::now();
    let mut session = Session::new(now, TIMING, id(1), Pace::new(now, 0));
    let packet = Packet {
        diagnostic: Diagnostic::NONE,
        state: State::Init,
        poll: true,
        final_bit: false,
        control_plane_independent: false,
        demand: false,
        multiplier: 3,
        mine: id(9),
        yours: 1,
        desired_tx: 50_000,
        required_rx: 0,
        required_echo: 0,
    };
    let output = session.receive(now, &packet);
    assert!(output.send.is_some_and(|answer| answer.final_bit && !answer.poll && answer.yours == 9));
    assert_eq!(session.state(), State::Up);
    assert_eq!(session.due(), Some(now + 150 * MS), "only the silence is waited for");
}

#[test]
fn demand_mode_is_granted() {
    let mut wire = up();
    let now = wire.now;
    let asks = Packet { demand: true, ..wire.sent[1].last().unwrap().1 };
    wire.ends[0].receive(now, &asks);
    let sent = wire.ends[0].tick(now + 20 * MS).send;
    assert!(sent.is_none(), "{sent:?}");
}

proptest! {
    /// Whatever is lost and whenever: once packets get through, both ends are up within three idle intervals and stay so.
    #[test]
    fn it_heals(cuts in proptest::collection::vec((0usize..4, 1u64..700), 0..12), multiplier in 1u8..6) {
        let mut wire = Wire::new([Timing { multiplier, ..TIMING }, TIMING]);
        for (which, time) in cuts {
            wire.deaf = [which & 1 != 0, which & 2 != 0];
            wire.run(Duration::from_millis(time));
        }
        wire.deaf = [false; 2];
        wire.run(Duration::from_secs(4));
        prop_assert_eq!(wire.states(), [State::Up; 2]);
        let changes = wire.changes[0].len() + wire.changes[1].len();
        wire.run(Duration::from_secs(5));
        prop_assert_eq!(changes, wire.changes[0].len() + wire.changes[1].len());
    }

    /// No sequence of packets and times makes it panic, speak out of turn, or wait for the past.
    #[test]
    fn anything_can_be_heard(steps in proptest::collection::vec((any::<[u8; 24]>(), 0u64..3_000_000), 0..60)) {
        let mut now = Instant::now();
        let mut session = Session::new(now, TIMING, id(1), Pace::new(now, 3));
        for (mut bytes, wait) in steps {
            (bytes[0], bytes[3]) = (bytes[0] & 0x1f | 0x20, 24);
            bytes[1] &= !0x05;
            now += Duration::from_micros(wait);
            session.tick(now);
            if let Ok(packet) = Packet::parse(&bytes) {
                session.receive(now, &packet);
            }
            let output = session.tick(now);
            prop_assert!(output.send.is_none_or(|packet| !(packet.poll && packet.final_bit)));
            prop_assert!(session.due().is_none_or(|due| due >= now));
        }
    }
}
