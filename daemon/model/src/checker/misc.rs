//! `MISC_CHECK`: a command succeeds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Script;

/// A `MISC_CHECK` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiscCheck {
    /// `misc_path`: what runs; `user` says who runs it.
    pub script: Script,
    /// `misc_timeout`: how long it may run; the virtual server's `delay_loop` unless given, or when 0.
    pub timeout: Duration,
    /// `misc_dynamic`: an exit code from 2 to 255 is a success, and makes the weight that code less 2.
    pub dynamic: bool,
}
