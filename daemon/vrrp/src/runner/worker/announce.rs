//! Announcements of addresses that are in: at once, or at the pace of their interface or its `garp_group`.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use keepwatch_model::GarpGroup;
use keepwatch_net::link::{self, LinkIndex};
use keepwatch_net::socket::Announcer;
use keepwatch_net::wire::ethernet::MacAddress;
use keepwatch_net::wire::{arp, ndisc};

use super::{Due, Waiting, Worker};
use crate::RouterId;
use crate::runner::outgoing::Announce;

/// What announces one address.
#[derive(Clone)]
pub(in crate::runner) enum Frame {
    Arp(arp::Repr),
    Ndisc { hardware: MacAddress, address: Ipv6Addr, interface: Arc<str> },
}

/// What announces at a limited pace: an interface, or the interfaces of a `garp_group`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    Link(LinkIndex),
    Group(usize),
}

impl Worker {
    /// Sends the announcements whose addresses are in, before anything is said of them.
    pub(super) fn announce(&mut self) -> Due {
        let mut due = Due::default();
        while due.finished.is_none()
            && self.waiting.front().is_some_and(|(after, _)| *after <= self.answered)
            && let Some((_, waiting)) = self.waiting.pop_front()
        {
            match waiting {
                Waiting::Announce(announce, mut frames, counters) => {
                    frames.retain(|(_, frame)| !self.is_refused(announce.router, frame.address()));
                    if frames.is_empty() {
                        continue;
                    }
                    if !self.shadow {
                        self.push(&announce, &frames);
                    }
                    let six = frames.iter().filter(|(_, frame)| frame.address().is_ipv6()).count();
                    due.sent.push((announce, [frames.len() as u32, six as u32], counters));
                }
                Waiting::Sweep(cause) => due.sweep = Some(cause),
                Waiting::Finish(release, done) => due.finished = Some((release, done)),
            }
        }
        // A frame that can't leave is as one lost on the wire: the next burst repeats it.
        self.announcer.send(|_| {});
        due
    }

    /// The interfaces of groups that share a lane, as the kernel numbers them now.
    pub(super) fn lanes(&self) -> HashMap<LinkIndex, (usize, GarpGroup)> {
        let groups = self.garp_groups.iter().enumerate();
        let members = groups.flat_map(|(number, group)| {
            group.interfaces.iter().filter_map(move |name| {
                let index = nix::net::if_::if_nametoindex(&**name).ok()?;
                Some((LinkIndex(index), (number, group.clone())))
            })
        });
        members.collect()
    }

    pub(super) fn is_refused(&self, router: RouterId, address: IpAddr) -> bool {
        !self.refused.is_empty()
            && self.refused.keys().any(|(id, (_, refused, _))| *id == router && *refused == address)
    }

    /// Each address once before any a second time, so that all of them are known as soon as can be.
    pub(super) fn push(&mut self, announce: &Announce, frames: &[(LinkIndex, Frame)]) {
        let now = Instant::now();
        // Addresses that still wait for their turn are not queued again: refreshes may come faster than they leave.
        let queued: HashSet<IpAddr> = self.pace.waiting().map(|(_, frame)| frame.address()).collect();
        let groups = self.lanes();
        for _ in 0..announce.repeat {
            for (link, frame) in frames {
                let arp = matches!(frame, Frame::Arp(_));
                let garp = &announce.spec.garp;
                let own = (Lane::Link(*link), if arp { garp.interval } else { garp.gna_interval });
                let shared = groups.get(link).map(|(number, group)| {
                    let gap = if arp { group.interval } else { group.gna_interval };
                    (Lane::Group(*number), gap.unwrap_or_default())
                });
                let (lane, gap) = shared.unwrap_or(own);
                if gap.is_zero() {
                    push(&mut self.announcer, *link, frame);
                } else if !queued.contains(&frame.address()) {
                    self.pace.push(now, (lane, arp), gap, (*link, frame.clone()));
                }
            }
        }
    }
}

pub(super) fn push(announcer: &mut Announcer, link: LinkIndex, frame: &Frame) {
    match frame {
        Frame::Arp(repr) => announcer.push_arp(link, repr),
        Frame::Ndisc { hardware, address, interface } => {
            let router = link::forwards_ipv6(interface);
            announcer.push_ndisc(link, &ndisc::Repr { hardware: *hardware, address: *address, router });
        }
    }
}

impl Frame {
    pub(super) fn address(&self) -> IpAddr {
        match self {
            Self::Arp(repr) => repr.address.into(),
            Self::Ndisc { address, .. } => (*address).into(),
        }
    }
}
