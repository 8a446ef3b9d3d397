//! A mail before it is addressed: what it says and about which event.

use keepwatch_bus::EventId;
use serde::{Deserialize, Serialize};

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The subject without the router's name: `VRRP Instance VI_1 - Entering MASTER state`.
    pub subject: String,
    /// keepalived's line about it, then why it happened.
    pub body: String,
    /// The event that it is about.
    pub event: EventId,
    /// When that was, nanoseconds since 1970.
    pub at: i128,
}
