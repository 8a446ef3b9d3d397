//! Its addresses: which of them it may touch, and what it asks for on becoming master, on leaving, on a reload, and when
//! somebody takes one away. Whose an address is stands in [`Link`](crate::link::Link); this only asks.

use std::sync::Arc;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{AnnounceOccasion, VrrpFact};
use keepwatch_model::InterfaceAddress;

use super::{Reaction, Router, State};
use crate::ids::LinkId;
use crate::link::{Fate, Links, prefix_of};
use crate::outbox::{AddressChange, Announcement, Output, RoutingChange};
use crate::spec::RouterSpec;
use crate::step::Context;

/// An address of its that is the host's own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Own {
    address: InterfaceAddress,
    /// Whether the host has it now: an owner's may be away for a while.
    present: bool,
    /// Whether the router was an owner when that was told.
    owner: bool,
    /// Everybody knows.
    told: bool,
}

impl Router {
    /// Finds out which of its addresses are the host's own, tells of what changed about that, and takes an owner without
    /// one of them for faulty. The last event, if there was any.
    pub(crate) fn look_for_own(&mut self, cx: &mut Context<'_>) -> Option<EventId> {
        let (spec, owner) = (self.spec.clone(), self.spec.is_owner());
        let known = std::mem::take(&mut self.own);
        let mut event = None;
        for address in spec.addresses.iter() {
            let Some(placed) = spec.virtual_address(address) else { continue };
            let link = cx.links.of_address(&spec, address);
            let (own, gone) = (link.is_own(&address.address), !link.has(&address.address));
            let was = known.iter().find(|known| known.address == *address);
            // What an owner has once found on the host is never its to add.
            let is = (own || (gone && owner && was.is_some())).then(|| Own {
                address: address.clone(),
                present: own,
                owner,
                told: true,
            });
            if was != is.as_ref() {
                event = Some(cx.publish(VrrpFact::OwnAddress {
                    instance: spec.name.clone(),
                    address: placed,
                    owner,
                    present: own,
                }));
            }
            self.own.extend(is);
        }
        self.faults.own_address = self.own.iter().any(|own| !own.present);
        event
    }

    /// Its definition was told anew, so this must be too.
    pub(super) fn tell_own_again(&mut self) {
        self.own.iter_mut().for_each(|own| own.told = false);
    }

    fn is_own(&self, address: &InterfaceAddress) -> bool {
        self.own.iter().any(|own| own.address == *address)
    }

    /// Whether the host has some of its addresses by itself.
    pub(crate) fn has_own_addresses(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether a run that ended badly left addresses of it, and whether it left all.
    pub(crate) fn left_over(&self, links: &mut Links) -> (bool, bool) {
        let mine = self.spec.addresses.iter().filter(|address| !self.is_own(address));
        let mut count = (0, 0);
        for address in mine {
            count.0 += 1;
            count.1 += usize::from(links.of_address(&self.spec, address).is_left_over(&address.address));
        }
        (count.1 > 0, count.1 > 0 && count.0 == count.1)
    }

    /// It is master with the addresses of `spec`, its definition now or in a moment.
    pub(crate) fn hold_all(&self, links: &mut Links, spec: &RouterSpec) {
        for address in spec.addresses.iter() {
            links.of_address(spec, address).hold(address.address, prefix_of(address), self.id, &spec.name);
        }
    }

    pub(crate) fn add_addresses(&mut self, cx: &mut Context<'_>, cause: EventId) {
        self.holds_addresses = true;
        self.hold_all(cx.links, &self.spec);
        let addresses = if self.own.is_empty() {
            self.spec.addresses.clone()
        } else {
            self.spec.addresses.iter().filter(|address| !self.is_own(address)).cloned().collect()
        };
        self.await_tentative(cx.links, &addresses);
        self.change_some(cx, addresses, cause, Output::AddAddresses);
    }

    /// Its routes and rules shall be there, or be gone.
    pub(crate) fn route(&self, cx: &mut Context<'_>, wanted: bool, cause: Option<EventId>) {
        if !self.spec.routing.is_empty() || !self.spec.accepts {
            self.ask_for_routing(cx, wanted, cause);
        }
    }

    fn ask_for_routing(&self, cx: &mut Context<'_>, wanted: bool, cause: Option<EventId>) {
        let drops = |address: &&InterfaceAddress| wanted && !self.spec.accepts && !self.is_own(address);
        let dropped = self.spec.addresses.iter().filter(drops).cloned().collect();
        let (router, spec) = (self.id, &self.spec);
        cx.out.act(Output::Routing(RoutingChange { router, spec, wanted, dropped, cause }));
    }

    /// After a reload: the routes and rules of a master are those of its new definition.
    pub(super) fn change_routing(&self, cx: &mut Context<'_>, old: &RouterSpec) {
        let dropped =
            old.accepts != self.spec.accepts || (!self.spec.accepts && old.addresses != self.spec.addresses);
        // What is told of them from now on is told of the new name.
        let renamed = old.name != self.spec.name && (!self.spec.routing.is_empty() || !self.spec.accepts);
        let changed = dropped || renamed || old.routing != self.spec.routing;
        if matches!(self.state, State::Master(_)) && changed {
            self.ask_for_routing(cx, true, cx.cause);
        }
    }

    pub(crate) fn remove_addresses(&mut self, cx: &mut Context<'_>, cause: EventId) {
        self.holds_addresses = false;
        self.route(cx, false, Some(cause));
        let spec = self.spec.clone();
        let gone = self.give_up(cx, &spec, spec.addresses.iter(), cause);
        self.change_some(cx, gone, cause, Output::RemoveAddresses);
        if !self.spec.accepts {
            cx.out.act(Output::StopDropping { router: self.id, cause });
        }
    }

    /// Takes off what is gone, puts on what is new; a master announces the new ones, and all again later.
    pub(super) fn change_addresses(&mut self, cx: &mut Context<'_>, old: &RouterSpec) {
        let cause = match (cx.cause, &self.state) {
            (Some(cause), _) => cause,
            (None, State::Master(master)) => master.since,
            (None, State::Init | State::Backup(_) | State::Fault) => EventId(0),
        };
        let spec = self.spec.clone();
        let gone = old.addresses.iter().filter(|address| !spec.addresses.contains(address));
        let gone = self.give_up(cx, old, gone, cause);
        self.change_some(cx, gone.clone(), cause, Output::RemoveAddresses);
        self.hold_all_if_master(cx.links);
        if let State::Master(master) = &mut self.state {
            master.missing.keep(&spec.addresses);
        }
        let new = spec.addresses.iter().filter(|address| !old.addresses.contains(address));
        let new: Arc<[InterfaceAddress]> = new
            .filter(|address| !cx.links.of_address(&spec, address).is_own(&address.address))
            .cloned()
            .collect();
        if new.is_empty() {
            return;
        }
        let State::Master(master) = &mut self.state else { return };
        master.bursts.again(cx.now, &self.spec.garp);
        let changed = new.iter().filter(|new| gone.iter().any(|gone| gone.address == new.address));
        let changed: Vec<InterfaceAddress> = changed.cloned().collect();
        self.ask_and_announce(cx, new, cause);
        self.await_changed(cx.links, &changed);
    }

    /// Asks for some addresses, and announces those that are usable with that.
    fn ask_and_announce(&mut self, cx: &mut Context<'_>, addresses: Arc<[InterfaceAddress]>, cause: EventId) {
        self.await_tentative(cx.links, &addresses);
        self.change_some(cx, addresses.clone(), cause, Output::AddAddresses);
        self.announce_present(cx, addresses, cause);
    }

    fn announce_present(&self, cx: &mut Context<'_>, addresses: Arc<[InterfaceAddress]>, cause: EventId) {
        let at_once = addresses.iter().filter(|address| !self.is_missing(address)).cloned().collect();
        self.announce_some(cx, at_once, cause);
    }

    fn hold_all_if_master(&self, links: &mut Links) {
        if let State::Master(_) = &self.state {
            self.hold_all(links, &self.spec);
        }
    }

    /// Those of some addresses that have to be taken off when this router gives them up; tells of those that stay
    /// because another is master with them.
    fn give_up<'s>(
        &self,
        cx: &mut Context<'_>,
        spec: &RouterSpec,
        addresses: impl Iterator<Item = &'s InterfaceAddress>,
        cause: EventId,
    ) -> Arc<[InterfaceAddress]> {
        let mut gone = Vec::new();
        for address in addresses {
            let link = cx.links.of_address(spec, address);
            match link.release(address.address, prefix_of(address), self.id) {
                // An owner's, which the host does not have at the moment.
                _ if self.is_own(address) => {}
                Fate::Goes => gone.push(address.clone()),
                Fate::StaysWith(other) => {
                    let Some(address) = spec.virtual_address(address) else { continue };
                    let instance = spec.name.clone();
                    cx.because_of(cause).publish(VrrpFact::AddressStays { instance, address, other });
                }
                Fate::Own => {}
            }
        }
        gone.into()
    }

    pub(super) fn change_some<'a>(
        &'a self,
        cx: &mut Context<'_>,
        addresses: Arc<[InterfaceAddress]>,
        cause: EventId,
        output: fn(AddressChange<'a>) -> Output<'a>,
    ) {
        if !addresses.is_empty() {
            let (router, spec) = (self.id, &self.spec);
            cx.out.act(output(AddressChange { router, spec, addresses, cause, lost: None }));
        }
    }

    /// One of its addresses came or went. If somebody took it off a master, that puts it back and tells the
    /// network where it is. If that happens again and again, something else wants to have it its way: the master resigns,
    /// as keepalived does the first time, and waits for its skew.
    pub(crate) fn put_right(
        &mut self,
        cx: &mut Context<'_>,
        link: LinkId,
        address: std::net::IpAddr,
    ) -> Reaction {
        let State::Master(_) = &self.state else { return Reaction::None };
        let spec = self.spec.clone();
        let here =
            |a: &&InterfaceAddress| a.address == address && cx.links.home(spec.interface_of(a)) == link;
        let lost = spec.addresses.iter().find(here).cloned();
        let Some(lost) = lost.filter(|lost| !self.is_own(lost)) else { return Reaction::None };
        if cx.links.get(link).is_some_and(|link| link.has_copy(&address, prefix_of(&lost))) {
            self.address_came(cx, link, address);
            return Reaction::None;
        }
        if self.is_missing(&lost) {
            return Reaction::None;
        }
        let Some(address) = spec.virtual_address(&lost) else { return Reaction::None };
        // Whoever took it off is the root of what follows.
        let cause = cx.publish(VrrpFact::AddressLost { instance: spec.name.clone(), address });
        if !self.limits.restoration(cx.now, self.spec.addresses.len()) {
            self.send(cx, 0);
            let skew = self.skew();
            return Reaction::Yielded(self.enter_backup(&mut cx.because_of(cause), skew));
        }
        let addresses: Arc<[InterfaceAddress]> = [lost].into();
        self.await_tentative(cx.links, &addresses);
        let (router, spec, lost) = (self.id, &self.spec, Some(cx.now));
        let change = AddressChange { router, spec, addresses: addresses.clone(), cause, lost };
        cx.out.act(Output::AddAddresses(change));
        self.announce_present(cx, addresses, cause);
        Reaction::None
    }

    pub(super) fn announce_some(
        &self,
        cx: &mut Context<'_>,
        addresses: Arc<[InterfaceAddress]>,
        cause: EventId,
    ) {
        if self.spec.garp.repeat == 0 || addresses.is_empty() {
            return;
        }
        cx.out.act(Output::Announce(Announcement {
            router: self.id,
            spec: &self.spec,
            addresses,
            repeat: self.spec.garp.repeat,
            occasion: AnnounceOccasion::AddressesChanged,
            cause: Some(cause),
        }));
    }
}
