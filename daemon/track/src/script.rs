//! A tracked script as a machine: time and results in, [`Step`]s out. No clock, no process.
//!
//! ```text
//!            first result, whatever `rise` and `fall` say
//! Unknown ──────────────────────────────────────────────► Up or Down
//!                      `fall` failures in a row
//!              Up ────────────────────────────────► Down
//!                 ◄────────────────────────────────
//!                      `rise` successes in a row
//! ```
//! As with keepalived 2.4.3 the first result decides alone, a run that takes too long is a failure that counts when it is
//! dead, and a run whose time comes while the one before still lasts is skipped. With `init_fail` a script is down until
//! its first result.

use std::time::{Duration, Instant};

use keepwatch_model::{Name, TrackScript};

/// What a script says of what it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It has not said anything yet.
    Unknown,
    /// It succeeds.
    Up,
    /// It fails.
    Down,
}

/// A level that changed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The name of the `vrrp_script`.
    pub subject: Name,
    /// What it is now.
    pub level: Level,
    /// The run that decided it; none at the start.
    pub run: Option<Run>,
}

/// A run of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How it ended.
    pub verdict: Verdict,
    /// The last line that it wrote, empty if none.
    pub last_line: String,
    /// How long it took.
    pub took: Duration,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With this exit status; 0 is success, all else a failure.
    Exited(i32),
    /// By a signal of this number.
    Killed(i32),
    /// It was not done within `timeout`.
    TimedOut,
    /// It could not be run, and why.
    NotRun(String),
}

impl Verdict {
    /// Whether it counts for `rise`, else for `fall`.
    pub fn is_success(&self) -> bool {
        match self {
            Self::Exited(status) => *status == 0,
            Self::Killed(_) | Self::TimedOut | Self::NotRun(_) => false,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run the script, and give [`Machine::ended`] its result.
    Run,
    /// Tell this.
    Tell(Change),
}

/// One `vrrp_script`. Call [`Machine::due`] for the time at which [`Machine::tick`] wants to be called next.
#[derive(Debug)]
pub struct Machine {
    settings: TrackScript,
    level: Level,
    /// Results in a row that speak against the level.
    against: u32,
    decided: bool,
    running: bool,
    due: Instant,
    skipped: u64,
}

impl Machine {
    /// A script that begins to run at `now`.
    pub fn new(settings: TrackScript, now: Instant) -> Self {
        let (level, against) = (Level::Unknown, 0);
        Self { settings, level, against, decided: false, running: false, due: now, skipped: 0 }
    }

    /// What holds before the first result, if anything does.
    pub fn start(&mut self) -> Option<Change> {
        self.settings.init_fail.then(|| self.turn(Level::Down, None))
    }

    /// The settings that it goes by.
    pub fn settings(&self) -> &TrackScript {
        &self.settings
    }

    /// What the script says.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Runs that were left out because the one before had not ended.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// When the next run is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The time is `now`.
    pub fn tick(&mut self, now: Instant) -> Option<Step> {
        if now < self.due {
            return None;
        }
        // A clock that was stopped (a suspended machine) does not make up for what it missed.
        let next = self.due + self.settings.interval;
        self.due = if next > now { next } else { now + self.settings.interval };
        if self.running {
            self.skipped += 1;
            return None;
        }
        self.running = true;
        Some(Step::Run)
    }

    /// The run has ended, with all that it had started.
    pub fn ended(&mut self, run: Run) -> Option<Step> {
        self.running = false;
        let (level, needed) = if run.verdict.is_success() {
            (Level::Up, self.settings.rise)
        } else {
            (Level::Down, self.settings.fall)
        };
        let first = !std::mem::replace(&mut self.decided, true);
        if level == self.level {
            self.against = 0;
            return None;
        }
        self.against += 1;
        (first || self.against >= needed).then(|| Step::Tell(self.turn(level, Some(run))))
    }

    fn turn(&mut self, level: Level, run: Option<Run>) -> Change {
        self.level = level;
        self.against = 0;
        Change { subject: self.settings.name.clone(), level, run }
    }
}

#[cfg(test)]
mod tests;
