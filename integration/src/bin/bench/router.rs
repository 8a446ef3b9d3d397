//! A router of either make, and a machine that is kept busy.

use std::{
    path::{Path, PathBuf},
    thread,
};

use anyhow::Result;
use integration::{Host, Process, background::Background, keepalived::Keepalived, keepwatchd::Keepwatchd};

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

    /// Starts it, for virtual servers only; ours keeps its table to itself where the kernel has none.
    pub(crate) fn start_checking(&self, host: &Host, config: &str) -> Result<Running> {
        Ok(match self {
            Self::Keepwatchd => {
                let plane = if has_ipvs(host)? { "ipvs" } else { "memory" };
                let flags = ["--check", "--no-syslog", "--dataplane", plane];
                Running::Keepwatchd(Keepwatchd::on(host).config(config).flags(&flags).start()?)
            }
            Self::Keepalived(program) => Running::Keepalived(Keepalived::start_checking_program(
                program,
                host,
                config,
                &["--no-syslog"],
            )?),
        })
    }
}

/// The kernel's table of virtual servers: of the namespace that the thread is in, which `/proc/net` is not.
pub(crate) const TABLE: &str = "/proc/thread-self/net/ip_vs";

/// Whether the kernel has IPVS, loaded.
pub(crate) fn has_ipvs(host: &Host) -> Result<bool> {
    host.inside(|| Ok(Path::new(TABLE).exists()))
}

impl Running {
    /// Its first process.
    pub(crate) fn process(&self) -> &Process {
        match self {
            Self::Keepwatchd(daemon) => daemon.process(),
            Self::Keepalived(daemon) => daemon.process(),
        }
    }

    /// Reloads it with this configuration; does not wait.
    pub(crate) fn reload(&self, config: &str) -> Result<()> {
        match self {
            Self::Keepwatchd(daemon) => daemon.reload(config),
            Self::Keepalived(daemon) => daemon.reload(config),
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

/// Keeps every core busy twice over until it is dropped; for nothing, if not `wanted`.
pub(crate) fn busy(wanted: bool) -> Result<Vec<Background>> {
    let count = if wanted { 2 * thread::available_parallelism().map_or(1, usize::from) } else { 0 };
    let spin = || {
        Background::start("busy", |end| {
            while !end.is_near() {
                std::hint::spin_loop();
            }
        })
    };
    (0..count).map(|_| spin()).collect()
}
