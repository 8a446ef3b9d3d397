//! The daemon's tables of the packet filter: packets to (and from) the addresses of a master that does not accept them are
//! dropped, but for neighbour discovery; ARP is no business of these tables. What the kernel reports of the groups of a
//! macvlan with IPv6 (MLD) leaves by the interface below: with the virtual hardware address, that of a backup would lead
//! switches to it. On the thread that may wait. Goes in: which addresses of which virtual router, which macvlans. Comes out:
//! tables of nftables, whose sets change as a whole, and facts.
//!
//! The tables belong to this process's socket where the kernel knows such a thing (Linux 5.12): a flush of the ruleset
//! passes them by, and nothing of them stays behind, however the process ends.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use keepwatch_bus::fact::{LinkFact, VrrpFact};
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::{Firewall as Settings, Nftables};
use keepwatch_net::netlink::{
    FilterBatch, FilterFamily, FilterField, FilterHook, FilterRule, FilterType, FilterVerdict, Requests,
};
use nix::errno::Errno;

use crate::RouterId;

const NEIGHBOUR_SOLICIT: u8 = 135;
const NEIGHBOUR_ADVERT: u8 = 136;
/// Multicast listener report and done (RFC 2710 §3), report of version 2 (RFC 3810 §5.2).
const MLD_REPORTS: [u8; 3] = [131, 132, 143];
/// The map from macvlans to the interfaces below, by keepalived's name.
const BELOW: &str = "vmac_map";
/// How many names are tried where another process has a table of the configured one.
const NAMES: u32 = 9;

/// An address whose packets are dropped; link-local ones on one interface only.
pub(super) type Dropped = (IpAddr, Option<u32>);

/// A macvlan whose reports of groups leave by the interface below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reporter {
    /// Its name.
    pub(super) name: Name,
    /// Its number.
    pub(super) index: u32,
    /// The number of the interface below.
    pub(super) below: u32,
}

/// What is dropped for one virtual router.
struct Ward {
    instance: Name,
    addresses: Vec<Dropped>,
    /// It has been told.
    told: bool,
}

/// One table, as it was made last.
#[derive(Default)]
struct Made {
    /// None while there is none.
    name: Option<String>,
    /// Whether it has the set of link-local addresses.
    link_local: bool,
    /// What its map of macvlans holds; none if it has no such map.
    below: Option<Elements>,
}

/// Elements of a set or a map: each its key, and of a map the interface that it leads to.
type Elements = Vec<(Vec<u8>, Option<u32>)>;

/// Routers for which nothing is to be dropped any more, once their addresses are off.
#[derive(Default)]
pub(super) struct Lifts(VecDeque<(u64, RouterId, EventId)>);

impl Lifts {
    /// Once so many requests are answered, nothing is to be dropped for a router.
    pub(super) fn push(&mut self, after: u64, router: RouterId, cause: EventId) {
        self.0.push_back((after, router, cause));
    }

    /// A router has addresses again.
    pub(super) fn forget(&mut self, router: RouterId) {
        self.0.retain(|(_, other, _)| *other != router);
    }

    /// The next that is due when so many requests are answered.
    pub(super) fn next(&mut self, answered: u64) -> Option<(RouterId, EventId)> {
        self.0.front().filter(|(after, ..)| *after <= answered)?;
        self.0.pop_front().map(|(_, router, cause)| (router, cause))
    }
}

/// The tables of both families.
pub(super) struct Firewall {
    bus: Bus,
    requests: Requests,
    settings: Settings,
    wards: BTreeMap<RouterId, Ward>,
    reporters: Vec<Reporter>,
    /// The kernel can't move their reports.
    immovable: bool,
    made: [Made; 2],
    owned: bool,
    shadow: bool,
}

impl Firewall {
    pub(super) fn open(bus: Bus, settings: Settings, shadow: bool) -> keepwatch_net::Result<Self> {
        let requests = Requests::filter()?;
        let (wards, reporters, made) = (BTreeMap::new(), Vec::new(), Default::default());
        Ok(Self { bus, requests, settings, wards, reporters, immovable: false, made, owned: true, shadow })
    }

    /// Takes the settings of a reload into use.
    pub(super) fn configure(&mut self, settings: &Settings) {
        if self.settings != *settings {
            self.release();
            self.settings = settings.clone();
            self.wards.values_mut().for_each(|ward| ward.told = false);
            self.make_true(None);
        }
    }

    /// More addresses of a virtual router are dropped from now on.
    pub(super) fn drop_more(
        &mut self,
        router: RouterId,
        instance: &Name,
        addresses: Vec<Dropped>,
        cause: Option<EventId>,
    ) {
        let mut all = self.wards.get(&router).map_or_else(Vec::new, |ward| ward.addresses.clone());
        all.extend(addresses.into_iter().filter(|new| !all.contains(new)).collect::<Vec<_>>());
        self.drop_only(router, instance, all, cause);
    }

    /// These addresses of a virtual router are dropped from now on, and no others of it.
    pub(super) fn drop_only(
        &mut self,
        router: RouterId,
        instance: &Name,
        addresses: Vec<Dropped>,
        cause: Option<EventId>,
    ) {
        match self.wards.get_mut(&router) {
            Some(ward) if ward.addresses == addresses => {
                // It may have another name since.
                ward.instance = instance.clone();
                return;
            }
            None if addresses.is_empty() => return,
            Some(_) | None => {}
        }
        if addresses.is_empty() {
            self.wards.remove(&router);
            self.make_true(cause);
            self.bus.publish(cause, VrrpFact::DropLifted { instance: instance.clone() });
        } else {
            self.wards.insert(router, Ward { instance: instance.clone(), addresses, told: false });
            self.make_true(cause);
        }
    }

    /// Whether anything is dropped for a virtual router.
    pub(super) fn has(&self, router: RouterId) -> bool {
        self.wards.contains_key(&router)
    }

    /// Nothing is dropped for a virtual router any more.
    pub(super) fn lift(&mut self, router: RouterId, cause: Option<EventId>) {
        if let Some(ward) = self.wards.remove(&router) {
            self.make_true(cause);
            self.bus.publish(cause, VrrpFact::DropLifted { instance: ward.instance });
        }
    }

    /// Reports of these macvlans, and of no others, leave by the interfaces below. The kernel's refusal is told of those that
    /// it had not refused before.
    pub(super) fn move_reports(&mut self, reporters: Vec<Reporter>, cause: Option<EventId>) {
        if self.reporters == reporters {
            return;
        }
        let before = std::mem::replace(&mut self.reporters, reporters);
        self.immovable = false;
        if let Err(errno) = self.make_family(FilterFamily::Ip6) {
            // What is dropped is dropped all the same. If not even that works, whoever wants it is told.
            self.immovable = true;
            let _ = self.make_family(FilterFamily::Ip6);
            for reporter in self.reporters.iter().filter(|reporter| !before.contains(reporter)) {
                let (interface, error) = (reporter.name.clone(), errno.desc().to_owned());
                self.bus.publish(cause, LinkFact::ReportsNotMoved { interface, error });
            }
        }
    }

    /// The tables go.
    pub(super) fn release(&mut self) {
        for family in [FilterFamily::Ip, FilterFamily::Ip6] {
            let made = std::mem::take(self.made_of(family));
            if let Some(name) = made.name {
                let mut batch = FilterBatch::new(&mut self.requests, family, &name);
                batch.remove_table();
                // Somebody else has removed it.
                let _ = batch.carry_out();
            }
        }
    }

    fn made_of(&mut self, family: FilterFamily) -> &mut Made {
        let [ip, ip6] = &mut self.made;
        match family {
            FilterFamily::Ip => ip,
            FilterFamily::Ip6 => ip6,
        }
    }

    /// Makes the tables what they should be, and tells for whom.
    fn make_true(&mut self, cause: Option<EventId>) {
        let mut result = Ok(());
        if !self.shadow {
            for family in [FilterFamily::Ip, FilterFamily::Ip6] {
                result = result.and(self.make_family(family));
            }
        }
        let table: Name = self.made.iter().find_map(|made| made.name.as_deref()).unwrap_or_default().into();
        for ward in self.wards.values_mut().filter(|ward| !ward.told) {
            let instance = ward.instance.clone();
            ward.told = true;
            let fact = match result {
                Ok(()) => VrrpFact::DropSet {
                    instance,
                    table: table.clone(),
                    addresses: ward.addresses.iter().map(|(address, _)| *address).collect(),
                },
                Err(errno) => VrrpFact::DropFailed { instance, error: errno.desc().to_owned() },
            };
            self.bus.publish(cause, fact);
        }
    }

    fn make_family(&mut self, family: FilterFamily) -> Result<(), Errno> {
        let mut contents = Contents::of(family, self.wards.values().flat_map(|ward| &ward.addresses));
        if family == FilterFamily::Ip6 && !self.immovable {
            contents.move_reports(&self.reporters);
        }
        let made = self.made_of(family);
        if made.name.is_none() && contents.is_empty() {
            return Ok(());
        }
        let has_room = (made.link_local || contents.link_local.is_empty())
            && (made.below.is_some() || contents.below.is_empty());
        if let Some(name) = made.name.clone().filter(|_| has_room) {
            let (link_local, below) = (made.link_local, made.below.clone());
            let mut batch = FilterBatch::new(&mut self.requests, family, &name);
            contents.refill(&mut batch, link_local, below.as_ref());
            match batch.carry_out() {
                // Somebody has removed it, or a part of it: it is made anew.
                Err(Errno::ENOENT) => {}
                Ok(()) => {
                    self.made_of(family).below = below.map(|_| contents.below);
                    return Ok(());
                }
                Err(errno) => return Err(errno),
            }
        }
        self.build(family, &contents)
    }

    /// Makes a table anew.
    fn build(&mut self, family: FilterFamily, contents: &Contents) -> Result<(), Errno> {
        let wanted = self.settings.nftables.table.as_deref().unwrap_or(Nftables::TABLE).to_owned();
        let mut refused = Errno::EPERM;
        for number in 1..=NAMES {
            let name = if number == 1 { wanted.clone() } else { format!("{wanted}_{number}") };
            let mut done = self.build_named(family, contents, &name);
            if self.owned && matches!(done, Err(Errno::EOPNOTSUPP | Errno::EINVAL)) {
                self.owned = false;
                done = self.build_named(family, contents, &name);
            }
            match done {
                Ok(()) => {
                    let below = Some(contents.below.clone()).filter(|below| !below.is_empty());
                    *self.made_of(family) =
                        Made { name: Some(name), link_local: !contents.link_local.is_empty(), below };
                    return Ok(());
                }
                // It is another process's.
                Err(Errno::EPERM) => {}
                Err(errno) => {
                    refused = errno;
                    break;
                }
            }
        }
        Err(refused)
    }

    fn build_named(&mut self, family: FilterFamily, contents: &Contents, name: &str) -> Result<(), Errno> {
        let (owned, counts) = (self.owned, self.settings.counters);
        let priority = self.settings.nftables.priority;
        let mut batch = FilterBatch::new(&mut self.requests, family, name);
        // What a run left that owned nothing, or one of keepalived, goes in the same moment.
        batch.table(false);
        batch.remove_table();
        batch.table(owned);
        contents.write(&mut batch, family, counts, priority);
        batch.carry_out()
    }
}

/// What the sets of one table hold.
#[derive(Default)]
struct Contents {
    addresses: Elements,
    /// With their interfaces.
    link_local: Elements,
    /// Macvlans, each with the interface below.
    below: Elements,
}

impl Contents {
    fn of<'a>(family: FilterFamily, dropped: impl Iterator<Item = &'a Dropped>) -> Self {
        let mut contents = Self::default();
        for (address, index) in dropped {
            let (list, key) = match (family, address, index) {
                (FilterFamily::Ip, IpAddr::V4(address), _) => {
                    (&mut contents.addresses, address.octets().to_vec())
                }
                (FilterFamily::Ip6, IpAddr::V6(address), index) if is_link_local(address) => {
                    let mut key = address.octets().to_vec();
                    key.extend(index.unwrap_or(0).to_ne_bytes());
                    (&mut contents.link_local, key)
                }
                (FilterFamily::Ip6, IpAddr::V6(address), _) => {
                    (&mut contents.addresses, address.octets().to_vec())
                }
                (FilterFamily::Ip, IpAddr::V6(_), _) | (FilterFamily::Ip6, IpAddr::V4(_), _) => continue,
            };
            if !list.iter().any(|(known, _)| *known == key) {
                list.push((key, None));
            }
        }
        contents
    }

    fn move_reports(&mut self, reporters: &[Reporter]) {
        let entry = |reporter: &Reporter| (reporter.index.to_ne_bytes().to_vec(), Some(reporter.below));
        self.below = reporters.iter().map(entry).collect();
    }

    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.link_local.is_empty() && self.below.is_empty()
    }

    /// Other elements in the sets that are there; of the map only if it holds others.
    fn refill(&self, batch: &mut FilterBatch<'_>, link_local: bool, below: Option<&Elements>) {
        if below.is_some_and(|below| *below != self.below) {
            batch.empty(BELOW);
            batch.elements(BELOW, &self.below);
        }
        batch.empty("vips");
        batch.elements("vips", &self.addresses);
        if link_local {
            batch.empty("vips_link_local");
            batch.elements("vips_link_local", &self.link_local);
        }
    }

    /// A whole table: the sets and chains that keepalived 2.4.3 makes, by the same names.
    fn write(&self, batch: &mut FilterBatch<'_>, family: FilterFamily, counts: bool, priority: i32) {
        let rule = || FilterRule::new(family, counts);
        let key = match family {
            FilterFamily::Ip => FilterType::Ipv4,
            FilterFamily::Ip6 => FilterType::Ipv6,
        };
        batch.set("vips", key, false, false);
        batch.elements("vips", &self.addresses);
        if !self.below.is_empty() {
            batch.set(BELOW, FilterType::Interface, true, false);
            batch.elements(BELOW, &self.below);
            batch.set("mld-report", FilterType::Icmpv6, false, true);
            batch.elements("mld-report", &MLD_REPORTS.map(|kind| (vec![kind], None)));
        }
        if family == FilterFamily::Ip6 {
            batch.set("neighbor-discovery", FilterType::Icmpv6, false, true);
            let kinds = [NEIGHBOUR_SOLICIT, NEIGHBOUR_ADVERT].map(|kind| (vec![kind], None));
            batch.elements("neighbor-discovery", &kinds);
            if !self.link_local.is_empty() {
                batch.set("vips_link_local", FilterType::Ipv6Interface, false, false);
                batch.elements("vips_link_local", &self.link_local);
            }
        }
        let sides = [
            ("out", "out_link_local", FilterHook::Output, true),
            ("in", "in_link_local", FilterHook::Input, false),
        ];
        for (chain, link_local, hook, source) in sides {
            batch.chain(chain, Some((hook, priority)));
            let (plain, with_interface) = match source {
                true => (FilterField::Source, FilterField::SourceAndOutput),
                false => (FilterField::Destination, FilterField::DestinationAndInput),
            };
            if source && !self.below.is_empty() {
                let reports = rule().is_in(FilterField::Icmpv6Type, "mld-report").leaves_by_macvlan();
                batch.rule(chain, reports.duplicated_by(BELOW), FilterVerdict::Drop);
            }
            if family == FilterFamily::Ip6 {
                batch.chain(link_local, None);
                let discovery = rule().is_in(FilterField::Icmpv6Type, "neighbor-discovery");
                batch.rule(chain, discovery, FilterVerdict::Accept);
                batch.rule(chain, rule().is_link_local(source), FilterVerdict::Goto(link_local));
                if !self.link_local.is_empty() {
                    let here = rule().is_in(with_interface, "vips_link_local");
                    batch.rule(link_local, here, FilterVerdict::Drop);
                }
            }
            batch.rule(chain, rule().is_in(plain, "vips"), FilterVerdict::Drop);
        }
    }
}

fn is_link_local(address: &Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_lifted_when_the_removals_before_it_are_answered_unless_it_is_wanted_again() {
        let mut lifts = Lifts::default();
        lifts.push(3, RouterId(1), EventId(10));
        lifts.push(4, RouterId(2), EventId(11));
        assert_eq!(lifts.next(2), None, "an address is still there");
        assert_eq!(lifts.next(3), Some((RouterId(1), EventId(10))), "whatever else is asked meanwhile");
        assert_eq!(lifts.next(3), None);
        lifts.forget(RouterId(2));
        assert_eq!(lifts.next(9), None);
    }
}
