//! What is to be run, and how.

use std::ffi::OsString;
use std::time::Duration;

/// What keepalived's scripts begin with: files that they make are for their user alone.
pub const DEFAULT_UMASK: u32 = 0o177;

/// A command to run. [`Command::new`] has the values that hold unless somebody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments. A program without `/` is looked for on the search path; a file that is no program
    /// and has no `#!` is the shell's.
    pub argv: Vec<OsString>,
    /// Who runs it. `None`: [`DEFAULT_USER`](crate::DEFAULT_USER) if there is such a user, else the user of this process,
    /// but nobody where [`secure`](Self::secure) is set.
    pub user: Option<User>,
    /// `enable_script_security`: as root only what root alone can change ([`crate::security`]).
    pub secure: bool,
    /// How long it may run; `None` is for ever.
    pub limit: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// File mode creation mask.
    pub umask: u32,
    /// What becomes of what it writes.
    pub output: Output,
    /// `use_symlink_paths`: it is started by the path as it was written, and not by the one without links, which a script
    /// finds in its `$0`.
    pub keep_links: bool,
}

/// `USER [GROUP]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The group's name; the user's own group when `None`.
    pub group: Option<String>,
    /// With the supplementary groups that the user is in, else with none.
    pub supplementary_groups: bool,
}

/// What becomes of standard output and standard error of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The last bytes are kept, up to this many, of both as they came.
    Kept(usize),
    /// Goes to `/dev/null`.
    Discarded,
}

impl Command {
    /// A command for whoever runs scripts, without limit, its last 4 KiB of output kept.
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            user: None,
            secure: false,
            limit: None,
            grace: Duration::from_secs(2),
            umask: DEFAULT_UMASK,
            output: Output::Kept(4096),
            keep_links: false,
        }
    }
}
