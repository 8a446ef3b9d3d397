//! The interfaces that virtual routers have made for themselves: macvlans with the virtual router's hardware address
//! (RFC 9568 §7.3), and ipvlans. On the thread that may wait. Goes in: definitions, before they are made true; what the
//! kernel tells of interfaces. Comes out: interfaces, and definitions that know their names.
//!
//! Adverts leave by the macvlan, and addresses go on it. They are heard on the interface below, which the same frames reach:
//! so the macvlan joins no group, and tells no switch of a backup's that the virtual hardware address is there.

mod request;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::LinkFact;
use keepwatch_bus::subject::{Family, Name};
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::VmacKind;
use keepwatch_net::address::{AddressOperation, AddressSpec};
use keepwatch_net::link::{Link, LinkIndex, LinkKind, LinkTable};
use keepwatch_net::netlink::{Attributes, Monitor, Requests};
use nix::errno::Errno;
use nix::libc;

use crate::spec::{Definitions, VmacPlan};
use crate::{Follow, TrackedKind};

use super::sysctls::Sysctls;
use request::{MACVLAN_MODE_PRIVATE, creation, hardware, header, ipvlan_flags};

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
}

/// All of them.
pub(super) struct Vmacs {
    bus: Bus,
    requests: Requests,
    monitor: Monitor,
    links: LinkTable,
    kept: Vec<Kept>,
    /// Those that a reload no longer wants, which go when their addresses are off; with the number of what was made, if
    /// anything was.
    leaving: HashMap<Name, Option<u32>>,
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
        Ok(Self { bus, requests, monitor, links, kept, leaving, sysctls, again: None })
    }

    /// Makes the interfaces that definitions want, and tells the definitions their names.
    pub(super) fn prepare(&mut self, definitions: &mut Definitions, cause: Option<EventId>) {
        self.hear();
        let before = std::mem::take(&mut self.kept);
        self.leaving.extend(before.iter().map(|kept| (kept.name.clone(), kept.made)));
        for plan in std::mem::take(&mut definitions.vmacs) {
            let known = before.iter().find(|kept| kept.plan == plan);
            let name = known.map_or_else(|| self.name(&plan), |known| known.name.clone());
            self.leaving.remove(&name);
            let router = definitions.routers.iter_mut().find(|router| router.spec.name == plan.instance);
            if let Some(router) = router {
                let spec = &mut router.spec;
                match &plan.settings.kind {
                    VmacKind::Macvlan { xmit_base, .. } => {
                        spec.addresses_on = Some(name.clone());
                        spec.transmit_on = (!xmit_base).then(|| name.clone());
                    }
                    VmacKind::Ipvlan { .. } => spec.transmit_on = Some(name.clone()),
                }
                let follow =
                    Follow { kind: TrackedKind::Link, name: name.clone(), weight: 0, reverse: false };
                spec.follows = spec.follows.iter().cloned().chain([follow]).collect();
            }
            let made = known.and_then(|known| known.made);
            self.kept.push(Kept { plan, name, made, refused: None });
        }
        let before: Vec<Option<u32>> = self.kept.iter().map(|kept| kept.made).collect();
        self.make_all(true, cause);
        self.await_running(&before);
    }

    /// Takes what the kernel tells of interfaces, and makes again what somebody removed.
    pub(super) fn work(&mut self, now: Instant) {
        let due = self.again.is_some_and(|at| at <= now);
        if due {
            self.again = None;
        }
        if self.hear() || due {
            self.make_all(due, None);
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.again
    }

    /// Removes those that are no longer wanted; their addresses are off by now.
    pub(super) fn sweep(&mut self, cause: Option<EventId>) {
        let leaving: Vec<(Name, Option<u32>)> = self.leaving.drain().collect();
        for (name, made) in &leaving {
            self.remove(name, *made, cause);
        }
        let needed: HashSet<String> = self.kept.iter().flat_map(|kept| bases(&kept.plan)).collect();
        self.sysctls
            .restore(|setting| needed.contains(setting) || !self.kept.is_empty() && is_rp_filter(setting));
        if !leaving.is_empty() {
            // One of the same hardware address could not be up beside them.
            self.hear();
            self.make_all(true, cause);
        }
    }

    /// All of them go: the daemon stops.
    pub(super) fn release(&mut self) {
        let kept = self.kept.drain(..).map(|kept| (kept.name, kept.made));
        let all: Vec<(Name, Option<u32>)> = kept.chain(self.leaving.drain()).collect();
        for (name, made) in all {
            self.remove(&name, made, None);
        }
        self.sysctls.restore(|_| false);
    }

    /// Removes what this run made, or took over: another interface of that name is somebody else's.
    fn remove(&mut self, name: &Name, made: Option<u32>, cause: Option<EventId>) {
        self.hear();
        let link = made.and_then(|made| self.links.get(LinkIndex(made)));
        let Some(link) = link.filter(|link| is_ours(link)) else { return };
        let header = header(link.report.index, 0);
        self.requests.push(libc::RTM_DELLINK, 0, &Attributes::after(&header));
        if self.requests.carry_out().iter().all(Result::is_ok) {
            self.bus.publish(cause, LinkFact::LinkUnmade { interface: name.clone() });
        }
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

    /// What an interface is to be called: as configured, else after the virtual router; the next such name where there is
    /// another interface of that one.
    fn name(&self, plan: &VmacPlan) -> Name {
        let vrid = plan.vrid.0;
        let prefix = &plan.prefix;
        let first = usual_name(plan);
        let second = (plan.family == Family::Inet6).then(|| format!("{prefix}6.{vrid}"));
        let more = (1..=u8::MAX).map(|number| format!("{prefix}{number}.{vrid}"));
        let configured = plan.settings.interface.as_ref().map(ToString::to_string);
        let mut names = configured.into_iter().chain([first.clone()]).chain(second).chain(more);
        let free = |name: &String| {
            let taken = self.kept.iter().any(|kept| *kept.name == **name);
            let fits = self.links.by_name(name).is_none_or(|link| self.fits(link, plan));
            !taken && fits && name.len() < libc::IFNAMSIZ
        };
        names.find(free).unwrap_or(first).into()
    }

    /// Whether an interface is what a plan wants: left by a run that ended badly, or made by hand.
    fn fits(&self, link: &Link, plan: &VmacPlan) -> bool {
        let base = self.links.by_name(&plan.base).map(|base| base.report.index);
        match (&plan.settings.kind, link.report.kind) {
            (VmacKind::Macvlan { .. }, LinkKind::Macvlan { below, mode }) => {
                Some(below) == base
                    && mode == MACVLAN_MODE_PRIVATE
                    && link.report.hardware == Some(hardware(plan))
            }
            (VmacKind::Ipvlan { mode, .. }, LinkKind::Ipvlan { below, flags, .. }) => {
                Some(below) == base && flags == ipvlan_flags(*mode)
            }
            _ => false,
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
        let Some(base) = self.links.by_name(&plan.base) else { return Ok(()) };
        let (below, vrf) = (base.report.index, base.report.master.filter(|master| self.is_vrf(*master)));
        let there =
            self.links.by_name(name).map(|link| (link.report.index, link.report.up, self.fits(link, plan)));
        match there {
            Some((_, _, false)) => return Err(Errno::EEXIST),
            // Also if it is down: somebody who set it down wants it down.
            Some((_, _, true)) if self.is_settled(name) => return Ok(()),
            Some((index, up, true)) => {
                self.settle(plan, name);
                if !up {
                    self.set_up(index)?;
                }
                self.told_made(plan, name, true, cause);
            }
            None => {
                self.requests.push(libc::RTM_NEWLINK, CREATE, &creation(plan, name, below, vrf));
                self.one()?;
                self.hear();
                let index = self.links.by_name(name).map(|link| link.report.index).ok_or(Errno::ENODEV)?;
                self.without_link_local(index);
                self.settle(plan, name);
                // While one with the same hardware address is still up, this waits.
                if let Err(errno) = self.set_up(index) {
                    self.requests.push(libc::RTM_DELLINK, 0, &Attributes::after(&header(index, 0)));
                    let _ = self.one();
                    self.hear();
                    return Err(errno);
                }
                self.told_made(plan, name, false, cause);
            }
        }
        self.hear();
        self.address(plan, name)
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

    fn set_up(&mut self, index: LinkIndex) -> Result<(), Errno> {
        self.requests.push(libc::RTM_NEWLINK, 0, &Attributes::after(&header(index, libc::IFF_UP as u32)));
        self.one()
    }

    /// The address of an ipvlan is there from the start.
    fn address(&mut self, plan: &VmacPlan, name: &Name) -> Result<(), Errno> {
        let VmacKind::Ipvlan { address: Some(prefix), .. } = &plan.settings.kind else { return Ok(()) };
        let Some(link) = self.links.by_name(name) else { return Ok(()) };
        let mut spec = AddressSpec::new(prefix.address, prefix.length);
        if matches!(prefix.address, IpAddr::V6(_)) && prefix.length == 128 {
            spec.preferred_lifetime = Some(0);
        }
        self.requests.push_address(AddressOperation::Add, link.report.index, &spec);
        match self.one() {
            Err(Errno::EEXIST) => Ok(()),
            done => done,
        }
    }

    /// How a macvlan and the interface below must answer: each for its own addresses, and only there.
    fn settle(&mut self, plan: &VmacPlan, name: &Name) {
        if matches!(plan.settings.kind, VmacKind::Ipvlan { .. }) {
            return;
        }
        let own = |sysctl: &str, value: &str| {
            // They go with the interface, so there is nothing to restore.
            Sysctls::default().set(sysctl, value);
        };
        own(&format!("ipv4/conf/{name}/arp_ignore"), "1");
        own(&format!("ipv6/conf/{name}/addr_gen_mode"), "1");
        if plan.family == Family::Inet6 {
            return;
        }
        own(&format!("ipv4/conf/{name}/accept_local"), "1");
        own(&format!("ipv4/conf/{name}/promote_secondaries"), "1");
        own(&format!("ipv6/conf/{name}/disable_ipv6"), "1");
        for setting in bases(plan) {
            // Where addresses of the macvlan are the source, the interface below does not tell of them in its questions.
            let value = if setting.ends_with("arp_announce") { "2" } else { "1" };
            self.sysctls.set(&setting, value);
        }
        // The stricter of the interface's and of `all` counts: what `all` says, every interface is to say by itself.
        if let Some(all) = Sysctls::get("ipv4/conf/all/rp_filter").filter(|all| all != "0") {
            let others =
                self.links.iter().map(|link| link.report.name.clone()).filter(|other| **other != **name);
            let names: Vec<Name> = others.chain([Name::from("default")]).collect();
            for other in names {
                let setting = format!("ipv4/conf/{other}/rp_filter");
                if Sysctls::get(&setting).is_some_and(|value| value < all) {
                    self.sysctls.set(&setting, &all);
                }
            }
            self.sysctls.set("ipv4/conf/all/rp_filter", "0");
        }
        own(&format!("ipv4/conf/{name}/rp_filter"), "0");
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

/// What is changed of the interface below a macvlan of IPv4.
fn bases(plan: &VmacPlan) -> Vec<String> {
    if plan.family == Family::Inet6 || matches!(plan.settings.kind, VmacKind::Ipvlan { .. }) {
        return Vec::new();
    }
    ["arp_ignore", "arp_filter", "arp_announce"]
        .iter()
        .map(|setting| format!("ipv4/conf/{}/{setting}", plan.base))
        .collect()
}

/// What an interface is called that has no name of its own, if nothing else is.
fn usual_name(plan: &VmacPlan) -> String {
    format!("{}.{}", plan.prefix, plan.vrid.0)
}

fn is_rp_filter(setting: &str) -> bool {
    setting.ends_with("/rp_filter")
}

fn is_ours(link: &Link) -> bool {
    matches!(link.report.kind, LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. })
}

impl AsFd for Vmacs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}
