//! How late this machine is by itself: on each processor a thread that only sleeps, and how much longer than asked one of
//! them once slept. What a test measures of a daemon can't be better than this.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::background::Background;
use crate::capture;

const BEAT: Duration = Duration::from_millis(10);
/// Less is not worth a note.
const LATE: Duration = Duration::from_millis(1);
/// The calling thread, to the kernel.
const MYSELF: Pid = Pid::from_raw(0);

/// When a thread woke up late (since the epoch, as captures count it), and how late.
type Late = Arc<Mutex<Vec<(Duration, Duration)>>>;

/// Measures until it is dropped.
pub struct Metronome {
    late: Late,
    _threads: Vec<Background>,
}

impl Metronome {
    /// Starts to measure.
    pub fn start() -> Result<Self> {
        let late = Late::default();
        let allowed = sched_getaffinity(MYSELF).context("which processors there are")?;
        let there = (0..CpuSet::count()).filter(|&number| allowed.is_set(number).unwrap_or(false));
        let threads = there.map(|number| beat_on(number, Arc::clone(&late))).collect::<Result<_>>()?;
        Ok(Self { late, _threads: threads })
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        self.worst_between(Duration::ZERO, Duration::MAX)
    }

    fn worst_between(&self, from: Duration, to: Duration) -> Duration {
        let times = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        // It was late until it woke up.
        let then = times.iter().filter(|(at, late)| *at >= from && at.saturating_sub(*late) <= to);
        then.map(|(_, late)| *late).max().unwrap_or(LATE)
    }

    /// What the machine may have added so far to a time that a test measures: what is measured goes through some threads of
    /// some processes, and each may be as late as the worst.
    pub fn allowance(&self) -> Duration {
        self.allowance_since(Duration::ZERO)
    }

    /// The same of what a test measures from `since` on ([`capture::now`]).
    pub fn allowance_since(&self, since: Duration) -> Duration {
        self.allowance_between(since, Duration::MAX)
    }

    /// The same of what began and ended at these times: what the machine is late at another time excuses nothing.
    pub fn allowance_between(&self, from: Duration, to: Duration) -> Duration {
        3 * self.worst_between(from, to)
    }
}

/// A thread that stays on this processor.
fn beat_on(processor: usize, times: Late) -> Result<Background> {
    Background::start("metronome", move |end| {
        let mut only = CpuSet::new();
        // Where it may not choose, it measures all the same.
        let _ = only.set(processor).and_then(|()| sched_setaffinity(MYSELF, &only));
        while !end.is_near() {
            let began = Instant::now();
            thread::sleep(BEAT);
            let late = began.elapsed().saturating_sub(BEAT);
            if late > LATE {
                times.lock().unwrap_or_else(PoisonError::into_inner).push((capture::now(), late));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_is_late_excuses_what_was_then_and_nothing_else() {
        let milliseconds = Duration::from_millis;
        let late = vec![(milliseconds(10_000), milliseconds(50)), (milliseconds(20_000), milliseconds(5))];
        let machine = Metronome { late: Arc::new(Mutex::new(late)), _threads: Vec::new() };
        for (from, to, allowance) in [
            // From 9.95 s to 10 s nothing ran.
            (9900, 9960, 150),
            (9960, 9970, 150),
            (10_000, 10_100, 150),
            (10_001, 19_990, 3),
            (10_001, 20_100, 15),
            (0, 9900, 3),
        ] {
            let of = machine.allowance_between(milliseconds(from), milliseconds(to));
            assert_eq!(of, milliseconds(allowance), "from {from} to {to}");
        }
        assert_eq!(machine.worst(), milliseconds(50));
    }
}
