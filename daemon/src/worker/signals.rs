//! The worker's signals. In: what the kernel delivers. Out: what is asked for.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::signals;

/// What a signal asks for.
pub(super) enum Asked {
    /// To read the configuration again.
    Reload,
    /// To stop, by the signal of this name.
    Stop(&'static str),
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
    /// Takes them over, and lets those through that were held back since the process began. Other threads go on holding
    /// them back: only the one that calls this is ever interrupted.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn take() -> io::Result<Self> {
        let all = Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
        };
        signals::taken().thread_unblock()?;
        Ok(all)
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
