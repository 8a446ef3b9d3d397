//! The part `vrrp`: sync groups, virtual routers, their addresses, and what they track.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Group, Instance};
use keepwatch_model::{Authentication, InterfaceAddress, Notify, Tracked, Tracking, VrrpVersion};
use snmp_agentx::{IndexBuilder, value};

use super::columns::{Row, address, address_type, integer, seconds, truth, unsigned};
use crate::oids::VRRP;

/// vrrpSyncGroupEntry.
const SYNC_GROUP: [u32; 3] = [VRRP, 1, 1];
/// vrrpSyncGroupMemberEntry.
const MEMBER: [u32; 3] = [VRRP, 2, 1];
/// vrrpInstanceEntry.
const INSTANCE: [u32; 3] = [VRRP, 3, 1];
/// vrrpAddressEntry.
const ADDRESS: [u32; 3] = [VRRP, 6, 1];

/// The tables of what is tracked: interfaces, scripts, files, BFD sessions, processes.
struct TrackTables {
    interfaces: u32,
    scripts: u32,
    files: u32,
    bfds: u32,
    processes: u32,
}

const INSTANCE_TRACKS: TrackTables =
    TrackTables { interfaces: 4, scripts: 5, files: 12, bfds: 17, processes: 20 };
const GROUP_TRACKS: TrackTables =
    TrackTables { interfaces: 14, scripts: 15, files: 16, bfds: 19, processes: 22 };

pub(super) fn add(world: &World, builder: &mut IndexBuilder) {
    for (row, group) in (1..).zip(world.groups_in_order()) {
        add_group(group, row, builder);
    }
    for (row, instance) in (1..).zip(world.instances_in_order()) {
        add_instance(world, instance, row, builder);
        add_addresses(world, instance, row, builder);
        add_tracked(&instance.settings.tracking, &INSTANCE_TRACKS, row, builder);
    }
}

fn add_group(group: &Group, row: u32, builder: &mut IndexBuilder) {
    let settings = &group.settings;
    let index = [row];
    let mut r = Row::new(builder, &SYNC_GROUP, &index);
    r.put_text(2, Some(&group.name));
    r.put(3, integer(group.state.number()));
    r.put(4, truth(settings.smtp_alert));
    r.put(5, truth(!settings.notify.is_empty()));
    let Notify { master, backup, fault, stop, any, .. } = &settings.notify;
    for (column, script) in [(6, master), (7, backup), (8, fault), (9, any), (11, stop)] {
        r.put_text(column, script.as_ref().map(ToString::to_string));
    }
    r.put(10, truth(settings.tracking_weight));
    for (member, name) in (1..).zip(&settings.members) {
        Row::new(builder, &MEMBER, &[row, member]).put_text(2, Some(name));
    }
    add_tracked(&settings.tracking, &GROUP_TRACKS, row, builder);
}

fn add_instance(world: &World, instance: &Instance, row: u32, builder: &mut IndexBuilder) {
    let settings = &instance.settings;
    let index = [row];
    let mut r = Row::new(builder, &INSTANCE, &index);
    r.put_text(2, Some(&instance.name));
    r.put(3, unsigned(settings.vrid.0.into()));
    r.put(4, integer(instance.state.number()));
    r.put(5, integer(VrrpState::from(settings.state).number()));
    r.put(6, integer(instance.wanted.number()));
    r.put(7, integer(settings.priority.0));
    r.put(8, integer(instance.priority));
    r.put(9, truth(instance.state == VrrpState::Master));
    r.put_text(10, Some(settings.interface_name()));
    r.put(11, truth(!settings.tracking.interfaces.is_empty()));
    // Whole seconds in version 2, centiseconds in version 3: the advertisements' own units.
    let unit =
        if settings.version == VrrpVersion::V2 { Duration::from_secs(1) } else { Duration::from_millis(10) };
    r.put(12, unsigned(settings.advert_int.as_nanos() / unit.as_nanos()));
    r.put(13, truth(!settings.nopreempt));
    r.put(14, seconds(settings.preempt_delay));
    let auth = match settings.authentication {
        Authentication::None => 0,
        Authentication::Pass(_) => 1,
        Authentication::Ah(_) => 2,
    };
    r.put(15, integer(if settings.version == VrrpVersion::V2 { auth } else { 0 }));
    let sync = world.settings.global.lvs_sync_daemon.as_ref();
    let sync = sync.filter(|sync| sync.instance.as_ref() == Some(&instance.name));
    r.put(16, truth(sync.is_some()));
    r.put_text(17, sync.map(|sync| &sync.interface));
    r.put_text(18, settings.group.as_ref());
    r.put(19, seconds(settings.garp.master_delay));
    r.put(20, truth(settings.smtp_alert));
    let scripts: &Notify = &settings.notify;
    r.put(21, truth(!scripts.is_empty()));
    let Notify { master, backup, fault, stop, tell_deleted: _, deleted, any, master_rx_lower_priority } =
        scripts;
    let texts = [
        (22, master),
        (23, backup),
        (24, fault),
        (25, stop),
        (26, any),
        (31, master_rx_lower_priority),
        (32, deleted),
    ];
    for (column, script) in texts {
        r.put_text(column, script.as_ref().map(ToString::to_string));
    }
    // Version 2 has no accept mode, which the MIB has no value for: keepalived says 0.
    r.put(27, if settings.version == VrrpVersion::V3 { truth(settings.accept) } else { integer(0) });
    r.put(28, truth(settings.promote_secondaries));
    // Links are never polled.
    r.put(29, truth(false));
    r.put(30, integer(settings.version.number()));
    r.put(33, truth(deleted.is_some()));
    if settings.unicast_peers.is_empty() {
        r.put(34, address_type(&settings.multicast_group));
        r.put(35, address(&settings.multicast_group));
    }
    r.put(36, truth(settings.v3_checksum_as_v2));
}

fn add_addresses(world: &World, instance: &Instance, row: u32, builder: &mut IndexBuilder) {
    let settings = &instance.settings;
    let advertised = settings.addresses.iter().map(|address| (address, true));
    let excluded = settings.excluded_addresses.iter().map(|address| (address, false));
    for (number, (of, is_advertised)) in (1..).zip(advertised.chain(excluded)) {
        let virtual_address = settings.virtual_address(of);
        let index = [row, number];
        let mut r = Row::new(builder, &ADDRESS, &index);
        add_address(world, of, &virtual_address.interface, &mut r);
        r.put(10, truth(instance.addresses.contains(&virtual_address)));
        // keepalived, 2.2 as 2.4, tells this of the first virtual router's addresses only, and 2 of all others. A
        // walk here and a walk there are to look the same.
        r.put(11, truth(is_advertised && row == 1));
    }
}

fn add_address(world: &World, of: &InterfaceAddress, on: &str, r: &mut Row<'_>) {
    r.put(2, address_type(&of.address));
    r.put(3, address(&of.address));
    if of.address.is_ipv4() {
        r.put(4, address(&of.broadcast.unwrap_or(IpAddr::from([0, 0, 0, 0]))));
    }
    r.put(5, unsigned(of.prefix_len.into()));
    r.put(6, value::integer(scope(of.scope.number())));
    let interface = world.interfaces.get(on);
    r.put(7, integer(interface.map_or(0, |i| i.index)));
    r.put_text(8, Some(on));
    r.put_text(9, of.label.as_ref());
    if let Some((peer, _)) = of.peer {
        r.put(12, address(&peer));
    }
}

/// InetScopeType of RFC 4007 for a scope of the kernel.
fn scope(kernel: u8) -> i32 {
    match kernel {
        0 => 14,
        200 => 5,
        253 => 2,
        254 => 1,
        _ => 0,
    }
}

fn add_tracked(tracked: &Tracking, tables: &TrackTables, row: u32, builder: &mut IndexBuilder) {
    // The table of interfaces has no column for its own index, so that its columns begin at 1.
    add_track_table(&tracked.interfaces, tables.interfaces, 1, row, builder);
    let Tracking { interfaces: _, scripts, files, processes, bfds } = tracked;
    for (list, table) in
        [(scripts, tables.scripts), (files, tables.files), (bfds, tables.bfds), (processes, tables.processes)]
    {
        add_track_table(list, table, 2, row, builder);
    }
}

fn add_track_table(list: &[Tracked], table: u32, first: u32, row: u32, builder: &mut IndexBuilder) {
    for (number, tracked) in (1..).zip(list) {
        let index = [row, number];
        let mut r = Row::new(builder, &[VRRP, table, 1], &index);
        r.put_text(first, Some(&tracked.name));
        r.put(first + 1, integer(tracked.weight));
        r.put(first + 2, truth(tracked.reverse));
    }
}
