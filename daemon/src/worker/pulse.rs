//! The worker's word to its supervisor: beats, and what it is about. In: counters that the loops raise as they go
//! round. Out: lines on the socket that is standard input. A thread of its own, so that it tells of a runtime that
//! stands still; if it stands still itself, that tells too.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};

use crate::supervisor::line::{LOOPS, Report};

/// How often the beats are told. Several times within [`crate::supervisor::pulse::HUNG_AFTER`].
const EVERY: Duration = Duration::from_secs(1);

/// The line to the supervisor; cheap to clone.
#[derive(Clone)]
pub struct ToSupervisor(Arc<UnixStream>);

impl ToSupervisor {
    /// Over the socket that the supervisor handed in.
    ///
    /// # Errors
    /// When the socket can't be set up.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self(Arc::new(socket)))
    }

    /// Says it. A supervisor that does not read for a long time misses reports; that is its affair.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn say(&self, report: &Report) -> io::Result<()> {
        match (&*self.0).write_all(format!("{report}\n").as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            said => said,
        }
    }

    /// Starts to tell how often each loop went round; `None` for one that does not run.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn beat(self, loops: [Option<Arc<AtomicU64>>; LOOPS.len()]) -> io::Result<()> {
        let thread = std::thread::Builder::new().name("pulse".into());
        thread.spawn(move || {
            loop {
                let counts = loops.each_ref().map(|count| count.as_ref().map(|c| c.load(Ordering::Relaxed)));
                if self.say(&Report::Beat(counts)).is_err() {
                    // Without a supervisor nobody would restart us, nor take the pid files away: stop cleanly.
                    let _ = raise_to_process();
                    return;
                }
                std::thread::sleep(EVERY);
            }
        })?;
        Ok(())
    }
}

/// A signal to the whole process, not to this thread only.
fn raise_to_process() -> nix::Result<()> {
    nix::sys::signal::kill(nix::unistd::getpid(), Signal::SIGTERM).or_else(|_| raise(Signal::SIGTERM))
}

/// Raises a counter once a second for as long as the runtime takes care of its tasks.
pub async fn runtime_beat(count: Arc<AtomicU64>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        count.fetch_add(1, Ordering::Relaxed);
    }
}
