//! Virtual routers that can't be told apart: the same interface, VRID, family, and who hears them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use crate::model::{Family, Instance, VirtualRouterId};

/// The instances so far. Only hashes and indices, as there may be tens of thousands.
#[derive(Debug, Default)]
pub(super) struct Routers {
    hasher: RandomState,
    indices: HashMap<u64, usize>,
}

/// What no two instances may have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RouterKey<'a> {
    interface: Option<&'a str>,
    vrid: VirtualRouterId,
    family: Family,
    source: Option<IpAddr>,
    /// The multicast group, or one of the peers.
    heard_by: IpAddr,
}

impl Routers {
    /// The instance that this one is the same virtual router as.
    pub(super) fn same_as<'a>(&self, instance: &Instance, others: &'a [Instance]) -> Option<&'a Instance> {
        keys(instance).find_map(|key| {
            let other = others.get(*self.indices.get(&self.hasher.hash_one(&key))?)?;
            keys(other).any(|known| known == key).then_some(other)
        })
    }

    /// One more instance, with its index.
    pub(super) fn add(&mut self, instance: &Instance, index: usize) {
        for key in keys(instance) {
            self.indices.insert(self.hasher.hash_one(&key), index);
        }
    }
}

/// Multicast instances are apart by their group, unicast ones by source and peers.
fn keys(instance: &Instance) -> impl Iterator<Item = RouterKey<'_>> {
    let multicast = instance.unicast_peers.is_empty().then_some((None, instance.multicast_group));
    let unicast = instance.unicast_peers.iter().map(|peer| (instance.source_address, peer.address));
    multicast.into_iter().chain(unicast).map(|(source, heard_by)| RouterKey {
        interface: instance.interface.as_deref(),
        vrid: instance.vrid,
        family: instance.family,
        source,
        heard_by,
    })
}
