//! What an instance or a sync group tracks: scripts, files, processes, interfaces.

use std::time::Duration;

use serde::Serialize;

use super::{Name, Script};

/// A line of `track_interface`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TrackedInterface {
    /// The interface.
    pub interface: Name,
    /// −253 to 253; 0 means that the interface going down is a fault.
    pub weight: i32,
    /// `reverse`: the fault is the interface being up.
    pub reverse: bool,
}

/// A line of `track_script`, `track_file`, `track_process` or `track_bfd`: what, and how much it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TrackedObject {
    /// Name of the `vrrp_script`, `track_file`, `vrrp_track_process` or `bfd_instance`.
    pub name: Name,
    /// The weight written here, else the one of the definition; 0 means that failure is a fault.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// A `vrrp_script` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrackScript {
    /// Its name.
    pub name: Name,
    /// What runs.
    pub script: Script,
    /// Time between runs; 1 s unless given.
    pub interval: Duration,
    /// When a run counts as failed; `None` means the interval.
    pub timeout: Option<Duration>,
    /// Default weight, −253 to 253.
    pub weight: i32,
    /// `reverse` of the weight.
    pub reverse: bool,
    /// Successes in a row until it counts as up; 1 unless given.
    pub rise: u32,
    /// Failures in a row until it counts as down; 1 unless given.
    pub fall: u32,
    /// `init_fail`: assumed to be failing until the first run says otherwise.
    pub init_fail: bool,
}

/// A `track_file` block: the number in a file is a weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrackFile {
    /// Its name.
    pub name: Name,
    /// The file.
    pub file: Name,
    /// What the number is multiplied by, −254 to 254; 1 unless given.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
    /// `init_file`: value written at start; `(value, overwrite an existing file)`.
    pub init: Option<(i32, bool)>,
}

/// A `vrrp_track_process` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrackProcess {
    /// Its name.
    pub name: Name,
    /// Program, and the arguments that must match.
    pub process: Vec<Name>,
    /// `param_match`: how arguments are compared.
    pub param_match: Option<Name>,
    /// Default weight, −254 to 254.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
    /// Least number of processes; 1 unless given.
    pub quorum: u32,
    /// Greatest number of processes.
    pub quorum_max: Option<u32>,
    /// Time before a process that has appeared counts.
    pub fork_delay: Duration,
    /// Time before a process that is gone counts.
    pub terminate_delay: Duration,
    /// `full_command`: compare the whole command line.
    pub full_command: bool,
}
