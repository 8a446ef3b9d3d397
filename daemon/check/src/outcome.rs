//! How a check ended.

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The real server answered as it should.
    Succeeded {
        /// What the checker adds to the weight of its real server from now on, or takes from it.
        weight: i32,
    },
    /// It did not; the text says in what way.
    Failed(String),
    /// The check could not be made for a reason on this side; nothing is known of the real server.
    NotRun(String),
}

impl Outcome {
    /// The real server answered as it should, and the checker has no say in its weight.
    pub(crate) const GOOD: Self = Self::Succeeded { weight: 0 };
}
