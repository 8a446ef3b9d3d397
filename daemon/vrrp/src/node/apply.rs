//! Starting, reloading, stopping.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;
use keepwatch_config::model::InterfaceAddress;

use super::{Context, Node, Release, RouterId};
use crate::group::Group;
use crate::link::{LinkId, LinkState};
use crate::outbox::Outbox;
use crate::router::Router;
use crate::spec::{Definitions, GroupDefinition, RouterDefinition, RouterSpec};

impl Node {
    /// Makes `definitions` true: starts what is new, stops what is gone (masters resign), changes what changed, and
    /// leaves alone what did not. A router is restarted only if its interface, id, family, version or transport is
    /// another. Look at [`Node::subscriptions`] afterwards.
    pub fn apply(
        &mut self,
        now: Instant,
        definitions: Definitions,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        let mut cx = Context { now, cause, out };
        self.quiet_until.get_or_insert(now + definitions.startup_delay);
        self.retire_what_is_gone(&mut cx, &definitions);
        let mut beginners: HashMap<RouterId, EventId> = HashMap::new();
        for definition in definitions.routers {
            let known = self.by_name.get(&definition.spec.name).copied();
            match known {
                Some(id) => self.redefine(&mut cx, id, definition),
                None => {
                    let (id, event) = self.define(&mut cx, definition);
                    beginners.insert(id, event);
                }
            }
        }
        self.regroup(&mut cx, definitions.groups);
        let idle = self.routers().filter(|router| router.state() == VrrpState::Init).map(Router::id);
        let idle: Vec<RouterId> = idle.collect();
        let all: Vec<RouterId> = self.routers().map(Router::id).collect();
        for id in &all {
            self.look_at_links(*id);
        }
        for id in idle {
            let cause = beginners.get(&id).copied().or(cx.cause);
            self.start(&mut Context { now, cause, out: cx.out }, id);
        }
        for id in all {
            let cause = self.tell_why_held(&mut cx, id).or(cx.cause);
            self.reconsider(&mut Context { now, cause, out: cx.out }, id);
        }
        self.settle_groups(&mut cx);
    }

    /// Stops everything; the machine can be dropped, or started again by [`Node::apply`].
    pub fn stop(&mut self, now: Instant, release: Release, cause: Option<EventId>, out: &mut dyn Outbox) {
        let mut cx = Context { now, cause, out };
        for router in self.routers.iter_mut().flatten() {
            router.enter_init(&mut cx, release == Release::Everything);
        }
        for group in 0..self.groups.len() {
            self.group_changes(&mut cx, group, VrrpState::Init);
        }
    }

    fn retire_what_is_gone(&mut self, cx: &mut Context<'_>, definitions: &Definitions) {
        let mut stays: HashSet<RouterId> = HashSet::new();
        let mut renewed: HashSet<RouterId> = HashSet::new();
        for definition in &definitions.routers {
            let Some(id) = self.by_name.get(&definition.spec.name) else { continue };
            let same = self.router(*id).is_some_and(|router| router.can_become(&definition.spec));
            if same {
                stays.insert(*id)
            } else {
                renewed.insert(*id)
            };
        }
        let mut gone: Vec<RouterId> =
            self.by_name.values().copied().filter(|id| !stays.contains(id)).collect();
        gone.sort_unstable();
        for id in gone {
            self.retire(cx, id, renewed.contains(&id));
        }
    }

    fn retire(&mut self, cx: &mut Context<'_>, id: RouterId, renewed: bool) {
        let Some(mut router) = self.routers.get_mut(id.0 as usize).and_then(Option::take) else { return };
        let stopped = router.enter_init(cx, true);
        self.unbind(id, &router.spec);
        self.by_name.remove(&router.spec.name);
        for group in &mut self.groups {
            group.members.retain(|member| *member != id);
        }
        if !renewed {
            let instance = router.spec.name.clone();
            cx.out.publish(stopped.or(cx.cause), VrrpFact::InstanceUnconfigured { instance }.into());
        }
    }

    /// A new router, not started yet.
    fn define(&mut self, cx: &mut Context<'_>, definition: RouterDefinition) -> (RouterId, EventId) {
        let id = RouterId(self.routers.len() as u32);
        let link = self.links.home(definition.spec.interface.as_ref());
        let event = cx.publish(VrrpFact::InstanceConfigured {
            instance: definition.spec.name.clone(),
            settings: Box::new(definition.settings.clone()),
        });
        let router = Router::new(id, link, definition);
        self.bind(id, &router.spec.clone());
        self.by_name.insert(router.spec.name.clone(), id);
        self.routers.push(Some(Box::new(router)));
        (id, event)
    }

    fn redefine(&mut self, cx: &mut Context<'_>, id: RouterId, definition: RouterDefinition) {
        let Some(router) = self.router(id) else { return };
        let old = router.spec.clone();
        let cause = if router.settings == definition.settings {
            cx.cause
        } else {
            let instance = old.name.clone();
            let settings = Box::new(definition.settings.clone());
            Some(cx.publish(VrrpFact::InstanceConfigured { instance, settings }))
        };
        let changed = *old != definition.spec;
        if changed {
            self.unbind(id, &old);
            self.bind(id, &definition.spec);
        }
        let mut cx = Context { now: cx.now, cause, out: cx.out };
        if let Some(router) = self.router_mut(id) {
            router.redefine(&mut cx, definition);
        }
        self.rearm(id);
    }

    /// Tells the interfaces about a router: its id, its addresses, what it tracks.
    fn bind(&mut self, id: RouterId, spec: &RouterSpec) {
        let link = self.links.home(spec.interface.as_ref());
        if let Some(link) = self.links.get_mut(link) {
            link.attach(spec.family, spec.vrid.0, id);
        }
        for address in spec.addresses.iter() {
            let link = self.address_link(spec, address);
            if let Some(link) = link.and_then(|link| self.links.get_mut(link)) {
                link.claim(address.address, id);
            }
        }
        for tracked in spec.tracked_interfaces.iter() {
            let link = self.links.intern(&tracked.name);
            if let Some(link) = self.links.get_mut(link) {
                link.trackers.push(id);
            }
        }
    }

    fn unbind(&mut self, id: RouterId, spec: &RouterSpec) {
        let link = self.links.home(spec.interface.as_ref());
        if let Some(link) = self.links.get_mut(link) {
            link.detach(spec.family, spec.vrid.0, id);
        }
        for address in spec.addresses.iter() {
            let link = self.address_link(spec, address);
            if let Some(link) = link.and_then(|link| self.links.get_mut(link)) {
                link.disclaim(address.address, id);
            }
        }
        for tracked in spec.tracked_interfaces.iter() {
            let link = self.links.intern(&tracked.name);
            if let Some(link) = self.links.get_mut(link) {
                link.trackers.retain(|other| *other != id);
            }
        }
    }

    fn address_link(&mut self, spec: &RouterSpec, address: &InterfaceAddress) -> Option<LinkId> {
        spec.interface_of(address).map(|name| self.links.intern(name))
    }

    /// Init ends: Fault if there is a reason, else Backup (RFC 9568 §6.4.1).
    fn start(&mut self, cx: &mut Context<'_>, id: RouterId) {
        let Some(router) = self.router(id) else { return };
        let (spec, group) = (router.spec.clone(), router.group);
        let faulty = router.faults.any() || group.is_some_and(|group| self.has_faulty_member(group));
        let owner = self.starts_as_master(id);
        let mut present = 0;
        for address in spec.addresses.iter() {
            let link = self.address_link(&spec, address);
            let link = link.and_then(|link| self.links.get(link));
            present += usize::from(link.is_some_and(|link| link.has(&address.address)));
        }
        let told = self.tell_why_held(cx, id).or(self.link_fault(id));
        let quiet = self.quiet_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(cx.now));
        let Some(router) = self.router_mut(id) else { return };
        router.holds_addresses = present > 0;
        router.priority = router.weighed_priority();
        if faulty {
            let cause = told.or(cx.cause);
            router.enter_fault(&mut Context { now: cx.now, cause, out: cx.out });
        } else if owner {
            router.start_as_owner(cx, quiet);
        } else {
            let all_there = present > 0 && present == spec.addresses.len();
            let wait = if all_there { router.interval() + router.skew() } else { router.down_interval() };
            router.enter_backup(cx, quiet + wait);
        }
        self.rearm(id);
    }

    /// Says what will keep a router in Fault, unless it is there already: its configuration, or that there is no address to
    /// send from. Of interfaces it has been said.
    fn tell_why_held(&self, cx: &mut Context<'_>, id: RouterId) -> Option<EventId> {
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

    /// The event that told of the interface for which a router is in Fault: its own, or one that it follows.
    fn link_fault(&self, id: RouterId) -> Option<EventId> {
        let router = self.router(id)?;
        if router.faults.link {
            return self.links.get(router.link)?.told;
        }
        let tracked = router.spec.tracked_interfaces.iter().filter(|tracked| tracked.weight == 0);
        tracked.filter_map(|tracked| self.links.named(&tracked.name).map(|link| (tracked, link))).find_map(
            |(tracked, link)| {
                let fault = (link.state == LinkState::Up) == tracked.reverse;
                link.told.filter(|_| fault)
            },
        )
    }

    /// Only an owner that says `state MASTER` is master at once; in a group, only if all of it are such.
    fn starts_as_master(&self, id: RouterId) -> bool {
        let Some(router) = self.router(id) else { return false };
        let own = |router: &Router| router.spec.is_owner() && router.spec.initial_master;
        match router.group {
            None => own(router),
            Some(group) => self.groups[group].members.iter().all(|id| self.router(*id).is_some_and(own)),
        }
    }

    /// Replaces the groups, keeping the state of those that stay.
    fn regroup(&mut self, cx: &mut Context<'_>, definitions: Vec<GroupDefinition>) {
        let mut old: Vec<Group> = std::mem::take(&mut self.groups);
        for router in self.routers.iter_mut().flatten() {
            router.group = None;
        }
        for GroupDefinition { spec, settings } in definitions {
            let members: Vec<RouterId> =
                spec.members.iter().filter_map(|name| self.by_name.get(name).copied()).collect();
            let known = old.iter().position(|group| group.spec.name == spec.name).map(|at| old.remove(at));
            if known.as_ref().is_none_or(|group| group.settings != settings) {
                let group = spec.name.clone();
                cx.publish(VrrpFact::GroupConfigured { group, settings: Box::new(settings.clone()) });
            }
            let place = self.groups.len();
            for id in &members {
                if let Some(router) = self.router_mut(*id) {
                    router.group = Some(place);
                }
            }
            let state = known.map_or(VrrpState::Init, |group| group.state);
            self.groups.push(Group { spec, settings, members, state });
        }
        for group in old {
            cx.publish(VrrpFact::GroupUnconfigured { group: group.spec.name });
        }
    }

    /// After members came, went or started: a group's state is what its members' states make it.
    fn settle_groups(&mut self, cx: &mut Context<'_>) {
        for group in 0..self.groups.len() {
            let states: Vec<VrrpState> = self.groups[group]
                .members
                .iter()
                .filter_map(|id| self.router(*id).map(Router::state))
                .collect();
            let all = |state| !states.is_empty() && states.iter().all(|other| *other == state);
            if self.has_faulty_member(group) {
                self.group_enters(cx, group, VrrpState::Fault);
            } else if all(VrrpState::Master) {
                self.group_changes(cx, group, VrrpState::Master);
            } else if all(VrrpState::Fault) {
                // Whoever had a fault left the group.
                self.group_enters(cx, group, VrrpState::Backup);
            } else if !states.is_empty() {
                self.group_changes(cx, group, VrrpState::Backup);
            }
        }
    }
}
