//! Two owners: routers that both have priority 255. RFC 9568 calls it a misconfiguration and says nothing more; the one
//! with the lower address yields by the ordinary rule. If it does not (it ignores advertisements), there would be two
//! masters for ever. As keepalived does, the one with the higher address then gives way: after two more of its own
//! advertisements and a little more than an interval it advertises 254, until the other is gone.

use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;

use super::receive::Advert;
use super::{Router, State};
use crate::step::Context;

/// How long an owner waits for the other to yield.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rival {
    /// So many of our advertisements more.
    Told {
        /// Advertisements that are still to come.
        left: u8,
        /// The other's interval.
        interval: Duration,
    },
    /// It has been told; who is heard until then does not listen.
    Until(Instant),
}

impl Router {
    /// An advertisement left at its time.
    pub(crate) fn rival_told(&mut self, now: Instant) {
        let own = self.interval();
        let State::Master(master) = &mut self.state else { return };
        match master.rival {
            Some(Rival::Told { left: 1, interval }) => {
                master.rival = Some(Rival::Until(now + interval.max(own) * 12 / 10));
            }
            Some(Rival::Told { left, interval }) => {
                master.rival = Some(Rival::Told { left: left.saturating_sub(1), interval });
            }
            Some(Rival::Until(_)) | None => {}
        }
    }

    /// As owner, heard another that should have yielded. Gives way in the end: the advertisement then outranks us.
    pub(crate) fn hears_rival(&mut self, cx: &mut Context<'_>, advert: Advert) {
        let State::Master(master) = &mut self.state else { return };
        master.rival = match master.rival {
            Some(Rival::Until(until)) if cx.now < until => {
                master.rival = None;
                self.set_owner_priority(cx, u8::MAX - 1);
                return;
            }
            Some(Rival::Told { left, .. }) => Some(Rival::Told { left, interval: advert.interval }),
            Some(Rival::Until(_)) | None => Some(Rival::Told { left: 2, interval: advert.interval }),
        };
    }

    /// Tells of another that claims to own the addresses, if this is one of them: once, while it is the same. The event,
    /// if it was told now.
    pub(crate) fn note_rival(&mut self, cx: &mut Context<'_>, advert: Advert) -> Option<EventId> {
        if !self.spec.is_owner() {
            return None;
        }
        if advert.priority != u8::MAX {
            self.limits.forget_rival(cx.now);
            return None;
        }
        let told = self.limits.rival(cx.now, advert.source);
        let instance = self.spec.name.clone();
        told.then(|| cx.publish(VrrpFact::OtherOwner { instance, address: advert.source }))
    }

    /// The rival is gone, or is no rival any more.
    pub(crate) fn restore_owner(&mut self, cx: &mut Context<'_>) {
        if self.spec.is_owner() && self.priority != u8::MAX {
            self.set_owner_priority(cx, u8::MAX);
        }
    }

    fn set_owner_priority(&mut self, cx: &mut Context<'_>, to: u8) {
        let from = std::mem::replace(&mut self.priority, to);
        cx.publish(VrrpFact::PriorityChanged { instance: self.spec.name.clone(), from, to });
    }
}
