//! `BFD_CHECK`: a real server follows a BFD session.

use serde::{Deserialize, Serialize};

use crate::Name;

/// A `BFD_CHECK` block: the real server is down while the session is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdCheck {
    /// `name` of the `bfd_instance`.
    pub session: Name,
    /// `alpha`: counts as failed until the session is up; the real server's unless given.
    pub alpha: bool,
}
