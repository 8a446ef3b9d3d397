//! The worker's word to its supervisor: beats, and what it is about. In: counters that the loops raise as they go
//! round. Out: lines on the socket to it. A thread of its own, so that it tells of a runtime that
//! stands still; if it stands still itself, that tells too.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, raise};

use crate::supervisor::line::{GO, LOOPS, PidFiles, Report};
use crate::supervisor::pulse::Pace;

/// How often the runtime beats. Several times within [`crate::supervisor::pulse::HUNG_AFTER_ASIDE`].
const RUNTIME_EVERY: Duration = Duration::from_secs(1);
/// The name of the thread that speaks with the supervisor.
pub(crate) const THREAD: &str = "pulse";

/// The line to the supervisor; cheap to clone. What is said goes out in order, and nobody waits for it.
#[derive(Clone)]
pub(super) struct ToSupervisor(Sender<Report>);

/// The end of the line that speaks: see [`Line::beat`].
pub(super) struct Line {
    socket: UnixStream,
    reports: Receiver<Report>,
}

/// A line over the socket that the supervisor handed in.
pub(super) fn line(socket: UnixStream) -> (ToSupervisor, Line) {
    let (sender, reports) = channel();
    (ToSupervisor(sender), Line { socket, reports })
}

impl ToSupervisor {
    /// Says it.
    pub(super) fn say(&self, report: Report) {
        // An error means that the supervisor is gone: the thread has seen to that.
        let _ = self.0.send(report);
    }
}

impl Line {
    /// Says something before anything runs that could be told of.
    pub(super) fn say_early(&mut self, reports: impl IntoIterator<Item = Report>) {
        let text: String = reports.into_iter().map(|report| format!("{report}\n")).collect();
        // An error is found when the line is used for what it is there for.
        let _ = self.socket.write_all(text.as_bytes());
    }

    /// Has the supervisor take the pid files, and waits until it has; false if it could not, and has said why.
    pub(super) fn may_begin(&mut self, files: PidFiles) -> bool {
        self.say_early([Report::PidFiles(files)]);
        let mut answer = [0];
        matches!(self.socket.read(&mut answer), Ok(1)) && answer == [GO]
    }

    /// Starts to tell what is said, and how often each loop went round; `None` for one that does not run.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn beat(self, loops: [Option<Arc<AtomicU64>>; LOOPS.len()]) -> io::Result<()> {
        std::thread::Builder::new().name(THREAD.into()).spawn(move || {
            if self.speak(&loops).is_err() {
                // Without a supervisor nobody would restart us, nor take the pid files away: stop cleanly.
                let _ = raise_to_process();
            }
        })?;
        Ok(())
    }

    /// Speaks until nobody listens any more. A supervisor that does not read makes this thread wait, and no other.
    fn speak(mut self, loops: &[Option<Arc<AtomicU64>>; LOOPS.len()]) -> io::Result<()> {
        let count = |count: &Option<Arc<AtomicU64>>| Some(count.as_ref()?.load(Ordering::Relaxed));
        let beat = || Report::Beat(loops.each_ref().map(count));
        let mut pace = Pace::of(None);
        let mut next = Instant::now();
        loop {
            // However much there is to tell, beats are due.
            let report = if Instant::now() < next {
                match self.reports.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(report) => report,
                    Err(RecvTimeoutError::Timeout) => continue,
                    // The worker ends.
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            } else {
                next = Instant::now() + pace.looks_every();
                beat()
            };
            let mut text = format!("{report}\n");
            if let Report::Patience(patience) = report {
                // Whoever hears this expects beats as often as that: the first comes with it.
                pace = Pace::of(patience);
                next = Instant::now() + pace.looks_every();
                text += &format!("{}\n", beat());
            }
            self.socket.write_all(text.as_bytes())?;
        }
    }
}

/// A signal to the whole process, not to this thread only.
fn raise_to_process() -> nix::Result<()> {
    nix::sys::signal::kill(nix::unistd::getpid(), Signal::SIGTERM).or_else(|_| raise(Signal::SIGTERM))
}

/// Raises a counter once a second for as long as the runtime takes care of its tasks.
pub(super) async fn runtime_beat(count: Arc<AtomicU64>) {
    let mut tick = tokio::time::interval(RUNTIME_EVERY);
    loop {
        tick.tick().await;
        count.fetch_add(1, Ordering::Relaxed);
    }
}
