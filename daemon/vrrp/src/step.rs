//! What every step of the machine works with: its time, its cause, the way out, and the interfaces that node and routers
//! both look at. It stands below both, so that neither has to know the other for it.

use std::time::{Duration, Instant};

use keepwatch_bus::{EventId, Fact};

use crate::link::Links;
use crate::outbox::Outbox;

/// What the wall clock said when. It may be set at any time, so the runner says anew in each of its turns; only
/// signatures (`auth_hmac`) look at it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WallClock(Option<(Instant, Duration)>);

impl WallClock {
    pub(crate) fn new(at: Instant, since_1970: Duration) -> Self {
        Self(Some((at, since_1970)))
    }

    /// The time since 1970, at `now`; zero if nobody ever said.
    fn at(self, now: Instant) -> Duration {
        let Some((at, said)) = self.0 else { return Duration::ZERO };
        let later = said + now.saturating_duration_since(at);
        later.saturating_sub(at.saturating_duration_since(now))
    }
}

/// One step: made by the node for each thing that it is told, handed down to the routers.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) cause: Option<EventId>,
    pub(crate) out: &'a mut dyn Outbox,
    pub(crate) links: &'a mut Links,
    pub(crate) wall: WallClock,
}

impl Context<'_> {
    /// The same, caused by `event`.
    pub(crate) fn because_of(&mut self, event: EventId) -> Context<'_> {
        self.because(Some(event))
    }

    /// The same, with this cause or none.
    pub(crate) fn because(&mut self, cause: Option<EventId>) -> Context<'_> {
        Context { now: self.now, cause, out: self.out, links: self.links, wall: self.wall }
    }

    /// The time since 1970, by the wall clock.
    pub(crate) fn wall(&self) -> Duration {
        self.wall.at(self.now)
    }

    /// Publishes a fact with the cause of this step.
    pub(crate) fn publish(&mut self, fact: impl Into<Fact>) -> EventId {
        self.out.publish(self.cause, fact.into())
    }
}
