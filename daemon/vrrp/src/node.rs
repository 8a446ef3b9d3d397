//! The machine of one host: all its virtual routers and sync groups, without sockets, clock or threads. Goes in: what
//! the runner reads, hears and is told, with the time. Comes out, through an [`Outbox`]: facts and things to do.

mod amend;
mod apply;
mod events;
mod start;
mod strangers;
mod sync;

pub use amend::Amendment;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_model::TrackedKind;

use crate::follow::Followed;
use crate::group::Group;
use crate::ids::{LinkId, RouterId, TrackedId};
use crate::link::Links;
use crate::outbox::Outbox;
use crate::router::{Router, Subscription};
use crate::step::{Context, WallClock};
use crate::timers::Timers;
use strangers::Strangers;

/// What a clean stop leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Masters resign (priority 0) and take their addresses off.
    Everything,
    /// Addresses stay, and nobody is told (`--dont-release-vrrp`): the next run adopts them.
    Nothing,
}

/// All virtual routers and sync groups of one host.
///
/// # How to drive it
///
/// *Once*: [`Node::new`]; for every interface [`Node::link`], [`Node::link_changed`] and [`Node::address_added`] for
/// each address that it has, in the kernel's order; for every source address that a definition names and the host has,
/// on whichever interface, [`Node::source_present`]; then [`Node::apply`] starts what the configuration defines.
///
/// *For ever*: sleep until [`Node::next_deadline`] or something happens. First hand in everything that was received
/// ([`Node::receive`]), then what the kernel says ([`Node::link_changed`], [`Node::address_added`],
/// [`Node::address_removed`]), then call [`Node::handle_timeouts`]: in this order a process that was not scheduled for a
/// while hears the advertisements that waited for it before it concludes that there were none.
///
/// *On reload*: [`Node::apply`] again; what did not change sees nothing. *At the end*: [`Node::stop`].
///
/// Every method takes the time of the event. Times must not run backwards; apart from that nothing is assumed of
/// the clock.
#[derive(Debug)]
pub struct Node {
    pub(crate) links: Links,
    /// By [`RouterId`]; none where a reload took one away.
    pub(crate) routers: Vec<Option<Box<Router>>>,
    pub(crate) by_name: HashMap<Name, RouterId>,
    pub(crate) groups: Vec<Group>,
    pub(crate) followed: Followed,
    pub(crate) timers: Timers,
    /// Configured source addresses that this host has.
    pub(crate) sources: HashSet<IpAddr>,
    /// The first start.
    pub(crate) started: Option<Instant>,
    /// Nobody listens before this; none until the first start.
    pub(crate) quiet_until: Option<Instant>,
    /// Routers that are, or were a moment ago, master without one of their addresses.
    pub(crate) lacking: HashSet<RouterId>,
    /// Counts packets that are for none of our routers.
    pub(crate) strangers: Arc<RouterCounters>,
    wall: WallClock,
    /// Advertisements for ids that nobody has here are told of; when that was done last, by id.
    pub(crate) tell_unknown: bool,
    pub(crate) unknown: HashMap<u8, Instant>,
    /// Virtual routers that nobody has here.
    others: Strangers,
}

impl Node {
    /// A machine without routers. `strangers` counts packets for virtual routers that are not defined here.
    pub fn new(strangers: Arc<RouterCounters>) -> Self {
        Self {
            links: Links::new(),
            routers: Vec::new(),
            by_name: HashMap::new(),
            groups: Vec::new(),
            followed: Followed::default(),
            timers: Timers::default(),
            sources: HashSet::new(),
            started: None,
            quiet_until: None,
            lacking: HashSet::new(),
            strangers,
            wall: WallClock::default(),
            tell_unknown: false,
            unknown: HashMap::new(),
            others: Strangers::default(),
        }
    }

    /// The number of an interface, by its name. An interface is down until [`Node::link_changed`] says otherwise.
    pub fn link(&mut self, name: &Name) -> LinkId {
        self.links.intern(name)
    }

    /// The number of something that routers can follow, by its name in the configuration.
    pub fn tracked_id(&mut self, kind: TrackedKind, name: &Name) -> TrackedId {
        self.followed.intern(kind, name)
    }

    /// What the wall clock says at `now`, as time since 1970: to be said as often as it may have been set. Only routers with
    /// `auth_hmac` look at it.
    pub fn wall_clock(&mut self, now: Instant, since_1970: Duration) {
        self.wall = WallClock::new(now, since_1970);
    }

    /// When [`Node::handle_timeouts`] must be called next; none while nothing runs. Looking is free, so look after
    /// every call. It may be earlier than anything is due, never later.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// When to look if takeovers are to be looked for `ahead` of time: as [`Node::next_deadline`], but earlier by that
    /// if it is a backup's.
    pub fn next_look(&self, ahead: Duration) -> Option<Instant> {
        let (at, id) = self.timers.first()?;
        let waits = self.router(id).is_some_and(|router| router.state() == VrrpState::Backup);
        Some(if waits { at.checked_sub(ahead).unwrap_or(at) } else { at })
    }

    /// When a backup will take over, if that is what comes next and due by `until`. [`Node::handle_timeouts`] does it
    /// then; until then an advertisement may change it.
    pub fn takeover_by(&mut self, until: Instant) -> Option<Instant> {
        while let Some(id) = self.timers.pop(until) {
            let deadline = self.router(id).and_then(Router::deadline);
            self.rearm(id);
            if let Some(at) = deadline.filter(|at| *at <= until) {
                let waits = self.router(id).is_some_and(|router| router.state() == VrrpState::Backup);
                return waits.then_some(at);
            }
        }
        None
    }

    /// What sockets are needed, each once. Changes only in [`Node::apply`].
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let mut wanted: Vec<Subscription> = Vec::new();
        let mut seen = HashSet::new();
        for router in self.routers() {
            let subscription = router.subscription();
            if seen.insert(subscription) {
                wanted.push(subscription);
            }
        }
        wanted
    }

    /// How long an interface may be down without counting so: a backup that hears nobody any more because of it must know why
    /// before it takes over. `None` where no backup stands on it.
    pub fn patience(&self, link: LinkId) -> Option<Duration> {
        let backups =
            self.routers().filter(|router| router.link == link && router.state() == VrrpState::Backup);
        // Who does not care about the interface takes over whatever it is told.
        let backups = backups.filter(|router| !router.spec.dont_track_primary);
        backups.map(Router::patience).min()
    }

    /// All virtual routers.
    pub fn routers(&self) -> impl Iterator<Item = &Router> {
        self.routers.iter().flatten().map(Box::as_ref)
    }

    /// One virtual router.
    pub fn router(&self, id: RouterId) -> Option<&Router> {
        self.routers.get(id.0 as usize)?.as_deref()
    }

    /// The virtual router of this name.
    pub fn router_named(&self, name: &str) -> Option<&Router> {
        self.by_name.get(name).and_then(|id| self.router(*id))
    }

    /// The state of the sync group of this name.
    pub fn group_state(&self, name: &str) -> Option<VrrpState> {
        self.groups.iter().find(|group| &*group.spec.name == name).map(|group| group.state)
    }

    /// Does something in one step: the interfaces go along with it, and come back.
    fn step<R>(
        &mut self,
        now: Instant,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
        act: impl FnOnce(&mut Self, &mut Context<'_>) -> R,
    ) -> R {
        let mut links = std::mem::take(&mut self.links);
        let wall = self.wall;
        let done = act(self, &mut Context { now, cause, out, links: &mut links, wall });
        self.links = links;
        done
    }

    pub(crate) fn router_mut(&mut self, id: RouterId) -> Option<&mut Router> {
        self.routers.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// Puts a router's deadline into the timers; called after anything that may have moved it.
    pub(crate) fn rearm(&mut self, id: RouterId) {
        let deadline = self.router(id).and_then(Router::deadline);
        self.timers.arm(id, deadline);
    }
}
