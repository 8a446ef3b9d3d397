//! The interfaces that virtual routers have made for themselves: macvlans with the virtual router's hardware address
//! (RFC 9568 §7.3), and ipvlans. On the thread that may wait. Goes in: definitions, before they are made true; what the
//! kernel tells of interfaces. Comes out: interfaces, and definitions that know their names.
//!
//! Adverts leave by the macvlan, and addresses go on it. They are heard on the interface below, which the same frames reach:
//! so the macvlan joins no group, and tells no switch of a backup's that the virtual hardware address is there.

mod maker;
mod names;
mod request;
mod settings;
mod strays;
mod upkeep;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::LinkFact;
use keepwatch_bus::subject::{Family, Name};
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::VmacKind;
use keepwatch_net::link::{Link, LinkIndex, LinkKind, LinkTable};
use keepwatch_net::netlink::{Attributes, Monitor, Requests};
use nix::errno::Errno;
use nix::libc;

use crate::spec::{Definitions, VmacPlan, room_for_memory, with_memory};

use super::firewall::Reporter;
use super::interfaces::interfaces_of;
use super::sysctls::Sysctls;
use names::{is_marked, usual_name};
use request::{creation, header};
pub(super) use strays::strays;

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
/// How long a new interface may take until it runs as the one below it does.
const RUNS_WITHIN: Duration = Duration::from_millis(500);
/// Between two tries of what the kernel refused.
const AGAIN: Duration = Duration::from_secs(1);
const NOTIFICATIONS_PER_TURN: usize = 64;

/// An interface of a virtual router.
struct Kept {
    plan: VmacPlan,
    name: Name,
    /// The number of the interface that this run made, or took over.
    made: Option<u32>,
    /// It has been told that it can't be made, for this reason.
    refused: Option<Errno>,
    /// The families of the addresses that go on it: of its plan, and of those that share it.
    families: BTreeSet<Family>,
    /// Those that the kernel's settings of it are made for.
    settled: BTreeSet<Family>,
}

/// What is to go.
#[derive(Clone, Copy)]
struct Left {
    /// The number of what was made, if anything was.
    made: Option<u32>,
    /// The kernel is then to tell others of the interface below (`netlink_notify_msg`).
    notifies: bool,
}

impl From<&Kept> for Left {
    fn from(kept: &Kept) -> Self {
        Self { made: kept.made, notifies: kept.plan.notifies() }
    }
}

/// All of them.
pub(super) struct Vmacs {
    bus: Bus,
    requests: Requests,
    monitor: Monitor,
    links: LinkTable,
    kept: Vec<Kept>,
    /// Those that a reload no longer wants, which go when their addresses are off.
    leaving: HashMap<Name, Left>,
    /// The interfaces that the configuration names.
    named: HashSet<Name>,
    sysctls: Sysctls,
    again: Option<Instant>,
}

/// Tells that none of these interfaces can be made.
pub(super) fn refuse_all(
    bus: &Bus,
    plans: &[VmacPlan],
    error: &keepwatch_net::Error,
    cause: Option<EventId>,
) {
    for plan in plans {
        let own = plan.settings.interface.as_ref().map(ToString::to_string);
        let interface = own.unwrap_or_else(|| usual_name(plan)).into();
        let (instance, error) = (plan.instance.clone(), error.to_string());
        bus.publish(cause, LinkFact::LinkMakingFailed { instance, interface, error });
    }
}

impl Vmacs {
    pub(super) fn open(bus: Bus) -> keepwatch_net::Result<Self> {
        let mut monitor = Monitor::open()?;
        let mut links = LinkTable::default();
        let mut dump = Vec::new();
        monitor.dump(|notification| dump.push(notification))?;
        links.replace(dump, |_| {});
        let requests = Requests::routing()?;
        let (kept, leaving, sysctls) = (Vec::new(), HashMap::new(), Sysctls::default());
        let named = HashSet::new();
        Ok(Self { bus, requests, monitor, links, kept, leaving, named, sysctls, again: None })
    }

    /// Makes the interfaces that definitions want, and tells the definitions their names.
    pub(super) fn prepare(&mut self, definitions: &mut Definitions, cause: Option<EventId>) {
        self.hear();
        self.named = interfaces_of(definitions);
        let before = std::mem::take(&mut self.kept);
        self.leaving.extend(before.iter().map(|kept| (kept.name.clone(), Left::from(kept))));
        let mut of_instance: HashMap<&Name, Vec<&Kept>> = HashMap::new();
        for kept in &before {
            of_instance.entry(&kept.plan.instance).or_default().push(kept);
        }
        let places =
            definitions.routers.iter().enumerate().map(|(at, router)| (router.spec.name.clone(), at));
        let places: HashMap<Name, usize> = places.collect();
        let mut seats: HashMap<(Name, [u8; 6]), usize> = HashMap::new();
        for plan in std::mem::take(&mut definitions.vmacs) {
            let known = of_instance.get(&plan.instance).into_iter().flatten();
            let known = known.copied().find(|kept| kept.plan.is_same_interface(&plan));
            let seat = plan.seat();
            let shared = seat.as_ref().filter(|_| plan.is_for_addresses()).and_then(|seat| seats.get(seat));
            let shared = shared.and_then(|at| self.kept.get_mut(*at)).map(|kept| {
                kept.families.insert(plan.family);
                kept.name.clone()
            });
            let name = match (&shared, known) {
                (Some(shared), _) => shared.clone(),
                (None, Some(known)) => known.name.clone(),
                (None, None) => self.name(&plan),
            };
            self.leaving.remove(&name);
            let router = places.get(&plan.instance).and_then(|at| definitions.routers.get_mut(*at));
            if let Some(router) = router {
                plan.tell(&mut router.spec, &name);
            }
            let made = known.and_then(|known| known.made);
            if shared.is_none() {
                let settled = known.map(|known| known.settled.clone()).unwrap_or_default();
                let families = BTreeSet::from([plan.family]);
                if let Some(seat) = seat {
                    seats.entry(seat).or_insert(self.kept.len());
                }
                self.kept.push(Kept { plan, name, made, refused: None, families, settled });
            }
        }
        for kept in &mut self.kept {
            kept.settled.retain(|family| kept.families.contains(family));
        }
        let before: Vec<Option<u32>> = self.kept.iter().map(|kept| kept.made).collect();
        self.make_all(true, cause);
        self.await_running(&before);
    }

    /// Takes what the kernel tells of interfaces, and makes again what somebody removed. Whether there was anything to do.
    pub(super) fn work(&mut self, now: Instant) -> bool {
        let due = self.again.is_some_and(|at| at <= now);
        if due {
            self.again = None;
        }
        let works = self.hear() || due;
        if works {
            self.make_all(due, None);
        }
        works
    }

    /// The macvlans that are there and have addresses of IPv6, for whose groups the kernel reports.
    pub(super) fn reporters(&self) -> Vec<Reporter> {
        let reports = |kept: &&Kept| {
            kept.families.contains(&Family::Inet6)
                && matches!(kept.plan.settings.kind, VmacKind::Macvlan { .. })
        };
        let reporter = |kept: &Kept| {
            let index = kept.made?;
            let LinkIndex(below) = below(self.links.get(LinkIndex(index))?)?;
            Some(Reporter { name: kept.name.clone(), index, below })
        };
        self.kept.iter().filter(reports).filter_map(reporter).collect()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.again
    }

    /// Removes those that are no longer wanted; their addresses are off by now.
    pub(super) fn sweep(&mut self, cause: Option<EventId>) {
        let leaving: Vec<(Name, Left)> = self.leaving.drain().collect();
        for (name, left) in &leaving {
            self.remove(name, *left, cause);
        }
        self.restore_settings();
        if !leaving.is_empty() {
            // One of the same hardware address could not be up beside them.
            self.hear();
            self.make_all(true, cause);
        }
    }

    /// All of them go: the daemon stops.
    pub(super) fn release(&mut self) {
        let kept: Vec<Kept> = self.kept.drain(..).collect();
        let kept = kept.iter().map(|kept| (kept.name.clone(), Left::from(kept)));
        let all: Vec<(Name, Left)> = kept.chain(self.leaving.drain()).collect();
        for (name, left) in all {
            self.remove(&name, left, None);
        }
        self.sysctls.restore(|_| false);
    }

    /// Removes what this run made, or took over: another interface of that name is somebody else's.
    fn remove(&mut self, name: &Name, left: Left, cause: Option<EventId>) {
        self.hear();
        let link = left.made.and_then(|made| self.links.get(LinkIndex(made)));
        let Some((index, below)) = link.and_then(|link| Some((link.report.index, below(link)?))) else {
            return;
        };
        self.requests.push(libc::RTM_DELLINK, 0, &Attributes::after(&header(index, 0)));
        if self.requests.carry_out().iter().all(Result::is_ok) {
            self.bus.publish(cause, LinkFact::LinkUnmade { interface: name.clone() });
            if left.notifies {
                self.have_told(below);
            }
        }
    }

    /// Has the kernel tell everybody of an interface, of which nothing changes: where it does not filter hardware addresses
    /// itself, it becomes promiscuous with a macvlan above it, and the kernel tells nobody of that.
    fn have_told(&mut self, below: LinkIndex) {
        let Some(group) = self.links.get(below).map(|link| link.report.group) else { return };
        self.requests.push(libc::RTM_NEWLINK, 0, &request::regroup(below, group));
        // It is gone as well.
        let _ = self.one();
    }

    /// Reads what the kernel told; whether there was anything.
    fn hear(&mut self) -> bool {
        let mut changed = false;
        loop {
            let mut heard = Vec::new();
            let polled = self.monitor.poll(NOTIFICATIONS_PER_TURN, |notification| heard.push(notification));
            for notification in heard {
                self.links.apply(notification, |_| changed = true);
            }
            match polled {
                Ok(true) => {}
                Ok(false) => return changed,
                Err(_) => {
                    let mut dump = Vec::new();
                    if self.monitor.dump(|notification| dump.push(notification)).is_ok() {
                        self.links.replace(dump, |_| {});
                    }
                    return true;
                }
            }
        }
    }

    /// Makes what is not there, and has all of them up; what was refused only when it is its time, for links may change
    /// without end.
    fn make_all(&mut self, refused_too: bool, cause: Option<EventId>) {
        for at in 0..self.kept.len() {
            let Some(Kept { plan, name, refused, .. }) = self.kept.get(at) else { continue };
            if refused.is_some() && !refused_too {
                continue;
            }
            let (plan, name, known) = (plan.clone(), name.clone(), *refused);
            let result = self.make(&plan, &name, cause);
            let refusal = result.err();
            // Beside one of the same hardware address, which is about to go, it has to wait.
            let waits = |errno: Errno| errno == Errno::EADDRINUSE && !self.leaving.is_empty();
            if let Some(errno) = refusal.filter(|errno| known != Some(*errno) && !waits(*errno)) {
                let (instance, error) = (plan.instance.clone(), errno.desc().to_owned());
                self.bus.publish(cause, LinkFact::LinkMakingFailed { instance, interface: name, error });
            }
            if refusal.is_some() {
                self.again = Some(Instant::now() + AGAIN);
            }
            if let Some(kept) = self.kept.get_mut(at) {
                kept.refused = refusal;
            }
        }
    }

    /// Makes one interface, unless it is there. Nothing is done while there is none below: it will be told of.
    fn make(&mut self, plan: &VmacPlan, name: &Name, cause: Option<EventId>) -> Result<(), Errno> {
        self.leave_other_base(plan, name, cause);
        let Some(base) = self.links.by_name(&plan.base) else { return Ok(()) };
        let (below, vrf) = (base.report.clone(), base.report.master.filter(|master| self.is_vrf(*master)));
        let there =
            self.links.by_name(name).map(|link| (link.report.index, link.report.up, self.fits(link, plan)));
        let marked = self.links.by_name(name).is_some_and(is_marked);
        match there {
            // It is ours; somebody has changed it.
            Some((index, _, false))
                if self.is_settled(name) && matches!(plan.settings.kind, VmacKind::Macvlan { .. }) =>
            {
                self.requests.push(libc::RTM_NEWLINK, 0, &request::hardware_again(index, plan));
                self.one()?;
                self.hear();
                if !self.links.by_name(name).is_some_and(|link| self.fits(link, plan)) {
                    return Err(Errno::EEXIST);
                }
                self.bus.publish(cause, LinkFact::HardwareRestored { interface: name.clone() });
                return Ok(());
            }
            Some((_, _, false)) => return Err(Errno::EEXIST),
            // Also if it is down: somebody who set it down wants it down.
            Some((_, _, true)) if self.is_settled(name) => {
                if self.kept(name).is_some_and(|kept| !kept.settled.is_superset(&kept.families)) {
                    self.settle(plan, name);
                }
                return self.keep_right(plan, name, vrf);
            }
            Some((index, up, true)) => {
                self.recall(name);
                self.settle(plan, name);
                if marked {
                    // Its virtual router may have had another name.
                    self.mark(index, plan);
                }
                if !up {
                    self.set_up(index)?;
                }
                self.told_made(plan, name, true, cause);
            }
            None => {
                self.requests.push(libc::RTM_NEWLINK, CREATE, &creation(plan, name, &below, vrf));
                self.one()?;
                self.hear();
                let index = self.links.by_name(name).map(|link| link.report.index).ok_or(Errno::ENODEV)?;
                self.without_link_local(index);
                self.mark(index, plan);
                self.settle(plan, name);
                self.mark(index, plan);
                // While one with the same hardware address is still up, this waits.
                if let Err(errno) = self.set_up(index) {
                    self.requests.push(libc::RTM_DELLINK, 0, &Attributes::after(&header(index, 0)));
                    let _ = self.one();
                    self.hear();
                    return Err(errno);
                }
                self.told_made(plan, name, false, cause);
                if plan.notifies() {
                    self.have_told(below.index);
                }
            }
        }
        self.hear();
        self.address(plan, name)
    }

    /// What this run made above an interface that has another name by now goes as soon as there is an interface of the name
    /// that it was made for: that one may be in another network.
    fn leave_other_base(&mut self, plan: &VmacPlan, name: &Name, cause: Option<EventId>) {
        let Some(base) = self.links.by_name(&plan.base).map(|base| base.report.index) else { return };
        let Some(link) = self.links.by_name(name).filter(|_| self.is_settled(name)) else { return };
        let made = Some(link.report.index.0);
        let Some(other) = below(link).filter(|other| *other != base) else { return };
        if let Some(renamed) = self.links.get(other) {
            self.sysctls.follow(&plan.base, &renamed.report.name);
        }
        self.remove(name, Left { made, notifies: plan.notifies() }, cause);
        self.hear();
    }

    fn told_made(&mut self, plan: &VmacPlan, name: &Name, adopted: bool, cause: Option<EventId>) {
        let (instance, interface, below) = (plan.instance.clone(), name.clone(), plan.base.clone());
        self.bus.publish(cause, LinkFact::LinkMade { instance, interface, below, adopted });
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.name == *name) {
            kept.made = self.links.by_name(name).map(|link| link.report.index.0);
        }
    }

    /// Whether this run has made, or taken over, the interface that has this name now.
    fn is_settled(&self, name: &Name) -> bool {
        let now = self.links.by_name(name).map(|link| link.report.index.0);
        self.kept.iter().any(|kept| kept.name == *name && kept.made.is_some() && kept.made == now)
    }

    fn kept(&self, name: &Name) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.name == *name)
    }

    fn is_vrf(&self, index: LinkIndex) -> bool {
        self.links.get(index).is_some_and(|link| matches!(link.report.kind, LinkKind::Vrf { .. }))
    }

    fn one(&mut self) -> Result<(), Errno> {
        self.requests.carry_out().into_iter().collect()
    }

    /// The kernel makes no link-local address on an interface; it does not take this with the request that makes the
    /// interface. It would speak from there with the virtual hardware address, as a backup too.
    fn without_link_local(&mut self, index: LinkIndex) {
        let body = request::without_link_local(index);
        self.requests.push(libc::RTM_NEWLINK, 0, &body);
        // A host without IPv6 makes none.
        let _ = self.one();
    }

    /// The kernel does not take this with the request that makes the interface either. One without is merely not swept.
    fn mark(&mut self, index: LinkIndex, plan: &VmacPlan) {
        // Who made it comes first: there may be no room for all else.
        let maker = maker::own();
        let room = room_for_memory(&plan.mark).saturating_sub(maker.len() + 1);
        let changed = self.sysctls.remembered(room);
        let memory: Vec<&str> = [&*maker, &*changed].into_iter().filter(|text| !text.is_empty()).collect();
        let text = with_memory(&plan.mark, &memory.join(" "));
        self.requests.push(libc::RTM_NEWLINK, 0, &request::marking(index, &text));
        let _ = self.one();
    }

    fn set_up(&mut self, index: LinkIndex) -> Result<(), Errno> {
        self.requests.push(libc::RTM_NEWLINK, 0, &Attributes::after(&header(index, libc::IFF_UP as u32)));
        self.one()
    }

    /// A moment until new interfaces run: else they would begin as a fault. Those that are as `before` are waited for no
    /// more, nor does anything else wait for them.
    fn await_running(&mut self, before: &[Option<u32>]) {
        let until = Instant::now() + RUNS_WITHIN;
        let waits = |vmacs: &Self| {
            let new = vmacs.kept.iter().zip(before).filter(|(kept, before)| kept.made != **before);
            new.map(|(kept, _)| kept).any(|kept| {
                let runs = |name: &Name| vmacs.links.by_name(name).is_some_and(Link::is_usable);
                let up = vmacs.links.by_name(&kept.name).is_some_and(|link| link.report.up);
                up && runs(&kept.plan.base) && !runs(&kept.name)
            })
        };
        while waits(self) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
            self.hear();
        }
    }
}

/// What is below an interface of a kind that is made here.
fn below(link: &Link) -> Option<LinkIndex> {
    match link.report.kind {
        LinkKind::Macvlan { below, .. } | LinkKind::Ipvlan { below, .. } => Some(below),
        LinkKind::Vrf { .. } | LinkKind::Other => None,
    }
}

impl AsFd for Vmacs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}
