//! Where `keepwatch-worker` begins: reads the command line that `keepwatchd` was given, and becomes what it asks for: a
//! check of the configuration, or the worker.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cli::{self, Cli};
use crate::logging::sink::Sinks;
use crate::logging::{LogSettings, Severity};
use crate::stage::{self, Started};
use crate::supervisor::EXIT_FATAL;
use crate::terminal::{complain, exit, told};
use crate::{config_test, signals, worker};

/// The whole of `keepwatch-worker`.
pub fn main() -> ExitCode {
    if let Err(error) = signals::hold() {
        complain(&format!("keepwatchd: The signals can't be held back: {error}.\n"));
        return exit(EXIT_FATAL);
    }
    let started = match stage::started() {
        Ok(started) => started,
        Err(error) => {
            complain(&format!("keepwatchd: The worker has no line to its supervisor: {error}.\n"));
            return exit(EXIT_FATAL);
        }
    };
    // What is said about the command line is said by the name that it begins with.
    let called = started.as_ref().map_or("keepwatchd", |started| &started.called);
    let arguments = std::iter::once(OsString::from(called)).chain(std::env::args_os().skip(1));
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // One that is asked for something may be interrupted.
            let _ = signals::let_go();
            let _ = error.print();
            return exit(cli::exit_status(&error));
        }
    };
    exit(run(cli, started).unwrap_or_else(|error| {
        complain(&format!("keepwatchd: {}\n", told(&error)));
        EXIT_FATAL
    }))
}

fn run(cli: Cli, started: Option<Started>) -> Result<i32> {
    let directory = stage::directory(started.is_some()).context("the working directory")?;
    let cli = cli.absolute(&directory);
    if let Some(signal) = cli.signum {
        println!("{}", signal.number());
        return Ok(0);
    }
    if cli.config_test.is_some() {
        signals::let_go().context("letting signals through")?;
        return config_test::run(&cli);
    }
    let Some(started) = started else {
        bail!("{} is started by keepwatchd: start that", stage::WORKER);
    };
    stage::name_process(&started.called);
    // The terminal is told by main; the log must know too, for a worker that replaces another has no terminal.
    let settings = LogSettings { console: false, ..LogSettings::of(&cli) };
    worker::run(cli, started).inspect_err(|error| Sinks::open(&settings).now(Severity::Error, told(error)))
}
