//! When a master announces its addresses: on becoming master, once more after `garp_master_delay`, at every refresh,
//! and when it heard a lower-priority master.

use std::sync::Arc;
use std::time::Instant;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::AnnounceOccasion;
use keepwatch_model::InterfaceAddress;

use super::{Router, State};
use crate::outbox::{Announcement, Output};
use crate::spec::{ExtraInterfaces, GarpTiming, Transport};
use crate::step::Context;

/// The bursts that are still to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bursts {
    delayed: Option<Instant>,
    refresh: Option<Instant>,
    extra: Option<Instant>,
    lower: Option<(Instant, EventId)>,
}

impl Bursts {
    /// Those of a router that has just become master.
    pub(crate) fn of_new_master(now: Instant, garp: &GarpTiming) -> Self {
        Self {
            delayed: (!garp.delay.is_zero()).then(|| now + garp.delay),
            refresh: (!garp.refresh.is_zero()).then(|| now + garp.delay + garp.refresh),
            extra: garp.extra.map(|extra| now + extra.every),
            lower: None,
        }
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        [self.delayed, self.refresh, self.extra, self.lower.map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// A second burst has to follow a change of addresses.
    pub(crate) fn again(&mut self, now: Instant, garp: &GarpTiming) {
        if !garp.delay.is_zero() {
            self.delayed = Some(now + garp.delay);
        }
    }

    /// What is repeated follows a change of its period.
    pub(crate) fn retime(&mut self, now: Instant, garp: &GarpTiming) {
        self.refresh = (!garp.refresh.is_zero()).then(|| now + garp.refresh);
        self.extra = garp.extra.map(|extra| now + extra.every);
    }
}

fn take_due(slot: &mut Option<Instant>, now: Instant) -> bool {
    slot.take_if(|at| *at <= now).is_some()
}

impl Router {
    pub(crate) fn first_burst(&self, cx: &mut Context<'_>, cause: EventId) {
        self.announce(cx, self.spec.garp.repeat, AnnounceOccasion::BecameMaster, Some(cause));
    }

    /// Sends the bursts that are due.
    pub(crate) fn due_bursts(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let garp = self.spec.garp;
        let State::Master(master) = &mut self.state else { return };
        let since = master.since;
        let delayed = take_due(&mut master.bursts.delayed, now);
        let lower = master.bursts.lower.take_if(|(at, _)| *at <= now);
        let refresh = take_due(&mut master.bursts.refresh, now);
        let extra = take_due(&mut master.bursts.extra, now);
        if extra {
            master.bursts.extra = garp.extra.map(|extra| now + extra.every);
        }
        if refresh {
            master.bursts.refresh = (!garp.refresh.is_zero()).then(|| now + garp.refresh);
        }
        if delayed {
            self.announce(cx, garp.repeat, AnnounceOccasion::Delayed, Some(since));
        }
        if let Some((_, event)) = lower {
            let repeat = garp.lower_prio_repeat;
            self.announce(cx, repeat, AnnounceOccasion::LowerPriorityMaster, Some(event));
        }
        if let Some(ExtraInterfaces { all, .. }) = garp.extra.filter(|_| extra) {
            self.announce_these(cx, self.elsewhere(all), 1, AnnounceOccasion::Refresh, None);
        }
        if refresh {
            self.announce(cx, garp.refresh_repeat, AnnounceOccasion::Refresh, None);
        }
    }

    /// A lower-priority master was heard, here or by another member of the group.
    pub(crate) fn lower_master_burst(&mut self, cx: &mut Context<'_>, event: EventId) {
        let garp = self.spec.garp;
        let State::Master(master) = &mut self.state else { return };
        if garp.lower_prio_repeat == 0 {
            return;
        }
        if !garp.lower_prio_delay.is_zero() && master.bursts.lower.is_none() {
            master.bursts.lower = Some((cx.now + garp.lower_prio_delay, event));
        }
        self.announce(cx, garp.lower_prio_repeat, AnnounceOccasion::LowerPriorityMaster, Some(event));
    }

    /// Somebody asked that its addresses be announced: once each, if they are here.
    pub(crate) fn requested_burst(&self, cx: &mut Context<'_>, cause: Option<EventId>) {
        if let State::Master(_) = &self.state {
            self.announce(cx, 1, AnnounceOccasion::Requested, cause);
        }
    }

    /// After a fault a unicast master may have lost us from its neighbour table, and would ask for us before its next
    /// advertisement, which would then come late: as keepalived does, tell it.
    pub(crate) fn announce_source(&self, cx: &mut Context<'_>, cause: EventId) {
        let Transport::Unicast { .. } = &self.spec.transport else { return };
        let Some(source) = self.source else { return };
        cx.out.act(Output::Announce(Announcement {
            router: self.id,
            spec: &self.spec,
            addresses: Arc::from([InterfaceAddress::host(source)]),
            repeat: 1,
            occasion: AnnounceOccasion::LeftFault,
            cause: Some(cause),
        }));
    }

    /// Its addresses, but for those that it should have and has not.
    fn present_addresses(&self) -> Arc<[InterfaceAddress]> {
        match &self.state {
            State::Master(master) if !master.missing.is_empty() => {
                let present = |address: &&InterfaceAddress| !master.missing.has(address);
                self.spec.addresses.iter().filter(present).cloned().collect()
            }
            State::Init | State::Backup(_) | State::Master(_) | State::Fault => self.spec.addresses.clone(),
        }
    }

    /// Its addresses on interfaces that no advertisement leaves by: on VMACs, or on all.
    fn elsewhere(&self, all: bool) -> Arc<[InterfaceAddress]> {
        let spec = &self.spec;
        let leaves_by = spec.transmit_on.as_ref().or(spec.interface.as_ref());
        let is_elsewhere = |address: &&InterfaceAddress| {
            let on = spec.interface_of(address);
            let virtual_one =
                on == spec.addresses_on.as_ref() || on.is_some_and(|on| spec.address_vmacs.contains(on));
            on != leaves_by && (all || virtual_one)
        };
        self.present_addresses().iter().filter(is_elsewhere).cloned().collect()
    }

    pub(crate) fn announce(
        &self,
        cx: &mut Context<'_>,
        repeat: u32,
        occasion: AnnounceOccasion,
        cause: Option<EventId>,
    ) {
        self.announce_these(cx, self.present_addresses(), repeat, occasion, cause);
    }

    fn announce_these(
        &self,
        cx: &mut Context<'_>,
        addresses: Arc<[InterfaceAddress]>,
        repeat: u32,
        occasion: AnnounceOccasion,
        cause: Option<EventId>,
    ) {
        if repeat == 0 || addresses.is_empty() {
            return;
        }
        cx.out.act(Output::Announce(Announcement {
            router: self.id,
            spec: &self.spec,
            addresses,
            repeat,
            occasion,
            cause,
        }));
    }
}
