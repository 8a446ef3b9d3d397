//! The interfaces as the machine knows them: by name, up or down, with the addresses that may be a source. Goes in:
//! what the runner hears from the kernel. Comes out: which address to send from, which virtual addresses are already
//! there, and which virtual router a packet is for.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use keepwatch_bus::EventId;
use keepwatch_bus::subject::{Family, Name};

use crate::node::RouterId;

/// An interface name, interned: stable for as long as the machine lives, though the interface may go and return with
/// another kernel index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

impl LinkId {
    /// No interface in particular: where unicast routers without one are heard, and from where they send.
    pub const ANYWHERE: Self = Self(0);
}

/// Whether an interface can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Up, with carrier.
    Up,
    /// Switched off, without carrier, or not there at all.
    #[default]
    Down,
}

/// The virtual routers of one interface and family, by virtual router id: one array, so that a packet finds its
/// router with one look.
type VridTable = Box<[Option<RouterId>; 256]>;

/// One interface.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) state: LinkState,
    /// The event that last told how it stands.
    pub(crate) told: Option<EventId>,
    /// Its addresses, numbered in the order in which they came: the kernel's first ones are its primary ones.
    present: HashMap<IpAddr, u64>,
    arrivals: u64,
    /// Those of them that are nobody's virtual address, oldest first.
    plain: BTreeMap<u64, IpAddr>,
    /// The virtual addresses that belong here, and whose they are.
    virtuals: HashMap<IpAddr, RouterId>,
    tables: [Option<VridTable>; 2],
    /// Routers that share family and id with one in the tables: they differ in multicast group or unicast peers.
    namesakes: Vec<(Family, u8, RouterId)>,
    /// The routers that send here.
    pub(crate) routers: Vec<RouterId>,
    /// The routers that follow this interface by `track_interface`.
    pub(crate) trackers: Vec<RouterId>,
}

impl Link {
    fn new() -> Self {
        Self {
            state: LinkState::Down,
            told: None,
            present: HashMap::new(),
            arrivals: 0,
            plain: BTreeMap::new(),
            virtuals: HashMap::new(),
            tables: [None, None],
            namesakes: Vec::new(),
            routers: Vec::new(),
            trackers: Vec::new(),
        }
    }

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
    /// An address is there now; false if it was before.
    pub(crate) fn arrived(&mut self, address: IpAddr) -> bool {
        self.arrivals += 1;
        let number = self.arrivals;
        match self.present.entry(address) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(number);
                if !self.virtuals.contains_key(&address) {
                    self.plain.insert(number, address);
                }
                true
            }
        }
    }

    /// An address is gone; false if it was not there.
    pub(crate) fn departed(&mut self, address: IpAddr) -> bool {
        let number = self.present.remove(&address);
        if let Some(number) = number {
            self.plain.remove(&number);
        }
        number.is_some()
    }

    pub(crate) fn has(&self, address: &IpAddr) -> bool {
        self.present.contains_key(address)
    }

    /// Whose virtual address this is.
    pub(crate) fn virtual_owner(&self, address: &IpAddr) -> Option<RouterId> {
        self.virtuals.get(address).copied()
    }

    pub(crate) fn claim(&mut self, address: IpAddr, router: RouterId) {
        self.virtuals.insert(address, router);
        if let Some(number) = self.present.get(&address) {
            self.plain.remove(number);
        }
    }

    pub(crate) fn disclaim(&mut self, address: IpAddr, router: RouterId) {
        if self.virtual_owner(&address) == Some(router) {
            self.virtuals.remove(&address);
            if let Some(number) = self.present.get(&address) {
                self.plain.insert(*number, address);
            }
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
        let stays = current
            .filter(|address| fits(address) && self.has(address) && !self.virtuals.contains_key(address));
        stays.or_else(|| self.plain.values().copied().find(fits))
    }
}

fn slot(family: Family) -> usize {
    match family {
        Family::Inet => 0,
        Family::Inet6 => 1,
    }
}

/// All interfaces ever named.
#[derive(Debug)]
pub(crate) struct Links {
    /// By [`LinkId`]; the first is [`LinkId::ANYWHERE`].
    links: Vec<Link>,
    by_name: HashMap<Name, LinkId>,
}

impl Default for Links {
    fn default() -> Self {
        let anywhere = Link { state: LinkState::Up, ..Link::new() };
        Self { links: vec![anywhere], by_name: HashMap::new() }
    }
}

impl Links {
    pub(crate) fn intern(&mut self, name: &Name) -> LinkId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = LinkId(self.links.len() as u32);
        self.links.push(Link::new());
        self.by_name.insert(name.clone(), id);
        id
    }

    /// Where a router sends and listens.
    pub(crate) fn home(&mut self, interface: Option<&Name>) -> LinkId {
        interface.map_or(LinkId::ANYWHERE, |name| self.intern(name))
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Link> {
        self.by_name.get(name).and_then(|id| self.get(*id))
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(id.0 as usize)
    }
}
