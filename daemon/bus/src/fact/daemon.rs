//! What happens to the daemon as a whole: its life, its configuration, its history file.

use std::time::Duration;

use jiff::Timestamp;
use keepwatch_model::Severity;
use serde::{Deserialize, Serialize};

use crate::settings::DaemonSettings;
use crate::subject::Name;

/// What happens to the daemon as a whole: its life, its configuration, its history file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DaemonFact {
    /// A worker began; what the world held before it is gone.
    DaemonStarted {
        /// Settings of the process and of `global_defs`.
        settings: Box<DaemonSettings>,
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
    },
    /// A configuration came into force.
    ConfigLoaded {
        /// Its file.
        file: String,
        /// Settings of `global_defs` from now on.
        settings: Box<DaemonSettings>,
        /// Virtual routers in it.
        instances: u32,
        /// Virtual servers in it.
        virtual_servers: u32,
        /// Real servers in it.
        real_servers: u32,
        /// False for the first one, true for a reload.
        reload: bool,
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
    /// A part that the virtual routers do not depend on stands still: the worker goes on without it.
    PartHung {
        /// Which one, of [`crate::beat::PARTS`].
        part: Name,
        /// What it is doing: `read`, or that it does not go round.
        doing: String,
        /// Since when.
        since: Timestamp,
    },
    /// That part moves again.
    PartMoves {
        /// Which one.
        part: Name,
        /// For how long it stood still.
        stood: Duration,
    },
}
