//! What the tables are read from, and how their rows are found in it.

use std::hash::Hash;

use keepwatch_bus::fact::ManagerSet;
use keepwatch_bus::world::{Instance, Ordered, Placed};
use keepwatch_bus::{Counters, Process, World};
use keepwatch_model::{Route, Rule};
use snmp_agentx::{Source, Start};

use crate::rfc::Order;

/// The world and the counters, as the source of all tables.
pub enum Keepwatch {}

impl Source for Keepwatch {
    type State<'s> = View<'s>;
    type Change = ManagerSet;
}

/// The world and the counters at one moment.
#[derive(Clone, Copy)]
pub struct View<'s> {
    /// What is known.
    pub world: &'s World,
    /// What is counted.
    pub counters: &'s Counters,
    /// The order of virtual routers in the MIBs of the RFCs.
    pub order: &'s Order,
}

/// The first at this place or after it, with its place.
pub(crate) fn placed<K: Clone + Eq + Hash, V: Placed>(map: &Ordered<K, V>, place: u32) -> Option<(u32, &V)> {
    map.from_position(place).map(|found| (found.position(), found))
}

/// The same in a list that is numbered from 1.
pub(crate) fn listed<T>(list: &[T], number: u32) -> Option<(u32, &T)> {
    let number = number.max(1);
    list.get(number as usize - 1).map(|found| (number, found))
}

/// A row whose index is its place or number.
pub(crate) fn row<T>(start: Start<'_>, find: impl FnOnce(u32) -> Option<(u32, T)>) -> Option<([u32; 1], T)> {
    let [number] = start.numbers()?;
    find(number).map(|(number, found)| ([number], found))
}

/// A row whose index is the place of what it is a part of, and its own number in there from 1.
pub(crate) fn part<T: Copy>(
    start: Start<'_>,
    whole: impl Fn(u32) -> Option<(u32, T)>,
    parts: impl Fn(T) -> usize,
) -> Option<([u32; 2], Part<T>)> {
    let [mut place, mut number] = start.numbers()?;
    loop {
        let (found, of) = whole(place)?;
        if found > place {
            (place, number) = (found, 1);
        }
        number = number.max(1);
        if number as usize <= parts(of) {
            return Some(([place, number], Part { of, place, at: number as usize - 1 }));
        }
        (place, number) = (place.checked_add(1)?, 1);
    }
}

/// One part of a whole.
pub(crate) struct Part<T> {
    pub(crate) of: T,
    /// The whole's place.
    pub(crate) place: u32,
    /// Which part it is, from 0.
    pub(crate) at: usize,
}

/// Whose an address, route or rule is.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'s> {
    /// Nobody's: it is there whatever virtual routers do. Its place is 0.
    Static(&'s Process),
    /// A virtual router's.
    Instance(&'s Instance),
}

impl<'s> Owner<'s> {
    /// The first at this place or after it, with its place.
    pub(crate) fn placed(world: &'s World, place: u32) -> Option<(u32, Self)> {
        match place {
            0 => Some((0, Self::Static(&world.settings))),
            _ => placed(&world.instances, place).map(|(place, found)| (place, Self::Instance(found))),
        }
    }

    /// Its routes.
    pub(crate) fn routes(self) -> &'s [Route] {
        match self {
            Self::Static(process) => &process.static_routes,
            Self::Instance(instance) => &instance.settings.routes,
        }
    }

    /// Its rules.
    pub(crate) fn rules(self) -> &'s [Rule] {
        match self {
            Self::Static(process) => &process.static_rules,
            Self::Instance(instance) => &instance.settings.rules,
        }
    }

    /// Whether this entry of its is in the kernel's tables now.
    pub(crate) fn has_put(self, world: &World, entry: &impl ToString) -> bool {
        let name = match self {
            Self::Static(_) => None,
            Self::Instance(instance) => Some(instance.name.clone()),
        };
        world.routing.get(&(name, entry.to_string())).is_some_and(|state| state.error.is_none())
    }
}
