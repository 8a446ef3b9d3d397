//! When a session's next packet leaves: at random within what RFC 5880 §6.8.7 allows, at one of the moments at which all
//! sessions send, so that what is due of many of them leaves in one go. In: when the last one left, and how long it may
//! take. Out: a time. No clock of its own.
//!
//! ```text
//!              75 %                    100 %      of the interval, after the last packet
//!   ────────────┼───────────────────────┼────►
//!     │     │     │     │     │     │     │       moments, the same for all sessions: a power of two of
//!                 └──── one of these ─┘           nanoseconds, at most a sixteenth of the interval
//! ```
//! As each is a power of two, the moments of slow sessions are among those of fast ones.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// The moments are no further apart than this part of the interval: there are two at least in what is allowed.
const PART: u32 = 16;
/// Shorter ones than this nobody can ask for; it only has to be more than [`PART`] nanoseconds.
const SHORTEST: Duration = Duration::from_micros(1);

/// The rhythm of one session.
#[derive(Debug)]
pub struct Pace {
    origin: Instant,
    random: SmallRng,
}

impl Pace {
    /// One whose moments are counted from `origin`, which sessions share; its chance comes from `seed`.
    pub fn new(origin: Instant, seed: u64) -> Self {
        Self { origin, random: SmallRng::seed_from_u64(seed) }
    }

    /// When to send again, `interval` after `last` at the latest and a quarter of that earlier at the earliest; where none
    /// of its packets may be lost, a tenth earlier at the latest.
    pub fn next(&mut self, last: Instant, interval: Duration, none_may_be_lost: bool) -> Instant {
        let interval = interval.max(SHORTEST);
        let step = nanos(interval / PART);
        // The highest bit of it.
        let step = 1 << step.checked_ilog2().unwrap_or_default();
        let last = nanos(last.saturating_duration_since(self.origin));
        let most = if none_may_be_lost { interval * 9 / 10 } else { interval };
        let earliest = last.saturating_add(nanos(interval * 3 / 4)).div_ceil(step);
        let latest = last.saturating_add(nanos(most)) / step;
        let moment = self.random.random_range(earliest..=latest.max(earliest));
        self.origin + Duration::from_nanos(moment.saturating_mul(step))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_within_what_the_rfc_allows(
            micros in 1u64..5_000_000_000,
            since in 0u64..u64::MAX / 8,
            seed: u64,
            none_may_be_lost: bool,
        ) {
            let origin = Instant::now();
            let (interval, last) = (Duration::from_micros(micros), origin + Duration::from_nanos(since));
            let next = Pace::new(origin, seed).next(last, interval, none_may_be_lost);
            let gap = next - last;
            let most = if none_may_be_lost { interval * 9 / 10 } else { interval };
            prop_assert!(gap >= interval * 3 / 4 && gap <= most, "{gap:?} of {interval:?}");
        }
    }

    #[test]
    fn many_sessions_meet_at_few_moments_and_none_keeps_to_one() {
        let origin = Instant::now();
        let interval = Duration::from_millis(50);
        let mut moments = BTreeSet::new();
        for seed in 0..200 {
            let mut pace = Pace::new(origin, seed);
            let mut last = origin + Duration::from_micros(seed * 13);
            let mut gaps = BTreeSet::new();
            for _ in 0..20 {
                let next = pace.next(last, interval, false);
                gaps.insert((next - last).as_micros() / 100);
                moments.insert(next);
                last = next;
            }
            assert!(gaps.len() >= 4, "seed {seed}: {gaps:?}");
        }
        // 4000 packets in 1 s.
        assert!(moments.len() < 500, "{}", moments.len());
    }
}
