//! The supervisor: a small process without threads that starts the worker, listens to its beats, replaces it when it
//! died or hangs, and passes signals on. In: signals, the worker's reports. Out: the worker, the pid files, readiness
//! for the service manager. It knows nothing of what the worker does, so there is little in it that could fail.
//!
//! It is all that is in the program `keepwatchd`: the command line is read by the worker, which tells by what it is to be
//! supervised ([`line::Terms`]), or that it is none, but was asked for something else and is done with it.
//!
//! | file | what |
//! |---|---|
//! | [`line`] | what worker and supervisor say to each other |
//! | `worker` | one worker process |
//! | `reports` | what is done about each report |
//! | `lives` | what is done about a worker that died, hangs or is to stop |
//! | `addresses` | the addresses that workers left behind; `placed` and `absence` know which and until when |
//! | `leavings` | what else they left behind; `network` is where they lived |
//! | `orphans` | their scripts |
//! | [`pulse`] | verdicts: does it live, how long to wait for the next |

mod absence;
mod addresses;
mod leavings;
pub mod line;
mod lives;
mod network;
mod orphans;
mod placed;
pub mod pulse;
mod reports;
mod worker;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::detach::{self, Side};
use crate::logging::Severity;
use crate::logging::sink::Sinks;
use crate::pidfile::PidFile;
use crate::signals;
use crate::stage::Program;
use crate::systemd::{self, Watchdog};
use crate::terminal::{complain, exit, told};
use absence::Absence;
use leavings::Leavings;
use line::Terms;
use orphans::Orphans;
use placed::Placed;
use pulse::BackOff;
use worker::Worker;

/// Exit status of a worker that can't run because of its configuration (keepalived's `KEEPALIVED_EXIT_NO_CONFIG`).
pub const EXIT_NO_CONFIG: i32 = 6;
/// Exit status when something needed is missing.
pub const EXIT_FATAL: i32 = 1;

/// The longest that a worker may take to stop. It bounds itself well below; this is for one that hangs.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// A worker that lived for so long has told why it was started.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// So many workers in a row that never run may be the fault of the configuration in force: the next one goes by the file.
const TRIES: u32 = 3;
/// How often it is looked whether a worker has ended, or another is due.
const LOOK: Duration = Duration::from_millis(250);

/// See [`crate::cli::Cli::ignore_sigint`].
const IGNORE_SIGINT: &str = "--ignore-sigint";

/// The whole of `keepwatchd`.
pub fn main() -> ExitCode {
    // Before anything else.
    if let Err(error) = signals::hold() {
        complain(&format!("keepwatchd: The signals can't be held back: {error}.\n"));
        return exit(EXIT_FATAL);
    }
    // The worker reads the command line; this one flag must hold from now on.
    if std::env::args_os().any(|argument| argument == IGNORE_SIGINT)
        && let Err(error) = signals::ignore_interrupts()
    {
        complain(&format!("keepwatchd: SIGINT can't be ignored: {error}.\n"));
    }
    exit(start().unwrap_or_else(|error| {
        complain(&format!("keepwatchd: {}\n", told(&error)));
        EXIT_FATAL
    }))
}

fn start() -> Result<i32> {
    let program = Program::find().map_err(|why| anyhow!(why))?;
    let listeners = systemd::handed_in();
    match run(&program, listeners, None)? {
        Outcome::Ended(status) => Ok(status),
        Outcome::Background => match detach::into_background()? {
            Side::Command(status) => Ok(status),
            Side::Supervisor(command) => match run(&program, listeners, Some(command))? {
                Outcome::Ended(status) => Ok(status),
                Outcome::Background => Ok(EXIT_FATAL),
            },
        },
    }
}

/// How supervision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// With this exit status.
    Ended(i32),
    /// It is to go on in the background.
    Background,
}

/// Runs until the daemon is told to stop, or the worker has done what it was asked for. `command`: who waits for word that
/// everything runs, of a supervisor in the background.
fn run(program: &Program, listeners: usize, command: Option<UnixStream>) -> Result<Outcome> {
    // They have been held back since the process began.
    let signals = SignalFd::with_flags(&signals::taken(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .context("taking over signals")?;
    let background = command.is_some();
    let orphans = Orphans::adopt();
    let worker = Worker::start(program, None, background, listeners, "").context("starting the worker")?;
    let mut supervisor = Supervisor {
        program,
        listeners,
        background,
        command,
        terms: None,
        log: Sinks::none(),
        own: None,
        pids: Vec::new(),
        stop_within: STOP_WITHIN,
        watchdog: Watchdog::of_the_service_manager(),
        failed: None,
        back_off: BackOff::new(),
        first: true,
        starting: true,
        preparing: false,
        reload_asked: false,
        never_ran: 0,
        placed: Placed::default(),
        leavings: Leavings::default(),
        orphans,
        patience: None,
        absence: None,
        left_on: None,
        taken_off: 0,
        gives_back: None,
        phase: Phase::Running(worker),
    };
    let outcome = supervisor.supervise(&signals);
    let Supervisor { mut log, terms, failed, pids, own, .. } = supervisor;
    // Only now: a file that goes away says that the daemon has stopped.
    drop((pids, own));
    match failed {
        Some(error) => {
            log.now(Severity::Error, told(&error));
            // Who has the log before him has been told.
            if terms.is_some_and(|terms| terms.log.console) {
                Ok(Outcome::Ended(EXIT_FATAL))
            } else {
                Err(error)
            }
        }
        None => {
            log.now(Severity::Info, format!("Stopped keepwatchd v{}", env!("CARGO_PKG_VERSION")));
            Ok(outcome)
        }
    }
}

enum Phase {
    Running(Worker),
    /// The worker died; the next one starts then.
    Waiting {
        until: Instant,
        reason: String,
    },
    Stopping {
        worker: Worker,
        until: Instant,
    },
    Over(Outcome),
}

struct Supervisor<'a> {
    program: &'a Program,
    listeners: usize,
    background: bool,
    /// Who waits for word that everything runs.
    command: Option<UnixStream>,
    /// By what it supervises; none before a worker has said it.
    terms: Option<Terms>,
    log: Sinks,
    own: Option<PidFile>,
    pids: Vec<PidFile>,
    /// What a worker may take to stop.
    stop_within: Duration,
    watchdog: Watchdog,
    /// Why the daemon can't run.
    failed: Option<anyhow::Error>,
    back_off: BackOff,
    /// No worker has been replaced, and none has run yet.
    first: bool,
    /// The present worker does not run yet.
    starting: bool,
    /// It does not run yet, and needs not to before it can be told to stop.
    preparing: bool,
    /// A reload was asked for, and no worker has said yet that it does that.
    reload_asked: bool,
    /// So many in a row have ended before they ran.
    never_ran: u32,
    /// The addresses that workers have put on interfaces.
    placed: Placed,
    /// What else they have left.
    leavings: Leavings,
    orphans: Orphans,
    /// A peer takes over when it has heard nothing for so long.
    patience: Option<Duration>,
    /// Nobody looks after these addresses.
    absence: Option<Absence>,
    /// Why some could not be taken off; it is tried again.
    left_on: Option<String>,
    /// How many were taken off since a worker last lived long enough to tell of it.
    taken_off: usize,
    /// When what a start needs of memory is given back.
    gives_back: Option<Instant>,
    phase: Phase,
}

impl Supervisor<'_> {
    fn supervise(&mut self, signals: &SignalFd) -> Outcome {
        loop {
            if let Phase::Over(outcome) = self.phase {
                if self.terms.as_ref().is_some_and(|terms| terms.release) {
                    self.take_addresses_off("the daemon ends without a worker");
                }
                self.take_leavings_back();
                return outcome;
            }
            self.wait(signals);
            let mut ended = false;
            while let Ok(Some(info)) = signals.read_signal() {
                let Ok(number) = i32::try_from(info.ssi_signo) else { continue };
                match Signal::try_from(number) {
                    Ok(signal) => {
                        ended |= signal == Signal::SIGCHLD;
                        self.on_signal(signal);
                    }
                    // Only the worker knows what they mean.
                    Err(_) => self.pass_on(number),
                }
            }
            self.listen();
            self.look();
            let worker = match &self.phase {
                Phase::Running(worker) | Phase::Stopping { worker, .. } => Some(worker),
                Phase::Waiting { .. } | Phase::Over(_) => None,
            };
            self.orphans.look_after(ended, worker);
            self.watchdog.fed(Instant::now());
        }
    }

    fn wait(&self, signals: &SignalFd) {
        let now = Instant::now();
        let timeout = match &self.phase {
            Phase::Running(worker) => worker.looks_every().min(self.watchdog.every()),
            Phase::Waiting { until, .. } | Phase::Stopping { until, .. } => {
                until.saturating_duration_since(now).min(LOOK)
            }
            Phase::Over(_) => return,
        };
        let mut watched = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if let Phase::Running(worker) | Phase::Stopping { worker, .. } = &self.phase {
            watched.extend(worker.socket().map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        }
        // An interrupted poll is like one that found nothing.
        let _ = poll(
            &mut watched,
            PollTimeout::try_from(timeout + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
        );
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::SIGTERM | Signal::SIGINT => self.stop(signal),
            // One that is still starting may have read the old file, and one that takes over begins with what was in force:
            // whoever comes to run is told then.
            Signal::SIGHUP => {
                self.reload_asked = true;
                if !self.starting {
                    self.pass_on(signal as i32);
                }
            }
            Signal::SIGUSR1 | Signal::SIGUSR2 => self.pass_on(signal as i32),
            // The worker's end is found by look().
            _ => {}
        }
    }

    fn pass_on(&self, number: i32) {
        if let Phase::Running(worker) = &self.phase {
            worker.signal_number(number);
        }
    }
}
