//! How a check ended.

use keepwatch_bus::fact::{Failure, FailureReason};

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
