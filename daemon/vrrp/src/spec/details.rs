//! From the configuration's model to what SNMP tables and dumps show of it.

use keepwatch_bus::details::{AddressOptions, GroupDetails, InstanceDetails};
use keepwatch_config::model::{AddressScope, Instance, Notify, SyncGroup, Tracking};

use super::from_config::virtual_address;

pub(super) fn of_instance(instance: &Instance) -> InstanceDetails {
    let addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
    let address_options = addresses
        .filter(|a| {
            a.broadcast.is_some() || a.label.is_some() || a.scope != AddressScope::Global || a.peer.is_some()
        })
        .filter_map(|a| {
            Some(AddressOptions {
                of: virtual_address(a, instance.interface.as_ref())?,
                broadcast: a.broadcast,
                label: a.label.clone(),
                scope: a.scope.number(),
                peer: a.peer.map(|(address, _)| address),
            })
        })
        .collect();
    InstanceDetails {
        multicast: instance.unicast_peers.is_empty().then_some(instance.multicast_group),
        address_options,
        scripts: Notify::clone(&instance.notify),
        tracked: Tracking::clone(&instance.tracking),
        promote_secondaries: instance.promote_secondaries,
        v3_checksum_as_v2: instance.v3_checksum_as_v2,
    }
}

pub(super) fn of_group(group: &SyncGroup) -> GroupDetails {
    GroupDetails {
        scripts: group.notify.clone(),
        tracked: group.tracking.clone(),
        tracking_weight: group.tracking_weight,
    }
}
