//! `keepwatch`, the operator's command: see [`keepwatch::operator`].

use std::process::ExitCode;

fn main() -> ExitCode {
    keepwatch::operator::main()
}
