//! How late this machine is by itself: on each processor a thread that only sleeps, and how much longer than asked one of
//! them once slept. What a test measures of a daemon can't be better than this.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::background::Background;

const BEAT: Duration = Duration::from_millis(10);
/// The calling thread, to the kernel.
const MYSELF: Pid = Pid::from_raw(0);

/// Measures until it is dropped.
pub struct Metronome {
    worst: Arc<AtomicU64>,
    _threads: Vec<Background>,
}

impl Metronome {
    /// Starts to measure.
    pub fn start() -> Result<Self> {
        let worst = Arc::new(AtomicU64::new(0));
        let allowed = sched_getaffinity(MYSELF).context("which processors there are")?;
        let there = (0..CpuSet::count()).filter(|&number| allowed.is_set(number).unwrap_or(false));
        let threads = there.map(|number| beat_on(number, Arc::clone(&worst))).collect::<Result<_>>()?;
        Ok(Self { worst, _threads: threads })
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst.load(Ordering::Relaxed))
    }

    /// What the machine may have added so far to a time that a test measures: what is measured goes through some threads of
    /// some processes, and each may be as late as the worst.
    pub fn allowance(&self) -> Duration {
        3 * self.worst()
    }
}

/// A thread that stays on this processor.
fn beat_on(processor: usize, worst: Arc<AtomicU64>) -> Result<Background> {
    Background::start("metronome", move |end| {
        let mut only = CpuSet::new();
        // Where it may not choose, it measures all the same.
        let _ = only.set(processor).and_then(|()| sched_setaffinity(MYSELF, &only));
        while !end.is_near() {
            let began = Instant::now();
            thread::sleep(BEAT);
            let late = began.elapsed().saturating_sub(BEAT).as_nanos();
            worst.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    })
}
