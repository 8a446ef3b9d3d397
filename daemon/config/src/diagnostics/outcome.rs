//! What a configuration can do with what is wrong in it: whether it runs, and the exit status of `-t`.

/// What a configuration with this diagnostic in it can do, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Runs as written.
    Runs,
    /// Runs, but something is left out or changed.
    RunsChanged,
    /// Runs, but a script may be unsafe to run.
    UnsafeScript,
    /// Cannot run.
    CannotRun,
    /// Cannot run, as a file that must be there is not, or can't be read.
    NoFile,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Runs, Self::RunsChanged, Self::UnsafeScript, Self::CannotRun, Self::NoFile];

    /// Exit status of `-t`: what keepalived's answers, which is not what its manual page says. What it would not run it
    /// calls changed, too; of a file that it was told to insist on (`includea`) it says 6.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Runs => 0,
            Self::RunsChanged | Self::CannotRun => 5,
            Self::UnsafeScript | Self::NoFile => 6,
        }
    }

    /// Can it run at all?
    pub fn runs(self) -> bool {
        match self {
            Self::Runs | Self::RunsChanged | Self::UnsafeScript => true,
            Self::CannotRun | Self::NoFile => false,
        }
    }
}

/// Every outcome that something in a configuration leads to: its exit status is that of one, and whether it runs may be
/// decided by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(u8);

impl Outcomes {
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.0 |= 1 << outcome as u8;
    }

    pub(super) fn has(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome as u8) != 0
    }

    /// These and those.
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    fn each(self) -> impl Iterator<Item = Outcome> {
        Outcome::ALL.into_iter().filter(move |outcome| self.has(*outcome))
    }

    /// The worst of them.
    pub fn worst(self) -> Outcome {
        self.each().last().unwrap_or(Outcome::Runs)
    }

    /// Exit status of `-t`: 0 (runs as written), 5 (changed), 6 (script security, or a file is missing); of several the
    /// highest, as in keepalived.
    pub fn exit_status(self) -> u8 {
        self.each().map(Outcome::exit_status).max().unwrap_or(0)
    }

    /// In words, for the end of a summary.
    pub(super) fn verdict(self) -> &'static str {
        match (self.worst(), self.has(Outcome::RunsChanged)) {
            (Outcome::Runs, _) => "the configuration runs",
            (Outcome::RunsChanged, _) => "the configuration runs after changes",
            (Outcome::UnsafeScript, false) => "the configuration runs, but a script may be unsafe",
            (Outcome::UnsafeScript, true) => {
                "the configuration runs after changes, and a script may be unsafe"
            }
            (Outcome::CannotRun | Outcome::NoFile, _) => "the configuration cannot run",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_keepalived_s_and_the_verdict_tells_what_it_does_not() {
        use Outcome::*;
        let unsafe_script = "the configuration runs, but a script may be unsafe";
        let unsafe_too = "the configuration runs after changes, and a script may be unsafe";
        let cases: &[(&[Outcome], u8, &str)] = &[
            (&[], 0, "the configuration runs"),
            (&[Runs], 0, "the configuration runs"),
            (&[RunsChanged, Runs], 5, "the configuration runs after changes"),
            (&[UnsafeScript], 6, unsafe_script),
            (&[UnsafeScript, RunsChanged], 6, unsafe_too),
            (&[CannotRun, Runs], 5, "the configuration cannot run"),
            (&[UnsafeScript, CannotRun], 6, "the configuration cannot run"),
            (&[NoFile], 6, "the configuration cannot run"),
        ];
        for (found, status, verdict) in cases {
            let mut outcomes = Outcomes::default();
            found.iter().for_each(|outcome| outcomes.add(*outcome));
            assert_eq!((outcomes.exit_status(), outcomes.verdict()), (*status, *verdict), "{found:?}");
        }
    }
}
