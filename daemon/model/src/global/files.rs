//! Files that the daemon writes or watches: around reloads, and when a signal asks for a dump.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What goes with a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadFiles {
    /// `reload_check_config [FILE]`: log of the check before a reload; `/dev/null` when the keyword stands alone.
    /// keepwatch checks before every reload, with or without it.
    pub check_log: Option<PathBuf>,
    /// `reload_time_file`: file with the time of the next reload.
    pub time_file: Option<PathBuf>,
    /// `reload_repeat`: the time stays in that file, and there is another reload a day later.
    pub repeat: bool,
    /// `reload_file [FILE]`: there while a reload is going on.
    pub marker: Option<ReloadMarker>,
    /// `config_save_dir`: configurations and states around reloads are kept there, for debugging. No slash at the end.
    pub save_directory: Option<PathBuf>,
    /// `tmp_config_directory`: where keepalived has its copy of the configuration. keepwatch needs none.
    pub copy_directory: Option<PathBuf>,
}

/// `reload_file`: where the file is that tells of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadMarker {
    /// The keyword stands alone: beside the pid file, with `.reload` in place of `.pid`.
    BesidePid,
    /// There.
    At(PathBuf),
}

/// Dumps that signals ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpFiles {
    /// `state_dump_file` (SIGUSR1). Without a directory it is in `$TMPDIR`, or `/tmp`; when it ends in a slash, the name is
    /// that of the default.
    pub state: PathBuf,
    /// `stats_dump_file` (SIGUSR2).
    pub stats: PathBuf,
    /// `json_dump_file` (SIGRTMIN+2).
    pub json: PathBuf,
    /// `data_use_instance`: names of network namespace and daemon instance stand in the files' names.
    pub name_instance: bool,
    /// `json_version`; 1 unless given.
    pub json_version: JsonVersion,
}

impl Default for DumpFiles {
    fn default() -> Self {
        Self {
            state: "keepalived.data".into(),
            stats: "keepalived.stats".into(),
            json: "keepalived.json".into(),
            name_instance: false,
            json_version: JsonVersion::V1,
        }
    }
}

/// `json_version`: the form of the JSON dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonVersion {
    /// An array of instances.
    #[default]
    V1,
    /// An object with all of vrrp, track processes and so on in it.
    V2,
}

/// Where iproute2 has its tables of names (of scopes, tables, realms, protocols).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IprouteDirectories {
    /// `iproute_usr_dir`: as installed; `/usr/share/iproute2` unless given.
    pub usr: PathBuf,
    /// `iproute_etc_dir`: as changed on this machine, read after it; `/etc/iproute2` unless given.
    pub etc: PathBuf,
}

impl Default for IprouteDirectories {
    fn default() -> Self {
        Self { usr: "/usr/share/iproute2".into(), etc: "/etc/iproute2".into() }
    }
}
