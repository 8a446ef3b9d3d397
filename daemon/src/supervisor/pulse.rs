//! Judges whether a worker still lives, and how long to wait before the next one is started. Pure: in come reports
//! and times, out come verdicts.

use std::time::{Duration, Instant};

use super::line::{LOOPS, VRRP};

/// A process, or a VRRP thread, that has not moved for so long hangs. Adverts stop with it, so it should be short; a
/// machine under load may leave a process waiting for a second or more, so it can't be too short.
pub const HUNG_AFTER: Duration = Duration::from_secs(5);
/// The same for the other loops: failover goes on without them, and replacing the worker costs an election.
pub const HUNG_AFTER_ASIDE: Duration = Duration::from_secs(30);
/// What a worker may take from its start to its first report.
pub const START_WITHIN: Duration = Duration::from_secs(30);

/// Watches the beats of one worker.
#[derive(Debug)]
pub struct Pulse {
    last: [(u64, Instant); LOOPS.len()],
    heard: Instant,
    started: bool,
    looked: Instant,
}

impl Pulse {
    /// A worker was started at `now`.
    pub fn new(now: Instant) -> Self {
        Self { last: [(0, now); LOOPS.len()], heard: now, started: false, looked: now }
    }

    /// The worker reported how often each loop went round; one that it does not run counts as alive.
    pub fn beat(&mut self, now: Instant, counts: &[Option<u64>; LOOPS.len()]) {
        self.heard = now;
        self.started = true;
        for (last, count) in self.last.iter_mut().zip(counts) {
            match count {
                Some(count) if *count == last.0 => {}
                Some(count) => *last = (*count, now),
                None => last.1 = now,
            }
        }
    }

    /// Which loop hangs, if one does. Call it about once a second: if the caller itself did not run for a long
    /// time (the machine was suspended, or the supervisor stopped), nobody can be blamed for silence.
    pub fn hung(&mut self, now: Instant) -> Option<&'static str> {
        if now.duration_since(self.looked) > HUNG_AFTER / 2 {
            self.heard = now;
            self.last.iter_mut().for_each(|last| last.1 = now);
        }
        self.looked = now;
        if !self.started {
            return (now.duration_since(self.heard) > START_WITHIN).then_some("start");
        }
        if now.duration_since(self.heard) > HUNG_AFTER {
            return Some("process");
        }
        let hangs = |(name, (_, at)): (&&'static str, &(u64, Instant))| {
            let limit = if *name == VRRP { HUNG_AFTER } else { HUNG_AFTER_ASIDE };
            (now.duration_since(*at) > limit).then_some(*name)
        };
        LOOPS.iter().zip(&self.last).find_map(hangs)
    }
}

/// How long to wait before a dead worker is replaced: soon at first, for a takeover by the peer is worse than a
/// start in vain; then ever longer.
#[derive(Debug)]
pub struct BackOff {
    next: Duration,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(30);
    /// A worker that lived for so long was no failed start.
    const FORGIVEN: Duration = Duration::from_secs(60);

    /// Nothing has died yet.
    pub fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// A worker died after it had lived for `lived`: the time to wait.
    pub fn died(&mut self, lived: Duration) -> Duration {
        if lived >= Self::FORGIVEN {
            self.next = Self::FIRST;
        }
        let wait = self.next;
        self.next = (self.next * 2).min(Self::LONGEST);
        wait
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_worker_whose_loops_all_turn_is_alive() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now);
        for round in 1..100 {
            now += SECOND;
            pulse.beat(now, &[Some(round), None, Some(round)]);
            assert_eq!(pulse.hung(now), None);
        }
    }

    #[test]
    fn one_loop_that_stands_still_is_named() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now);
        let mut verdict = None;
        for round in 1..20 {
            now += SECOND;
            pulse.beat(now, &[Some(round.min(3)), Some(round), Some(round)]);
            verdict = verdict.or(pulse.hung(now));
        }
        assert_eq!(verdict, Some("vrrp"));
    }

    #[test]
    fn a_loop_aside_is_given_more_time() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now);
        let hung_at = (1..60).find(|round| {
            now += SECOND;
            pulse.beat(now, &[Some(*round), Some(1), Some(*round)]);
            pulse.hung(now) == Some("hub")
        });
        assert_eq!(hung_at, Some(32));
    }

    #[test]
    fn a_stopped_process_is_seen_and_a_slow_start_forgiven() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now);
        for _ in 0..20 {
            now += SECOND;
            assert_eq!(pulse.hung(now), None);
        }
        pulse.beat(now, &[Some(1), Some(1), Some(1)]);
        let verdict = (0..8).find_map(|_| {
            now += SECOND;
            pulse.hung(now)
        });
        assert_eq!(verdict, Some("process"));
    }

    #[test]
    fn a_suspended_machine_kills_nobody() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now);
        pulse.beat(now, &[Some(1), Some(1), Some(1)]);
        now += Duration::from_secs(3600);
        assert_eq!(pulse.hung(now), None);
        now += SECOND;
        assert_eq!(pulse.hung(now), None);
    }

    #[test]
    fn workers_that_keep_dying_are_started_ever_more_slowly() {
        let mut back_off = BackOff::new();
        let waits: Vec<_> = (0..12).map(|_| back_off.died(SECOND)).collect();
        assert_eq!(waits[0], Duration::from_millis(100));
        assert!(waits.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(waits[11], Duration::from_secs(30));
        assert_eq!(back_off.died(SECOND * 60), Duration::from_millis(100));
    }
}
