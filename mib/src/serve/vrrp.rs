//! The part `vrrp`: sync groups, virtual routers, their addresses, and what they track.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::details::AddressOptions;
use keepwatch_bus::settings::AuthKind;
use keepwatch_bus::subject::{VirtualAddress, VrrpState};
use keepwatch_bus::world::{Group, Instance};
use keepwatch_config::model::{Notify, Tracked, Tracking};
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
        add_tracked(&instance.settings.details.tracked, &INSTANCE_TRACKS, row, builder);
    }
}

fn add_group(group: &Group, row: u32, builder: &mut IndexBuilder) {
    let details = &group.settings.details;
    let index = [row];
    let mut r = Row::new(builder, &SYNC_GROUP, &index);
    r.put_text(2, Some(&group.name));
    r.put(3, integer(group.state.number()));
    r.put(4, truth(group.settings.smtp_alert));
    r.put(5, truth(!details.scripts.is_empty()));
    let Notify { master, backup, fault, stop, any, .. } = &details.scripts;
    for (column, script) in [(6, master), (7, backup), (8, fault), (9, any), (11, stop)] {
        r.put_text(column, script.as_ref().map(ToString::to_string));
    }
    r.put(10, truth(details.tracking_weight));
    for (member, name) in (1..).zip(&group.settings.members) {
        Row::new(builder, &MEMBER, &[row, member]).put_text(2, Some(name));
    }
    add_tracked(&details.tracked, &GROUP_TRACKS, row, builder);
}

fn add_instance(world: &World, instance: &Instance, row: u32, builder: &mut IndexBuilder) {
    let settings = &instance.settings;
    let details = &settings.details;
    let index = [row];
    let mut r = Row::new(builder, &INSTANCE, &index);
    r.put_text(2, Some(&instance.name));
    r.put(3, unsigned(settings.vrid.into()));
    r.put(4, integer(instance.state.number()));
    r.put(5, integer(settings.initial_state.number()));
    r.put(6, integer(instance.wanted.number()));
    r.put(7, integer(settings.priority));
    r.put(8, integer(instance.priority));
    r.put(9, truth(instance.state == VrrpState::Master));
    r.put_text(10, settings.interface.as_ref());
    r.put(11, truth(!details.tracked.interfaces.is_empty()));
    // Whole seconds in version 2, centiseconds in version 3: the advertisements' own units.
    let unit = if settings.version == 2 { Duration::from_secs(1) } else { Duration::from_millis(10) };
    r.put(12, unsigned(settings.advert_interval.as_nanos() / unit.as_nanos()));
    r.put(13, truth(settings.preempt));
    r.put(14, seconds(settings.preempt_delay));
    let auth = match settings.auth {
        AuthKind::None => 0,
        AuthKind::Pass => 1,
        AuthKind::Ah => 2,
    };
    r.put(15, integer(if settings.version == 2 { auth } else { 0 }));
    let sync = world.settings.details.sync_daemon.as_ref();
    let sync = sync.filter(|sync| sync.instance.as_ref() == Some(&instance.name));
    r.put(16, truth(sync.is_some()));
    r.put_text(17, sync.map(|sync| &sync.interface));
    r.put_text(18, settings.group.as_ref());
    r.put(19, seconds(settings.garp_master_delay));
    r.put(20, truth(settings.smtp_alert));
    let scripts = &details.scripts;
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
    r.put(27, if settings.version == 3 { truth(settings.accept) } else { integer(0) });
    r.put(28, truth(details.promote_secondaries));
    // Links are never polled.
    r.put(29, truth(false));
    r.put(30, integer(settings.version));
    r.put(33, truth(deleted.is_some()));
    if let Some(group) = &details.multicast {
        r.put(34, address_type(group));
        r.put(35, address(group));
    }
    r.put(36, truth(details.v3_checksum_as_v2));
}

fn add_addresses(world: &World, instance: &Instance, row: u32, builder: &mut IndexBuilder) {
    let settings = &instance.settings;
    let advertised = settings.addresses.iter().map(|address| (address, true));
    let excluded = settings.excluded_addresses.iter().map(|address| (address, false));
    for (number, (virtual_address, is_advertised)) in (1..).zip(advertised.chain(excluded)) {
        let options = settings.details.address_options.iter().find(|o| o.of == *virtual_address);
        let index = [row, number];
        let mut r = Row::new(builder, &ADDRESS, &index);
        add_address(world, virtual_address, options, &mut r);
        r.put(10, truth(instance.addresses.contains(virtual_address)));
        // keepalived, 2.2 as 2.4, tells this of the first virtual router's addresses only, and 2 of all others. A
        // walk here and a walk there are to look the same.
        r.put(11, truth(is_advertised && row == 1));
    }
}

fn add_address(world: &World, of: &VirtualAddress, options: Option<&AddressOptions>, r: &mut Row<'_>) {
    r.put(2, address_type(&of.address));
    r.put(3, address(&of.address));
    if of.address.is_ipv4() {
        let broadcast = options.and_then(|o| o.broadcast).unwrap_or(IpAddr::from([0, 0, 0, 0]));
        r.put(4, address(&broadcast));
    }
    r.put(5, unsigned(of.prefix.into()));
    r.put(6, value::integer(scope(options.map_or(0, |o| o.scope))));
    let interface = world.interfaces.get(&of.interface);
    r.put(7, integer(interface.map_or(0, |i| i.index)));
    r.put_text(8, Some(&of.interface));
    r.put_text(9, options.and_then(|o| o.label.as_ref()));
    if let Some(peer) = options.and_then(|o| o.peer) {
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
    let Tracking { interfaces: _, scripts, files, bfds, processes } = tracked;
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
