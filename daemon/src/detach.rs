//! Going into the background. In: a daemon started without `--dont-fork`. Out: a supervisor in a session of its own,
//! and the operator's command, which ends only when everything runs (or with the daemon's exit status if it does
//! not), so that what starts daemons knows whether it succeeded.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;

use anyhow::{Context, Result};

use crate::signals;
use crate::stage::{self, Stage};
use crate::supervisor::EXIT_FATAL;

/// What the supervisor writes when everything runs.
const RUNS: &[u8] = b"r";

/// In the command: starts the supervisor and waits for its word; the exit status.
///
/// # Errors
/// When it can't be started.
pub fn start(listeners: usize) -> Result<i32> {
    let (mut child, mut socket) = stage::start(&Stage::Detached, listeners).context("starting the daemon")?;
    // The daemon has what was held back; whoever waits for it may be interrupted.
    signals::let_go().context("letting signals through")?;
    let mut word = [0; 1];
    if matches!(socket.read(&mut word), Ok(1)) {
        return Ok(0);
    }
    let status = child.wait()?;
    Ok(status.code().or(status.signal()).unwrap_or(EXIT_FATAL))
}

/// In the supervisor, before anything else: leaves the operator's session.
///
/// # Errors
/// What the system said.
pub fn leave_session() -> Result<()> {
    nix::unistd::setsid().context("setsid")?;
    std::env::set_current_dir("/").context("leaving the working directory")
}

/// In the supervisor, when everything runs: lets the command end.
pub fn runs() {
    if let Ok(mut socket) = stage::parent_socket() {
        // The operator may have gone away meanwhile: no matter.
        let _ = socket.write_all(RUNS);
    }
    let _ = stage::leave_terminal();
}
