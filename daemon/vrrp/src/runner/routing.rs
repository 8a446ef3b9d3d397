//! What the daemon keeps in the kernel's tables beside virtual addresses: the routes and rules of virtual routers that are
//! master, and static addresses, routes and rules. On the thread that may wait. Goes in: what is wanted, by whom; what the
//! kernel tells. Comes out: requests, and facts of what was done.
//!
//! What was taken away is found without comparing: everything that is wanted is asked for again, and what the kernel did
//! not know already was missing. For a route that is there in all that it says, it answers EEXIST, whatever else leads to
//! the same destination; for a rule, if it is asked for one that is new (`NLM_F_EXCL`).

mod encode;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{RoutingEntry, RoutingFact};
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::{Family, LinkTarget, RoutePlacement};
use keepwatch_net::address::{AddressOperation, PROTOCOL_KEEPALIVED};
use keepwatch_net::link::{Link, LinkIndex, LinkTable, Notification};
use keepwatch_net::netlink::{Monitor, Requests};
use keepwatch_net::promotion::{Promotion, would_take_along};
use nix::errno::Errno;
use nix::libc;

use crate::RouterId;
use crate::link::prefix_of;

use super::addresses::plan;

/// Flags of a request for something new (include/uapi/linux/netlink.h).
const CREATE: u16 = libc::NLM_F_CREATE as u16;
const EXCL: u16 = libc::NLM_F_EXCL as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;

/// From the first refusal to the second try; twice as long each time …
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// … up to this.
const MOST_WAIT: Duration = Duration::from_secs(60);
/// Who takes entries away again and again is not answered more often than this …
const BETWEEN_RESTORATIONS: Duration = Duration::from_secs(1);
/// … once so many were put back in so long a time.
const MANY: usize = 5;
const LATELY: Duration = Duration::from_secs(10);
/// Notifications (datagrams of them) taken in one turn.
const NOTIFICATIONS_PER_TURN: usize = 64;

/// Whose entries are meant; static ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    Static,
    Router(RouterId),
}

/// What somebody wants.
pub(super) struct Wish {
    pub(super) owner: Owner,
    /// For facts: the virtual router.
    pub(super) instance: Option<Name>,
    pub(super) entries: Arc<[RoutingEntry]>,
    /// Whether they shall be there, or none of them.
    pub(super) wanted: bool,
    /// Addresses whose packets are dropped meanwhile, each with its interface.
    pub(super) dropped: Vec<(IpAddr, Option<Name>)>,
    pub(super) cause: Option<EventId>,
}

/// Tells that nothing of a wish can be made true.
pub(super) fn refuse(bus: &Bus, wish: &Wish, error: &keepwatch_net::Error) {
    for entry in wish.entries.iter() {
        let (instance, entry, error) = (wish.instance.clone(), entry.clone(), error.to_string());
        bus.publish(wish.cause, RoutingFact::RoutingFailed { instance, entry, adding: true, error });
    }
}

/// Tells that what was refused so is no longer wanted.
pub(super) fn renounce(bus: &Bus, wish: &Wish) {
    for entry in wish.entries.iter() {
        let (instance, entry) = (wish.instance.clone(), entry.clone());
        bus.publish(wish.cause, RoutingFact::RoutingRemoved { instance, entry, stays: false });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Present,
    /// An address that somebody else had put there.
    Foreign,
    Refused(Errno),
}

impl State {
    /// How an entry stands after the kernel's answer, with how it stood before. What was put there stays so: a kernel that
    /// keeps no marks (before 5.18) tells of it as of the host's own.
    fn after(before: Option<Self>, result: Result<(), Errno>, is_foreign: impl FnOnce() -> bool) -> Self {
        match result {
            Ok(()) => Self::Present,
            Err(Errno::EEXIST) if before != Some(Self::Present) && is_foreign() => Self::Foreign,
            Err(Errno::EEXIST) => Self::Present,
            Err(errno) => Self::Refused(errno),
        }
    }
}

struct Kept {
    entry: RoutingEntry,
    state: State,
}

struct Owned {
    instance: Option<Name>,
    cause: Option<EventId>,
    kept: Vec<Kept>,
}

/// Keeps entries where they should be.
pub(super) struct Routing {
    bus: Bus,
    requests: Requests,
    monitor: Monitor,
    links: LinkTable,
    owners: BTreeMap<Owner, Owned>,
    /// Since when something may be missing.
    doubt: Option<Instant>,
    /// Not looked at before.
    not_before: Option<Instant>,
    retry: Option<Instant>,
    wait: Duration,
    restorations: Vec<Instant>,
    shadow: bool,
}

impl Routing {
    pub(super) fn open(bus: Bus, shadow: bool) -> keepwatch_net::Result<Self> {
        let mut monitor = Monitor::open()?;
        // A kernel without IPv6 lacks its notifications; those of IPv4 come.
        let _ = monitor.follow_routing();
        let mut links = LinkTable::default();
        let mut dump = Vec::new();
        monitor.dump(|notification| dump.push(notification))?;
        links.replace(dump, |_| {});
        Ok(Self {
            bus,
            requests: Requests::routing()?,
            monitor,
            links,
            owners: BTreeMap::new(),
            doubt: None,
            not_before: None,
            retry: None,
            wait: Duration::ZERO,
            restorations: Vec::new(),
            shadow,
        })
    }

    /// Makes a wish true: what is no longer wanted goes before what is new comes, since a route may differ from the one in
    /// its place only in what the kernel does not tell them apart by.
    pub(super) fn fulfil(&mut self, wish: Wish) {
        self.hear(Instant::now());
        let Wish { owner, instance, entries, wanted, dropped: _, cause } = wish;
        let known = self.owners.remove(&owner);
        let met = known.is_some();
        let mut kept = known.map(|owned| owned.kept).unwrap_or_default();
        let stays = |entry: &RoutingEntry| wanted && entries.contains(entry);
        let (mut stay, mut go): (Vec<Kept>, Vec<Kept>) = kept.drain(..).partition(|kept| stays(&kept.entry));
        if !wanted && !met {
            // Nothing was put there by this run; by one that ended badly, perhaps.
            let left = entries
                .iter()
                .map(|entry| Kept { entry: entry.clone(), state: State::Refused(Errno::ESRCH) });
            go.extend(left);
        }
        let elsewhere: Vec<&RoutingEntry> =
            self.owners.values().flat_map(|owned| &owned.kept).map(|kept| &kept.entry).collect();
        let stays = |kept: &Kept| kept.state == State::Foreign || elsewhere.contains(&&kept.entry);
        let (others, mut go): (Vec<Kept>, Vec<Kept>) = go.into_iter().partition(stays);
        for Kept { entry, .. } in others.into_iter().filter(|_| met) {
            let instance = instance.clone();
            self.bus.publish(cause, RoutingFact::RoutingRemoved { instance, entry, stays: true });
        }
        go.reverse();
        self.take_away(&instance, &go, met, cause);
        let new = entries.iter().filter(|entry| wanted && !stay.iter().any(|kept| kept.entry == **entry));
        let new: Vec<RoutingEntry> = new.cloned().collect();
        let results = self.ask(&new);
        for (entry, result) in new.into_iter().zip(results) {
            let state = State::after(None, result, || self.is_foreign(&entry));
            self.tell(&instance, &entry, (None, state), result, cause, Duration::ZERO);
            stay.push(Kept { entry, state });
        }
        if wanted {
            self.owners.insert(owner, Owned { instance, cause, kept: stay });
        }
        self.plan_retry(Instant::now());
        // A change of addresses may have made the kernel drop routes of others, without a word.
        self.doubt.get_or_insert_with(Instant::now);
    }

    /// Everything that is static goes: the daemon stops.
    pub(super) fn release(&mut self, cause: Option<EventId>) {
        let entries = Arc::from([]);
        let (owner, instance, dropped) = (Owner::Static, None, Vec::new());
        self.fulfil(Wish { owner, instance, entries, wanted: false, dropped, cause });
    }

    /// Removes entries; of those that nobody had put there nothing is told unless they were.
    fn take_away(&mut self, instance: &Option<Name>, entries: &[Kept], met: bool, cause: Option<EventId>) {
        let mut asked = Vec::new();
        let mut shield = Promotion::default();
        if !self.shadow {
            self.shielded(entries).iter().for_each(|interface| shield.hold(interface));
        }
        for kept in entries {
            if self.shadow || self.push(&kept.entry, false) {
                asked.push(kept);
            } else if met {
                // It went with its interface.
                let (instance, entry) = (instance.clone(), kept.entry.clone());
                self.bus.publish(cause, RoutingFact::RoutingRemoved { instance, entry, stays: false });
            }
        }
        let results = if self.shadow { vec![Ok(()); asked.len()] } else { self.requests.carry_out() };
        for (kept, result) in asked.into_iter().zip(results) {
            let (instance, entry) = (instance.clone(), kept.entry.clone());
            let fact = match result {
                Ok(()) => RoutingFact::RoutingRemoved { instance, entry, stays: false },
                Err(
                    Errno::ESRCH
                    | Errno::ENOENT
                    | Errno::EADDRNOTAVAIL
                    | Errno::ENODEV
                    | Errno::EAFNOSUPPORT
                    | Errno::ENETUNREACH,
                ) if !met => continue,
                Err(Errno::ESRCH | Errno::ENOENT | Errno::EADDRNOTAVAIL | Errno::ENODEV) => {
                    RoutingFact::RoutingRemoved { instance, entry, stays: false }
                }
                Err(_) if !met => continue,
                Err(errno) => {
                    let error = errno.desc().to_owned();
                    RoutingFact::RoutingFailed { instance, entry, adding: false, error }
                }
            };
            self.bus.publish(cause, fact);
        }
    }

    /// The interfaces on which addresses that are to stay would go with static ones.
    fn shielded(&self, entries: &[Kept]) -> Vec<Name> {
        let going: Vec<(LinkIndex, IpAddr, u8)> = entries
            .iter()
            .filter_map(|kept| {
                let RoutingEntry::Address(address) = &kept.entry else { return None };
                Some((self.home(&kept.entry)?, address.address, prefix_of(address)))
            })
            .collect();
        let homes: HashSet<LinkIndex> = going.iter().map(|(home, ..)| *home).collect();
        let links = homes.into_iter().filter_map(|home| self.links.get(home));
        let takes = |link: &&Link| would_take_along(link, |a| going.contains(&(a.link, a.address, a.prefix)));
        links.filter(takes).map(|link| link.report.name.clone()).collect()
    }

    /// Asks for entries, and returns the kernel's answers.
    fn ask(&mut self, entries: &[RoutingEntry]) -> Vec<Result<(), Errno>> {
        if self.shadow {
            return vec![Ok(()); entries.len()];
        }
        let asked: Vec<bool> = entries.iter().map(|entry| self.push(entry, true)).collect();
        let mut answers = self.requests.carry_out().into_iter();
        let missing = || Err(Errno::ENODEV);
        asked
            .into_iter()
            .map(|asked| if asked { answers.next().unwrap_or(Err(Errno::EIO)) } else { missing() })
            .collect()
    }

    /// Queues a request; false if an interface that it names is not there.
    fn push(&mut self, entry: &RoutingEntry, adding: bool) -> bool {
        match entry {
            RoutingEntry::Route(route) => {
                let Ok(body) = encode::route(route, adding, &self.links) else { return false };
                let flags = match (adding, route.placement) {
                    (false, _) => 0,
                    (true, RoutePlacement::Prepend) => CREATE,
                    (true, RoutePlacement::Append) => CREATE | APPEND,
                    (true, RoutePlacement::Add) => CREATE | EXCL,
                };
                self.requests.push(
                    if adding { libc::RTM_NEWROUTE } else { libc::RTM_DELROUTE },
                    flags,
                    &body,
                );
            }
            RoutingEntry::Rule(rule) => {
                let flags = if adding { CREATE | EXCL } else { 0 };
                let kind = if adding { libc::RTM_NEWRULE } else { libc::RTM_DELRULE };
                self.requests.push(kind, flags, &encode::rule(rule));
            }
            RoutingEntry::Address(address) => {
                let Some(link) = self.home(entry) else { return false };
                let operation = if adding { AddressOperation::Add } else { AddressOperation::Remove };
                self.requests.push_address(operation, link, &plan(address));
            }
        }
        true
    }

    /// The interface of a static address.
    fn home(&self, entry: &RoutingEntry) -> Option<LinkIndex> {
        let RoutingEntry::Address(address) = entry else { return None };
        let LinkTarget::Named(name) = &address.link else { return None };
        Some(self.links.by_name(name)?.report.index)
    }

    /// Whether an address is there that does not bear our mark: the host's own, and not to be taken off. As the kernel told
    /// of it last: of what is asked for now it has told nothing yet.
    fn is_foreign(&self, entry: &RoutingEntry) -> bool {
        let (RoutingEntry::Address(address), Some(home)) = (entry, self.home(entry)) else { return false };
        let here = self.links.get(home).into_iter().flat_map(|link| &link.addresses);
        let same = |a: &&keepwatch_net::address::PresentAddress| {
            a.address == address.address && a.prefix == prefix_of(address)
        };
        here.filter(same).any(|a| a.protocol != PROTOCOL_KEEPALIVED)
    }

    /// Tells what became of an entry that was asked for; with how it stood before, if it was kept already, and how it stands.
    fn tell(
        &self,
        instance: &Option<Name>,
        entry: &RoutingEntry,
        (before, state): (Option<State>, State),
        result: Result<(), Errno>,
        cause: Option<EventId>,
        after: Duration,
    ) {
        let (instance, entry) = (instance.clone(), entry.clone());
        let fact = match (before, state) {
            (Some(State::Present | State::Foreign), State::Present) if result.is_ok() => {
                RoutingFact::RoutingRestored { instance, entry, after }
            }
            (Some(State::Present | State::Foreign), State::Present | State::Foreign) => return,
            (_, State::Present | State::Foreign) => {
                RoutingFact::RoutingAdded { instance, entry, adopted: result.is_err() }
            }
            (Some(State::Refused(known)), State::Refused(errno)) if known == errno => return,
            (_, State::Refused(errno)) => {
                RoutingFact::RoutingFailed { instance, entry, adding: true, error: errno.desc().to_owned() }
            }
        };
        self.bus.publish(cause, fact);
    }

    /// Takes what the kernel tells; anything that may have taken an entry away, or that may let one be added, raises doubt.
    pub(super) fn hear(&mut self, now: Instant) {
        let mut heard = Vec::new();
        let polled = self.monitor.poll(NOTIFICATIONS_PER_TURN, |notification| heard.push(notification));
        let own = self.requests.port();
        let mut doubt = false;
        for notification in heard {
            match notification {
                Notification::RoutingGone { by } => doubt |= by != own,
                other => self.links.apply(other, |_| doubt = true),
            }
        }
        if polled.is_err() {
            doubt = true;
            let mut dump = Vec::new();
            // If even that fails, the next turn finds the socket unreadable again.
            if self.monitor.dump(|notification| dump.push(notification)).is_ok() {
                self.links.replace(dump, |_| {});
            }
        }
        if doubt && !self.owners.is_empty() {
            self.doubt.get_or_insert(now);
        }
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        let doubt = self.doubt.map(|since| self.not_before.map_or(since, |soonest| soonest.max(since)));
        [doubt, self.retry].into_iter().flatten().min()
    }

    /// Looks whether everything is there, if there is doubt about it, and puts back what is not.
    pub(super) fn work(&mut self, now: Instant) {
        if self.next().is_none_or(|at| at > now) {
            return;
        }
        let since = self.doubt.take().unwrap_or(now);
        self.retry = None;
        let mut restored = 0;
        let owners: Vec<Owner> = self.owners.keys().copied().collect();
        for owner in owners {
            restored += self.look_after(owner, since);
        }
        self.restorations.retain(|at| now.saturating_duration_since(*at) < LATELY);
        if restored > 0 {
            self.restorations.push(now);
        }
        self.not_before = (self.restorations.len() >= MANY).then(|| now + BETWEEN_RESTORATIONS);
        self.plan_retry(now);
    }

    /// How many entries of one owner were put back.
    fn look_after(&mut self, owner: Owner, since: Instant) -> usize {
        let Some(mut owned) = self.owners.remove(&owner) else { return 0 };
        let tracked: Vec<usize> = (0..owned.kept.len())
            .filter(|at| owned.kept.get(*at).is_some_and(Kept::is_looked_after))
            .collect();
        let entries: Vec<RoutingEntry> =
            tracked.iter().filter_map(|at| owned.kept.get(*at)).map(|kept| kept.entry.clone()).collect();
        let results = if self.shadow { vec![Err(Errno::EEXIST); entries.len()] } else { self.ask(&entries) };
        let mut restored = 0;
        for (at, result) in tracked.into_iter().zip(results) {
            let Some(kept) = owned.kept.get_mut(at) else { continue };
            let state = State::after(Some(kept.state), result, || self.is_foreign(&kept.entry));
            restored += usize::from(result.is_ok());
            let stood = (Some(kept.state), state);
            self.tell(&owned.instance, &kept.entry, stood, result, owned.cause, since.elapsed());
            kept.state = state;
        }
        self.owners.insert(owner, owned);
        restored
    }

    fn plan_retry(&mut self, now: Instant) {
        let refused = |kept: &Kept| matches!(kept.state, State::Refused(_));
        if !self.owners.values().flat_map(|owned| &owned.kept).any(refused) {
            (self.retry, self.wait) = (None, Duration::ZERO);
        } else if self.retry.is_none() {
            self.wait = (self.wait * 2).clamp(LEAST_WAIT, MOST_WAIT);
            self.retry = Some(now + self.wait);
        }
    }
}

impl Kept {
    /// `no_track` leaves an entry alone once it was there, and so does a life that ends (`expires`, which the kernel has for
    /// IPv6 only): asking for it again would begin it anew.
    fn is_looked_after(&self) -> bool {
        let no_track = match &self.entry {
            RoutingEntry::Route(route) => {
                route.no_track || (route.expires.is_some() && route.family == Family::Inet6)
            }
            RoutingEntry::Rule(rule) => rule.no_track,
            RoutingEntry::Address(address) => address.no_track,
        };
        !no_track || matches!(self.state, State::Refused(_))
    }
}

impl AsFd for Routing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_we_put_there_does_not_become_the_host_s_because_it_bears_no_mark() {
        let there = Err(Errno::EEXIST);
        assert_eq!(State::after(None, there, || true), State::Foreign);
        assert_eq!(State::after(Some(State::Foreign), there, || true), State::Foreign);
        let put = State::after(None, Ok(()), || true);
        assert_eq!(State::after(Some(put), there, || true), State::Present);
    }
}
