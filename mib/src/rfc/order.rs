//! Virtual routers in the order of the two MIBs: by interface index, id and family. Kept over many requests, and made
//! anew only when virtual routers come and go or interfaces change their index.

use keepwatch_bus::World;
use keepwatch_bus::subject::Name;
use keepwatch_model::{Family, VrrpVersion};

/// Virtual routers by index.
#[derive(Debug, Default)]
pub struct Order {
    layout: Option<u64>,
    v2: Vec<([u32; 2], Name)>,
    v3: Vec<([u32; 3], Name)>,
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
        self.v2 = first.map(|(index, s, name)| ([index, s.vrid.0.into()], name)).collect();
        self.v3 =
            indexed().map(|(index, s, name)| ([index, s.vrid.0.into(), family(s.family)], name)).collect();
        // Of those that differ by their peers only, the first in the configuration is shown.
        self.v2.sort_by_key(|(index, _)| *index);
        self.v2.dedup_by_key(|(index, _)| *index);
        self.v3.sort_by_key(|(index, _)| *index);
        self.v3.dedup_by_key(|(index, _)| *index);
    }

    /// The first in VRRP-MIB at this index or after it.
    pub(crate) fn v2(&self, from: [u32; 2]) -> Option<([u32; 2], &Name)> {
        first(&self.v2, from)
    }

    /// The first in VRRPV3-MIB at this index or after it.
    pub(crate) fn v3(&self, from: [u32; 3]) -> Option<([u32; 3], &Name)> {
        first(&self.v3, from)
    }

    /// The index of a virtual router in VRRP-MIB, if it is there.
    pub(crate) fn index_v2(&self, name: &Name) -> Option<[u32; 2]> {
        self.v2.iter().find(|(_, other)| other == name).map(|(index, _)| *index)
    }

    /// The same in VRRPV3-MIB.
    pub(crate) fn index_v3(&self, name: &Name) -> Option<[u32; 3]> {
        self.v3.iter().find(|(_, other)| other == name).map(|(index, _)| *index)
    }
}

/// InetAddressType.
fn family(family: Family) -> u32 {
    match family {
        Family::Inet => 1,
        Family::Inet6 => 2,
    }
}

fn first<const N: usize>(list: &[([u32; N], Name)], from: [u32; N]) -> Option<([u32; N], &Name)> {
    let at = list.partition_point(|(index, _)| *index < from);
    list.get(at).map(|(index, name)| (*index, name))
}
