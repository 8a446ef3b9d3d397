//! The interfaces as the machine knows them: by name, up or down, with the addresses that may be a source. Goes in:
//! what the runner hears from the kernel. Comes out: which address to send from, which virtual addresses are already
//! there, and which virtual router a packet is for. Whose an address is stands in [`virtuals`].

mod virtuals;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use keepwatch_bus::EventId;
use keepwatch_bus::subject::{Family, Name};
use keepwatch_model::{InterfaceAddress, Level};

use crate::ids::{LinkId, RouterId, TrackedId};
use crate::spec::RouterSpec;

pub(crate) use virtuals::Fate;
use virtuals::Virtual;

/// Whether an interface can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Up, with carrier.
    Up,
    /// Switched off, without carrier, or not there at all.
    #[default]
    Down,
}

impl From<LinkState> for Level {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Up => Self::Up,
            LinkState::Down => Self::Down,
        }
    }
}

/// Who put an address on its interface, as far as the kernel can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It bears the mark of keepalived and keepwatch (`IFA_PROTO` 18).
    Vrrp,
    /// It does not: it is the host's own.
    Host,
    /// The kernel keeps no such marks (before Linux 5.18): the machine has to judge by what else is there.
    Unmarked,
}

/// An address that is on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits: the kernel takes one address with two of them for two addresses.
    pub prefix: u8,
    /// Who put it there.
    pub origin: Origin,
}

impl LinkAddress {
    /// With its full prefix, put there by `origin`.
    pub fn new(address: IpAddr, origin: Origin) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 }, origin }
    }
}

impl From<IpAddr> for LinkAddress {
    /// One of the host's own.
    fn from(address: IpAddr) -> Self {
        Self::new(address, Origin::Host)
    }
}

impl From<[u8; 4]> for LinkAddress {
    fn from(octets: [u8; 4]) -> Self {
        IpAddr::from(octets).into()
    }
}

/// The virtual routers of one interface and family, by virtual router id: one array, so that a packet finds its
/// router with one look.
type VridTable = Box<[Option<RouterId>; 256]>;

/// An address that is there.
#[derive(Debug)]
struct Present {
    /// Its number in the order in which addresses came: the kernel's first ones are its primary ones.
    number: u64,
    /// Once for each prefix that it has.
    copies: Vec<(u8, Origin)>,
}

/// One interface.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) state: LinkState,
    /// The event that last told how it stands.
    pub(crate) told: Option<EventId>,
    present: HashMap<IpAddr, Present>,
    arrivals: u64,
    /// Those of the present that may be a source, oldest first: nobody's virtual address, or the host's own all the same.
    plain: BTreeMap<u64, IpAddr>,
    /// The virtual addresses that belong here.
    virtuals: HashMap<IpAddr, Virtual>,
    tables: [Option<VridTable>; 2],
    /// Routers that share family and id with one in the tables: they differ in multicast group or unicast peers.
    namesakes: Vec<(Family, u8, RouterId)>,
    /// The routers that send here.
    pub(crate) routers: Vec<RouterId>,
    /// What it is known as to those that follow it.
    pub(crate) tracked: Option<TrackedId>,
}

impl Link {
    /// The router with this id here.
    pub(crate) fn router(&self, family: Family, vrid: u8) -> Option<RouterId> {
        self.tables[slot(family)].as_ref().and_then(|table| table[usize::from(vrid)])
    }

    pub(crate) fn attach(&mut self, family: Family, vrid: u8, router: RouterId) {
        let table = self.tables[slot(family)].get_or_insert_with(|| Box::new([None; 256]));
        match &mut table[usize::from(vrid)] {
            free @ None => *free = Some(router),
            Some(_) => self.namesakes.push((family, vrid, router)),
        }
        self.routers.push(router);
    }

    /// Those that share family and id with [`Link::router`]'s answer; nearly always none.
    pub(crate) fn namesakes(&self, family: Family, vrid: u8) -> impl Iterator<Item = RouterId> {
        self.namesakes.iter().filter(move |(f, v, _)| (*f, *v) == (family, vrid)).map(|(_, _, id)| *id)
    }

    pub(crate) fn detach(&mut self, family: Family, vrid: u8, router: RouterId) {
        self.routers.retain(|other| *other != router);
        self.namesakes.retain(|(_, _, other)| *other != router);
        if let Some(table) = &mut self.tables[slot(family)]
            && table[usize::from(vrid)] == Some(router)
        {
            let heir = self.namesakes.iter().position(|(f, v, _)| (*f, *v) == (family, vrid));
            table[usize::from(vrid)] = heir.map(|at| self.namesakes.remove(at).2);
        }
    }
}

impl Link {
    /// An address is there now.
    pub(crate) fn arrived(&mut self, arrived: LinkAddress) {
        let origin = match arrived.origin {
            Origin::Unmarked if self.is_held(arrived.address, arrived.prefix) => Origin::Vrrp,
            origin => origin,
        };
        self.arrivals += 1;
        let number = self.arrivals;
        match self.present.entry(arrived.address) {
            Entry::Occupied(mut known) => {
                let copies = &mut known.get_mut().copies;
                match copies.iter_mut().find(|(prefix, _)| *prefix == arrived.prefix) {
                    Some(copy) => copy.1 = origin,
                    None => copies.push((arrived.prefix, origin)),
                }
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Present { number, copies: vec![(arrived.prefix, origin)] });
            }
        }
        self.sort_plain(arrived.address);
    }

    /// An address with this prefix is gone; false if it was not there.
    pub(crate) fn departed(&mut self, address: IpAddr, prefix: u8) -> bool {
        let Entry::Occupied(mut known) = self.present.entry(address) else { return false };
        let before = known.get().copies.len();
        known.get_mut().copies.retain(|(other, _)| *other != prefix);
        let left = known.get().copies.len();
        if left == 0 {
            let present = known.remove();
            self.plain.remove(&present.number);
        } else {
            self.sort_plain(address);
        }
        left < before
    }

    pub(crate) fn has(&self, address: &IpAddr) -> bool {
        self.present.contains_key(address)
    }

    /// Whether it is there with this prefix.
    pub(crate) fn has_copy(&self, address: &IpAddr, prefix: u8) -> bool {
        self.present.get(address).is_some_and(|present| present.copies.iter().any(|(p, _)| *p == prefix))
    }

    /// Whether it is there and may be a source.
    pub(crate) fn is_plain(&self, address: &IpAddr) -> bool {
        self.present.get(address).is_some_and(|present| self.plain.contains_key(&present.number))
    }

    /// Puts an address among the plain ones, or takes it from them, after something about it changed.
    fn sort_plain(&mut self, address: IpAddr) {
        let Some(present) = self.present.get(&address) else { return };
        let number = present.number;
        if !self.virtuals.contains_key(&address) || self.is_own(&address) {
            self.plain.insert(number, address);
        } else {
            self.plain.remove(&number);
        }
    }

    /// The address that advertisements leave from: `current` while it is there, else the oldest that is nobody's
    /// virtual address; over IPv6 a link-local one (RFC 9568 §5.1.2.1).
    pub(crate) fn source(&self, family: Family, current: Option<IpAddr>) -> Option<IpAddr> {
        let fits = |address: &IpAddr| match (family, address) {
            (Family::Inet, IpAddr::V4(_)) => true,
            (Family::Inet6, IpAddr::V6(address)) => address.is_unicast_link_local(),
            (Family::Inet, IpAddr::V6(_)) | (Family::Inet6, IpAddr::V4(_)) => false,
        };
        let stays = current.filter(|address| fits(address) && self.is_plain(address));
        stays.or_else(|| self.plain.values().copied().find(fits))
    }
}

fn slot(family: Family) -> usize {
    match family {
        Family::Inet => 0,
        Family::Inet6 => 1,
    }
}

/// All interfaces ever named. By default there is not even [`LinkId::ANYWHERE`]: what stands in for them while a step has
/// them, at each packet, and so must cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// By [`LinkId`]; the first is [`LinkId::ANYWHERE`].
    links: Vec<Link>,
    by_name: HashMap<Name, LinkId>,
}

impl Links {
    /// Those of a machine that was told of none yet.
    pub(crate) fn new() -> Self {
        let anywhere = Link { state: LinkState::Up, ..Link::default() };
        Self { links: vec![anywhere], by_name: HashMap::new() }
    }

    pub(crate) fn intern(&mut self, name: &Name) -> LinkId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = LinkId(self.links.len() as u32);
        self.links.push(Link::default());
        self.by_name.insert(name.clone(), id);
        id
    }

    /// What an interface is called; none for [`LinkId::ANYWHERE`].
    pub(crate) fn name(&self, id: LinkId) -> Option<&Name> {
        self.by_name.iter().find(|(_, known)| **known == id).map(|(name, _)| name)
    }

    /// Where a router sends and listens.
    pub(crate) fn home(&mut self, interface: Option<&Name>) -> LinkId {
        interface.map_or(LinkId::ANYWHERE, |name| self.intern(name))
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(id.0 as usize)
    }

    /// The interface of this name, made known if it was not.
    pub(crate) fn entry(&mut self, name: &Name) -> &mut Link {
        let id = self.intern(name);
        &mut self.links[id.0 as usize]
    }

    /// Where a router of this definition sends and listens.
    pub(crate) fn at_home(&mut self, spec: &RouterSpec) -> &mut Link {
        let id = self.home(spec.home());
        &mut self.links[id.0 as usize]
    }

    /// The interface that an address of a router belongs on.
    pub(crate) fn of_address(&mut self, spec: &RouterSpec, address: &InterfaceAddress) -> &mut Link {
        let id = self.home(spec.interface_of(address));
        &mut self.links[id.0 as usize]
    }

    /// After routers claimed their addresses: see [`Link::judge_unmarked`].
    pub(crate) fn judge_unmarked(&mut self) {
        self.links.iter_mut().for_each(Link::judge_unmarked);
    }
}

/// The prefix length that an address has in the kernel: that of its peer, if it has one.
pub(crate) fn prefix_of(address: &InterfaceAddress) -> u8 {
    address.peer.map_or(address.prefix_len, |(_, prefix)| prefix)
}
