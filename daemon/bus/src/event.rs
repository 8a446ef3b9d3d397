//! One thing that happened: its number, its times, what led to it, and the fact itself.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::Fact;

/// The number of an event: unique and rising, over restarts too where there is a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A fact with its place in time and in the chain of causes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// Wall-clock time of publication.
    pub at: Timestamp,
    /// `CLOCK_MONOTONIC` at publication, nanoseconds: what durations are computed from.
    pub mono: u64,
    /// The event that led to this one; none for a root (a timer, a packet, an operator).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<EventId>,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

impl Event {
    /// The time from `earlier` to this event by the monotonic clock; zero if it was the other way round.
    pub fn since(&self, earlier: &Event) -> Duration {
        Duration::from_nanos(self.mono.saturating_sub(earlier.mono))
    }
}
