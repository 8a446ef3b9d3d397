//! Where log lines go: the console, syslog, a file. In: rendered lines with their level. Out: bytes in the sinks.
//!
//! Lines are renderings of events; nobody writes one anywhere else. Each sink has a thread and a bounded queue of its
//! own ([`queue`]), so that a terminal that stands still, a syslog daemon that hangs or a full disk delays nothing
//! but itself; it is told how many lines it lost. The supervisor, which has no threads, writes to the same sinks
//! directly ([`sink::Sinks::now`]), without waiting.

pub mod queue;
pub mod sink;

use std::path::PathBuf;

use crate::cli::{Cli, Facility};

/// Where to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// To standard error.
    pub console: bool,
    /// To syslog, with this facility.
    pub syslog: Option<Facility>,
    /// To a file.
    pub file: Option<PathBuf>,
    /// Lines of level debug too.
    pub detail: bool,
}

impl LogSettings {
    /// What the command line asks for. As in keepalived, the console counts only in the foreground.
    pub fn of(cli: &Cli) -> Self {
        Self {
            console: cli.log_console && cli.dont_fork,
            syslog: (!cli.no_syslog).then_some(cli.log_facility),
            file: cli.log_file.clone(),
            detail: cli.log_detail > 0,
        }
    }
}

/// How much a line matters, as syslog's severity (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something failed.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// Something changed that an operator wants to know.
    Notice = 5,
    /// Everything else.
    Info = 6,
    /// For `--log-detail`.
    Debug = 7,
}
