//! Reloading and stopping.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_model::TrackedKind;

use super::{Node, Release};
use crate::follow::Followed;
use crate::group::Group;
use crate::ids::RouterId;
use crate::link::Links;
use crate::outbox::{Notice, Outbox, Output};
use crate::router::Router;
use crate::spec::{Definitions, GroupDefinition, RouterDefinition, RouterSpec, Transport};
use crate::step::Context;

impl Node {
    /// Makes `definitions` true: starts what is new, stops what is gone (masters resign), changes what changed, and
    /// leaves alone what did not. A router is restarted only if its interface, id, family, version or transport is
    /// another; under a new name it is the same if those are. Look at [`Node::subscriptions`] afterwards.
    pub fn apply(
        &mut self,
        now: Instant,
        definitions: Definitions,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        self.step(now, cause, out, |node, cx| node.make_true(cx, definitions));
    }

    fn make_true(&mut self, cx: &mut Context<'_>, definitions: Definitions) {
        self.delay_start(cx.now, definitions.startup_delay);
        self.tell_unknown = definitions.tell_unknown;
        self.rename(cx, &definitions.routers);
        self.hold_ahead(cx, &definitions.routers);
        self.retire_what_is_gone(cx, &definitions);
        let mut beginners: HashMap<RouterId, EventId> = HashMap::new();
        for definition in definitions.routers {
            let known = self.by_name.get(&definition.spec.name).copied();
            match known {
                Some(id) => self.redefine(cx, id, definition),
                None => {
                    let (id, event) = self.define(cx, definition);
                    beginners.insert(id, event);
                }
            }
        }
        self.regroup(cx, definitions.groups);
        let idle = self.routers().filter(|router| router.state() == VrrpState::Init).map(Router::id);
        let idle: Vec<RouterId> = idle.collect();
        let all: Vec<RouterId> = self.routers().map(Router::id).collect();
        cx.links.judge_unmarked();
        let mut told: HashMap<RouterId, EventId> = HashMap::new();
        for id in &all {
            told.extend(self.look_for_own(cx, *id).map(|event| (*id, event)));
            self.look_at_links(cx, *id);
            self.weigh(*id);
        }
        self.begin(cx, &idle, &beginners);
        for id in all {
            let cause = self.tell_why_held(cx, id).or(told.get(&id).copied()).or(cx.cause);
            self.reconsider(&mut cx.because(cause), id);
        }
        self.settle_groups(cx);
    }

    /// Stops everything; the machine can be dropped, or started again by [`Node::apply`].
    pub fn stop(&mut self, now: Instant, release: Release, cause: Option<EventId>, out: &mut dyn Outbox) {
        self.step(now, cause, out, |node, cx| {
            let mut all: Vec<_> = node.routers.iter_mut().flatten().collect();
            // In the order of the file, as they are told of.
            all.sort_by_key(|router| router.settings.position);
            for router in all {
                router.enter_init(cx, release == Release::Everything);
            }
            for group in 0..node.groups.len() {
                node.group_changes(cx, group, VrrpState::Init);
            }
        });
    }

    /// Those that wait for the first start's delay wait for the new one instead, from when they began to.
    fn delay_start(&mut self, now: Instant, delay: Duration) {
        let until = *self.started.get_or_insert(now) + delay;
        let before = self.quiet_until.unwrap_or(now);
        if self.quiet_until.is_some() && before <= now {
            return;
        }
        self.quiet_until = Some(until);
        let left = |until: Instant| until.saturating_duration_since(now);
        for router in self.routers.iter_mut().flatten() {
            router.shift_down_timer(left(before), left(until));
        }
        let all: Vec<RouterId> = self.routers().map(Router::id).collect();
        all.into_iter().for_each(|id| self.rearm(id));
    }

    /// What is new by its name but the same on the wire as something that goes has only been renamed.
    fn rename(&mut self, cx: &mut Context<'_>, definitions: &[RouterDefinition]) {
        let stay: HashSet<&Name> = definitions.iter().map(|definition| &definition.spec.name).collect();
        let unicast = |spec: &RouterSpec| matches!(spec.transport, Transport::Unicast { .. });
        let key = |spec: &RouterSpec| (spec.home().cloned(), spec.family, spec.vrid, unicast(spec));
        let goers = self.routers().filter(|router| !stay.contains(&router.spec.name));
        let mut goers: HashMap<_, RouterId> = goers.map(|router| (key(&router.spec), router.id)).collect();
        if goers.is_empty() {
            return;
        }
        for definition in definitions {
            let spec = &definition.spec;
            if self.by_name.contains_key(&spec.name) {
                continue;
            }
            let Some(id) = goers.get(&key(spec)).copied() else { continue };
            if self.router(id).is_some_and(|router| router.can_become(spec)) {
                goers.remove(&key(spec));
                self.call(cx, id, &spec.name);
            }
        }
    }

    fn call(&mut self, cx: &mut Context<'_>, id: RouterId, name: &Name) {
        let Some(router) = self.router(id) else { return };
        let (from, instance, state) = (router.spec.name.clone(), name.clone(), router.state());
        self.by_name.remove(&from);
        self.by_name.insert(instance.clone(), id);
        let event = cx.publish(VrrpFact::InstanceRenamed { instance: instance.clone(), from });
        cx.out.act(Output::Notify(Notice::RouterState { instance, state, event }));
    }

    /// Masters that stay hold the addresses of their new definition from now on: one that comes to them from another
    /// router must not be taken off in between.
    fn hold_ahead(&self, cx: &mut Context<'_>, definitions: &[RouterDefinition]) {
        for definition in definitions {
            let known = self.by_name.get(&definition.spec.name).and_then(|id| self.router(*id));
            let stays =
                |router: &&Router| router.state() == VrrpState::Master && router.can_become(&definition.spec);
            if let Some(router) = known.filter(stays) {
                router.hold_all(cx.links, &definition.spec);
            }
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
        // In the order of the file, as they are told of.
        gone.sort_by_key(|id| self.router(*id).map(|router| router.settings.position));
        for id in gone {
            self.retire(cx, id, renewed.contains(&id));
        }
    }

    fn retire(&mut self, cx: &mut Context<'_>, id: RouterId, renewed: bool) {
        let Some(mut router) = self.routers.get_mut(id.0 as usize).and_then(Option::take) else { return };
        let stopped = router.enter_init(cx, true);
        unbind(cx.links, &mut self.followed, id, &router.spec);
        self.by_name.remove(&router.spec.name);
        if let Some(group) = router.group.and_then(|group| self.groups.get_mut(group)) {
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
        let link = cx.links.home(definition.spec.home());
        let event = cx.publish(VrrpFact::InstanceConfigured {
            instance: definition.spec.name.clone(),
            settings: definition.settings.clone(),
        });
        let mut router = Router::new(id, link, definition);
        if let Some(name) = router.spec.transmit_on.clone() {
            router.leaves_by = cx.links.intern(&name);
        }
        bind(cx.links, &mut self.followed, id, &router.spec);
        self.by_name.insert(router.spec.name.clone(), id);
        self.routers.push(Some(Box::new(router)));
        (id, event)
    }

    pub(super) fn redefine(&mut self, cx: &mut Context<'_>, id: RouterId, definition: RouterDefinition) {
        let Some(router) = self.router(id) else { return };
        let old = router.spec.clone();
        let cause = if router.settings == definition.settings {
            cx.cause
        } else {
            let instance = definition.spec.name.clone();
            let settings = definition.settings.clone();
            Some(cx.publish(VrrpFact::InstanceConfigured { instance, settings }))
        };
        let changed = *old != definition.spec;
        if changed {
            unbind(cx.links, &mut self.followed, id, &old);
            bind(cx.links, &mut self.followed, id, &definition.spec);
        }
        if let Some(router) = self.router_mut(id) {
            router.redefine(&mut cx.because(cause), definition);
        }
        self.rearm(id);
    }

    /// Replaces the groups, keeping the state of those that stay.
    fn regroup(&mut self, cx: &mut Context<'_>, definitions: Vec<GroupDefinition>) {
        let mut old: Vec<Option<Group>> = std::mem::take(&mut self.groups).into_iter().map(Some).collect();
        let places = old.iter().flatten().enumerate();
        let places: HashMap<Name, usize> = places.map(|(at, group)| (group.spec.name.clone(), at)).collect();
        for router in self.routers.iter_mut().flatten() {
            router.group = None;
        }
        for GroupDefinition { spec, settings } in definitions {
            let members: Vec<RouterId> =
                spec.members.iter().filter_map(|name| self.by_name.get(name).copied()).collect();
            let known = places.get(&spec.name).and_then(|at| old.get_mut(*at)?.take());
            if known.as_ref().is_none_or(|group| group.settings != settings) {
                let group = spec.name.clone();
                cx.publish(VrrpFact::GroupConfigured { group, settings: settings.clone() });
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
        for group in old.into_iter().flatten() {
            cx.publish(VrrpFact::GroupUnconfigured { group: group.spec.name });
        }
    }

    fn settle_groups(&mut self, cx: &mut Context<'_>) {
        for group in 0..self.groups.len() {
            self.settle_group(cx, group);
        }
    }

    /// After members came, went or started: a group's state is what its members' states make it. It does not begin before
    /// all of them have.
    pub(super) fn settle_group(&mut self, cx: &mut Context<'_>, group: usize) {
        let states: Vec<VrrpState> =
            self.groups[group].members.iter().filter_map(|id| self.router(*id).map(Router::state)).collect();
        let all = |state| !states.is_empty() && states.iter().all(|other| *other == state);
        let waits = self.groups[group].state == VrrpState::Init && states.contains(&VrrpState::Init);
        if self.has_faulty_member(group) {
            self.group_enters(cx, group, VrrpState::Fault);
        } else if all(VrrpState::Master) {
            self.group_changes(cx, group, VrrpState::Master);
        } else if all(VrrpState::Fault) {
            // Whoever had a fault left the group.
            self.group_enters(cx, group, VrrpState::Backup);
        } else if !states.is_empty() && !waits {
            self.group_changes(cx, group, VrrpState::Backup);
        }
    }
}

/// Tells the interfaces about a router: its id, its addresses; and what it follows that it does.
fn bind(links: &mut Links, followed: &mut Followed, id: RouterId, spec: &RouterSpec) {
    links.at_home(spec).attach(spec.family, spec.vrid.0, id);
    for address in spec.addresses.iter() {
        links.of_address(spec, address).claim(address.address, id);
    }
    for follow in spec.follows.iter() {
        let tracked = followed.intern(follow.kind, &follow.name);
        if follow.kind == TrackedKind::Link {
            let link = links.entry(&follow.name);
            link.tracked = Some(tracked);
            followed.set(tracked, link.state.into(), link.told);
        }
        followed.follow(tracked, id);
    }
}

fn unbind(links: &mut Links, followed: &mut Followed, id: RouterId, spec: &RouterSpec) {
    links.at_home(spec).detach(spec.family, spec.vrid.0, id);
    for address in spec.addresses.iter() {
        links.of_address(spec, address).disclaim(address.address, id);
    }
    for follow in spec.follows.iter() {
        let tracked = followed.intern(follow.kind, &follow.name);
        followed.unfollow(tracked, id);
    }
}
