//! What is done about what a worker says. In: its reports. Out: pid files, readiness for the service manager, and what the
//! rest of the supervisor goes by.

use std::time::Instant;

use anyhow::Result;
use keepwatch_net::memory;

use super::line::{PidFiles, Report, Terms};
use super::pulse::Pace;
use super::worker::Worker;
use super::{EXIT_FATAL, Outcome, Phase, STOP_WITHIN, Supervisor};
use crate::detach;
use crate::logging::Severity;
use crate::logging::sink::Sinks;
use crate::pidfile::PidFile;
use crate::{stage, systemd};
use nix::sys::signal::Signal;

impl Supervisor<'_> {
    /// Hears what the worker has said since the last call.
    pub(super) fn listen(&mut self) {
        self.hear();
    }

    /// Hears all that a worker has said that has ended.
    pub(super) fn listen_to_the_end(&mut self) {
        while self.hear() > 0 {}
    }

    /// How many reports there were, of some that may be waiting.
    fn hear(&mut self) -> usize {
        let reports = self.worker().map(Worker::reports).unwrap_or_default();
        let count = reports.len();
        for report in reports {
            self.heard(report);
        }
        count
    }

    /// The worker, while there is one.
    pub(super) fn worker(&mut self) -> Option<&mut Worker> {
        match &mut self.phase {
            Phase::Running(worker) | Phase::Stopping { worker, .. } => Some(worker),
            Phase::Waiting { .. } | Phase::Over(_) => None,
        }
    }

    fn heard(&mut self, report: Report) {
        let stopping = matches!(self.phase, Phase::Stopping { .. });
        match report {
            Report::Beat(_) => {}
            Report::Background if !stopping && !self.background => {
                self.phase = Phase::Over(Outcome::Background);
            }
            Report::Background => {}
            Report::Supervise(terms) => self.begin(terms),
            Report::PidFiles(files) => self.hold(&files),
            Report::Manner(manner) => {
                if let Some(name) = &manner.name {
                    stage::name_process(name);
                }
                self.stop_within = manner.stop_within.unwrap_or(STOP_WITHIN);
            }
            Report::Status(text) => systemd::notify(&format!("STATUS={text}")),
            Report::Patience(patience) => {
                self.patience = patience;
                if let Some(worker) = self.worker() {
                    worker.keep(Pace::of(patience));
                }
            }
            Report::May(at) => {
                if let Some(pid) = self.worker().map(|worker| worker.pid()) {
                    self.placed.may(pid, at);
                }
            }
            Report::Placed(at) => {
                // It is master, and looks after all of them.
                (self.absence, self.taken_off) = (None, 0);
                if let Some(pid) = self.worker().map(|worker| worker.pid()) {
                    self.placed.add(pid, at);
                }
            }
            Report::Removed(at) => self.placed.remove(&at),
            Report::Left(left) => {
                if let Some(pid) = self.worker().map(|worker| worker.pid()) {
                    self.leavings.add(pid, left);
                }
            }
            Report::TakenBack(left) => self.leavings.remove(&left),
            Report::Preparing(within) => {
                self.preparing = true;
                systemd::notify(&systemd::longer(within + self.stop_within.max(STOP_WITHIN)));
                if let Some(worker) = self.worker() {
                    worker.prepares(within);
                    if stopping {
                        worker.signal(Signal::SIGTERM);
                    }
                }
            }
            Report::Ending(within) => {
                systemd::notify(&systemd::longer(within + self.stop_within.max(STOP_WITHIN)));
                match &mut self.phase {
                    Phase::Stopping { until, .. } => {
                        *until = (*until).max(Instant::now() + within + self.stop_within);
                    }
                    Phase::Running(worker) => worker.ends(within + self.stop_within),
                    Phase::Waiting { .. } | Phase::Over(_) => {}
                }
            }
            Report::Ready => self.runs(stopping),
            Report::Replace(why) => {
                self.log.now(Severity::Info, format!("Another worker takes over: {why}"));
                if let Some(worker) = self.worker() {
                    worker.give_way(format!("gave way to another, for {why}"));
                }
            }
            Report::Reloading => {
                self.reload_asked = false;
                systemd::notify(&systemd::reloading());
            }
            Report::Reloaded => systemd::notify("READY=1"),
        }
    }

    /// It is a worker. What the first one says holds: the command line does not change.
    fn begin(&mut self, terms: Terms) {
        if self.terms.is_some() {
            return;
        }
        if let Some(mask) = terms.umask {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
        }
        self.log = Sinks::open(&terms.log);
        self.log.now(Severity::Info, format!("Starting keepwatchd v{}", env!("CARGO_PKG_VERSION")));
        self.terms = Some(terms);
    }

    /// Sees to it that no other daemon runs, and lets the worker begin.
    fn hold(&mut self, files: &PidFiles) {
        // Those that are held stay: which they are is decided at the start.
        if self.own.is_none()
            && let Err(error) = self.take(files)
        {
            self.failed = Some(error);
            if let Some(worker) = self.worker() {
                worker.kill();
            }
            self.phase = Phase::Over(Outcome::Ended(EXIT_FATAL));
            return;
        }
        self.write_worker_pids();
        if let Some(worker) = self.worker() {
            worker.go();
        }
    }

    fn take(&mut self, files: &PidFiles) -> Result<()> {
        let mut own = PidFile::take(&files.own)?;
        let worker = files.worker.iter().map(|path| PidFile::take(path)).collect::<Result<Vec<_>, _>>()?;
        own.write(std::process::id())?;
        (self.own, self.pids) = (Some(own), worker);
        Ok(())
    }

    pub(super) fn write_worker_pids(&mut self) {
        let Some(pid) = self.worker().map(|worker| worker.pid()) else { return };
        for file in &mut self.pids {
            if let Err(error) = file.write(pid) {
                self.log.now(Severity::Warning, error.to_string());
            }
        }
    }

    fn runs(&mut self, stopping: bool) {
        self.first = false;
        self.never_ran = 0;
        self.starting = false;
        self.preparing = false;
        let reload = self.reload_asked;
        if let Some(worker) = self.worker() {
            if stopping {
                worker.signal(Signal::SIGTERM);
                return;
            }
            if reload {
                worker.signal(Signal::SIGHUP);
            }
        }
        systemd::notify("READY=1");
        if let Some(command) = self.command.take() {
            detach::runs(command);
        }
        self.gives_back = Some(Instant::now() + memory::SETTLED_AFTER);
    }
}
