//! What the runner reports: packets, time, interfaces, addresses, trackers.

use std::net::IpAddr;
use std::time::Instant;

use keepwatch_bus::EventId;

use super::{Node, RouterId, Tracking};
use crate::link::{LinkId, LinkState};
use crate::outbox::Outbox;
use crate::wire::Datagram;

impl Node {
    /// A packet came in. It is checked, counted and acted on; most change nothing but a deadline.
    pub fn receive(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut dyn Outbox) {
        let _ = (now, datagram, out);
    }

    /// Time has passed: every router whose deadline is not after `now` acts.
    pub fn handle_timeouts(&mut self, now: Instant, out: &mut dyn Outbox) {
        let _ = (now, out);
    }

    /// An interface went up or down; `cause` is the event that says so.
    pub fn link_changed(
        &mut self,
        now: Instant,
        link: LinkId,
        state: LinkState,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        let _ = (now, cause, out);
        if let Some(link) = self.links.get_mut(link) {
            link.state = state;
        }
    }

    /// An interface has this address: one that we asked for, or another.
    pub fn address_added(&mut self, now: Instant, link: LinkId, address: IpAddr, out: &mut dyn Outbox) {
        let _ = (now, out);
        if let Some(link) = self.links.get_mut(link) {
            link.addresses.push(address);
        }
    }

    /// An interface lost this address: because we asked for it, or because somebody took it away.
    pub fn address_removed(&mut self, now: Instant, link: LinkId, address: IpAddr, out: &mut dyn Outbox) {
        let _ = (now, out);
        if let Some(link) = self.links.get_mut(link) {
            link.addresses.retain(|other| *other != address);
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
        let _ = (now, router, tracking, cause, out);
    }
}
