//! Advertisements that come one after the other: a master of many virtual routers sends them at once. Who woke up for each
//! would wake up a hundred times in a millisecond, and that is what hearing them costs. Goes in: when something was heard, and
//! when something is due. Comes out: how long to let more of them come.

use std::time::{Duration, Instant};

/// Turns that hear something within this are one burst.
const TOGETHER: Duration = Duration::from_millis(1);
/// How long more of them may come before they are heard: what they say takes effect so much later, in a burst only. The time
/// of each is that of its arrival.
const PAUSE: Duration = Duration::from_micros(200);
/// Nothing may be due within this: a pause ends late by the slack of timers, and by the time that waking takes.
const CLEAR: Duration = Duration::from_micros(600);

/// Whether we are in a burst.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// The last turn that heard something.
    last: Option<Instant>,
    /// The one before it was shortly before.
    on: bool,
}

impl Burst {
    /// A turn that began at `now` has heard something.
    pub(super) fn heard(&mut self, now: Instant) {
        let last = self.last.replace(now);
        self.on = last.is_some_and(|last| now.saturating_duration_since(last) <= TOGETHER);
    }

    /// How long to wait before the next turn, if the last one heard a part of a burst, and nothing is due meanwhile.
    pub(super) fn pause(&mut self, now: Instant, due: Option<Instant>) -> Option<Duration> {
        let clear = due.is_none_or(|due| due.saturating_duration_since(now) >= CLEAR);
        (std::mem::take(&mut self.on) && clear).then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_soon_is_waited_for_and_never_beyond_what_is_due() {
        let start = Instant::now();
        let at = |microseconds| start + Duration::from_micros(microseconds);
        let mut burst = Burst::default();
        let mut after = |heard: &[u64], due: Option<u64>| {
            heard.iter().for_each(|heard| burst.heard(at(*heard)));
            let now = heard.last().copied().unwrap_or_default();
            [burst.pause(at(now), due.map(at)), burst.pause(at(now), due.map(at))]
        };
        assert_eq!(after(&[0], None), [None, None], "a single one");
        assert_eq!(after(&[100], None), [Some(PAUSE), None], "once for each turn that heard something");
        assert_eq!(after(&[5_000], None), [None, None], "the burst is over");
        assert_eq!(after(&[5_100], Some(5_600)), [None, None], "something is due");
        assert_eq!(after(&[5_200], Some(5_800)), [Some(PAUSE), None]);
        assert_eq!(after(&[5_300], Some(5_000)), [None, None], "something is overdue");
    }
}
