//! `keepwatchd`, the daemon: the small program that holds signals, starts the worker and keeps it alive. See
//! [`keepwatch::supervisor`].

use std::process::ExitCode;

fn main() -> ExitCode {
    keepwatch::supervisor::main()
}
