//! How late this machine is by itself: a thread that only sleeps, and how much longer than asked it once slept.
//! What a test measures of a daemon can't be better than this.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::background::Background;

const BEAT: Duration = Duration::from_millis(10);

/// Measures until it is dropped.
pub struct Metronome {
    worst: Arc<AtomicU64>,
    _thread: Background,
}

impl Metronome {
    /// Starts to measure.
    pub fn start() -> Result<Self> {
        let worst = Arc::new(AtomicU64::new(0));
        let out = Arc::clone(&worst);
        let thread = Background::start("metronome", move |end| {
            while !end.is_near() {
                let began = Instant::now();
                thread::sleep(BEAT);
                let late = began.elapsed().saturating_sub(BEAT).as_nanos();
                out.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        })?;
        Ok(Self { worst, _thread: thread })
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst.load(Ordering::Relaxed))
    }
}
