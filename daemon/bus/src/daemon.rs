//! The daemon as a whole: its life, its configuration, its history file, its parts.

use std::fmt::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_model::Severity;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::configured::Process;
use crate::event::EventId;
use crate::line::{Level, Written};
use crate::subject::Name;
use crate::world::{Change, World};

/// What happens to the daemon as a whole: its life, its configuration, its history file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DaemonFact {
    /// A worker began; what the world held before it is gone.
    DaemonStarted {
        /// The process and `global_defs`.
        settings: Box<Process>,
    },
    /// A clean stop began.
    DaemonStopping {
        /// What asked for it: `SIGTERM`, `SIGINT`, …
        reason: String,
    },
    /// The supervisor found the last worker dead or hung, and started this one.
    WorkerRestarted {
        /// How it ended: exit status, signal, or which loop stopped beating.
        reason: String,
        /// How often that has happened since the last clean start, as far as the history says; 0 where nobody counted.
        #[serde(default, skip_serializing_if = "is_uncounted")]
        count: u32,
    },
    /// A configuration came into force.
    ConfigLoaded {
        /// Its file.
        file: String,
        /// The process and `global_defs` from now on.
        settings: Box<Process>,
        /// Virtual routers in it.
        instances: u32,
        /// Virtual servers in it.
        virtual_servers: u32,
        /// Real servers in it.
        real_servers: u32,
        /// False for the first one, true for a reload.
        reload: bool,
        /// What a reload changed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<ConfigChange>,
    },
    /// A reload was refused; the old configuration stays in force.
    ConfigRejected {
        /// The file.
        file: String,
        /// Errors found.
        errors: u32,
        /// The first of them, on one line: place and message.
        first: String,
    },
    /// A configuration that came into force has a mistake, or something worth knowing.
    ConfigDiagnosed {
        /// How bad it is.
        severity: Severity,
        /// Stable name of the kind of diagnostic: `unknown-keyword`.
        code: String,
        /// Where: `file:line:column`; empty where it is about the whole.
        place: String,
        /// What, on one line.
        message: String,
    },
    /// The history file could not be written; events are kept in memory only.
    HistoryFailed {
        /// The file.
        file: String,
        /// What the system said.
        error: String,
    },
    /// The history file can be written again.
    HistoryRecovered {
        /// The file.
        file: String,
        /// Events that did not reach it meanwhile.
        lost: u64,
    },
    /// The history file has lines that can't be read: of a version that told facts otherwise, or cut short. All others
    /// were read.
    HistoryPassedOver {
        /// The file.
        file: String,
        /// How many lines.
        lines: u64,
    },
    /// All that acts has stopped: virtual routers, checkers, virtual servers. What watches tells of it, and then ends.
    DaemonStopped {
        /// How long the stop took.
        took: Duration,
    },
    /// A part that the virtual routers do not depend on stands still: the worker goes on without it.
    PartHung {
        /// Which one, of [`crate::beat::PARTS`].
        part: Name,
        /// What it is doing: `read`, or that it does not go round.
        doing: String,
        /// Since when.
        since: Timestamp,
    },
    /// An operator changed how much is logged.
    LogLevelsSet {
        /// What is logged from now on: `vrrp=debug`.
        levels: String,
    },
    /// That part moves again.
    PartMoves {
        /// Which one.
        part: Name,
        /// For how long it stood still.
        stood: Duration,
    },
    /// `reload_time_file` says when the next reload is to be.
    ReloadScheduled {
        /// The file.
        file: String,
        /// When.
        when: Timestamp,
    },
    /// `reload_time_file` is gone, or says nothing any more.
    ReloadUnscheduled {
        /// The file.
        file: String,
    },
    /// `reload_time_file` says no time to come.
    ReloadTimeRefused {
        /// The file.
        file: String,
        /// Why.
        error: String,
    },
    /// A file was written that a signal asked for.
    DumpWritten {
        /// What is in it.
        dump: DumpKind,
        /// The file.
        file: String,
        /// The process whose state it is.
        pid: u32,
    },
    /// A file that a signal asked for could not be written.
    DumpFailed {
        /// What was to be in it.
        dump: DumpKind,
        /// The file.
        file: String,
        /// What the system said.
        error: String,
    },
}

/// A block of the configuration that a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// In which way.
    pub change: BlockChange,
    /// Its keyword and its name: `vrrp_instance VI_1`.
    pub block: String,
}

/// In which way a block of the configuration is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
}

impl fmt::Display for BlockChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        })
    }
}

/// What a file tells of that a signal asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpKind {
    /// Virtual routers and what they follow.
    Vrrp,
    /// Virtual servers and checkers.
    Checkers,
    /// BFD sessions.
    Bfd,
    /// `global_defs`.
    Parent,
    /// What virtual routers counted.
    Stats,
    /// The same, and from then on it counts from zero.
    StatsCleared,
    /// Virtual routers for programs.
    Json,
}

impl fmt::Display for DumpKind {
    /// In keepalived's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vrrp => "Printing VRRP data",
            Self::Checkers => "Printing checker data",
            Self::Bfd => "Printing BFD data",
            Self::Parent => "Printing parent data",
            Self::Stats => "Printing VRRP stats",
            Self::StatsCleared => "Printing and clearing VRRP stats",
            Self::Json => "Printing VRRP as json",
        })
    }
}

pub(crate) fn is_uncounted(count: &u32) -> bool {
    *count == 0
}

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigState {
    /// 1 for the first, one more with each reload.
    pub generation: u64,
    /// When it came into force.
    pub loaded_at: Option<Timestamp>,
    /// The last reload that was refused since: first error.
    pub rejected: Option<String>,
    /// When the first of the reloads that were refused since was.
    #[serde(default)]
    pub rejected_since: Option<Change>,
    /// What is wrong with the configuration in force, or has no effect: the first [`ConfigState::MOST_DIAGNOSED`] of them.
    #[serde(default)]
    pub diagnosed: Vec<Diagnosed>,
}

impl ConfigState {
    /// So many diagnostics are kept.
    pub const MOST_DIAGNOSED: usize = 100;
}

/// Something about the configuration in force that is wrong, or has no effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosed {
    /// Stable name of the kind of diagnostic: `unknown-keyword`.
    pub code: String,
    /// Where: `file:line:column`; empty where it is about the whole.
    pub place: String,
    /// What, on one line.
    pub message: String,
    /// When that was told.
    pub changed: Change,
}

impl fmt::Display for Diagnosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.place.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.place, self.message)
    }
}

/// Workers that died or hung.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restarts {
    /// How many, since the last clean start.
    pub count: u32,
    /// How the last one ended.
    pub reason: String,
    /// When that was told.
    pub changed: Change,
}

/// A part that stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hung {
    /// What it is doing.
    pub doing: String,
    /// Since when.
    pub since: Timestamp,
    /// The event that told of it.
    #[serde(default)]
    pub event: Option<EventId>,
}

/// Whether what was said of the configuration goes on being wrong for as long as it is in force: a mistake, or something
/// that does not act. An interface that was not there may have come since, a file that could not be used may have been
/// mended (`web-config`: it is read again by itself, and that is not told), and what is merely old works. A tracked script
/// that can't be run is left out until the next reload, whatever becomes of its file.
fn lasts(severity: Severity, code: &str) -> bool {
    match severity {
        Severity::Error => !matches!(code, "no-such-interface" | "no-such-address" | "web-config"),
        Severity::Warning => matches!(
            code,
            "no-effect"
                | "only-at-start"
                | "not-in-force"
                | "script-insecure"
                | "script-not-found"
                | "script-not-executable"
                | "unknown-user"
        ),
        Severity::Note => false,
    }
}

impl DaemonFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            // The world begins anew: `World::apply` does that.
            Self::DaemonStarted { .. } => {}
            Self::DaemonStopping { .. } => w.stopping = true,
            Self::ConfigLoaded { settings, .. } => {
                w.settings = (**settings).clone();
                w.config.generation += 1;
                w.config.loaded_at = Some(change.at);
                (w.config.rejected, w.config.rejected_since) = (None, None);
                w.config.diagnosed.clear();
            }
            Self::ConfigRejected { first, .. } => {
                w.config.rejected = Some(first.clone());
                w.config.rejected_since.get_or_insert(change);
            }
            Self::ConfigDiagnosed { severity, code, place, message } => {
                if lasts(*severity, code) && w.config.diagnosed.len() < ConfigState::MOST_DIAGNOSED {
                    let (code, place, message) = (code.clone(), place.clone(), message.clone());
                    w.config.diagnosed.push(Diagnosed { code, place, message, changed: change });
                }
            }
            Self::WorkerRestarted { reason, count } => {
                let (count, reason) = ((*count).max(1), reason.clone());
                w.restarts = Some(Restarts { count, reason, changed: change });
            }
            Self::HistoryFailed { file, error } => {
                w.history_error = Some(format!("{file}: {error}"));
                w.history_failed.get_or_insert(change);
            }
            Self::HistoryRecovered { .. } => (w.history_error, w.history_failed) = (None, None),
            Self::PartHung { part, doing, since } => {
                let hung = Hung { doing: doing.clone(), since: *since, event: Some(change.event) };
                w.hung.insert(part.clone(), hung);
            }
            Self::PartMoves { part, .. } => {
                w.hung.shift_remove(part);
            }
            Self::HistoryPassedOver { .. }
            | Self::ReloadScheduled { .. }
            | Self::ReloadUnscheduled { .. }
            | Self::ReloadTimeRefused { .. }
            | Self::LogLevelsSet { .. }
            | Self::DumpWritten { .. }
            | Self::DumpFailed { .. }
            | Self::DaemonStopped { .. } => {}
        }
    }

    /// Writes its line.
    pub(crate) fn line(&self, out: &mut String) -> Written {
        match self {
            Self::DaemonStarted { settings: s } => (
                Level::Info,
                write!(out, "Starting keepwatch {} as {}, process {}", s.version, s.global.router_id, s.pid),
            ),
            Self::DaemonStopping { reason } => (Level::Info, write!(out, "Stopping ({reason})")),
            Self::DaemonStopped { took } => {
                (Level::Info, write!(out, "Stopped in {:.3} s", took.as_secs_f64()))
            }
            Self::WorkerRestarted { reason, count: 0 | 1 } => {
                (Level::Error, write!(out, "Worker restarted: {reason}"))
            }
            Self::WorkerRestarted { reason, count } => {
                (Level::Error, write!(out, "Worker restarted for the {count}. time: {reason}"))
            }
            Self::ConfigLoaded { file, instances, virtual_servers, real_servers, reload, .. } => (
                Level::Info,
                write!(
                    out,
                    "{} {file}: {instances} VRRP instances, {virtual_servers} virtual servers, {real_servers} real servers",
                    if *reload { "Reloaded" } else { "Configuration" }
                ),
            ),
            Self::ConfigRejected { file, errors, first } => (
                Level::Error,
                write!(
                    out,
                    "Reload of {file} refused, the running configuration stays ({errors} errors): {first}"
                ),
            ),
            Self::ConfigDiagnosed { severity, code, place, message } => {
                let (level, name) = match severity {
                    Severity::Note => (Level::Info, "note"),
                    Severity::Warning => (Level::Warning, "warning"),
                    Severity::Error => (Level::Error, "error"),
                };
                let colon = if place.is_empty() { "" } else { ": " };
                (level, write!(out, "{place}{colon}{name}: {message} [{code}]"))
            }
            Self::HistoryFailed { file, error } => {
                (Level::Warning, write!(out, "History file {file} can't be written: {error}"))
            }
            Self::HistoryRecovered { file, lost } => (
                Level::Info,
                write!(out, "History file {file} is written again; {lost} events are missing in it"),
            ),
            Self::HistoryPassedOver { file, lines } => (
                Level::Warning,
                write!(
                    out,
                    "History file {file}: {lines} lines are of another version or cut short, and are passed over; the \
                     others are kept"
                ),
            ),
            Self::ReloadScheduled { file, when } => {
                (Level::Info, write!(out, "Reload scheduled for {when} ({file})"))
            }
            Self::ReloadUnscheduled { file } => {
                (Level::Info, write!(out, "Scheduled reload cancelled ({file})"))
            }
            Self::ReloadTimeRefused { file, error } => {
                (Level::Warning, write!(out, "Reload time in {file} ignored: {error}"))
            }
            Self::LogLevelsSet { levels } => (Level::Info, write!(out, "Log levels: {levels}")),
            Self::DumpWritten { dump, file, pid } => {
                (Level::Info, write!(out, "{dump} for process({pid}) on signal: {file}"))
            }
            Self::DumpFailed { dump, file, error } => {
                (Level::Error, write!(out, "{dump}: {file} can't be written: {error}"))
            }
            Self::PartHung { part, doing, since } => {
                (Level::Error, write!(out, "{part} hangs since {since:.3}: {doing}"))
            }
            Self::PartMoves { part, stood } => {
                (Level::Warning, write!(out, "{part} moves again, after {:.1} s", stood.as_secs_f64()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_a_warning_left_out_is_trouble_until_the_next_reload() {
        let told = |severity, code: &str| {
            let (code, place, message) = (code.to_owned(), "a.conf:6:9".to_owned(), "oh".to_owned());
            let mut world = World::default();
            world.apply(&sample::event(
                1,
                None,
                DaemonFact::ConfigDiagnosed { severity, code, place, message },
            ));
            world.trouble().len()
        };
        for code in ["script-insecure", "script-not-found", "script-not-executable", "unknown-user"] {
            assert_eq!(told(Severity::Warning, code), 1, "{code}");
        }
        assert_eq!(told(Severity::Warning, "script-security"), 0, "it acts as it is written");
    }
}
