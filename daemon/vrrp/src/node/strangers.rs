//! Virtual routers that nobody has here, heard on our networks. They are remembered, a few of them, for whoever asks what
//! else was heard when a master fell silent; and one that advertises our addresses under another id is another master.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{SplitSign, Stranger};
use keepwatch_bus::subject::Family;

use super::Node;
use crate::ids::{LinkId, RouterId};
use crate::outbox::Outbox;
use crate::router::{ADDRESSES, Sighting};
use crate::wire::{Datagram, HEADER_LEN, Message};

/// So many are remembered.
const REMEMBERED: usize = 16;
/// So many are named as evidence.
const NAMED: usize = 4;
/// Who has been silent for so long is no evidence.
const FRESH: Duration = Duration::from_secs(60);

/// All that are remembered.
#[derive(Debug, Default)]
pub(super) struct Strangers(Vec<Heard>);

#[derive(Debug)]
struct Heard {
    link: LinkId,
    vrid: u8,
    address: IpAddr,
    count: u64,
    last: Instant,
}

impl Strangers {
    fn note(&mut self, now: Instant, link: LinkId, vrid: u8, address: IpAddr) {
        let same = |heard: &&mut Heard| (heard.link, heard.vrid, heard.address) == (link, vrid, address);
        if let Some(known) = self.0.iter_mut().find(same) {
            (known.count, known.last) = (known.count + 1, now);
            return;
        }
        if self.0.len() >= REMEMBERED
            && let Some(oldest) = (0..self.0.len()).min_by_key(|at| self.0[*at].last)
        {
            self.0.swap_remove(oldest);
        }
        self.0.push(Heard { link, vrid, address, count: 1, last: now });
    }

    fn near(&self, now: Instant, link: LinkId, family: Family) -> Vec<Stranger> {
        let fresh = |heard: &&Heard| {
            heard.link == link
                && Family::of(heard.address) == family
                && now.saturating_duration_since(heard.last) < FRESH
        };
        let named = self.0.iter().filter(fresh).take(NAMED).map(|heard| Stranger {
            vrid: heard.vrid,
            address: heard.address,
            count: heard.count,
            ago: now.saturating_duration_since(heard.last),
        });
        named.collect()
    }
}

impl Node {
    /// What else was heard lately where a router listens.
    pub(super) fn strangers_near(&self, now: Instant, id: RouterId) -> Vec<Stranger> {
        let router = self.router(id);
        router.map_or_else(Vec::new, |router| self.others.near(now, router.link, router.spec.family))
    }

    /// A packet came for a virtual router id that nobody has on its interface.
    pub(super) fn look_at_stranger(&mut self, now: Instant, datagram: &Datagram<'_>, out: &mut dyn Outbox) {
        let family = Family::of(datagram.source);
        if datagram.message.len() < HEADER_LEN {
            return;
        }
        let Ok(message) = Message::new_signed(family, datagram.message) else { return };
        let (link, vrid) = (datagram.link, message.vrid());
        let known = self.links.get(link).and_then(|link| link.router(family, vrid));
        if known.is_some() || self.is_heard_elsewhere(link, family, vrid) {
            return;
        }
        self.others.note(now, link, vrid, datagram.source);
        let Some(entry) = self.links.get(link) else { return };
        let named = message.addresses().take(ADDRESSES);
        let mut claimants: Vec<RouterId> = Vec::new();
        for address in named {
            claimants.extend_from_slice(entry.claimants(&address));
        }
        claimants.sort_unstable();
        claimants.dedup();
        for id in claimants {
            self.step(now, None, out, |node, cx| {
                let Some(router) = node.router_mut(id) else { return };
                let sign = SplitSign::OtherVrid(vrid);
                if let Some(sighting) = Sighting::of(datagram, &router.spec, router.source, sign) {
                    router.sees_master(cx, sighting);
                }
            });
        }
    }
}
