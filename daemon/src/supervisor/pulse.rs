//! Judges whether a worker still lives, and how long to wait before the next one is started. Pure: in come reports
//! and times, out come verdicts.

use std::time::{Duration, Instant};

use super::line::{LOOPS, VRRP};

/// A process, or a VRRP thread, that has not moved for so long hangs, whatever the machine is busy with.
pub const HUNG_AFTER: Duration = Duration::from_secs(5);
/// Where peers wait long enough, no verdict comes sooner.
pub const HUNG_AFTER_USUALLY: Duration = Duration::from_millis(1500);
/// No verdict comes sooner, however short the intervals of the virtual routers are: less is nothing on a busy machine, and who
/// is shot for it would have been back before the next.
pub const HUNG_AFTER_AT_LEAST: Duration = Duration::from_millis(300);
/// The same for the other loops: failover goes on without them, and replacing the worker costs an election.
pub const HUNG_AFTER_ASIDE: Duration = Duration::from_secs(30);
/// [`Hang::what`] if nothing at all is told.
pub const PROCESS: &str = "process";
/// What a worker may take from its start to its first report.
pub const START_WITHIN: Duration = Duration::from_secs(30);

/// The longest pause between two turns of the VRRP thread, whatever else there is to do.
const TURNS_EVERY: Duration = Duration::from_millis(500);
/// The longest pause between two words of a worker, and between two looks at it.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

/// What peers wait at the least until one of them takes over, and what follows from it for whoever shall find out before
/// that a worker hangs: half of it, or two thirds where that is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    hung_after: Duration,
}

impl Pace {
    /// Where peers wait for so long; `None` where there are none.
    pub fn of(patience: Option<Duration>) -> Self {
        let hung_after = patience.map_or(HUNG_AFTER, |patience| {
            (patience / 2)
                .max(HUNG_AFTER_USUALLY.min(patience * 2 / 3))
                .clamp(HUNG_AFTER_AT_LEAST, HUNG_AFTER)
        });
        Self { hung_after }
    }

    /// How often the VRRP thread goes round, so that standing still can be told from having nothing to do.
    pub fn turns_every(self) -> Duration {
        (self.hung_after / 3).min(TURNS_EVERY)
    }

    /// How often that is told, and looked at.
    pub fn looks_every(self) -> Duration {
        (self.hung_after / 6).min(LOOKS_EVERY)
    }
}

/// A loop that does not turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hang {
    /// Which: one of [`LOOPS`], [`PROCESS`] for all of them, `start` for a worker that does not get that far.
    pub what: &'static str,
    /// It has stood still for longer than [`HUNG_AFTER`]. Otherwise it may only be waiting for the machine.
    pub certain: bool,
    /// When it last gave a sign.
    pub silent_since: Instant,
}

/// Watches the beats of one worker.
#[derive(Debug)]
pub struct Pulse {
    pace: Pace,
    starts_within: Duration,
    last: [(u64, Instant); LOOPS.len()],
    heard: Instant,
    started: bool,
    looked: Instant,
}

impl Pulse {
    /// A worker was started at `now`.
    pub fn new(now: Instant) -> Self {
        let last = [(0, now); LOOPS.len()];
        Self {
            pace: Pace::of(None),
            starts_within: START_WITHIN,
            last,
            heard: now,
            started: false,
            looked: now,
        }
    }

    /// From `now` on it shall be found out so soon that a worker hangs; it has been told to tell as often.
    pub fn keep(&mut self, now: Instant, pace: Pace) {
        self.pace = pace;
        // What it told so far it told at another pace.
        self.heard = now;
        self.last.iter_mut().for_each(|last| last.1 = now);
    }

    /// Time that nobody is to be blamed for.
    fn excuse(&mut self, now: Instant, lost: Duration) {
        let last = self.last.iter_mut().map(|last| &mut last.1);
        last.chain([&mut self.heard]).for_each(|at| *at = (*at + lost).min(now));
    }

    /// Something runs first that may take so long.
    pub fn prepares(&mut self, within: Duration) {
        self.starts_within = START_WITHIN + within;
    }

    /// Whether it has given any sign yet, and when the VRRP thread last did.
    pub fn last_sign(&self) -> Option<Instant> {
        self.started.then_some(self.last[0].1)
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

    /// Which loop hangs, if one does. Call it as often as [`Pace::looks_every`] says: time in which the caller itself did
    /// not run (the machine was suspended or busy, or the supervisor stopped) is nobody's silence.
    pub fn hung(&mut self, now: Instant) -> Option<Hang> {
        let suspicious = self.pace.hung_after;
        let lost = now.duration_since(self.looked).saturating_sub(suspicious / 2);
        self.excuse(now, lost);
        self.looked = now;
        // Of a loop nothing is known but what is told: a process that tells nothing is another matter.
        let heard = self.heard;
        let silent = |what, since: Instant, until: Instant, limit| {
            let silence = until.saturating_duration_since(since);
            (silence > limit).then_some(Hang { what, certain: silence > HUNG_AFTER, silent_since: since })
        };
        if !self.started {
            return silent("start", heard, now, self.starts_within);
        }
        silent(PROCESS, heard, now, suspicious).or_else(|| {
            LOOPS.iter().zip(&self.last).find_map(|(name, (_, at))| {
                silent(name, *at, heard, if *name == VRRP { suspicious } else { HUNG_AFTER_ASIDE })
            })
        })
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
        assert_eq!(verdict.map(|hang| hang.what), Some("vrrp"));
    }

    #[test]
    fn a_loop_aside_is_given_more_time() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now);
        let hung_at = (1..60).find(|round| {
            now += SECOND;
            pulse.beat(now, &[Some(*round), Some(1), Some(*round)]);
            pulse.hung(now).is_some_and(|hang| hang.what == "hub")
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
        assert_eq!(verdict.map(|hang| hang.what), Some("process"));
    }

    #[test]
    fn the_shorter_peers_wait_the_sooner_a_hang_is_found_within_bounds() {
        // What peers wait for, and after what time the VRRP thread is suspected.
        for (patience, found) in
            [(0.02, 0.3), (0.3, 0.3), (0.6, 0.4), (2.1, 1.4), (2.4, 1.5), (3.0, 1.5), (6.0, 3.0), (30.0, 5.0)]
        {
            let began = Instant::now();
            let mut pulse = Pulse::new(began);
            pulse.keep(began, Pace::of(Some(Duration::from_secs_f64(patience))));
            let step = Duration::from_millis(20);
            let hang = (1..500).find_map(|round| {
                let now = began + step * round;
                pulse.beat(now, &[Some(1), None, Some(u64::from(round))]);
                pulse.hung(now).map(|hang| (now - began - step, hang))
            });
            let (after, hang) = hang.unwrap();
            assert_eq!(after, Duration::from_secs_f64(found) + step, "{patience}");
            assert_eq!((hang.what, hang.certain, hang.silent_since), ("vrrp", found == 5.0, began + step));
        }
    }

    #[test]
    fn one_that_keeps_the_pace_is_never_suspected_and_one_that_hangs_is_found_while_a_peer_waits() {
        for patience in [500, 600, 1000, 2000, 6000, 60_000].map(Duration::from_millis) {
            let pace = Pace::of(Some(patience));
            // What it takes at most until the last turn is told, the next look is due, and it was looked at twice.
            let seen = pace.hung_after + 2 * pace.looks_every();
            assert!(seen <= patience, "{patience:?}: {seen:?}");
            let kept = pace.turns_every() + 2 * pace.looks_every();
            assert!(kept < pace.hung_after, "{patience:?}: {kept:?}");
        }
    }

    #[test]
    fn who_is_told_of_late_is_not_blamed_for_it() {
        let short = Pace::of(Some(Duration::from_millis(200)));
        let began = Instant::now();
        let at = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut pulse = Pulse::new(began);
        pulse.beat(at(10), &[Some(1), None, None]);
        // At the pace of before a turn more was told half a second later; now all is to go faster.
        assert_eq!(pulse.hung(at(250)), None);
        pulse.beat(at(400), &[Some(1), None, None]);
        assert_eq!(pulse.hung(at(499)), None);
        pulse.keep(at(500), short);
        assert_eq!(pulse.hung(at(501)), None);
        assert_eq!(pulse.hung(at(523)), None);
        // Then nobody tells anything: that the thread itself hangs is not known.
        pulse.beat(at(530), &[Some(2), None, None]);
        pulse.beat(at(600), &[Some(2), None, None]);
        let hang = (610..2000).step_by(20).find_map(|now| pulse.hung(at(now)));
        assert_eq!(hang.map(|hang| hang.what), Some("process"));
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
