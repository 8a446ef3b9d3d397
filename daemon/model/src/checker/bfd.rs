//! `BFD_CHECK`: a real server follows a BFD session.

use serde::{Deserialize, Serialize};

use crate::Name;

/// A `BFD_CHECK` block: the real server is down while the session is, and until it was up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdCheck {
    /// `name` of the `bfd_instance`.
    pub session: Name,
    /// `alpha`: counts as failed until the session is up, as it does without; the real server's unless given.
    pub alpha: bool,
}

impl BfdCheck {
    /// What it is called in the configuration, and as a kind of checker.
    pub const KEYWORD: &'static str = "BFD_CHECK";
}
