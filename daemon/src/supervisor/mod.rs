//! The supervisor: a small process without threads that starts the worker, listens to its beats, replaces it when it
//! died or hangs, and passes signals on. In: signals, the worker's reports. Out: the worker, the pid files, readiness
//! for the service manager. It knows nothing of what the worker does, so there is little in it that could fail.

mod absence;
pub mod line;
mod placed;
pub mod pulse;
mod worker;

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::logging::Severity;
use crate::logging::sink::Sinks;
use crate::pidfile::PidFile;
use crate::{signals, systemd};
use absence::{Absence, Next};
use line::Report;
use placed::Placed;
use pulse::{BackOff, Hang};
use worker::Worker;

/// Exit status of a worker that can't run because of its configuration (keepalived's `KEEPALIVED_EXIT_NO_CONFIG`).
pub const EXIT_NO_CONFIG: i32 = 6;
/// Exit status when something needed is missing.
pub const EXIT_FATAL: i32 = 1;

/// The longest that a worker may take to stop. It bounds itself well below; this is for one that hangs.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// A worker that lived for so long has told why it was started.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// How often the beats are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What the supervisor has to know.
#[derive(Debug)]
pub struct SupervisorSettings {
    /// Replace a worker that died or hangs.
    pub respawn: bool,
    /// Take virtual addresses off when the daemon ends.
    pub release: bool,
    /// The daemon's own pid file.
    pub pid: PathBuf,
    /// Pid files that get the worker's pid.
    pub worker_pids: Vec<PathBuf>,
    /// Listening sockets that the service manager handed in.
    pub listeners: usize,
}

/// Runs until the daemon is told to stop; the exit status. `ready` is called once, when everything runs for the first
/// time.
///
/// # Errors
/// When another daemon has a pid file, or the system refuses what supervision needs.
pub fn run(settings: SupervisorSettings, log: &mut Sinks, ready: impl FnOnce()) -> Result<i32> {
    let mut own = PidFile::take(&settings.pid)?;
    let pids = settings.worker_pids.iter().map(|path| PidFile::take(path)).collect::<Result<Vec<_>, _>>()?;
    own.write(std::process::id())?;
    let signals = take_signals().context("taking over signals")?;
    let worker = Worker::start(None, settings.listeners).context("starting the worker")?;
    let mut supervisor = Supervisor {
        settings,
        log,
        pids,
        back_off: BackOff::new(),
        ready: Some(ready),
        first: true,
        starting: true,
        preparing: false,
        reload_later: false,
        placed: Placed::default(),
        patience: None,
        absence: None,
        left_on: None,
        taken_off: 0,
        phase: Phase::Running(worker),
    };
    supervisor.write_worker_pids();
    let status = supervisor.supervise(&signals);
    // Only now: a file that goes away says that the daemon has stopped.
    drop(supervisor);
    drop(own);
    Ok(status)
}

fn take_signals() -> nix::Result<SignalFd> {
    // They have been held back since the process began.
    SignalFd::with_flags(&signals::taken(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
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
    Over(i32),
}

struct Supervisor<'a, F: FnOnce()> {
    settings: SupervisorSettings,
    log: &'a mut Sinks,
    pids: Vec<PidFile>,
    back_off: BackOff,
    ready: Option<F>,
    /// No worker has been replaced, and none has run yet.
    first: bool,
    /// The present worker does not run yet.
    starting: bool,
    /// It does not run yet, and needs not to before it can be told to stop.
    preparing: bool,
    /// It shall reload as soon as it does.
    reload_later: bool,
    /// The addresses that workers have put on interfaces.
    placed: Placed,
    /// A peer takes over when it has heard nothing for so long.
    patience: Option<Duration>,
    /// Nobody looks after these addresses.
    absence: Option<Absence>,
    /// Why some could not be taken off; it is tried again.
    left_on: Option<String>,
    /// How many were taken off since a worker last lived long enough to tell of it.
    taken_off: usize,
    phase: Phase,
}

impl<F: FnOnce()> Supervisor<'_, F> {
    fn supervise(&mut self, signals: &SignalFd) -> i32 {
        loop {
            if let Phase::Over(status) = self.phase {
                if self.settings.release {
                    self.take_addresses_off("the daemon ends without a worker");
                }
                return status;
            }
            self.wait(signals);
            while let Ok(Some(info)) = signals.read_signal() {
                let Ok(number) = i32::try_from(info.ssi_signo) else { continue };
                match Signal::try_from(number) {
                    Ok(signal) => self.on_signal(signal),
                    // Only the worker knows what they mean.
                    Err(_) => self.pass_on(number),
                }
            }
            self.listen();
            self.look();
        }
    }

    fn wait(&self, signals: &SignalFd) {
        let now = Instant::now();
        let timeout = match &self.phase {
            Phase::Running(_) => LOOK,
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
            Signal::SIGTERM | Signal::SIGINT => self.stop(),
            // A worker that is still starting reads the configuration anyway; then it may have read the old one.
            Signal::SIGHUP if self.starting => self.reload_later = true,
            Signal::SIGHUP | Signal::SIGUSR1 | Signal::SIGUSR2 => self.pass_on(signal as i32),
            // The worker's end is found by look().
            _ => {}
        }
    }

    fn pass_on(&self, number: i32) {
        if let Phase::Running(worker) = &self.phase {
            worker.signal_number(number);
        }
    }

    fn stop(&mut self) {
        systemd::notify("STOPPING=1");
        let until = Instant::now() + STOP_WITHIN;
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over(0)) {
            Phase::Running(worker) => {
                // One that is still starting is told when it runs: it may have to clean up after another.
                if !self.starting || self.preparing {
                    worker.signal(Signal::SIGTERM);
                }
                Phase::Stopping { worker, until }
            }
            // The last one left addresses behind. Only a worker knows how to take them off.
            Phase::Waiting { reason, .. } => match Worker::start(Some(reason), self.settings.listeners) {
                Ok(worker) => {
                    self.starting = true;
                    Phase::Stopping { worker, until }
                }
                Err(_) => Phase::Over(EXIT_FATAL),
            },
            same @ (Phase::Stopping { .. } | Phase::Over(_)) => same,
        };
    }

    fn listen(&mut self) {
        let stopping = matches!(self.phase, Phase::Stopping { .. });
        let mut longer = None;
        let (Phase::Running(worker) | Phase::Stopping { worker, .. }) = &mut self.phase else { return };
        for report in worker.reports() {
            match report {
                Report::Beat(_) => {}
                Report::Patience(patience) => {
                    self.patience = patience;
                    worker.peers_wait(patience);
                }
                Report::Placed(at) => {
                    // It is master, and looks after all of them.
                    (self.absence, self.taken_off) = (None, 0);
                    self.placed.add(worker.pid(), at);
                }
                Report::Removed(at) => self.placed.remove(&at),
                Report::Preparing(within) => {
                    self.preparing = true;
                    worker.prepares(within);
                    if stopping {
                        worker.signal(Signal::SIGTERM);
                    }
                }
                Report::Ending(within) => longer = Some(Instant::now() + within + STOP_WITHIN),
                Report::Ready => {
                    self.first = false;
                    self.starting = false;
                    self.preparing = false;
                    let reload = std::mem::take(&mut self.reload_later);
                    if stopping {
                        worker.signal(Signal::SIGTERM);
                        continue;
                    }
                    if reload {
                        worker.signal(Signal::SIGHUP);
                    }
                    systemd::notify("READY=1");
                    if let Some(ready) = self.ready.take() {
                        ready();
                    }
                }
                Report::Replace(why) => {
                    self.log.now(Severity::Info, format!("Another worker takes over: {why}"));
                    worker.give_way(format!("gave way to another, for {why}"));
                }
                Report::Reloading => systemd::notify(&systemd::reloading()),
                Report::Reloaded => systemd::notify("READY=1"),
            }
        }
        if let (Phase::Stopping { until, .. }, Some(longer)) = (&mut self.phase, longer) {
            *until = longer;
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        self.look_after_addresses(now);
        match &mut self.phase {
            Phase::Running(worker) => {
                if let Some(end) = worker.ended() {
                    self.worker_died(&end, now);
                } else if let Some(hang) = worker.hung(now) {
                    self.worker_hangs(hang);
                }
            }
            Phase::Stopping { worker, until } => {
                if let Some(end) = worker.ended() {
                    if end.status == Some(0) {
                        // It has taken them off, or was told to leave them.
                        self.placed.clear();
                    }
                    self.phase = Phase::Over(end.status.unwrap_or(EXIT_FATAL));
                } else if now >= *until {
                    self.log.now(Severity::Error, "The worker does not stop: killing it");
                    worker.kill();
                    self.phase = Phase::Over(EXIT_FATAL);
                }
            }
            Phase::Waiting { until, reason } if now >= *until => {
                let reason = std::mem::take(reason);
                self.respawn(reason, now);
            }
            Phase::Waiting { .. } | Phase::Over(_) => {}
        }
    }

    /// Takes the addresses off if no worker comes before a peer has taken over.
    fn look_after_addresses(&mut self, now: Instant) {
        let (Some(absence), Some(patience)) = (self.absence, self.patience) else { return };
        let next = match &self.phase {
            Phase::Waiting { until, .. } => Some(Next::At(*until)),
            Phase::Running(worker) | Phase::Stopping { worker, .. } => {
                worker.not_yet_heard().map(Next::Started)
            }
            Phase::Over(_) => None,
        };
        if next.and_then(|next| absence.off_at(next, patience)).is_some_and(|off| off <= now) {
            let why = format!("no worker for as long as a peer waits ({} ms)", patience.as_millis());
            if self.take_addresses_off(&why) {
                self.absence = None;
            }
        }
    }

    /// Whether none is left.
    fn take_addresses_off(&mut self, why: &str) -> bool {
        if self.placed.is_empty() {
            return true;
        }
        let taken = self.placed.take_off();
        let off = format!("Took {} virtual addresses off: {why}", taken.off);
        match taken.error {
            None => {
                self.left_on = None;
                self.log.now(Severity::Warning, &off);
                self.taken_off += taken.off;
                true
            }
            Some(error) => {
                if self.left_on.as_ref() != Some(&error) {
                    self.log.now(Severity::Error, format!("{off}. Others are still there: {error}"));
                    self.left_on = Some(error);
                }
                false
            }
        }
    }

    fn worker_hangs(&mut self, hang: Hang) {
        let Phase::Running(worker) = &mut self.phase else { return };
        let what = hang.what;
        if self.settings.respawn {
            self.log.now(Severity::Error, format!("The worker hangs ({what}): killing it"));
            worker.blame(format!("hung ({what})"), hang.silent_since);
            worker.kill();
            worker.forgive(Instant::now());
        } else {
            worker.forgive(Instant::now());
            self.log.now(Severity::Error, format!("The worker hangs ({what})"));
        }
    }

    fn worker_died(&mut self, end: &worker::End, now: Instant) {
        self.absence = self.absence.or(Some(Absence::begins(now, end.silent)));
        if end.lived >= TOLD_WITHIN {
            self.taken_off = 0;
        }
        if let Some(status) = end.status.filter(|status| self.first && *status != 0) {
            // It never ran: what it needs is missing, and it has said what. Trying again would change nothing.
            self.phase = Phase::Over(status);
        } else if end.gave_way {
            self.respawn(end.reason.clone(), now);
        } else if self.settings.respawn {
            let wait = self.back_off.died(end.lived);
            self.log.now(
                Severity::Error,
                format!("The worker {}: starting another in {} ms", end.reason, wait.as_millis()),
            );
            self.phase = Phase::Waiting { until: now + wait, reason: end.reason.clone() };
        } else {
            self.log.now(Severity::Error, format!("The worker {}: stopping", end.reason));
            self.phase = Phase::Over(EXIT_FATAL);
        }
    }

    fn respawn(&mut self, reason: String, now: Instant) {
        self.first = false;
        let told = match self.taken_off {
            0 => reason.clone(),
            off => format!("{reason}; its {off} addresses were taken off meanwhile"),
        };
        match Worker::start(Some(told), self.settings.listeners) {
            Ok(worker) => {
                self.phase = Phase::Running(worker);
                self.starting = true;
                self.reload_later = false;
                self.write_worker_pids();
            }
            Err(error) => {
                let wait = self.back_off.died(Duration::ZERO);
                self.log.now(Severity::Error, format!("A worker could not be started: {error}"));
                self.phase = Phase::Waiting { until: now + wait, reason };
            }
        }
    }

    fn write_worker_pids(&mut self) {
        let Phase::Running(worker) = &self.phase else { return };
        for file in &mut self.pids {
            if let Err(error) = file.write(worker.pid()) {
                self.log.now(Severity::Warning, error.to_string());
            }
        }
    }
}
