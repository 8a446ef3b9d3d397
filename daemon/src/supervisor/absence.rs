//! When no worker looks after the virtual addresses: until when they may stay. Pure: in come the death of workers and
//! times, out comes when the addresses have to be off.
//!
//! A worker that died left its addresses in place on purpose, for the next one adopts them and no peer notices. But
//! when the next one is not there before a peer gives up on us, that peer becomes master, and the addresses would be on
//! both hosts.

use std::time::{Duration, Instant};

/// What a worker may take from its start to its first beat before it counts as one that does not come.
const STARTS_WITHIN: Duration = Duration::from_secs(2);

/// Nobody has looked after the addresses since some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    /// When the last worker that did was dead.
    since: Instant,
    /// When it last gave a sign of life: before that, if it hung.
    silent: Instant,
}

/// When somebody will be there again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another worker is started then.
    At(Instant),
    /// One was started then, and has not yet given a sign.
    Started(Instant),
}

impl Absence {
    /// A worker is dead at `now`, having given its last sign at `silent`.
    pub(super) fn begins(now: Instant, silent: Instant) -> Self {
        Self { since: now, silent }
    }

    /// When the addresses have to be off, if the next worker does not come before a peer has waited for `patience`
    /// (the shortest master-down time); `None` if it is expected in time.
    pub(super) fn off_at(self, next: Next, patience: Duration) -> Option<Instant> {
        let (expected, not_before) = match next {
            Next::At(at) => (at, self.since),
            Next::Started(at) => (at + STARTS_WITHIN, at + STARTS_WITHIN),
        };
        let late = expected.saturating_duration_since(self.since) > patience;
        late.then(|| (self.silent + patience).max(not_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn addresses_stay_over_a_short_wait_and_are_off_before_a_peer_takes_over() {
        let died = Instant::now();
        let absence = Absence::begins(died, died);
        // The wait until the next worker, and after what time the addresses have to be off.
        for (wait, off) in [(0.1, None), (2.9, None), (3.1, Some(3.0)), (12.8, Some(3.0))] {
            let next = Next::At(died + Duration::from_secs_f64(wait));
            let expected = off.map(|off| died + Duration::from_secs_f64(off));
            assert_eq!(absence.off_at(next, 3 * SECOND), expected, "{wait}");
        }
    }

    #[test]
    fn many_short_waits_are_one_long_one() {
        let died = Instant::now();
        let absence = Absence::begins(died, died);
        // Others came and died at once meanwhile.
        let now = died + 2 * SECOND;
        assert_eq!(absence.off_at(Next::At(now + SECOND / 2), 3 * SECOND), None);
        assert_eq!(absence.off_at(Next::At(now + 2 * SECOND), 3 * SECOND), Some(died + 3 * SECOND));
    }

    #[test]
    fn a_worker_that_hangs_at_its_start_does_not_count_as_one() {
        let died = Instant::now();
        let absence = Absence::begins(died, died);
        let started = died + SECOND / 10;
        assert_eq!(absence.off_at(Next::Started(started), 3 * SECOND), None);
        let late = died + 2 * SECOND;
        assert_eq!(absence.off_at(Next::Started(late), 3 * SECOND), Some(late + STARTS_WITHIN));
    }

    #[test]
    fn the_silence_of_one_that_hung_counts_where_the_wait_is_long() {
        let killed = Instant::now() + 10 * SECOND;
        let absence = Absence::begins(killed, killed - 2 * SECOND);
        assert_eq!(absence.off_at(Next::At(killed + SECOND / 10), 3 * SECOND), None);
        assert_eq!(absence.off_at(Next::At(killed + 4 * SECOND), 3 * SECOND), Some(killed + SECOND));
    }
}
