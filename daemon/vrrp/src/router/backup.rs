//! Backup (RFC 9568 §6.4.2): listens, and counts down the Master_Down_Timer.

use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{Stranger, VrrpFact};

use super::receive::Advert;
use super::{Heard, LEAST_INTERVAL, Reaction, Router, State};
use crate::spec::{Preemption, Version};
use crate::step::Context;

/// What exists only in Backup.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    /// Master_Down_Timer: when it fires.
    pub(crate) down_at: Instant,
    /// From when it counts: the last advertisement that was accepted, or the start.
    pub(crate) since: Instant,
    /// What it will mean when it fires.
    pub(crate) because: Because,
    /// `preempt_delay`: masters of lower priority are accepted until then.
    preempt_at: Option<Instant>,
    /// It has fired, but the group was not ready: this member would be master.
    pub(crate) wants_master: bool,
}

/// Why a Master_Down_Timer runs as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// Nobody has said anything else: when it fires, a master fell silent.
    Silence,
    /// A master resigned; by this event.
    Resigned(EventId),
    /// A master of lower priority is being preempted; by this event.
    Outranking(EventId),
    /// It owns its addresses and was told to start as master; by this event.
    Owner(EventId),
}

impl Backup {
    pub(crate) fn new(now: Instant, wait: Duration) -> Self {
        Self {
            down_at: now + wait,
            since: now,
            because: Because::Silence,
            preempt_at: None,
            wants_master: false,
        }
    }
}

impl Router {
    /// Starts as an owner that is to be master, but has to wait for its group or for the delay of the start: Backup only
    /// until that is over.
    pub(crate) fn start_as_owner(&mut self, cx: &mut Context<'_>, quiet: Duration) {
        let event = self.enter_backup(cx, quiet);
        if let State::Backup(backup) = &mut self.state {
            backup.because = Because::Owner(event);
        }
    }

    /// An advertisement came while Backup.
    pub(crate) fn backup_hears(&mut self, cx: &mut Context<'_>, advert: Advert) -> Reaction {
        if advert.priority == 0 {
            self.backup_hears_resignation(cx, advert);
            return Reaction::None;
        }
        self.witness.believes(cx.now, advert);
        self.note_rival(cx, advert);
        let same = self.heard.is_some_and(|heard| heard.address == advert.source);
        if !same || advert.priority != u8::MAX {
            self.restore_owner(cx);
        }
        let heard = self.note_master(cx, advert);
        if self.holds_addresses {
            // Somebody else is master: what a crashed run of ours left must go now.
            let cause = heard.unwrap_or_else(|| self.publish_heard(cx, advert));
            self.remove_addresses(cx, cause);
        }
        if self.accepts(cx.now, advert.priority) {
            self.accept(cx.now, advert);
        } else {
            self.discard(cx, advert);
        }
        Reaction::None
    }

    /// "If the Priority in the ADVERTISEMENT is zero, then set the Master_Down_Timer to Skew_Time": every time, as
    /// keepalived does. Who floods us with forged ones thereby keeps us where we are; if only the first counted, each
    /// advertisement of the true master and the next forged one would make us master for a moment.
    fn backup_hears_resignation(&mut self, cx: &mut Context<'_>, advert: Advert) {
        let skew = self.skew();
        let State::Backup(backup) = &mut self.state else { return };
        backup.down_at = cx.now + skew;
        if matches!(backup.because, Because::Resigned(_)) {
            return;
        }
        let event = self.limits.resigned(cx.now).unwrap_or_else(|| {
            let instance = self.spec.name.clone();
            cx.publish(VrrpFact::MasterResigned { instance, address: advert.source })
        });
        self.limits.told_resigned(event);
        backup.because = Because::Resigned(event);
        self.heard = None;
    }

    /// Remembers who is master, and tells of it if that is news and not too often.
    fn note_master(&mut self, cx: &mut Context<'_>, advert: Advert) -> Option<EventId> {
        let heard = Heard { address: advert.source, priority: advert.priority };
        if self.heard == Some(heard) {
            return None;
        }
        self.heard = Some(heard);
        self.limits.heard(cx.now).then(|| self.publish_heard(cx, advert))
    }

    fn publish_heard(&mut self, cx: &mut Context<'_>, advert: Advert) -> EventId {
        let instance = self.spec.name.clone();
        cx.publish(VrrpFact::MasterHeard { instance, address: advert.source, priority: advert.priority })
    }

    /// RFC 9568 §6.4.2: "If Preempt_Mode is False, or if the Priority in the ADVERTISEMENT is greater than or equal to
    /// the local Priority", or while `preempt_delay` runs.
    fn accepts(&self, now: Instant, priority: u8) -> bool {
        let State::Backup(backup) = &self.state else { return false };
        priority >= self.priority
            || match self.spec.preemption {
                Preemption::Never => true,
                Preemption::Always => false,
                Preemption::After(_) => backup.preempt_at.is_none_or(|at| at > now),
            }
    }

    fn accept(&mut self, now: Instant, advert: Advert) {
        if let Version::V3 { .. } = self.spec.version {
            self.master_interval = advert.interval.max(LEAST_INTERVAL);
        }
        let down_at = now + self.down_interval();
        self.witness.forget();
        let State::Backup(backup) = &mut self.state else { return };
        backup.down_at = down_at;
        backup.since = now;
        backup.because = Because::Silence;
        backup.wants_master = false;
        if let Preemption::After(delay) = self.spec.preemption {
            backup.preempt_at = match backup.preempt_at {
                _ if advert.priority >= self.priority => None,
                None => Some(now + delay),
                running => running,
            };
        }
    }

    /// A master of lower priority does not move the timer: when it fires, we take over.
    fn discard(&mut self, cx: &mut Context<'_>, advert: Advert) {
        let event = self.tell_lower(cx, advert);
        if let State::Backup(backup) = &mut self.state
            && backup.because == Because::Silence
        {
            backup.because = Because::Outranking(event);
        }
    }

    /// The event that tells of a lower-priority master: a new one, or the last if that is fresh.
    pub(crate) fn tell_lower(&mut self, cx: &mut Context<'_>, advert: Advert) -> EventId {
        if let Some(event) = self.limits.lower(cx.now) {
            return event;
        }
        let cause = self.turned_ranks(advert.priority).or(cx.cause);
        let event = cx.because(cause).publish(VrrpFact::LowerPriorityReceived {
            instance: self.spec.name.clone(),
            address: advert.source,
            priority: advert.priority,
            own: self.priority,
        });
        self.limits.told_lower(cx.now, event);
        event
    }

    /// The group is not ready to follow: go on listening for another Master_Down_Interval, ready to follow it.
    pub(crate) fn hold_back(&mut self, now: Instant) {
        let down_at = now + self.down_interval();
        if let State::Backup(backup) = &mut self.state {
            backup.wants_master = true;
            backup.down_at = down_at;
        }
    }

    /// Whether it would be master if its group were.
    pub(crate) fn wants_master(&self) -> bool {
        match &self.state {
            State::Backup(backup) => backup.wants_master,
            State::Master(_) => true,
            State::Init | State::Fault => false,
        }
    }

    /// What a change to Master that begins with this router is caused by.
    /// `strangers` are the virtual routers that nobody has here, and that were heard on its interface.
    pub(crate) fn master_cause(&mut self, cx: &mut Context<'_>, strangers: Vec<Stranger>) -> Option<EventId> {
        let State::Backup(backup) = &self.state else { return cx.cause };
        match backup.because {
            Because::Resigned(event) | Because::Outranking(event) | Because::Owner(event) => Some(event),
            Because::Silence => {
                let waited = cx.now.saturating_duration_since(backup.since);
                let master = self.heard.map(|heard| heard.address);
                let instance = self.spec.name.clone();
                let (silence, refused) = self.silence(cx.now, (backup.since, backup.down_at), strangers);
                // If others were heard and not believed, that is the root of it.
                let cause = refused.or(cx.cause);
                let evidence = Some(Box::new(silence));
                Some(cx.because(cause).publish(VrrpFact::AdvertTimedOut {
                    instance,
                    master,
                    waited,
                    evidence,
                }))
            }
        }
    }
}
