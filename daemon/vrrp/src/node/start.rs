//! Starting a router: into which state, and for what reason.

use std::collections::HashMap;
use std::time::Duration;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;

use super::Node;
use crate::ids::RouterId;
use crate::link::Links;
use crate::router::Router;
use crate::step::Context;

impl Node {
    /// Starts those that are new, in the order in which keepalived tells of them: priorities that weights have changed,
    /// then those with a fault, then the groups of those that begin together, then the others. `causes` are the events
    /// that defined them.
    pub(super) fn begin(
        &mut self,
        cx: &mut Context<'_>,
        idle: &[RouterId],
        causes: &HashMap<RouterId, EventId>,
    ) {
        for id in idle {
            let cause = causes.get(id).copied().or(cx.cause);
            if let Some(router) = self.router_mut(*id).filter(|router| !router.standing.undecided) {
                router.update_priority(&mut cx.because(cause));
            }
        }
        let (faulty, others): (Vec<RouterId>, Vec<RouterId>) =
            idle.iter().partition(|id| self.router(**id).is_some_and(|router| self.starts_in_fault(router)));
        for id in faulty {
            let cause = causes.get(&id).copied().or(cx.cause);
            self.start(&mut cx.because(cause), id);
        }
        self.begin_groups(cx);
        for id in others {
            let cause = causes.get(&id).copied().or(cx.cause);
            self.start(&mut cx.because(cause), id);
        }
    }

    /// Groups whose members are all about to start begin in the state that these will have, unless something is still
    /// undecided, or they will be master at once.
    fn begin_groups(&mut self, cx: &mut Context<'_>) {
        for group in 0..self.groups.len() {
            let known = &self.groups[group];
            let members = || known.members.iter().filter_map(|id| self.router(*id));
            let begins = |router: &Router| router.state() == VrrpState::Init && !router.standing.undecided;
            let new = |router: &Router| matches!(router.state(), VrrpState::Init | VrrpState::Fault);
            if known.state != VrrpState::Init || known.members.is_empty() || !members().all(new) {
                continue;
            }
            let to = if self.has_faulty_member(group) {
                VrrpState::Fault
            } else if members().all(begins) && !members().all(|router| self.starts_as_master(router.id)) {
                VrrpState::Backup
            } else {
                continue;
            };
            self.group_changes(cx, group, to);
        }
    }

    fn starts_in_fault(&self, router: &Router) -> bool {
        router.faults.any() || router.group.is_some_and(|group| self.has_faulty_member(group))
    }

    /// Starts a router that waited for something which is decided now, and whoever of its group did.
    pub(super) fn start_decided(&mut self, cx: &mut Context<'_>, id: RouterId) {
        let Some(router) = self.router(id).filter(|router| router.undecided) else { return };
        let group = router.group;
        if self.is_undecided(id) {
            return;
        }
        self.start(cx, id);
        let Some(group) = group else { return };
        for other in self.groups[group].members.clone() {
            if self.router(other).is_some_and(|router| router.undecided) {
                self.start(cx, other);
            }
        }
        self.settle_group(cx, group);
    }

    /// Whether something whose failure would be a fault of this router is undecided; that of others of its group is, unless
    /// one of them has a fault anyway.
    fn is_undecided(&self, id: RouterId) -> bool {
        let Some(router) = self.router(id) else { return false };
        let of_group = |group: usize| {
            let mut members = self.groups[group].members.iter().filter_map(|id| self.router(*id));
            // Those that run already don't wait for it, nor does whoever joins them.
            !self.has_faulty_member(group)
                && members.any(|router| router.standing.undecided && router.state() == VrrpState::Init)
        };
        router.standing.undecided || router.group.is_some_and(of_group)
    }

    /// Init ends: Fault if there is a reason, else Backup (RFC 9568 §6.4.1). As in keepalived, it does not end while
    /// something whose failure would be a fault is undecided.
    pub(super) fn start(&mut self, cx: &mut Context<'_>, id: RouterId) {
        let undecided = self.is_undecided(id);
        let Some(router) = self.router_mut(id) else { return };
        router.undecided = undecided;
        router.overshot = router.standing.overshot;
        if undecided {
            return;
        }
        let faulty = self.router(id).is_some_and(|router| self.starts_in_fault(router));
        let owner = self.starts_as_master(id);
        let told = self.tell_why_held(cx, id).or(self.link_fault(cx.links, id));
        let quiet = self.quiet_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(cx.now));
        let Some(router) = self.router_mut(id) else { return };
        let (left_over, all_there) = router.left_over(cx.links);
        router.holds_addresses = left_over;
        if !left_over {
            // Routes and rules of a run that ended badly, which left no address.
            router.route(cx, false, cx.cause);
        }
        router.update_priority(cx);
        if faulty {
            let cause = told.or(cx.cause);
            router.enter_fault(&mut cx.because(cause));
        } else if owner && router.group.is_none() && quiet.is_zero() {
            router.enter_master(cx);
        } else if owner {
            router.start_as_owner(cx, quiet);
        } else {
            let wait = if all_there { router.interval() + router.skew() } else { router.down_interval() };
            router.enter_backup(cx, quiet + wait);
        }
        self.rearm(id);
    }

    /// Says what will keep a router in Fault, unless it is there already: its configuration, or that there is no address to
    /// send from. Of interfaces it has been said.
    pub(super) fn tell_why_held(&self, cx: &mut Context<'_>, id: RouterId) -> Option<EventId> {
        let router = self.router(id).filter(|router| router.state() != VrrpState::Fault)?;
        let instance = router.spec.name.clone();
        match router.spec.held {
            Some(reason) => Some(cx.publish(VrrpFact::HeldInFault { instance, reason })),
            None if router.faults.source && !router.faults.link => {
                let wanted = router.spec.source;
                Some(cx.publish(VrrpFact::SourceAddressChanged { instance, address: None, wanted }))
            }
            None => None,
        }
    }

    /// The event that told of that for which a router is in Fault: its interface, or something that it follows.
    fn link_fault(&self, links: &Links, id: RouterId) -> Option<EventId> {
        let router = self.router(id)?;
        if router.faults.link {
            return links.get(router.link)?.told;
        }
        router.standing.told
    }

    /// Only an owner that says `state MASTER`, or that has its addresses already (RFC 9568 §6.4.1), is master at once; in
    /// a group, only if all of it are such.
    fn starts_as_master(&self, id: RouterId) -> bool {
        let Some(router) = self.router(id) else { return false };
        let own = |router: &Router| {
            router.spec.is_owner() && (router.spec.initial_master || router.has_own_addresses())
        };
        match router.group {
            None => own(router),
            Some(group) => self.groups[group].members.iter().all(|id| self.router(*id).is_some_and(own)),
        }
    }
}
