//! The sockets on interfaces: each is there as long as a virtual router wants it. In: what the machine subscribes to, and
//! interfaces that came. Out: listeners, for the event loop.

use std::collections::HashSet;
use std::time::Instant;

use keepwatch_bus::subject::Name;
use keepwatch_net::link::LinkIndex;
use keepwatch_net::socket::{Carrier, Family, VrrpReceiver};
use keepwatch_net::wire::ethernet::MacAddress;

use crate::runner::HEARTBEAT;
use crate::runner::outgoing::Outgoing;
use crate::spec::ReceiveBuffer;
use crate::{LinkId, LinkState, Node, Subscription};

use super::{Interfaces, Slot, family};

/// The MTU of an interface that is not there.
const USUAL_MTU: u32 = 1500;

/// A socket that listens on one interface, or everywhere.
pub(in crate::runner) struct Listener {
    pub(in crate::runner) link: LinkId,
    pub(in crate::runner) socket: VrrpReceiver,
    /// None everywhere.
    pub(super) index: Option<LinkIndex>,
    pub(super) family: Family,
    pub(super) carrier: Carrier,
    /// The size of its receive buffer, if that is configured.
    pub(super) buffer: Option<u32>,
    /// It hears only senders of this hardware address, on the macvlan that has it.
    pub(super) beside: Option<MacAddress>,
}

impl Listener {
    fn is(&self, index: Option<LinkIndex>, family: Family, carrier: Carrier) -> bool {
        self.index == index && self.family == family && self.carrier == carrier
    }
}

impl Interfaces {
    /// Listeners that were opened since the last call.
    pub(in crate::runner) fn take_fresh(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.fresh)
    }

    /// Listeners that are of no use since the last call, still open.
    pub(in crate::runner) fn take_closed(&mut self) -> Vec<Listener> {
        std::mem::take(&mut self.closed)
    }

    /// Opens and closes sockets so that every subscription of the machine is served.
    pub(in crate::runner) fn subscribe(&mut self, now: Instant, node: &mut Node, out: &mut Outgoing) {
        self.wanted = node.subscriptions();
        self.know_macvlans(node);
        let wanted: HashSet<(LinkId, Family, Carrier)> = self
            .wanted
            .iter()
            .flat_map(|w| carriers(w).map(|carrier| (w.link, family(w.family), carrier)))
            .collect();
        self.close(|listener| !wanted.contains(&(listener.link, listener.family, listener.carrier)));
        if self.wanted.iter().any(|subscription| subscription.link == LinkId::ANYWHERE) {
            self.listen_anywhere(now, node, out);
        }
        for name in self.told.keys().cloned().collect::<Vec<_>>() {
            let id = node.link(&name);
            if self.wanted.iter().any(|subscription| subscription.link == id) {
                self.listen_on(id, Some(&name));
                self.tell(&name, now, node, out);
            }
            self.listen_beside(&name, node);
        }
        self.size_buffers(node);
    }

    /// Gives every socket the receive buffer that its routers are configured to have, if all of them are: together.
    fn size_buffers(&mut self, node: &Node) {
        let mtu = |index: Option<LinkIndex>| {
            index.and_then(|index| self.table.get(index)).map_or(USUAL_MTU, |link| link.report.mtu)
        };
        for listener in self.listeners.iter_mut().flatten() {
            let here = |router: &&crate::Router| {
                router.link() == listener.link && family(router.spec().family) == listener.family
            };
            let needs = node.routers().filter(here).map(|router| match router.spec().receive_buffer? {
                ReceiveBuffer::Bytes(bytes) => Some(bytes),
                ReceiveBuffer::Mtu(times) => Some(mtu(listener.index).saturating_mul(times)),
            });
            let wanted = needs.reduce(|sum, one| Some(sum?.saturating_add(one?))).flatten();
            if listener.buffer != wanted {
                // What the kernel does not grant stays as it was.
                let _ = listener.socket.set_receive_buffer(wanted);
                listener.buffer = wanted;
            }
        }
    }

    /// Tries again where a socket could not be opened, at the pace of the heartbeat.
    pub(in crate::runner) fn retry(&mut self, now: Instant, node: &mut Node, out: &mut Outgoing) {
        if self.deaf.is_empty() || self.retried.is_some_and(|last| now < last + HEARTBEAT) {
            return;
        }
        self.retried = Some(now);
        let names: HashSet<Option<Name>> = self.deaf.iter().map(|(name, _)| name.clone()).collect();
        for name in names {
            match name {
                None => self.listen_anywhere(now, node, out),
                Some(name) => {
                    let id = node.link(&name);
                    self.listen_on(id, Some(&name));
                    self.listen_beside_above(&name, node);
                    self.tell(&name, now, node, out);
                }
            }
        }
    }

    /// Opens the sockets of routers without an interface; if that can't be done, they can't work.
    fn listen_anywhere(&mut self, now: Instant, node: &mut Node, out: &mut Outgoing) {
        self.listen_on(LinkId::ANYWHERE, None);
        let deaf = self.deaf.iter().any(|(name, _)| name.is_none());
        let state = if deaf { LinkState::Down } else { LinkState::Up };
        node.link_changed(now, LinkId::ANYWHERE, state, None, out);
    }

    /// Opens the sockets that are wanted on one interface, if it is there, or everywhere.
    pub(super) fn listen_on(&mut self, id: LinkId, name: Option<&Name>) {
        self.deaf.retain(|(deaf, _)| deaf.as_ref() != name);
        let link = name.map(|name| self.table.by_name(name));
        if link.is_some_and(|link| link.is_none()) {
            return;
        }
        let index = link.flatten().map(|link| link.report.index);
        let wanted = self.wanted.iter().filter(|wanted| wanted.link == id);
        for (subscription, carrier) in wanted.flat_map(|wanted| carriers(wanted).map(move |c| (wanted, c))) {
            let family = family(subscription.family);
            let open = self.listeners.iter().flatten().find(|l| l.is(index, family, carrier));
            let joined = match (open, subscription.group) {
                (Some(listener), Some(group)) => listener.socket.join(group),
                (Some(_), None) => Ok(()),
                (None, group) => VrrpReceiver::open(family, carrier, index.zip(name.map(|name| &**name)))
                    .and_then(|socket| {
                        let joined = group.map_or(Ok(()), |group| socket.join(group));
                        let free =
                            self.listeners.iter().position(Option::is_none).unwrap_or(self.listeners.len());
                        self.listeners.resize_with(self.listeners.len().max(free + 1), || None);
                        self.listeners[free] = Some(Listener {
                            link: id,
                            socket,
                            index,
                            family,
                            carrier,
                            buffer: None,
                            beside: None,
                        });
                        self.fresh.push(Slot(free));
                        joined
                    }),
            };
            if joined.is_err() {
                self.deaf.insert((name.cloned(), family));
            }
        }
    }

    pub(super) fn close(&mut self, unwanted: impl Fn(&Listener) -> bool) {
        let slots = self.listeners.iter_mut();
        self.closed.extend(slots.filter_map(|slot| slot.take_if(|listener| unwanted(listener))));
    }
}

/// A socket hears one IP protocol.
fn carriers(subscription: &Subscription) -> impl Iterator<Item = Carrier> + use<> {
    let authenticated = subscription.authenticated.then_some(Carrier::Authenticated);
    [Carrier::Plain].into_iter().chain(authenticated)
}
