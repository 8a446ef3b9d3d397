//! `keepwatchd`, the daemon: see [`keepwatch::daemon`].

use std::process::ExitCode;

fn main() -> ExitCode {
    keepwatch::daemon::main()
}
