//! Changes from outside: the priority, the source address, the definition.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;

use super::{Authenticated, Router, Signed, State};
use crate::spec::{RouterDefinition, RouterSpec, Transport, Version};
use crate::step::Context;

impl Router {
    /// The priority that configuration and weights give: 1 to 254 unless it is an owner, which weights don't touch.
    pub(crate) fn weighed_priority(&self) -> u8 {
        if self.spec.is_owner() {
            // Less only while another owner is master.
            return self.priority.max(u8::MAX - 1);
        }
        let total = i32::from(self.spec.priority.0).saturating_add(self.standing.weight);
        total.clamp(1, 254) as u8
    }

    /// Takes the weighed priority into use. A backup's timer moves by as much as its skew did.
    pub(crate) fn update_priority(&mut self, cx: &mut Context<'_>) {
        let (from, to) = (self.priority, self.weighed_priority());
        if from == to {
            return;
        }
        let before = self.down_interval();
        self.priority = to;
        let after = self.down_interval();
        self.shift_down_timer(before, after);
        let event = cx.publish(VrrpFact::PriorityChanged { instance: self.spec.name.clone(), from, to });
        self.shifted = Some((event, from));
    }

    /// It leaves Fault. If a number was the fault, the priority did not move by it, and what it is now is told by the change
    /// of state that follows, as keepalived does it, not as a change of its own.
    pub(crate) fn settle_priority(&mut self) {
        if std::mem::take(&mut self.overshot) {
            self.priority = self.weighed_priority();
        }
    }

    /// The change of our priority that turned the ranks, if there was one: before it we stood above (or below) a router
    /// of this priority, and now the other way round.
    pub(super) fn turned_ranks(&self, other: u8) -> Option<EventId> {
        let (event, before) = self.shifted?;
        (before.cmp(&other) != self.priority.cmp(&other)).then_some(event)
    }

    /// A backup's timer ends as much later (or earlier) as `after` is longer than `before`.
    pub(crate) fn shift_down_timer(&mut self, before: Duration, after: Duration) {
        if let State::Backup(backup) = &mut self.state {
            backup.down_at += after;
            backup.down_at = backup.down_at.checked_sub(before).unwrap_or(backup.down_at);
        }
    }

    /// The address that it sends from, unless that is a fault now.
    pub(crate) fn usable_source(&self) -> Option<IpAddr> {
        self.source.filter(|_| !self.faults.source)
    }

    /// Its advertisements leave from this address from now on.
    pub(crate) fn set_source(&mut self, source: Option<IpAddr>) {
        if self.source != source {
            self.source = source;
            self.rebuild_packet();
        }
    }

    /// Whether `spec` can take the place of this router's without a restart: the identity on the wire is the same.
    pub(crate) fn can_become(&self, spec: &RouterSpec) -> bool {
        let same_kind = matches!(
            (&self.spec.transport, &spec.transport),
            (Transport::Multicast { .. }, Transport::Multicast { .. })
                | (Transport::Unicast { .. }, Transport::Unicast { .. })
        );
        same_kind
            && self.spec.interface == spec.interface
            && self.spec.vrf == spec.vrf
            && self.spec.transmit_on == spec.transmit_on
            && self.spec.addresses_on == spec.addresses_on
            && self.spec.family == spec.family
            && self.spec.vrid == spec.vrid
            && self.spec.version.number() == spec.version.number()
    }

    /// Takes a new definition into use, touching only what differs.
    pub(crate) fn redefine(&mut self, cx: &mut Context<'_>, definition: RouterDefinition) {
        if self.settings != definition.settings {
            self.settings = definition.settings;
            self.tell_own_again();
        }
        self.counters = definition.counters;
        self.times = definition.times;
        if *self.spec == definition.spec {
            return;
        }
        let old = std::mem::replace(&mut self.spec, Arc::new(definition.spec));
        if old.advert_interval != self.spec.advert_interval || old.down_adverts != self.spec.down_adverts {
            self.change_interval(cx);
        }
        if !old.is_owner() {
            self.restore_owner(cx);
        }
        self.update_priority(cx);
        self.authenticated = Authenticated::renew(self.authenticated.take(), &self.spec);
        self.signed = Signed::renew(self.signed.take(), &self.spec);
        self.rebuild_packet();
        if let State::Master(master) = &mut self.state
            && (old.garp.refresh, old.garp.extra) != (self.spec.garp.refresh, self.spec.garp.extra)
        {
            master.bursts.retime(cx.now, &self.spec.garp);
        }
        if old.addresses != self.spec.addresses && self.holds_addresses {
            self.change_addresses(cx, &old);
        }
        self.change_routing(cx, &old);
    }

    /// A master advertises in the new interval; a backup starts its timer over, so that a shorter one does not make it
    /// master at once. What a version 3 backup learned from its master stays.
    fn change_interval(&mut self, cx: &mut Context<'_>) {
        let interval = self.interval();
        let learned = self.heard.is_some() && matches!(self.spec.version, Version::V3 { .. });
        if !learned {
            self.master_interval = interval;
        }
        let wait = self.down_interval();
        match &mut self.state {
            State::Master(master) => master.next_advert = master.next_advert.min(cx.now + interval),
            State::Backup(backup) => backup.down_at = cx.now + wait,
            State::Init | State::Fault => {}
        }
    }
}
