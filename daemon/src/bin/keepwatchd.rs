//! `keepwatchd`, the daemon: the small program that holds signals, starts the worker and keeps it alive. See
//! [`keepwatch::supervisor`].

#![allow(unsafe_code)]

use std::process::ExitCode;

/// The C library calls this before `main`, and so before Rust's own start, which reads files and asks the system for this
/// and that meanwhile: a signal would end the program until then. A failure is told by `main`, which does it again. What
/// comes before, while the kernel and the loader are at work, is in nobody's hands.
#[used]
// SAFETY: this section is an array of functions of this type, which the C library calls once each, when it is ready itself.
#[unsafe(link_section = ".init_array")]
static FIRST: extern "C" fn() = first;

extern "C" fn first() {
    // It makes system calls, and needs nothing of Rust's start.
    let _ = keepwatch::signals::hold();
}

fn main() -> ExitCode {
    keepwatch::supervisor::main()
}
