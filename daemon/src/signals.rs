//! Signals, before anything else: none of those that keepalived takes or ignores may end a process of ours, not even in
//! its first moments. In: the very beginning of `main`. Out: [`TAKEN`] held back until there is somebody who takes
//! them, all others that keepalived ignores ignored.
//!
//! What is held and ignored is handed on to the processes that are started ([`crate::stage`]), so that a supervisor and
//! a worker begin with it. Programs of others must not: whoever starts them puts everything back.

#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

/// The signals with a name that mean something to us; [`json`] and [`clear_stats`] are the others.
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

/// The signal that asks for the dump in JSON. keepalived's: 36 with the C library of GNU, 37 with musl.
pub fn json() -> i32 {
    libc::SIGRTMIN() + 2
}

/// The signal that asks for the statistics and lets them begin at zero: 63.
pub fn clear_stats() -> i32 {
    libc::SIGRTMAX() - 1
}

/// [`TAKEN`], [`json`] and [`clear_stats`], as a set.
pub fn taken() -> SigSet {
    let named: SigSet = TAKEN.into_iter().collect();
    let mut all: libc::sigset_t = *named.as_ref();
    for number in [json(), clear_stats()] {
        // SAFETY: the set is initialised, and ours.
        unsafe { libc::sigaddset(&mut all, number) };
    }
    // SAFETY: it was made of an initialised set.
    unsafe { SigSet::from_sigset_t_unchecked(all) }
}

/// Sends a signal by its number, which need not be one of those with a name.
///
/// # Errors
/// What the system said.
pub fn send(process: Pid, number: i32) -> nix::Result<()> {
    // SAFETY: it takes two numbers.
    Errno::result(unsafe { libc::kill(process.as_raw(), number) }).map(drop)
}

fn dispose(handler: libc::sighandler_t) {
    let ignored = IGNORED.into_iter().map(|signal| signal as i32);
    // Those that are held back are ignored only where nobody takes them.
    for number in ignored.chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        // SAFETY: the handler is none of ours that would run; the C library's own two signals lie below SIGRTMIN.
        unsafe { libc::signal(number, handler) };
    }
}
