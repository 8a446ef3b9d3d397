//! Virtual routers in the order of the two MIBs: by interface index, id and family. Kept over many requests, and made
//! anew only when virtual routers come and go or interfaces change their index.

use keepwatch_bus::World;
use keepwatch_bus::subject::Name;
use keepwatch_model::{Family, VrrpVersion};

/// Virtual routers by index.
#[derive(Debug, Default)]
pub struct Order {
    layout: Option<u64>,
    /// Those of VRRP-MIB: by interface and id.
    pub(crate) v2: Places<2>,
    /// Those of VRRPV3-MIB: by interface, id and family.
    pub(crate) v3: Places<3>,
}

impl Order {
    /// That of this world.
    pub fn of(world: &World) -> Self {
        let mut order = Self::default();
        order.follow(world);
        order
    }

    /// Becomes that of this world, if it is not already.
    pub fn follow(&mut self, world: &World) {
        if self.layout.replace(world.layout) == Some(world.layout) {
            return;
        }
        let indexed = || {
            world.instances.values().map(|instance| {
                let interface = instance.settings.interface.as_ref();
                let index = interface.and_then(|name| world.interfaces.get(name)).map_or(0, |i| i.index);
                (index, &instance.settings, instance.name.clone())
            })
        };
        let first = indexed().filter(|(_, s, _)| s.version == VrrpVersion::V2 && s.family == Family::Inet);
        self.v2 = Places::of(first.map(|(index, s, name)| ([index, s.vrid.0.into()], name)));
        self.v3 =
            Places::of(indexed().map(|(index, s, name)| ([index, s.vrid.0.into(), family(s.family)], name)));
    }
}

/// The virtual routers of one MIB, by its index.
#[derive(Debug, Default)]
pub(crate) struct Places<const N: usize>(Vec<([u32; N], Name)>);

impl<const N: usize> Places<N> {
    /// Of those that differ by their peers only, the first in the configuration is shown.
    fn of(found: impl Iterator<Item = ([u32; N], Name)>) -> Self {
        let mut places: Vec<_> = found.collect();
        places.sort_by_key(|(index, _)| *index);
        places.dedup_by_key(|(index, _)| *index);
        Self(places)
    }

    /// The first at this index or after it.
    pub(crate) fn first(&self, from: [u32; N]) -> Option<([u32; N], &Name)> {
        let at = self.0.partition_point(|(index, _)| *index < from);
        self.0.get(at).map(|(index, name)| (*index, name))
    }

    /// The index of a virtual router, if it is there.
    pub(crate) fn index_of(&self, name: &Name) -> Option<[u32; N]> {
        self.0.iter().find(|(_, other)| other == name).map(|(index, _)| *index)
    }
}

/// InetAddressType.
fn family(family: Family) -> u32 {
    match family {
        Family::Inet => 1,
        Family::Inet6 => 2,
    }
}
