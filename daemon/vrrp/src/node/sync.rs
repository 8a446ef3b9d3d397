//! Sync groups at work: what one member does, all do. Goes in: what happened to one router. Comes out: the same for
//! the others: the member's change, which causes the others' changes, and when all have changed that of the group.
//!
//! As keepalived does it: a group becomes master when the last of its members would; it goes to Backup when one of
//! them yields, to Fault when one of them has a fault, and leaves Fault when none has.

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;

use super::Node;
use crate::ids::RouterId;
use crate::outbox::{Notice, Output};
use crate::router::Router;
use crate::step::Context;

impl Node {
    /// The Master_Down_Timer of a router fired: it becomes master, and its group with it, if all of the group would.
    pub(super) fn promote(&mut self, cx: &mut Context<'_>, id: RouterId) {
        let group = self.router(id).and_then(|router| router.group);
        let ready = match group {
            None => true,
            Some(group) if self.groups[group].state == VrrpState::Master => true,
            Some(group) => self.others(group, id).iter().all(|other| self.would_be_master(*other)),
        };
        let strangers = if ready { self.strangers_near(cx.now, id) } else { Vec::new() };
        let Some(router) = self.router_mut(id) else { return };
        if !ready {
            router.hold_back(cx.now);
            return;
        }
        let cause = router.master_cause(cx, strangers);
        let event = router.enter_master(&mut cx.because(cause));
        if let Some(group) = group {
            self.group_enters(&mut cx.because_of(event), group, VrrpState::Master);
        }
    }

    fn would_be_master(&self, id: RouterId) -> bool {
        self.router(id).is_some_and(Router::wants_master)
    }

    /// A member yielded to another master.
    pub(super) fn group_yields(&mut self, cx: &mut Context<'_>, id: RouterId) {
        if let Some(group) = self.router(id).and_then(|router| router.group) {
            self.group_enters(cx, group, VrrpState::Backup);
        }
    }

    /// A member heard a lower master: there was a split, and the network behind the other members must be told too.
    pub(super) fn group_announces(&mut self, cx: &mut Context<'_>, id: RouterId, event: EventId) {
        let Some(group) = self.router(id).and_then(|router| router.group) else { return };
        for other in self.others(group, id) {
            if let Some(router) = self.router_mut(other) {
                router.lower_master_burst(cx, event);
            }
            self.rearm(other);
        }
    }

    /// After faults or weights of a router may have changed: takes the priority into use, goes to Fault or leaves it.
    pub(super) fn reconsider(&mut self, cx: &mut Context<'_>, id: RouterId) {
        let Some(router) = self.router_mut(id) else { return };
        if router.overshot && !router.standing.overshot && router.faults.any() {
            // The number is a weight again, and the fault is another one's: it won't be told by a change of state.
            router.overshot = false;
        }
        if !router.overshot {
            router.update_priority(cx);
        }
        let group = router.group;
        match (router.state(), router.faults.any()) {
            (VrrpState::Init, _) | (VrrpState::Fault, true) => {}
            (VrrpState::Backup | VrrpState::Master, false) => {}
            (VrrpState::Backup | VrrpState::Master, true) => {
                let event = router.enter_fault(cx);
                if let Some(group) = group {
                    self.group_enters(&mut cx.because_of(event), group, VrrpState::Fault);
                }
            }
            (VrrpState::Fault, false) => {
                let held = group.is_some_and(|group| self.has_faulty_member(group));
                if !held {
                    self.leave_fault(cx, id, group);
                }
            }
        }
        self.rearm(id);
    }

    fn leave_fault(&mut self, cx: &mut Context<'_>, id: RouterId, group: Option<usize>) {
        let Some(router) = self.router_mut(id) else { return };
        let event = router.follow_to_backup(cx);
        router.announce_source(cx, event);
        if let Some(group) = group {
            self.group_enters(&mut cx.because_of(event), group, VrrpState::Backup);
        }
    }

    pub(super) fn has_faulty_member(&self, group: usize) -> bool {
        self.groups[group].members.iter().any(|id| self.router(*id).is_some_and(|router| router.faults.any()))
    }

    /// Puts a group into `state`, and with it every member that is not there yet.
    pub(super) fn group_enters(&mut self, cx: &mut Context<'_>, group: usize, state: VrrpState) {
        if self.groups[group].state == state {
            return;
        }
        for id in self.groups[group].members.clone() {
            if let Some(router) = self.router_mut(id)
                && router.state() != state
                && router.state() != VrrpState::Init
            {
                match state {
                    VrrpState::Master => router.enter_master(cx),
                    VrrpState::Backup => router.follow_to_backup(cx),
                    VrrpState::Fault => router.enter_fault(cx),
                    VrrpState::Init => continue,
                };
            }
            self.rearm(id);
        }
        self.group_changes(cx, group, state);
    }

    /// Records and publishes the change of a group's state alone.
    pub(super) fn group_changes(
        &mut self,
        cx: &mut Context<'_>,
        group: usize,
        to: VrrpState,
    ) -> Option<EventId> {
        let group = &mut self.groups[group];
        let from = std::mem::replace(&mut group.state, to);
        if from == to {
            return None;
        }
        let name = group.spec.name.clone();
        let event = cx.publish(VrrpFact::GroupStateChanged { group: name.clone(), from, to });
        cx.out.act(Output::Notify(Notice::GroupState { group: name, state: to, event }));
        Some(event)
    }

    fn others(&self, group: usize, id: RouterId) -> Vec<RouterId> {
        self.groups[group].members.iter().copied().filter(|other| *other != id).collect()
    }
}
