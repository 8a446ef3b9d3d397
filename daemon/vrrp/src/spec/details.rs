//! From the configuration's model to what SNMP tables and dumps show of it.

use keepwatch_bus::details::{
    AddressOptions, Command, GroupDetails, InstanceDetails, NotifyScripts, Tracked, Tracking,
};
use keepwatch_config::model::{
    self, AddressScope, Instance, Notify, Script, SyncGroup, TrackedInterface, TrackedObject,
};

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
        scripts: scripts(&instance.notify),
        tracked: tracked(&instance.tracking),
        promote_secondaries: instance.promote_secondaries,
        v3_checksum_as_v2: instance.v3_checksum_as_v2,
    }
}

pub(super) fn of_group(group: &SyncGroup) -> GroupDetails {
    GroupDetails {
        scripts: scripts(&group.notify),
        tracked: tracked(&group.tracking),
        tracking_weight: group.tracking_weight,
    }
}

fn scripts(notify: &Notify) -> NotifyScripts {
    let command = |script: &Option<Script>| script.as_ref().map(|script| Command(script.argv.clone()));
    NotifyScripts {
        master: command(&notify.master),
        backup: command(&notify.backup),
        fault: command(&notify.fault),
        stop: command(&notify.stop),
        deleted: command(&notify.deleted),
        any: command(&notify.any),
        master_rx_lower_priority: command(&notify.master_rx_lower_priority),
    }
}

fn tracked(tracking: &model::Tracking) -> Tracking {
    let interface =
        |t: &TrackedInterface| Tracked { name: t.interface.clone(), weight: t.weight, reverse: t.reverse };
    Tracking {
        interfaces: tracking.interfaces.iter().map(interface).collect(),
        scripts: objects(&tracking.scripts),
        files: objects(&tracking.files),
        bfds: objects(&tracking.bfds),
        processes: objects(&tracking.processes),
    }
}

fn objects(list: &[TrackedObject]) -> Vec<Tracked> {
    let tracked = |t: &TrackedObject| Tracked { name: t.name.clone(), weight: t.weight, reverse: t.reverse };
    list.iter().map(tracked).collect()
}
