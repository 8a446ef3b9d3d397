//! What checkers know of a real server.

use serde::{Deserialize, Serialize};

/// What all checkers of a real server together say of it: from the checkers to the director.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether it may serve.
    pub up: bool,
    /// What is added to its configured weight, or taken from it; the sum is at least 0. Most checkers say 0.
    pub weight: i32,
}

impl Health {
    /// It may serve, with the weight that is configured.
    pub const UP: Self = Self { up: true, weight: 0 };
    /// It must not serve.
    pub const DOWN: Self = Self { up: false, weight: 0 };
}
