//! The interfaces as the machine knows them: by name, up or down, with the addresses that may be a source. Goes in:
//! what the runner hears from the kernel. Comes out: which address to send from, which virtual addresses are already
//! there, and which virtual router a packet is for.

use std::collections::HashMap;
use std::net::IpAddr;

use keepwatch_bus::subject::{Family, Name};

use crate::node::RouterId;

/// An interface name, interned: stable for as long as the machine lives, though the interface may go and return with
/// another kernel index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

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
    pub(crate) name: Name,
    pub(crate) state: LinkState,
    /// Its addresses in the kernel's order.
    pub(crate) addresses: Vec<IpAddr>,
    tables: [Option<VridTable>; 2],
    /// The routers that send here.
    pub(crate) routers: Vec<RouterId>,
    /// The routers that follow this interface by `track_interface`.
    pub(crate) trackers: Vec<RouterId>,
}

impl Link {
    fn new(name: Name) -> Self {
        Self {
            name,
            state: LinkState::Down,
            addresses: Vec::new(),
            tables: [None, None],
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
        table[usize::from(vrid)] = Some(router);
        self.routers.push(router);
    }

    pub(crate) fn detach(&mut self, family: Family, vrid: u8, router: RouterId) {
        self.routers.retain(|other| *other != router);
        if let Some(table) = &mut self.tables[slot(family)]
            && table[usize::from(vrid)] == Some(router)
        {
            table[usize::from(vrid)] = None;
        }
    }
}

fn slot(family: Family) -> usize {
    match family {
        Family::Inet => 0,
        Family::Inet6 => 1,
    }
}

/// All interfaces ever named.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: Vec<Link>,
    by_name: HashMap<Name, LinkId>,
}

impl Links {
    pub(crate) fn intern(&mut self, name: &Name) -> LinkId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = LinkId(self.links.len() as u32);
        self.links.push(Link::new(name.clone()));
        self.by_name.insert(name.clone(), id);
        id
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(id.0 as usize)
    }
}
