//! Going into the background. In: a supervisor whose command line does not say `--dont-fork`. Out: a supervisor in a
//! session of its own, and the operator's command, which ends only when everything runs (or with the daemon's exit
//! status if it does not), so that what starts daemons knows whether it succeeded.

#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setsid};

use crate::signals;
use crate::stage;
use crate::supervisor::EXIT_FATAL;

/// What the supervisor writes when everything runs.
const RUNS: &[u8] = b"r";

/// Which of the two this process is after [`into_background`].
pub enum Side {
    /// The operator's command, which is over with this exit status.
    Command(i32),
    /// The supervisor, with what to tell the command by ([`runs`]).
    Supervisor(UnixStream),
}

/// Becomes two processes.
///
/// # Errors
/// When the system refuses.
pub fn into_background() -> Result<Side> {
    let (ours, theirs) = UnixStream::pair().context("starting the daemon")?;
    // SAFETY: this process has no other thread, so that the new one may do whatever this one may.
    match unsafe { fork() }.context("starting the daemon")? {
        ForkResult::Parent { child } => {
            drop(theirs);
            wait_for(child, ours).map(Side::Command)
        }
        ForkResult::Child => {
            drop(ours);
            setsid().context("setsid")?;
            std::env::set_current_dir("/").context("leaving the working directory")?;
            Ok(Side::Supervisor(theirs))
        }
    }
}

/// Waits for its word, or its end.
fn wait_for(supervisor: Pid, mut word: UnixStream) -> Result<i32> {
    // The daemon has what was held back; whoever waits for it may be interrupted.
    signals::let_go().context("letting signals through")?;
    if matches!(word.read(&mut [0; 1]), Ok(1)) {
        return Ok(0);
    }
    Ok(match waitpid(supervisor, None)? {
        WaitStatus::Exited(_, status) => status,
        WaitStatus::Signaled(_, signal, _) => signal as i32,
        _ => EXIT_FATAL,
    })
}

/// In the supervisor, when everything runs: lets the command end.
pub fn runs(mut command: UnixStream) {
    // The operator may have gone away meanwhile: no matter.
    let _ = command.write_all(RUNS);
    let _ = stage::leave_terminal();
}
