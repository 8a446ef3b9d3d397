//! What an instance or a sync group tracks: scripts, files, processes, interfaces.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rare::Usual;
use super::subject::TrackedKey;
use super::{BfdSession, Name, Script, TrackedKind};

/// The `track_*` blocks of an instance or a sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// `track_interface`.
    pub interfaces: Vec<Tracked>,
    /// `track_script`.
    pub scripts: Vec<Tracked>,
    /// `track_file`.
    pub files: Vec<Tracked>,
    /// `track_process`.
    pub processes: Vec<Tracked>,
    /// `track_bfd`.
    pub bfds: Vec<Tracked>,
}

impl Usual for Tracking {
    fn usual() -> &'static Self {
        static USUAL: Tracking = Tracking {
            interfaces: Vec::new(),
            scripts: Vec::new(),
            files: Vec::new(),
            processes: Vec::new(),
            bfds: Vec::new(),
        };
        &USUAL
    }
}

/// A line of `track_interface`, `track_script`, `track_file`, `track_process` or `track_bfd`: what, and how much it
/// counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tracked {
    /// The interface, or the name of the `vrrp_script`, `track_file`, `vrrp_track_process` or `bfd_instance`.
    pub name: Name,
    /// −253 to 253: the weight written here, else the one of the definition. 0 means that failure (an interface that is
    /// down) is a fault.
    pub weight: i32,
    /// `reverse`: what else were a success counts as the failure.
    pub reverse: bool,
}

/// A `vrrp_script` that instances or groups follow and that is in the model no more, since it can't be run or not safely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutScript {
    /// Its name.
    pub name: Name,
    /// Why it is left out, as a clause: `there is no script …`.
    pub why: String,
    /// The instances and groups that go on without it.
    pub followers: Vec<Name>,
}

/// Something that a block of the configuration defines and instances and groups follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracker {
    /// A `vrrp_script`.
    Script(TrackScript),
    /// A `track_file`.
    File(TrackFile),
    /// A `vrrp_track_process`.
    Process(TrackProcess),
    /// A `bfd_instance`.
    Bfd(BfdSession),
}

impl Tracker {
    /// Its kind and name.
    pub fn key(&self) -> TrackedKey {
        let (kind, name) = match self {
            Self::Script(script) => (TrackedKind::Script, &script.name),
            Self::File(file) => (TrackedKind::File, &file.name),
            Self::Process(process) => (TrackedKind::Process, &process.name),
            Self::Bfd(session) => (TrackedKind::Bfd, &session.name),
        };
        TrackedKey { kind, name: name.clone() }
    }
}

/// A `vrrp_script` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScript {
    /// Its name.
    pub name: Name,
    /// What runs.
    pub script: Script,
    /// Time between runs, whole milliseconds; 1 s unless given.
    pub interval: Duration,
    /// When a run counts as failed; the interval unless given.
    pub timeout: Duration,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFile {
    /// Its name.
    pub name: Name,
    /// `file`.
    pub file: PathBuf,
    /// What the number is multiplied by, −254 to 254; 1 unless given.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
    /// `init_file`: the file is written at start; left as it is, or not there, without.
    pub init: Option<InitFile>,
}

/// `init_file [VALUE] [overwrite]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InitFile {
    /// What is written; 0 unless given. −254 to 254 make sense.
    pub value: i32,
    /// `overwrite`: also when there is a file already.
    pub overwrite: bool,
}

/// A `vrrp_track_process` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcess {
    /// Its name.
    pub name: Name,
    /// First value of `process`: name of the program, as the kernel has it (15 bytes of it) or, with `full_command`, as the
    /// first word of its command line.
    pub program: Name,
    /// Further values of `process`.
    pub arguments: Vec<Name>,
    /// How the process's arguments are compared with those: as `param_match` says, exactly where it is missing and there
    /// are some. Not at all when `None`.
    pub matching: Option<ArgumentMatch>,
    /// `full_command`, or arguments are compared: the program is looked for in the command line.
    pub full_command: bool,
    /// Default weight, −254 to 254; 0, a fault, unless given.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
    /// Least number of processes; 1 unless given, 0 only with a `quorum_max` of 0.
    pub quorum: u16,
    /// Greatest number of processes; any unless given. 0 means that there shall be none.
    pub quorum_max: Option<u16>,
    /// `fork_delay`, `delay`: time before a process that has appeared counts, up to an hour; none unless given.
    pub fork_delay: Duration,
    /// `terminate_delay`, `delay`: time before a process that is gone counts, up to an hour; none unless given.
    pub terminate_delay: Duration,
}

/// `param_match [initial | partial]`: how arguments are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgumentMatch {
    /// All are the same.
    Exact,
    /// `initial`: the first ones are the same, and there may be more.
    Initial,
    /// `partial`: as `initial`, and of the last one only the beginning need be the same.
    Partial,
}
