//! A command from its start to its end: the handle that others hold, and the thread that does the work.

mod attend;
mod child;
mod drain;
mod dumpable;
mod group;
mod pool;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;
use nix::errno::Errno;

use self::attend::Control;
use crate::command::Command;
use crate::security::Flaw;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// In which way.
    pub end: End,
    /// How long it ran.
    pub took: Duration,
    /// The end of what it wrote to its output and its errors; empty if that was discarded.
    pub output: String,
}

/// The way in which a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By a signal of this number that was not ours.
    Killed(i32),
    /// Its limit was over, and it was ended with its process group.
    TimedOut,
    /// Somebody wanted it to end ([`Running::stop`]), and it was ended with its process group.
    Stopped,
}

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// There is nothing to run.
    #[error("the command is empty")]
    Empty,
    /// Its files are not there, can't be executed, or others could change them.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// A user that there is not.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// Nobody is named, and nobody stands in.
    #[error("there is no user `{user}`, and `script_user` names nobody (enable_script_security)", user = crate::DEFAULT_USER)]
    Nobody,
    /// A group that there is not.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// The name service does not answer.
    #[error("look up `{0}`: {1}")]
    LookUp(String, Errno),
    /// The system does not start it.
    #[error("{path}: {error}", path = .path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It was to end before it had begun.
    #[error("it was not wanted any more")]
    Stopped,
}

/// A command that runs. A future of its end; dropped before that, the command is made to end.
#[derive(Debug)]
pub struct Running {
    end: oneshot::Receiver<Result<Finished, NotRun>>,
    control: Arc<Control>,
    grace: Duration,
    ended: bool,
}

/// Commands of one kind that have been started and are not gone, whoever waits for them: whoever is about to end this
/// process can see whether those that it has stopped are gone. What a command leaves behind does not count.
#[derive(Debug, Default)]
pub struct Tally(AtomicUsize);

impl Tally {
    /// Nothing runs.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// How many run now.
    pub fn under_way(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts a command while it runs.
struct Counted(Option<&'static Tally>);

impl Counted {
    fn one(tally: Option<&'static Tally>) -> Self {
        if let Some(tally) = tally {
            tally.0.fetch_add(1, Ordering::Relaxed);
        }
        Self(tally)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(tally) = self.0 {
            tally.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Runs a command, beginning at once.
pub fn run(command: Command) -> Running {
    begin(command, None)
}

/// As [`run`], counted among its kind.
pub fn run_counted(command: Command, tally: &'static Tally) -> Running {
    begin(command, Some(tally))
}

fn begin(command: Command, tally: Option<&'static Tally>) -> Running {
    let grace = command.grace;
    let (sender, end) = oneshot::channel();
    let control = Arc::new(Control::new());
    let thread_control = Arc::clone(&control);
    let counted = Counted::one(tally);
    let work = move || attend::carry_out(&command, &thread_control, sender, counted);
    // Where there can be no thread, the sender is dropped, and the future says so.
    let _ = pool::execute(work);
    Running { end, control, grace, ended: false }
}

/// Ends a command from elsewhere than where it is waited for.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Control>);

impl Running {
    /// As [`Stopper::stop`].
    pub fn stop(&self, grace: Duration) {
        self.control.stop(grace);
    }

    /// To end it while somebody else waits for it.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.control))
    }
}

impl Stopper {
    /// Asks the command to end, and kills its process group when it has not within `grace`. The future then has its
    /// value as soon as it is gone; without effect on one that has ended.
    pub fn stop(&self, grace: Duration) {
        self.0.stop(grace);
    }
}

impl Future for Running {
    type Output = Result<Finished, NotRun>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let end = Pin::new(&mut self.end).poll(context);
        end.map(|end| {
            self.ended = true;
            end.unwrap_or_else(|_| {
                let error = io::Error::other("the system gives no thread for it");
                Err(NotRun::Start { path: PathBuf::new(), error })
            })
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.stop(self.grace);
        }
    }
}

#[cfg(test)]
mod tests;
