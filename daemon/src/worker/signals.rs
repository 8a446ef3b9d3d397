//! The worker's signals. In: what the kernel delivers. Out: what is asked for.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use tokio::signal::unix::{SignalKind, signal};

/// What a signal asks for.
pub(super) enum Asked {
    /// To read the configuration again.
    Reload,
    /// To stop, by the signal of this name.
    Stop(&'static str),
}

/// Holds all our signals back until [`Signals::take`]; to be called before there are other threads, which go on
/// holding them back: only the main thread is ever interrupted.
///
/// # Errors
/// What the system said.
pub(super) fn held() -> nix::Result<SigSet> {
    let mut held = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
        held.add(signal);
    }
    held.thread_block()?;
    Ok(held)
}

/// The signals that the worker takes.
pub(super) struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
    // keepalived's dumps. Held so that they end nobody.
    usr1: tokio::signal::unix::Signal,
    usr2: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes them over, and lets those through that were held back.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn take(held: &SigSet) -> io::Result<Self> {
        let signals = Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        };
        held.thread_unblock()?;
        Ok(signals)
    }

    /// What is asked for next.
    pub(super) async fn next(&mut self) -> Asked {
        loop {
            tokio::select! {
                _ = self.term.recv() => return Asked::Stop("SIGTERM"),
                _ = self.int.recv() => return Asked::Stop("SIGINT"),
                _ = self.hup.recv() => return Asked::Reload,
                _ = self.usr1.recv() => {}
                _ = self.usr2.recv() => {}
            }
        }
    }
}
