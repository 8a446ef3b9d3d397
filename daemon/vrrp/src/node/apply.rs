//! Starting, reloading, stopping.

use std::time::Instant;

use keepwatch_bus::EventId;

use super::{Node, Release};
use crate::outbox::Outbox;
use crate::spec::Definitions;

impl Node {
    /// Makes `definitions` true: starts what is new, stops what is gone (masters resign), changes what changed, and
    /// leaves alone what did not. Look at [`Node::subscriptions`] afterwards.
    pub fn apply(
        &mut self,
        now: Instant,
        definitions: Definitions,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        let _ = (now, definitions, cause, out);
    }

    /// Stops everything; the machine can be dropped, or started again by [`Node::apply`].
    pub fn stop(&mut self, now: Instant, release: Release, cause: Option<EventId>, out: &mut dyn Outbox) {
        let _ = (now, release, cause, out);
    }
}
