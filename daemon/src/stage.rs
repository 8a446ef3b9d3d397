//! The daemon is one program that runs in three stages, each started by the one before: the command, which an
//! operator starts; the supervisor (the same process with `--dont-fork`, otherwise a new one, detached); the worker.
//! A stage is started by executing the program again with the same arguments, so there is never a fork in a process
//! that has threads. This file: how a stage knows what it is, and how it is started.
//!
//! A stage that was started by another has a stream socket to it as standard input, for the few lines that it must
//! say ([`crate::supervisor::line`], or the supervisor's exit status to the command).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::unistd::{Pid, getppid};

/// A stage is told by the name that it is called by (argv[0]): unlike the environment, that is not handed on to
/// the programs that it starts. It also reads well in a list of processes.
const DETACHED: &str = "keepwatchd: supervisor";
/// See [`DETACHED`].
const WORKER: &str = "keepwatchd: worker";
/// The variable that holds the directory from which relative paths of the command line count.
const DIRECTORY: &str = "KEEPWATCH_DIRECTORY";
/// The variable that says by whom it was started.
const PARENT: &str = "KEEPWATCH_PARENT";
/// The variable that says why the worker before it had to be replaced.
const REASON: &str = "KEEPWATCH_RESTART_REASON";

/// What this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Started by an operator.
    Command,
    /// Detached from the operator's terminal; to become the supervisor.
    Detached,
    /// Runs everything.
    Worker {
        /// Why the one before had to be replaced.
        reason: Option<String>,
    },
}

impl Stage {
    /// Of this process.
    pub fn current() -> Self {
        match std::env::args().next().as_deref() {
            Some(DETACHED) => Self::Detached,
            Some(WORKER) => Self::Worker { reason: std::env::var(REASON).ok() },
            _ => Self::Command,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Command => "keepwatchd",
            Self::Detached => DETACHED,
            Self::Worker { .. } => WORKER,
        }
    }
}

/// Starts this program again as `stage`, with a socket to it.
///
/// # Errors
/// When the process or the socket can't be made.
pub fn start(stage: &Stage, listeners: usize) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    // By this name it is the program that runs now, even where a newer one has been installed meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(stage.name())
        .args(std::env::args_os().skip(1))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .env(PARENT, std::process::id().to_string())
        .env(DIRECTORY, directory()?)
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDS")
        .env(crate::systemd::HANDED_IN, listeners.to_string());
    if let Stage::Worker { reason } = stage {
        match reason {
            Some(reason) => command.env(REASON, reason),
            None => command.env_remove(REASON),
        };
    }
    Ok((command.spawn()?, ours))
}

/// The directory from which relative paths of the command line count: that in which the operator stood.
///
/// # Errors
/// When the working directory is gone.
pub fn directory() -> io::Result<PathBuf> {
    match (Stage::current(), std::env::var_os(DIRECTORY)) {
        (Stage::Detached | Stage::Worker { .. }, Some(directory)) => Ok(PathBuf::from(directory)),
        _ => std::env::current_dir(),
    }
}

/// Gives the process the name that people look for: executed by way of /proc it would be called `exe`.
pub fn name_process() {
    let _ = nix::sys::prctl::set_name(c"keepwatchd");
}

/// The socket to the stage that started this one.
///
/// # Errors
/// When standard input is not open.
pub fn parent_socket() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Whether the process that started this stage is gone.
pub fn orphaned() -> bool {
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    parent.is_some_and(|parent| parent != getppid())
}

/// Lets go of the operator's terminal: standard input, output and error lead nowhere from now on.
///
/// # Errors
/// When /dev/null can't be opened.
pub fn leave_terminal() -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}
