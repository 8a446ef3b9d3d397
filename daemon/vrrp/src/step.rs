//! What every step of the machine works with: its time, its cause, the way out, and the interfaces that node and routers
//! both look at. It stands below both, so that neither has to know the other for it.

use std::time::Instant;

use keepwatch_bus::{EventId, Fact};

use crate::link::Links;
use crate::outbox::Outbox;

/// One step: made by the node for each thing that it is told, handed down to the routers.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) cause: Option<EventId>,
    pub(crate) out: &'a mut dyn Outbox,
    pub(crate) links: &'a mut Links,
}

impl Context<'_> {
    /// The same, caused by `event`.
    pub(crate) fn because_of(&mut self, event: EventId) -> Context<'_> {
        self.because(Some(event))
    }

    /// The same, with this cause or none.
    pub(crate) fn because(&mut self, cause: Option<EventId>) -> Context<'_> {
        Context { now: self.now, cause, out: self.out, links: self.links }
    }

    /// Publishes a fact with the cause of this step.
    pub(crate) fn publish(&mut self, fact: impl Into<Fact>) -> EventId {
        self.out.publish(self.cause, fact.into())
    }
}
