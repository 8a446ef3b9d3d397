//! What happens to network interfaces.

use serde::{Deserialize, Serialize};

use super::LinkDownReason;
use crate::subject::Name;

/// What happens to network interfaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkFact {
    /// An interface became usable (up, with carrier).
    LinkUp {
        /// Its name.
        interface: Name,
        /// Its kernel index.
        index: u32,
    },
    /// An interface became unusable.
    LinkDown {
        /// Its name.
        interface: Name,
        /// Why.
        reason: LinkDownReason,
    },
}
