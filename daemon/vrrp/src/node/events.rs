//! What the runner reports: packets, time, interfaces, addresses, trackers.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::{Family, VrrpState};
use keepwatch_model::{InterfaceAddress, Level};

use super::Node;
use crate::ids::{LinkId, RouterId, TrackedId};
use crate::link::{LinkAddress, LinkState};
use crate::outbox::Outbox;
use crate::router::{Reaction, Router};
use crate::step::Context;
use crate::wire::{Datagram, HEADER_LEN};

/// Where the virtual router id stands in a message: the same place in every version.
const VRID: usize = 1;
/// Between two facts about one virtual router id that nobody has here.
const QUIET: Duration = Duration::from_secs(10);

impl Node {
    /// A packet came in. It is checked, counted and acted on; most change nothing but a deadline.
    pub fn receive(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut dyn Outbox) {
        if self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        let Some(id) = self.addressee(&datagram) else {
            self.tell_of_unknown(now, &datagram, out);
            self.look_at_stranger(now, &datagram, out);
            return;
        };
        {
            self.step(now, None, out, |node, cx| {
                let Some(router) = node.router_mut(id) else { return };
                let reaction = router.receive(cx, &datagram);
                node.react(cx, id, reaction);
                node.rearm(id);
            });
        }
    }

    /// Somebody asks that the addresses of the virtual router of this name be announced; only a master does.
    pub fn announce(&mut self, now: Instant, name: &str, cause: Option<EventId>, out: &mut dyn Outbox) {
        let Some(id) = self.by_name.get(name).copied() else { return };
        self.step(now, cause, out, |node, cx| {
            if let Some(router) = node.router_mut(id) {
                router.requested_burst(cx, cause);
            }
        });
    }

    /// `log_unknown_vrids`: tells of an advertisement that is for nobody here, once in ten seconds for each id.
    fn tell_of_unknown(&mut self, now: Instant, datagram: &Datagram<'_>, out: &mut dyn Outbox) {
        let Some(vrid) = datagram.message.get(VRID).copied().filter(|_| self.tell_unknown) else { return };
        let known = self.links.get(datagram.link).and_then(|l| l.router(Family::of(datagram.source), vrid));
        let heard =
            known.is_some() || self.is_heard_elsewhere(datagram.link, Family::of(datagram.source), vrid);
        let quiet = self.unknown.get(&vrid).is_some_and(|last| now.saturating_duration_since(*last) < QUIET);
        if heard || quiet || datagram.message.len() < HEADER_LEN {
            return;
        }
        self.unknown.insert(vrid, now);
        let interface = self.links.name(datagram.link).cloned();
        out.publish(None, VrrpFact::UnknownVrid { interface, vrid, address: datagram.source }.into());
    }

    /// The router that a packet is for.
    fn addressee(&self, datagram: &Datagram<'_>) -> Option<RouterId> {
        let link = self.links.get(datagram.link)?;
        if datagram.message.len() < HEADER_LEN {
            self.strangers.packet_length_errors.inc();
            return None;
        }
        let family = Family::of(datagram.source);
        let vrid = datagram.message[VRID];
        let Some(first) = link.router(family, vrid) else {
            if !self.is_heard_elsewhere(datagram.link, family, vrid) {
                self.strangers.vrid_errors.inc();
            }
            return None;
        };
        let expects = |id: &RouterId| self.router(*id).is_some_and(|router| router.expects(datagram));
        Some(match link.namesakes(family, vrid).find(expects) {
            Some(other) if !expects(&first) => other,
            Some(_) | None => first,
        })
    }

    /// Whether a packet that is for nobody on `link` came in by another socket too, for one who listens there: those who
    /// listen everywhere hear what comes in by an interface, and the other way round.
    pub(super) fn is_heard_elsewhere(&self, link: LinkId, family: Family, vrid: u8) -> bool {
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
        self.step(now, None, out, |node, cx| {
            while let Some(id) = node.timers.pop(now) {
                if let Some(router) = node.router_mut(id) {
                    let reaction = router.handle_deadline(cx);
                    node.react(cx, id, reaction);
                }
                node.rearm(id);
            }
        });
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
        self.step(now, cause, out, |node, cx| {
            let Some(entry) = cx.links.get_mut(link) else { return };
            entry.told = cause.or(entry.told);
            if entry.state == state {
                return;
            }
            entry.state = state;
            let (concerned, tracked) = (entry.routers.clone(), entry.tracked);
            for id in concerned {
                let was_down = node.router(id).is_some_and(|router| router.faults.link);
                node.look_at_links(cx, id);
                let told = node.still_without_source(cx, id, was_down);
                node.reconsider(&mut cx.because(told.or(cause)), id);
            }
            if let Some(id) = tracked {
                let followers = node.followed.set(id, state.into(), cause);
                node.weigh_all(cx, &followers);
            }
            node.hurry(cx.now);
        });
    }

    /// The kernel did not take an address that [`Output::AddAddresses`](crate::Output::AddAddresses) asked for.
    pub fn address_refused(&mut self, now: Instant, router: RouterId, address: &InterfaceAddress) {
        if let Some(known) = self.router_mut(router) {
            known.address_refused(now, address);
            self.lacking.insert(router);
            self.rearm(router);
        }
    }

    /// The kernel found out that another host on the link has an address (IPv6), so that it is of no use here.
    pub fn address_duplicate(&mut self, now: Instant, link: LinkId, address: IpAddr, out: &mut dyn Outbox) {
        self.step(now, None, out, |node, cx| {
            let claimants = cx.links.get(link).map(|link| link.claimants(&address).to_vec());
            for id in claimants.unwrap_or_default() {
                let Some(router) = node.router_mut(id) else { continue };
                router.address_is_duplicate(cx, link, address);
                node.lacking.insert(id);
                node.rearm(id);
            }
        });
    }

    /// Something changed about the interfaces: masters without one of their addresses ask for it again.
    fn hurry(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.lacking) {
            if let Some(router) = self.router_mut(id).filter(|router| router.lacks_addresses()) {
                router.hurry(now);
                self.lacking.insert(id);
                self.rearm(id);
            }
        }
    }

    /// An interface has this address now: one that we asked for, or another.
    pub fn address_added(&mut self, now: Instant, link: LinkId, address: LinkAddress, out: &mut dyn Outbox) {
        self.step(now, None, out, |node, cx| {
            let Some(entry) = cx.links.get_mut(link) else { return };
            let before = entry.is_plain(&address.address);
            entry.arrived(address);
            node.address_changed(cx, link, address.address, before);
        });
    }

    /// An interface lost this address: because we asked for it, or because somebody took it away. A master puts its
    /// own back.
    pub fn address_removed(
        &mut self,
        now: Instant,
        link: LinkId,
        address: LinkAddress,
        out: &mut dyn Outbox,
    ) {
        self.step(now, None, out, |node, cx| {
            let Some(entry) = cx.links.get_mut(link) else { return };
            let before = entry.is_plain(&address.address);
            if entry.departed(address.address, address.prefix) {
                node.address_changed(cx, link, address.address, before);
            }
        });
    }

    /// An address came or went; `before` is whether it could be a source.
    fn address_changed(&mut self, cx: &mut Context<'_>, link: LinkId, address: IpAddr, before: bool) {
        let Some(entry) = cx.links.get(link) else { return };
        let claimants = entry.claimants(&address).to_vec();
        if entry.is_plain(&address) != before {
            let concerned = cx.links.get(link).map(|link| link.routers.clone()).unwrap_or_default();
            self.sources_may_have_changed(cx, concerned);
        }
        for id in claimants {
            if let Some(event) = self.look_for_own(cx, id) {
                self.reconsider(&mut cx.because_of(event), id);
            }
            let Some(router) = self.router_mut(id) else { continue };
            let reaction = router.put_right(cx, link, address);
            self.react(cx, id, reaction);
            self.rearm(id);
        }
        self.hurry(cx.now);
    }

    /// This host has, or no longer has, an address that a router is configured to send from, on whichever interface.
    pub fn source_present(&mut self, now: Instant, address: IpAddr, present: bool, out: &mut dyn Outbox) {
        let changed = if present { self.sources.insert(address) } else { self.sources.remove(&address) };
        if changed {
            let uses = |router: &&Router| router.spec.source == Some(address);
            let concerned = self.routers().filter(uses).map(Router::id).collect();
            self.step(now, None, out, |node, cx| node.sources_may_have_changed(cx, concerned));
        }
    }

    /// Says that an interface which is up now has no address to send from, which keeps a router in Fault: while it was down,
    /// that was reason enough, and nothing was said of addresses.
    fn still_without_source(&self, cx: &mut Context<'_>, id: RouterId, was_down: bool) -> Option<EventId> {
        let router = self.router(id)?;
        let alone = was_down && !router.faults.link && !router.faults.held && router.faults.source;
        if !alone || router.state() != VrrpState::Fault {
            return None;
        }
        let (instance, wanted) = (router.spec.name.clone(), router.spec.source);
        Some(cx.publish(VrrpFact::SourceAddressChanged { instance, address: None, wanted }))
    }

    fn sources_may_have_changed(&mut self, cx: &mut Context<'_>, concerned: Vec<RouterId>) {
        for id in concerned {
            let before = self.router(id).and_then(Router::usable_source);
            self.look_at_links(cx, id);
            let Some(router) = self.router(id) else { continue };
            let address = router.usable_source();
            if address == before {
                continue;
            }
            let (instance, wanted) = (router.spec.name.clone(), router.spec.source);
            let event = cx.publish(VrrpFact::SourceAddressChanged { instance, address, wanted });
            self.reconsider(&mut cx.because_of(event), id);
        }
    }

    /// How something that routers follow stands now, as whoever watches it says; `cause` is the event that says so. It is
    /// remembered, also while no router follows it.
    pub fn tracked(
        &mut self,
        now: Instant,
        id: TrackedId,
        level: Level,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        let followers = self.followed.set(id, level, cause);
        self.step(now, cause, out, |node, cx| node.weigh_all(cx, &followers));
    }

    /// Some routers have to look anew at what they follow.
    fn weigh_all(&mut self, cx: &mut Context<'_>, followers: &[RouterId]) {
        for id in followers {
            self.weigh(*id);
            self.start_decided(cx, *id);
            self.reconsider(cx, *id);
        }
    }

    /// Finds out anew what the things that a router follows mean for it.
    pub(super) fn weigh(&mut self, id: RouterId) {
        let Some(router) = self.router(id) else { return };
        let standing = self.followed.standing(&router.spec.follows);
        if let Some(router) = self.router_mut(id) {
            router.standing = standing;
            router.faults.followed = standing.fault;
            router.overshot |= standing.overshot;
        }
    }

    /// Finds out anew which of a router's addresses are the host's own; the event that tells what changed about them.
    pub(super) fn look_for_own(&mut self, cx: &mut Context<'_>, id: RouterId) -> Option<EventId> {
        self.router_mut(id)?.look_for_own(cx)
    }

    /// Finds out anew what its configuration and its interface mean for a router: faults, and the source address.
    pub(super) fn look_at_links(&mut self, cx: &mut Context<'_>, id: RouterId) {
        let Some(spec) = self.router(id).map(|router| router.spec.clone()) else { return };
        let on_host = spec.source.is_some_and(|configured| self.sources.contains(&configured));
        // That of an ipvlan is on the ipvlan, which is on the same link.
        let on_ipvlan = match (&spec.transmit_on, &spec.source) {
            (Some(made), Some(configured)) => cx.links.entry(made).has(configured),
            (None, _) | (_, None) => false,
        };
        let Some(router) = self.router_mut(id) else { return };
        let Some(link) = cx.links.get(router.link) else { return };
        router.faults.held = spec.held.is_some();
        router.faults.link = link.state == LinkState::Down && !spec.dont_track_primary;
        let source = match spec.source {
            // As the source of somebody else's packets nobody would answer to it, and two hosts could be master.
            Some(configured) => {
                let bound = spec.interface.is_some() && (spec.track_source || is_link_local(configured));
                let here = link.has(&configured) || on_ipvlan || (!bound && on_host);
                here.then_some(configured)
            }
            None => link.source(spec.family, router.source),
        };
        router.faults.source = source.is_none();
        if source.is_some() {
            // A master that loses its last address still resigns with it.
            router.set_source(source);
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
