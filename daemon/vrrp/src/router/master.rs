//! Master (RFC 9568 §6.4.3): advertises, holds the addresses, announces them, and yields to a higher rank.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{SplitSign, VrrpFact};
use keepwatch_bus::subject::VrrpState;

use super::bursts::Bursts;
use super::missing::Missing;
use super::owner::Rival;
use super::receive::Advert;
use super::{Heard, LEAST_INTERVAL, Reaction, Router, Sighting, State};
use crate::spec::Version;
use crate::step::Context;

/// What exists only in Master.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    /// Adver_Timer: when the next advertisement is due.
    pub(crate) next_advert: Instant,
    /// When addresses are announced next.
    pub(crate) bursts: Bursts,
    /// When a lower-priority advertisement was last answered.
    answered: Option<Instant>,
    /// When it last advertised.
    advertised: Instant,
    /// Another owner.
    pub(crate) rival: Option<Rival>,
    /// Addresses that it should have, and has not.
    pub(super) missing: Missing,
    /// The event that made it master.
    pub(crate) since: EventId,
}

impl Master {
    pub(crate) fn deadline(&self) -> Instant {
        let others = self.bursts.next().into_iter().chain(self.missing.next());
        others.fold(self.next_advert, Instant::min)
    }
}

impl Router {
    /// Enters Master: the advertisement first, so that a lesser master has taken the addresses off before they are
    /// announced; then the addresses, then the first burst.
    pub(crate) fn enter_master(&mut self, cx: &mut Context<'_>) -> EventId {
        let from = self.state();
        self.restore_owner(cx);
        if let Some(authenticated) = &mut self.authenticated {
            authenticated.begin();
        }
        self.send(cx, self.priority);
        self.limits.forget_rejections();
        self.limits.forget_lower();
        self.heard = None;
        self.master_interval = self.interval();
        let bursts = Bursts::of_new_master(cx.now, &self.spec.garp);
        let next_advert = cx.now + self.interval();
        self.state = State::Master(Master {
            next_advert,
            bursts,
            answered: None,
            advertised: cx.now,
            rival: None,
            missing: Missing::default(),
            since: EventId(0),
        });
        self.counters.became_master.inc();
        let event = self.announce_state(cx, from);
        if let State::Master(master) = &mut self.state {
            master.since = event;
        }
        self.add_addresses(cx, event);
        self.first_burst(cx, event);
        self.route(cx, true, Some(event));
        event
    }

    /// Its deadline has passed: whatever is due is done.
    pub(crate) fn master_deadline(&mut self, cx: &mut Context<'_>) {
        let interval = self.interval();
        let State::Master(master) = &mut self.state else { return };
        if master.next_advert <= cx.now {
            let due = master.next_advert;
            let late = cx.now.saturating_duration_since(due);
            self.times.lateness.observe(late);
            let in_step = due + interval;
            master.next_advert = if in_step > cx.now { in_step } else { cx.now + interval };
            master.advertised = cx.now;
            self.send(cx, self.priority);
            self.rival_told(cx.now);
            self.look_for_silent_others(cx);
            if late > interval / 2 {
                self.counters.adverts_late.inc();
                if self.limits.late(cx.now) {
                    cx.publish(VrrpFact::AdvertDelayed { instance: self.spec.name.clone(), late });
                }
            }
        }
        self.ask_again(cx);
        self.due_bursts(cx);
    }

    /// `timer_expired_backup`: it was so late that others may have given it up for dead, so it is backup. Not with an
    /// advertisement of priority 0: if it is right, somebody else is master by now.
    pub(crate) fn give_up_if_late(&mut self, cx: &mut Context<'_>) -> Option<Reaction> {
        let others = self.spec.timer_expired_backup?;
        let State::Master(master) = &self.state else { return None };
        // Counted from when it should have sent, by the interval that held then: a reload may have made that shorter.
        let late = cx.now.saturating_duration_since(master.next_advert.max(master.advertised));
        let others_wait = u32::from(self.spec.down_adverts).saturating_sub(1);
        let given_up = self.interval() * others_wait + self.skew_of(others.0);
        if late < given_up {
            return None;
        }
        let event = cx.publish(VrrpFact::AdvertDelayed { instance: self.spec.name.clone(), late });
        let wait = self.down_interval();
        Some(Reaction::Yielded(self.enter_backup(&mut cx.because_of(event), wait)))
    }

    /// An advertisement came while Master.
    pub(crate) fn master_hears(&mut self, cx: &mut Context<'_>, advert: Advert) -> Reaction {
        if let Some(reaction) = self.give_up_if_late(cx) {
            self.backup_hears(cx, advert);
            return reaction;
        }
        if advert.priority == 0 {
            // "send an ADVERTISEMENT, reset the Adver_Timer": the backups must not wait for the one that stops.
            self.other_resigned(cx, advert.source);
            self.answer_resignation(cx);
            return Reaction::None;
        }
        let rival = self.note_rival(cx, advert);
        let cx = &mut cx.because(rival.or(cx.cause));
        let by_address = self.source.map_or(Ordering::Greater, |ours| advert.source.cmp(&ours));
        if advert.priority == u8::MAX && self.priority == u8::MAX && by_address == Ordering::Less {
            self.hears_rival(cx, advert);
        }
        match advert.priority.cmp(&self.priority).then(by_address) {
            Ordering::Greater => self.yield_to(cx, advert),
            Ordering::Less => self.hears_lower(cx, advert),
            // Somebody sends with our address and priority; keepalived warns and goes on as master.
            Ordering::Equal => {
                self.sees_master(cx, Sighting { advert, sign: SplitSign::Heard, whole: true });
                Reaction::None
            }
        }
    }

    fn advertise_now(&mut self, cx: &mut Context<'_>) {
        self.send(cx, self.priority);
        let interval = self.interval();
        if let State::Master(master) = &mut self.state {
            master.next_advert = cx.now + interval;
            master.advertised = cx.now;
        }
    }

    fn yield_to(&mut self, cx: &mut Context<'_>, advert: Advert) -> Reaction {
        if self.spec.higher_prio_send_advert {
            self.send(cx, self.priority);
        }
        if let Version::V3 { .. } = self.spec.version {
            self.master_interval = advert.interval.max(LEAST_INTERVAL);
        }
        self.heard = Some(Heard { address: advert.source, priority: advert.priority });
        self.witness.believes(cx.now, advert);
        self.witness.forget();
        let cause = self.turned_ranks(advert.priority).or(cx.cause);
        let event = cx.because(cause).publish(VrrpFact::HigherPriorityReceived {
            instance: self.spec.name.clone(),
            address: advert.source,
            priority: advert.priority,
            own: self.priority,
        });
        let wait = self.down_interval();
        Reaction::Yielded(self.enter_backup(&mut cx.because_of(event), wait))
    }

    /// At once, or as soon as it may be, for a flood of forged ones must not make us flood: a backup that believed it would
    /// be master after its skew.
    fn answer_resignation(&mut self, cx: &mut Context<'_>) {
        let State::Master(master) = &mut self.state else { return };
        let soonest = master.advertised + LEAST_INTERVAL;
        if cx.now < soonest {
            master.next_advert = master.next_advert.min(soonest);
        } else {
            self.advertise_now(cx);
        }
    }

    /// Another believes itself master, with less right: it is told by an advertisement, and the network by a burst.
    /// Not more than twice an interval, or a flood of such packets would make us flood too.
    fn hears_lower(&mut self, cx: &mut Context<'_>, advert: Advert) -> Reaction {
        if let Some(authenticated) = &mut self.authenticated {
            authenticated.step_over();
        }
        let quiet = self.interval() / 2;
        let sighting = Sighting { advert, sign: SplitSign::Heard, whole: true };
        let State::Master(master) = &mut self.state else { return Reaction::None };
        if master.answered.is_some_and(|at| cx.now.saturating_duration_since(at) < quiet) {
            let told = self.limits.lower(cx.now);
            self.sees_master(&mut cx.because(told), sighting);
            return Reaction::None;
        }
        master.answered = Some(cx.now);
        let event = self.tell_lower(cx, advert);
        self.sees_master(&mut cx.because_of(event), sighting);
        if !self.spec.lower_prio_no_advert {
            self.advertise_now(cx);
        }
        self.lower_master_burst(cx, event);
        Reaction::LowerMaster(event)
    }

    /// Yields because its group does.
    pub(crate) fn follow_to_backup(&mut self, cx: &mut Context<'_>) -> EventId {
        if self.state() != VrrpState::Master {
            self.master_interval = self.interval();
        }
        self.settle_priority();
        let wait: Duration = self.down_interval();
        self.enter_backup(cx, wait)
    }
}
