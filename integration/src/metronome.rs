//! How late this machine is by itself: a thread that only sleeps, and how much longer than asked it once slept.
//! What a test measures of a daemon can't be better than this.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Result;

const BEAT: Duration = Duration::from_millis(10);

/// Measures until it is dropped.
pub struct Metronome {
    worst: Arc<AtomicU64>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Metronome {
    /// Starts to measure.
    pub fn start() -> Result<Self> {
        let worst = Arc::new(AtomicU64::new(0));
        let ending = Arc::new(AtomicBool::new(false));
        let (out, end) = (Arc::clone(&worst), Arc::clone(&ending));
        let thread = thread::Builder::new().name("metronome".into()).spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let began = Instant::now();
                thread::sleep(BEAT);
                let late = began.elapsed().saturating_sub(BEAT).as_nanos();
                out.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        })?;
        Ok(Self { worst, ending, thread: Some(thread) })
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst.load(Ordering::Relaxed))
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
