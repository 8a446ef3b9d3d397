//! The worker's signals. In: what the kernel delivers. Out: what is asked for.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use super::parts::dumps::Dump;
use crate::signals;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To read the configuration again.
    Reload,
    /// To stop, by the signal of this name.
    Stop(&'static str),
    /// To write down how things stand.
    Dump(Dump),
}

/// The signals that the worker takes.
pub(super) struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
    usr1: tokio::signal::unix::Signal,
    usr2: tokio::signal::unix::Signal,
    json: tokio::signal::unix::Signal,
    clear_stats: tokio::signal::unix::Signal,
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
            json: signal(SignalKind::from_raw(signals::json()))?,
            clear_stats: signal(SignalKind::from_raw(signals::clear_stats()))?,
        };
        signals::taken().thread_unblock()?;
        Ok(all)
    }

    /// What is asked for next.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.term.recv() => Asked::Stop("SIGTERM"),
            _ = self.int.recv() => Asked::Stop("SIGINT"),
            _ = self.hup.recv() => Asked::Reload,
            _ = self.usr1.recv() => Asked::Dump(Dump::Data),
            _ = self.usr2.recv() => Asked::Dump(Dump::Stats),
            _ = self.json.recv() => Asked::Dump(Dump::Json),
            _ = self.clear_stats.recv() => Asked::Dump(Dump::ClearStats),
        }
    }
}
