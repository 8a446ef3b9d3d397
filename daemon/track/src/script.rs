//! A tracked script as a machine: time and results in, [`Step`]s out. No clock, no process.
//!
//! ```text
//!            first result, whatever `rise` and `fall` say
//! Undecided ────────────────────────────────────────────► Up or Down
//!                      `fall` failures in a row
//!              Up ────────────────────────────────► Down
//!                 ◄────────────────────────────────
//!                      `rise` successes in a row
//! ```
//! As with keepalived 2.4.3 the first result decides alone, a run that takes too long is a failure that counts when it is
//! dead, and a run whose time comes while the one before still lasts is skipped. With `init_fail` a script is down until
//! its first result.

use std::time::Instant;

use keepwatch_bus::fact::{ScriptRun, Verdict};
use keepwatch_model::{Level, TrackScript};

mod runner;

pub(crate) use runner::Scripts;

/// A level that changed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// What it is now.
    pub level: Level,
    /// The run that decided it; none at the start.
    pub run: Option<ScriptRun>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Run the script, and give [`Machine::ended`] its result.
    Run,
    /// Its time has come, but the run before has not ended.
    Skip,
}

/// What a run that has ended means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// It ended otherwise than the one before: that is told as well.
    pub news: bool,
    /// What is to be told of the level.
    pub change: Option<Change>,
}

/// One `vrrp_script`. Call [`Machine::due`] for the time at which [`Machine::tick`] wants to be called next.
#[derive(Debug)]
pub(crate) struct Machine {
    settings: TrackScript,
    level: Level,
    /// Results in a row that speak against the level.
    against: u32,
    decided: bool,
    /// The run under way, by when it began.
    running: Option<Instant>,
    /// How the last run ended; as with keepalived, nobody is told that the first one succeeded.
    last: Verdict,
    due: Instant,
    /// Another one has taken over: its runs say nothing any more.
    retired: bool,
}

impl Machine {
    /// A script that begins to run at `now`.
    pub(crate) fn new(settings: TrackScript, now: Instant) -> Self {
        let (level, last) = (Level::Undecided, Verdict::Exited(0));
        Self { settings, level, against: 0, decided: false, running: None, last, due: now, retired: false }
    }

    /// The same for one that a reload changed: what `before` has found out stands until its own runs say otherwise. It
    /// runs at once.
    pub(crate) fn after(before: &mut Self, settings: TrackScript, now: Instant) -> Self {
        before.retired = true;
        let (decided, last) = (before.decided, before.last.clone());
        // What was only assumed, and would not be now, is not known.
        let assumed = !decided && !settings.init_fail;
        let level = if assumed { Level::Undecided } else { before.level };
        Self { settings, level, against: 0, decided, running: None, last, due: now, retired: false }
    }

    /// What holds before the first result, if anything does.
    pub(crate) fn start(&mut self) -> Option<Change> {
        (self.settings.init_fail && !self.decided && self.level == Level::Undecided)
            .then(|| self.turn(Level::Down, None))
    }

    /// The settings that it goes by.
    pub(crate) fn settings(&self) -> &TrackScript {
        &self.settings
    }

    /// What the script says.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// When the run under way began.
    pub(crate) fn running(&self) -> Option<Instant> {
        self.running
    }

    /// When the next run is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The time is `now`.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Step> {
        if now < self.due {
            return None;
        }
        // A clock that was stopped (a suspended machine) does not make up for what it missed.
        let next = self.due + self.settings.interval;
        self.due = if next > now { next } else { now + self.settings.interval };
        if self.running.is_some() {
            return Some(Step::Skip);
        }
        self.running = Some(now);
        Some(Step::Run)
    }

    /// The run has ended, with all that it had started.
    pub(crate) fn ended(&mut self, run: &ScriptRun) -> Ended {
        self.running = None;
        if self.retired {
            return Ended { news: false, change: None };
        }
        let news = self.last != run.verdict;
        self.last = run.verdict.clone();
        let (level, needed) = if run.verdict.is_success() {
            (Level::Up, self.settings.rise)
        } else {
            (Level::Down, self.settings.fall)
        };
        let first = !std::mem::replace(&mut self.decided, true);
        if level == self.level {
            self.against = 0;
            return Ended { news, change: None };
        }
        self.against += 1;
        let turns = first || self.against >= needed;
        Ended { news, change: turns.then(|| self.turn(level, Some(run.clone()))) }
    }

    fn turn(&mut self, level: Level, run: Option<ScriptRun>) -> Change {
        self.level = level;
        self.against = 0;
        Change { level, run }
    }
}

#[cfg(test)]
mod tests;
