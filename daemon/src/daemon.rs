//! Where `keepwatch-worker` begins: reads the command line that `keepwatchd` was given, and becomes what it asks for: a
//! check of the configuration, or the worker.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use keepwatch_net::memory;

use crate::build_details;
use crate::cli::{self, AS_KEEPALIVED, Cli};
use crate::logging::sink::Sinks;
use crate::logging::{LogSettings, Severity};
use crate::stage::{self, Started};
use crate::supervisor::EXIT_FATAL;
use crate::terminal::{complain, exit, plain, told};
use crate::{config_test, core_dump, signals, worker};

/// The whole of `keepwatch-worker`.
pub fn main() -> ExitCode {
    if let Err(error) = signals::hold() {
        complain(&format!("keepwatchd: The signals can't be held back: {error}.\n"));
        return exit(EXIT_FATAL);
    }
    if let Some(status) = genhash() {
        return exit(status);
    }
    memory::part_large_blocks();
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
    let cli = match read(arguments.collect(), &stage::directory(started.is_some())) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayVersion => return version(called),
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

/// Reads the command line on a thread of its own, whose part of the heap is free again when it has ended: the definition of
/// all flags with their help is made for this alone, and what stays of it would lie scattered among that.
fn read(arguments: Vec<OsString>, directory: &Path) -> Result<Box<Cli>, clap::Error> {
    let read = || Cli::read(arguments.iter().cloned()).map(|cli| Box::new(cli.absolute(directory)));
    thread::scope(|scope| {
        match thread::Builder::new().name("command line".into()).spawn_scoped(scope, read) {
            Ok(reading) => reading.join().unwrap_or_else(|panicked| resume_unwind(panicked)),
            Err(_) => read(),
        }
    })
}

/// `--genhash` as the first argument: this becomes genhash, which takes the others. Returns only if that fails.
fn genhash() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().filter(|first| first == "-T" || first == "--genhash")?;
    // An ordinary program begins with ordinary signals.
    let _ = signals::let_go();
    let beside =
        std::env::current_exe().ok().map(|own| own.with_file_name("genhash")).filter(|path| path.exists());
    let program = beside.unwrap_or_else(|| "genhash".into());
    let error = std::process::Command::new(&program).args(arguments).exec();
    complain(&format!("keepwatchd: {} can't be run: {}\n", program.display(), plain(&error)));
    Some(EXIT_FATAL)
}

/// What `-v` says. Who asks `keepalived` for it looks on standard error, and goes by the first line.
fn version(called: &str) -> ExitCode {
    if called == AS_KEEPALIVED {
        complain(&build_details::as_keepalived());
    } else {
        print!("{}", build_details::details());
    }
    ExitCode::SUCCESS
}

fn run(cli: Box<Cli>, started: Option<Started>) -> Result<i32> {
    if cli.genhash {
        bail!("`--genhash` must be the first argument: keepwatchd --genhash -s HOST -p PORT -u PATH");
    }
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
    let cores = cli.core_dump || cli.core_dump_pattern.is_some();
    // Put back when this ends.
    let allow = || core_dump::allow(cli.core_dump_pattern.as_deref(), &started.line);
    let _pattern = cores.then(allow).and_then(|allowed| {
        allowed.inspect_err(|error| Sinks::open_and_tell(&settings).now(Severity::Warning, error)).ok()
    });
    worker::run(cli, started)
        .inspect_err(|error| Sinks::open_and_tell(&settings).now(Severity::Error, told(error)))
}
