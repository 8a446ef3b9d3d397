//! A router of either make, and a machine that is kept busy.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::Result;
use integration::{Host, Process, keepalived::Keepalived, keepwatchd::Keepwatchd};

/// Which daemon is measured.
#[derive(Debug, Clone)]
pub(crate) enum Router {
    /// Ours.
    Keepwatchd,
    /// The reference, by its path.
    Keepalived(PathBuf),
}

/// A daemon that runs.
pub(crate) enum Running {
    /// Ours.
    Keepwatchd(Keepwatchd),
    /// The reference.
    Keepalived(Keepalived),
}

impl Router {
    /// What it is called in the report.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Keepwatchd => "keepwatchd",
            Self::Keepalived(_) => "keepalived",
        }
    }

    /// Starts it, for VRRP only.
    pub(crate) fn start(&self, host: &Host, config: &str) -> Result<Running> {
        Ok(match self {
            Self::Keepwatchd => Running::Keepwatchd(
                Keepwatchd::on(host).config(config).flags(&["--vrrp", "--no-syslog"]).start()?,
            ),
            Self::Keepalived(program) => {
                Running::Keepalived(Keepalived::start_program(program, host, config, &["--no-syslog"])?)
            }
        })
    }
}

impl Running {
    /// Its first process.
    pub(crate) fn process(&self) -> &Process {
        match self {
            Self::Keepwatchd(daemon) => daemon.process(),
            Self::Keepalived(daemon) => daemon.process(),
        }
    }

    /// Its first process, to kill it.
    pub(crate) fn process_mut(&mut self) -> &mut Process {
        match self {
            Self::Keepwatchd(daemon) => daemon.process_mut(),
            Self::Keepalived(daemon) => daemon.process_mut(),
        }
    }
}

/// Keeps every core busy twice over until it is dropped.
pub(crate) struct Busy {
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    /// Starts to, if `wanted`.
    pub(crate) fn start(wanted: bool) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let count = if wanted { 2 * thread::available_parallelism().map_or(1, usize::from) } else { 0 };
        let spin = |end: Arc<AtomicBool>| {
            thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..count).map(|_| spin(Arc::clone(&ending))).collect();
        Self { ending, threads }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
