//! How a check ended.

use keepwatch_bus::fact::{Certificate, Failure, FailureReason};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The real server answered as it should.
    Succeeded {
        /// What the checker says of its weight from now on.
        weight: WeightSaid,
    },
    /// It did not.
    Failed(Failure),
    /// The check could not be made for a reason on this side; nothing is known of the real server.
    NotRun(String),
}

/// An outcome, and what was seen on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) outcome: Outcome,
    /// Only what is new.
    pub(crate) observed: Vec<Observed>,
}

impl From<Outcome> for Checked {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, observed: Vec::new() }
    }
}

/// Something that a check saw, and that was not so the time before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The page of this URL, counted from 0, has this digest.
    Digest { url: u16, digest: Box<str> },
    /// The server shows this certificate.
    Certificate(Certificate),
}

/// What a check says of the weight of its real server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum WeightSaid {
    /// Nothing: the configured weight holds.
    #[default]
    Nothing,
    /// This is the weight, whatever is configured.
    Exactly(i32),
}

impl WeightSaid {
    /// What is added to the configured weight.
    pub(crate) fn above(self, configured: i32) -> i32 {
        match self {
            Self::Nothing => 0,
            Self::Exactly(weight) => weight.saturating_sub(configured),
        }
    }
}

impl Outcome {
    /// The real server answered as it should, and the checker has no say in its weight.
    pub(crate) const GOOD: Self = Self::Succeeded { weight: WeightSaid::Nothing };

    /// It did not, for this reason, in these words: lower case, no full stop.
    pub(crate) fn failed(reason: FailureReason, error: impl Into<Box<str>>) -> Self {
        Self::Failed(Failure::new(reason, error))
    }
}
