//! What the runner reports: packets, time, interfaces, addresses, trackers.

use std::net::IpAddr;
use std::time::Instant;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::Family;

use super::{Context, Node, RouterId, Tracking};
use crate::link::{LinkId, LinkState};
use crate::outbox::Outbox;
use crate::router::{Reaction, Router};
use crate::wire::{Datagram, HEADER_LEN};

/// Where the virtual router id stands in a message: the same place in every version.
const VRID: usize = 1;

impl Node {
    /// A packet came in. It is checked, counted and acted on; most change nothing but a deadline.
    pub fn receive(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut dyn Outbox) {
        let Some(link) = self.links.get(datagram.link) else { return };
        if self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        if datagram.message.len() < HEADER_LEN {
            self.strangers.packet_length_errors.inc();
            return;
        }
        let family = Family::of(datagram.source);
        let vrid = datagram.message[VRID];
        let Some(first) = link.router(family, vrid) else {
            if !self.is_heard_elsewhere(datagram.link, family, vrid) {
                self.strangers.vrid_errors.inc();
            }
            return;
        };
        let expects = |id: &RouterId| self.router(*id).is_some_and(|router| router.expects(&datagram));
        let id = match link.namesakes(family, vrid).find(expects) {
            Some(other) if !expects(&first) => other,
            Some(_) | None => first,
        };
        let mut cx = Context { now, cause: None, out };
        let Some(router) = self.router_mut(id) else { return };
        let reaction = router.receive(&mut cx, &datagram);
        self.react(&mut cx, id, reaction);
        self.rearm(id);
    }

    /// Whether a packet that is for nobody on `link` came in by another socket too, for one who listens there: those who
    /// listen everywhere hear what comes in by an interface, and the other way round.
    fn is_heard_elsewhere(&self, link: LinkId, family: Family, vrid: u8) -> bool {
        let anywhere = self.links.get(LinkId::ANYWHERE).is_some_and(|all| !all.routers.is_empty());
        anywhere
            && self.routers().any(|router| {
                (router.spec.family, router.spec.vrid.0) == (family, vrid)
                    && (link == LinkId::ANYWHERE || router.link == LinkId::ANYWHERE)
            })
    }

    /// Time has passed: every router whose deadline is not after `now` acts. All that is due together is handed out
    /// in one call, so that it can leave in one system call.
    pub fn handle_timeouts(&mut self, now: Instant, out: &mut dyn Outbox) {
        let mut cx = Context { now, cause: None, out };
        while let Some(id) = self.timers.pop(now) {
            if let Some(router) = self.router_mut(id) {
                let reaction = router.handle_deadline(&mut cx);
                self.react(&mut cx, id, reaction);
            }
            self.rearm(id);
        }
    }

    pub(super) fn react(&mut self, cx: &mut Context<'_>, id: RouterId, reaction: Reaction) {
        match reaction {
            Reaction::None => {}
            Reaction::WantsMaster => self.promote(cx, id),
            Reaction::Yielded(event) => self.group_yields(&mut cx.because_of(event), id),
            Reaction::LowerMaster(event) => self.group_announces(&mut cx.because_of(event), id, event),
        }
    }

    /// An interface went up or down, or is there at all; `cause` is the event that says so.
    pub fn link_changed(
        &mut self,
        now: Instant,
        link: LinkId,
        state: LinkState,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.told = cause.or(entry.told);
        if entry.state == state {
            return;
        }
        entry.state = state;
        let concerned: Vec<RouterId> = entry.routers.iter().chain(&entry.trackers).copied().collect();
        let mut cx = Context { now, cause, out };
        for id in concerned {
            self.look_at_links(id);
            self.reconsider(&mut cx, id);
        }
    }

    /// An interface has this address now: one that we asked for, or another.
    pub fn address_added(&mut self, now: Instant, link: LinkId, address: IpAddr, out: &mut dyn Outbox) {
        let Some(entry) = self.links.get_mut(link) else { return };
        if entry.arrived(address) && entry.virtual_owner(&address).is_none() {
            self.sources_may_have_changed(now, self.routers_on(link), out);
        }
    }

    /// An interface lost this address: because we asked for it, or because somebody took it away. A master puts its
    /// own back.
    pub fn address_removed(&mut self, now: Instant, link: LinkId, address: IpAddr, out: &mut dyn Outbox) {
        let Some(entry) = self.links.get_mut(link) else { return };
        if !entry.departed(address) {
            return;
        }
        match entry.virtual_owner(&address) {
            Some(id) => self.virtual_address_lost(now, id, address, out),
            None => self.sources_may_have_changed(now, self.routers_on(link), out),
        }
    }

    /// This host has, or no longer has, an address that a router is configured to send from, on whichever interface.
    pub fn source_present(&mut self, now: Instant, address: IpAddr, present: bool, out: &mut dyn Outbox) {
        let changed = if present { self.sources.insert(address) } else { self.sources.remove(&address) };
        if changed {
            let uses = |router: &&Router| router.spec.source == Some(address);
            let concerned = self.routers().filter(uses).map(Router::id).collect();
            self.sources_may_have_changed(now, concerned, out);
        }
    }

    fn routers_on(&self, link: LinkId) -> Vec<RouterId> {
        self.links.get(link).map(|link| link.routers.clone()).unwrap_or_default()
    }

    fn virtual_address_lost(&mut self, now: Instant, id: RouterId, address: IpAddr, out: &mut dyn Outbox) {
        let mut cx = Context { now, cause: None, out };
        let Some(router) = self.router_mut(id) else { return };
        let reaction = router.virtual_address_lost(&mut cx, address);
        self.react(&mut cx, id, reaction);
        self.rearm(id);
    }

    fn sources_may_have_changed(&mut self, now: Instant, concerned: Vec<RouterId>, out: &mut dyn Outbox) {
        for id in concerned {
            let before = self.router(id).and_then(Router::usable_source);
            self.look_at_links(id);
            let Some(router) = self.router(id) else { continue };
            let address = router.usable_source();
            if address == before {
                continue;
            }
            let (instance, wanted) = (router.spec.name.clone(), router.spec.source);
            let event =
                out.publish(None, VrrpFact::SourceAddressChanged { instance, address, wanted }.into());
            self.reconsider(&mut Context { now, cause: Some(event), out }, id);
        }
    }

    /// What the trackers outside this crate say about a router now.
    pub fn track(
        &mut self,
        now: Instant,
        router: RouterId,
        tracking: Tracking,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        if let Some(router) = self.router_mut(router) {
            router.tracking = tracking;
            router.faults.trackers = tracking.failed;
        }
        self.reconsider(&mut Context { now, cause, out }, router);
    }

    /// Finds out anew what its configuration and the interfaces mean for a router: faults, weights, source address.
    pub(super) fn look_at_links(&mut self, id: RouterId) {
        let Some(router) = self.routers.get_mut(id.0 as usize).and_then(Option::as_deref_mut) else { return };
        let spec = router.spec.clone();
        let Some(link) = self.links.get(router.link) else { return };
        router.faults.held = spec.held.is_some();
        router.faults.link = link.state == LinkState::Down && !spec.dont_track_primary;
        let source = match spec.source {
            // As the source of somebody else's packets nobody would answer to it, and two hosts could be master.
            Some(configured) => {
                let bound = spec.interface.is_some() && (spec.track_source || is_link_local(configured));
                let here = link.has(&configured) || (!bound && self.sources.contains(&configured));
                here.then_some(configured)
            }
            None => link.source(spec.family, router.source),
        };
        router.faults.source = source.is_none();
        if source.is_some() {
            // A master that loses its last address still resigns with it.
            router.set_source(source);
        }
        router.link_weight = 0;
        router.faults.tracked_links = 0;
        for tracked in spec.tracked_interfaces.iter() {
            let id = self.links.intern(&tracked.name);
            let up = self.links.get(id).is_some_and(|link| link.state == LinkState::Up);
            router.weigh_link(tracked, up);
        }
    }
}

/// Whether an address means something on one link only.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
