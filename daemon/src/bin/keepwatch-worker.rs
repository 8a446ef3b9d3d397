//! `keepwatch-worker`, the program that does the work of `keepwatchd`, and is started by it: see [`keepwatch::daemon`].

use std::process::ExitCode;

fn main() -> ExitCode {
    keepwatch::daemon::main()
}
