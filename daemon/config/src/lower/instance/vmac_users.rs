//! Which instances put addresses on which VMAC: two that take over apart from each other cannot share one, as whoever
//! becomes backup takes it away from the other.
//!
//! keepalived finds out when it starts, not with `-t`: the second of the two stays in FAULT then.

use std::collections::HashMap;

use crate::model::{Family, Instance, InterfaceAddress, Name, VirtualRouterId, VmacKind};

/// A VMAC: the interface below it, its hardware address, and of whom it is.
type Key = (Name, [u8; 6], Family, VirtualRouterId);

/// The VMACs so far.
#[derive(Debug, Default)]
pub(super) struct VmacUsers {
    users: HashMap<Key, Vec<User>>,
    /// Who has a hardware address of its own, by the interface below and the address.
    written: HashMap<(Name, [u8; 6]), Name>,
}

/// An instance with addresses on a VMAC; of those that are alike, the first stands for all.
#[derive(Debug)]
struct User {
    name: Name,
    family: Family,
    group: Option<usize>,
    crosses: bool,
}

impl VmacUsers {
    /// An instance before that has addresses on a VMAC of this one, and does not take over with it.
    pub(super) fn shared_with(&self, instance: &Instance, group: Option<usize>) -> Option<&Name> {
        let apart = |user: &&User| {
            let same_group = group.is_some() && group == user.group;
            !same_group && (user.family == instance.family || user.crosses || crosses(instance))
        };
        let keys = own(instance).into_iter().chain(of_addresses(instance));
        keys.filter_map(|key| self.users.get(&key)?.iter().find(apart)).map(|user| &user.name).next()
    }

    /// An instance before, another virtual router, whose VMAC on the same interface has the same hardware address.
    pub(super) fn same_hardware(&self, instance: &Instance) -> Option<&Name> {
        self.written.get(&written(instance)?)
    }

    /// One more instance.
    pub(super) fn add(&mut self, instance: &Instance, group: Option<usize>) {
        if let Some(written) = written(instance) {
            self.written.entry(written).or_insert_with(|| instance.name.clone());
        }
        let Instance { family, .. } = *instance;
        let crosses = crosses(instance);
        for key in of_addresses(instance) {
            let users = self.users.entry(key).or_default();
            if !users.iter().any(|user| (user.family, user.group, user.crosses) == (family, group, crosses)) {
                users.push(User { name: instance.name.clone(), family, group, crosses });
            }
        }
    }
}

/// Has it a VMAC, and excluded addresses of the other family?
fn crosses(instance: &Instance) -> bool {
    let other = |address: &InterfaceAddress| Family::of(address.address) != instance.family;
    instance.vmac.is_some() && instance.excluded_addresses.iter().any(other)
}

/// The hardware address that `use_vmac` says, and the interface below.
fn written(instance: &Instance) -> Option<(Name, [u8; 6])> {
    match instance.vmac.as_ref()?.kind {
        VmacKind::Macvlan { mac, .. } => Some((instance.interface.clone()?, mac?)),
        VmacKind::Ipvlan { .. } => None,
    }
}

fn key(instance: &Instance, below: &Name, family: Family) -> Key {
    (below.clone(), instance.virtual_hardware(family), family, instance.vrid)
}

/// The VMAC of `use_vmac`.
fn own(instance: &Instance) -> Option<Key> {
    Some(key(instance, instance.below_macvlan()?, instance.family))
}

/// The VMACs that its addresses stand on.
fn of_addresses(instance: &Instance) -> impl Iterator<Item = Key> {
    let addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
    addresses.filter_map(move |address| {
        let below = instance.below_macvlan_of(address)?;
        Some(key(instance, below, Family::of(address.address)))
    })
}
