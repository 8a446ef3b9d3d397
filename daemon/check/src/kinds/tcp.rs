//! `TCP_CHECK`: the real server takes a connection. It is closed at once, nothing is sent.
//!
//! The scheduler makes these together, without a task for each ([`crate::openings`]); here is one by itself, for a process
//! that has no descriptor left for that.

use keepwatch_model::Connection;

use crate::{connect, outcome::Outcome};

/// Makes one check.
pub(super) async fn check(settings: &Connection) -> Outcome {
    connect::tcp(settings).await.map_or_else(|failed| failed, |_connection| Outcome::GOOD)
}
