//! Where `keepwatchd` begins: reads the command line and becomes what it has to be: a check of the configuration,
//! the operator's command, the supervisor, or the worker.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;

use crate::cli::{self, Cli};
use crate::logging::sink::Sinks;
use crate::logging::{LogSettings, Severity};
use crate::stage::{self, Stage};
use crate::supervisor::{self, EXIT_FATAL, SupervisorSettings};
use crate::worker::rights;
use crate::{config_test, core_dump, detach, paths, signals, systemd, terminal, worker};

/// Where packages put genhash: under its own name it would be in the way of Debian's keepalived.
const INSTALLED_GENHASH: &str = "/usr/lib/keepwatch/genhash";

/// The whole of `keepwatchd`.
pub fn main() -> ExitCode {
    if let Err(error) = signals::hold() {
        terminal::complain(&format!("keepwatchd: The signals can't be held back: {error}.\n"));
        return exit(EXIT_FATAL);
    }
    if let Some(status) = genhash() {
        return exit(status);
    }
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayVersion => return version(),
        Err(error) => {
            let _ = error.print();
            return exit(cli::exit_status(&error));
        }
    };
    exit(run(cli).unwrap_or_else(|error| {
        terminal::complain(&format!("keepwatchd: {}\n", told(&error)));
        EXIT_FATAL
    }))
}

/// `--genhash` as the first argument: this becomes genhash, which takes the others. Returns only if that fails.
fn genhash() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().filter(|first| first == "-T" || first == "--genhash")?;
    // An ordinary program begins with ordinary signals.
    let _ = signals::let_go();
    let beside =
        std::env::current_exe().ok().map(|own| own.with_file_name("genhash")).filter(|path| path.exists());
    let installed = || Some(PathBuf::from(INSTALLED_GENHASH)).filter(|path| path.exists());
    let program = beside.or_else(installed).unwrap_or_else(|| "genhash".into());
    let error = std::process::Command::new(&program).args(arguments).exec();
    terminal::complain(&format!(
        "keepwatchd: {} can't be run: {}\n",
        program.display(),
        terminal::plain(&error)
    ));
    Some(EXIT_FATAL)
}

/// What `-v` says. keepalived says it on standard error, so that is where it is looked for if this is called by that name.
fn version() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    let details = crate::build_details::details();
    if std::path::Path::new(&name).file_name().is_some_and(|name| name == "keepalived") {
        terminal::complain(&details);
    } else {
        print!("{details}");
    }
    ExitCode::SUCCESS
}

/// An error with its causes, each said once: many libraries put the cause into their own message as well.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

fn exit(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}

fn run(cli: Cli) -> Result<i32> {
    let directory = stage::directory().context("the working directory")?;
    let cli = cli.absolute(&directory);
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
    stage::name_process();
    if cli.ignore_sigint {
        signals::ignore_interrupts().context("ignoring SIGINT")?;
    }
    match Stage::current() {
        Stage::Command if cli.dont_fork => supervise(&cli, systemd::handed_in(), || {}),
        Stage::Command => detach::start(systemd::handed_in()),
        Stage::Detached => {
            detach::leave_session()?;
            supervise(&cli, systemd::passed_on(), detach::runs)
        }
        Stage::Worker { reason } => {
            // The terminal is told by main; the log must know too, for a worker that replaces another has no terminal.
            let settings = LogSettings { console: false, ..LogSettings::of(&cli) };
            worker::run(cli, reason)
                .inspect_err(|error| Sinks::open(&settings).now(Severity::Error, told(error)))
        }
    }
}

fn supervise(cli: &Cli, listeners: usize, ready: impl FnOnce()) -> Result<i32> {
    if let Some(mask) = cli.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
    }
    let mut log = Sinks::open(&LogSettings::of(cli));
    let cores = cli.core_dump || cli.core_dump_pattern.is_some();
    let _pattern = match cores.then(|| core_dump::allow(cli.core_dump_pattern.as_deref())) {
        Some(Err(error)) => {
            log.now(Severity::Warning, error);
            None
        }
        Some(Ok(before)) => Some(before),
        None => None,
    };
    log.now(Severity::Info, format!("Starting keepwatchd v{}", env!("CARGO_PKG_VERSION")));
    if let Some(lacking) = Some(cli).filter(|cli| !cli.check).and_then(|cli| rights::lacking(cli.dataplane()))
    {
        log.now(Severity::Error, &lacking);
        bail!(lacking);
    }
    let settings = SupervisorSettings {
        respawn: !cli.dont_respawn,
        release: !cli.dont_release_vrrp,
        pid: paths::pid_file(cli.pid.as_deref()),
        worker_pids: worker_pids(cli),
        listeners,
    };
    match supervisor::run(settings, &mut log, ready) {
        Ok(status) => {
            log.now(Severity::Info, format!("Stopped keepwatchd v{}", env!("CARGO_PKG_VERSION")));
            Ok(status)
        }
        Err(error) => {
            log.now(Severity::Error, told(&error));
            if cli.log_console && cli.dont_fork { Ok(EXIT_FATAL) } else { Err(error) }
        }
    }
}

/// Pid files that get the worker's pid: keepalived has a process for each of its sides, we have one for both.
fn worker_pids(cli: &Cli) -> Vec<PathBuf> {
    let beside = |side: &str| paths::worker_pid_file(cli.pid.as_deref(), side);
    let vrrp = (!cli.check).then(|| cli.vrrp_pid.clone().unwrap_or_else(|| beside("vrrp")));
    let checkers = (!cli.vrrp).then(|| cli.checkers_pid.clone().unwrap_or_else(|| beside("checkers")));
    vrrp.into_iter().chain(checkers).chain(cli.bfd_pid.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("denied").context("open: denied").context("starting");
        assert_eq!(told(&error), "starting: open: denied");
    }
}
