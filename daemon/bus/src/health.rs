//! What checkers know of a real server.

use serde::{Deserialize, Serialize};

/// What all checkers of a real server together say of it: from the checkers to the director.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether it may serve.
    pub up: bool,
    /// What is added to its configured weight, or taken from it; the sum is at least 0. Most checkers say 0.
    pub weight: i32,
    /// How many of them say what the weight is, whatever is configured: with each of these `weight` is by so much less as
    /// more is configured.
    #[serde(default)]
    pub fixed: u16,
}

impl Health {
    /// It may serve, with the weight that is configured.
    pub const UP: Self = Self { up: true, weight: 0, fixed: 0 };
    /// It must not serve.
    pub const DOWN: Self = Self { up: false, weight: 0, fixed: 0 };

    /// The same said of a server whose configured weight was `from` and is `to`.
    pub fn with_weight(self, from: u32, to: u32) -> Self {
        let more = (i64::from(from) - i64::from(to)) * i64::from(self.fixed);
        let weight = (i64::from(self.weight) + more).clamp(i32::MIN.into(), i32::MAX.into());
        Self { weight: i32::try_from(weight).unwrap_or_default(), ..self }
    }
}
