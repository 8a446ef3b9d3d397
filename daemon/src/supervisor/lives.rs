//! What is done about a worker that died, hangs, or is to stop. In: verdicts, times. Out: another worker, or the end.

use std::time::{Duration, Instant};

use keepwatch_net::memory;
use nix::sys::signal::Signal;

use super::absence::Absence;
use super::pulse::Hang;
use super::worker::{End, Worker};
use super::{EXIT_FATAL, Outcome, Phase, Supervisor, TOLD_WITHIN, TRIES};
use crate::logging::Severity;
use crate::systemd;

/// What a process that was killed takes to be gone, unless it waits for a disk.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

impl Supervisor<'_> {
    /// Stops the worker, for it was asked for by this signal.
    pub(super) fn stop(&mut self, signal: Signal) {
        let until = Instant::now() + self.stop_within;
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over(Outcome::Ended(0))) {
            Phase::Running(worker) => {
                // It may be none, but was asked for something that takes long.
                if self.terms.is_none() {
                    worker.signal(signal);
                } else {
                    systemd::notify("STOPPING=1");
                }
                // One that is still starting is told when it runs: it may have to clean up after another.
                if !self.starting || self.preparing {
                    worker.signal(Signal::SIGTERM);
                }
                Phase::Stopping { worker, until }
            }
            // The last one left addresses behind. Only a worker knows how to take them off.
            Phase::Waiting { reason, .. } => {
                systemd::notify("STOPPING=1");
                match self.another(&reason) {
                    Ok(worker) => {
                        self.starting = true;
                        Phase::Stopping { worker, until }
                    }
                    Err(_) => Phase::Over(Outcome::Ended(EXIT_FATAL)),
                }
            }
            same @ (Phase::Stopping { .. } | Phase::Over(_)) => same,
        };
    }

    fn another(&self, reason: &str) -> std::io::Result<Worker> {
        let left = self.leavings.words();
        Worker::start(self.program, Some(reason), self.background, self.listeners, &left)
    }

    /// Looks whether the worker lives, and what is due.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        self.look_after_addresses(now);
        if self.gives_back.take_if(|at| *at <= now).is_some() {
            memory::give_back();
            memory::give_back_stack();
        }
        match &mut self.phase {
            Phase::Running(worker) => {
                if let Some(end) = worker.ended() {
                    // What it said last may be what it was there for.
                    self.listen_to_the_end();
                    // One that ended as it should has ended its scripts, or left them on purpose.
                    if end.status != Some(0) {
                        self.end_scripts();
                    }
                    if matches!(self.phase, Phase::Running(_)) {
                        self.worker_died(&end, now);
                    }
                } else if self.terms.is_some()
                    && let Some(hang) = worker.hung(now)
                {
                    self.worker_hangs(hang);
                }
            }
            Phase::Stopping { worker, until } => {
                if let Some(end) = worker.ended() {
                    // It has told of the addresses that it took off.
                    self.listen_to_the_end();
                    if end.status == Some(0) {
                        self.take_left_ones_off();
                    } else {
                        self.end_scripts();
                    }
                    let status =
                        if self.terms.is_none() { end.code } else { end.status.unwrap_or(EXIT_FATAL) };
                    self.phase = Phase::Over(Outcome::Ended(status));
                } else if now >= *until {
                    // Whatever the log does, this is done.
                    worker.kill_and_wait(KILLED_WITHIN);
                    self.log.now(Severity::Error, "The worker does not stop: it was killed");
                    self.end_scripts();
                    self.phase = Phase::Over(Outcome::Ended(EXIT_FATAL));
                }
            }
            Phase::Waiting { until, reason } if now >= *until => {
                let reason = std::mem::take(reason);
                self.respawn(reason, now);
            }
            Phase::Waiting { .. } | Phase::Over(_) => {}
        }
    }

    fn worker_hangs(&mut self, hang: Hang) {
        let respawn = self.terms.as_ref().is_some_and(|terms| terms.respawn);
        let Phase::Running(worker) = &mut self.phase else { return };
        let what = hang.what;
        if respawn {
            worker.blame(format!("hung ({what})"), hang.silent_since);
            // Whatever the log does, this is done.
            worker.kill();
            worker.forgive(Instant::now());
            self.log.now(Severity::Error, format!("The worker hangs ({what}): killing it"));
        } else {
            worker.forgive(Instant::now());
            self.log.now(Severity::Error, format!("The worker hangs ({what})"));
        }
    }

    fn worker_died(&mut self, end: &End, now: Instant) {
        let Some(terms) = &self.terms else {
            // It was none: what it was asked for is done, or was refused.
            self.phase = Phase::Over(Outcome::Ended(end.code));
            return;
        };
        if end.status.is_some() {
            // It ended by itself, and had the time to tell.
            self.placed.told_all();
        }
        self.absence = self.absence.or(Some(Absence::begins(now, end.silent)));
        if end.lived >= TOLD_WITHIN {
            self.taken_off = 0;
        }
        if let Some(status) = end.status.filter(|status| self.first && *status != 0) {
            // It never ran: what it needs is missing, and it has said what. Trying again would change nothing.
            self.phase = Phase::Over(Outcome::Ended(status));
            return;
        }
        self.never_ran = if self.starting { self.never_ran.saturating_add(1) } else { 0 };
        if self.never_ran == TRIES {
            self.log.now(
                Severity::Warning,
                format!("{TRIES} workers have not come to run: the next one begins with the file as it is"),
            );
            self.program.forget_the_configuration();
        }
        if end.gave_way {
            self.respawn(end.reason.clone(), now);
        } else if terms.respawn {
            let wait = self.back_off.died(end.lived);
            self.log.now(
                Severity::Error,
                format!("The worker {}: starting another in {} ms", end.reason, wait.as_millis()),
            );
            self.phase = Phase::Waiting { until: now + wait, reason: end.reason.clone() };
        } else {
            self.log.now(Severity::Error, format!("The worker {}: stopping", end.reason));
            self.phase = Phase::Over(Outcome::Ended(EXIT_FATAL));
        }
    }

    fn respawn(&mut self, reason: String, now: Instant) {
        self.first = false;
        let told = match self.taken_off {
            0 => reason.clone(),
            off => format!("{reason}; its {off} addresses were taken off meanwhile"),
        };
        match self.another(&told) {
            Ok(worker) => {
                self.phase = Phase::Running(worker);
                self.starting = true;
                self.write_worker_pids();
            }
            Err(error) => {
                let wait = self.back_off.died(Duration::ZERO);
                self.log.now(Severity::Error, format!("A worker could not be started: {error}"));
                self.phase = Phase::Waiting { until: now + wait, reason };
            }
        }
    }
}
