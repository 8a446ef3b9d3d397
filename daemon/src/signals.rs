//! Signals, before anything else: none of those that keepalived takes or ignores may end a process of ours, not even in
//! its first moments. In: the very beginning of `main`. Out: [`TAKEN`] held back until there is somebody who takes
//! them, all others that keepalived ignores ignored.
//!
//! What is held and ignored is handed on to the processes that are started ([`crate::stage`]), so that a supervisor and
//! a worker begin with it. Programs of others must not: whoever starts them puts everything back.

#![allow(unsafe_code)]

use nix::sys::signal::{SigSet, Signal};

/// The signals that mean something to us.
pub const TAKEN: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGCHLD];

/// What keepalived 2.4.3 ignores as well, and what would end a process or stop it. Rust's own start has seen to SIGPIPE;
/// what tells of a mistake of ours (SIGSEGV, SIGABRT, …) goes its way.
const IGNORED: [Signal; 13] = [
    Signal::SIGQUIT,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGSTKFLT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGURG,
];

/// Holds [`TAKEN`] back and ignores what is nothing to us; to be called first of all.
///
/// # Errors
/// What the system said.
pub fn hold() -> nix::Result<()> {
    taken().thread_block()?;
    dispose(libc::SIG_IGN);
    Ok(())
}

/// Undoes [`hold`], for a process that only checks something, tells it and ends: it may be interrupted.
///
/// # Errors
/// What the system said.
pub fn let_go() -> nix::Result<()> {
    dispose(libc::SIG_DFL);
    taken().thread_unblock()
}

/// [`TAKEN`], as a set.
pub fn taken() -> SigSet {
    TAKEN.into_iter().collect()
}

fn dispose(handler: libc::sighandler_t) {
    let ignored = IGNORED.into_iter().map(|signal| signal as i32);
    // keepalived's dumps in JSON and with clearing are among the real-time signals.
    for number in ignored.chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        // SAFETY: the handler is none of ours that would run; the C library's own two signals lie below SIGRTMIN.
        unsafe { libc::signal(number, handler) };
    }
}
