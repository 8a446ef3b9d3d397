//! What virtual routers and sync groups track: ten tables of one shape.

use keepwatch_bus::world::{Group, Instance};
use keepwatch_model::Tracked;
use snmp_agentx::syntax::{DISPLAY_STRING, INTEGER, INTEGER32};
use snmp_agentx::{At, Column, Rows, Start, Syntax, Table};

use super::Tables;
use crate::cells::{integer, text, truth};
use crate::source::{Keepwatch, View, part, placed};

pub(super) const TABLES: Tables = &[
    &INSTANCE_INTERFACES,
    &INSTANCE_SCRIPTS,
    &INSTANCE_FILES,
    &INSTANCE_BFDS,
    &INSTANCE_PROCESSES,
    &GROUP_INTERFACES,
    &GROUP_SCRIPTS,
    &GROUP_FILES,
    &GROUP_BFDS,
    &GROUP_PROCESSES,
];

struct Tracks;

impl Rows for Tracks {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = &'s Tracked;
}

/// A row of what instances track.
fn of_instance<'s>(
    view: View<'s>,
    start: Start<'_>,
    list: fn(&Instance) -> &Vec<Tracked>,
) -> Option<([u32; 2], &'s Tracked)> {
    let (index, part) = part(start, |place| placed(&view.world.instances, place), |i| list(i).len())?;
    Some((index, list(part.of).get(part.at)?))
}

/// A row of what groups track.
fn of_group<'s>(
    view: View<'s>,
    start: Start<'_>,
    list: fn(&Group) -> &Vec<Tracked>,
) -> Option<([u32; 2], &'s Tracked)> {
    let (index, part) = part(start, |place| placed(&view.world.groups, place), |g| list(g).len())?;
    Some((index, list(part.of).get(part.at)?))
}

/// The three columns, the first of them with this number.
const fn columns(
    first: u32,
    [name, weight, reverse]: [&'static str; 3],
    reverse_syntax: Syntax,
) -> [Column<Tracks>; 3] {
    [
        Column::new(first, name, DISPLAY_STRING, |tracked| text(&tracked.name)),
        Column::new(first + 1, weight, INTEGER32, |tracked| integer(tracked.weight)),
        Column::new(first + 2, reverse, reverse_syntax, |tracked| truth(tracked.reverse)),
    ]
}

const INSTANCE_INTERFACES: Table<Tracks> = Table {
    name: "vrrpTrackedInterfaceEntry",
    entry: &[2, 4, 1],
    index: &["vrrpInstanceIndex", "ifIndex"],
    rows: |At(view), start| of_instance(view, start, |i| &i.settings.tracking.interfaces),
    columns: &columns(
        1,
        ["vrrpTrackedInterfaceName", "vrrpTrackedInterfaceWeight", "vrrpTrackedInterfaceWgtRev"],
        INTEGER32,
    ),
};

const INSTANCE_SCRIPTS: Table<Tracks> = Table {
    name: "vrrpTrackedScriptEntry",
    entry: &[2, 5, 1],
    index: &["vrrpInstanceIndex", "vrrpTrackedScriptIndex"],
    rows: |At(view), start| of_instance(view, start, |i| &i.settings.tracking.scripts),
    columns: &columns(
        2,
        ["vrrpTrackedScriptName", "vrrpTrackedScriptWeight", "vrrpTrackedScriptWgtRev"],
        INTEGER,
    ),
};

const INSTANCE_FILES: Table<Tracks> = Table {
    name: "vrrpTrackedFileEntry",
    entry: &[2, 12, 1],
    index: &["vrrpInstanceIndex", "vrrpTrackedFileIndex"],
    rows: |At(view), start| of_instance(view, start, |i| &i.settings.tracking.files),
    columns: &columns(2, ["vrrpTrackedFileName", "vrrpTrackedFileWeight", "vrrpTrackedFileWgtRev"], INTEGER),
};

const INSTANCE_BFDS: Table<Tracks> = Table {
    name: "vrrpTrackedBfdEntry",
    entry: &[2, 17, 1],
    index: &["vrrpInstanceIndex", "vrrpTrackedBfdIndex"],
    rows: |At(view), start| of_instance(view, start, |i| &i.settings.tracking.bfds),
    columns: &columns(2, ["vrrpTrackedBfdName", "vrrpTrackedBfdWeight", "vrrpTrackedBfdWgtRev"], INTEGER),
};

const INSTANCE_PROCESSES: Table<Tracks> = Table {
    name: "vrrpTrackedProcessEntry",
    entry: &[2, 20, 1],
    index: &["vrrpInstanceIndex", "vrrpTrackedProcessIndex"],
    rows: |At(view), start| of_instance(view, start, |i| &i.settings.tracking.processes),
    columns: &columns(
        2,
        ["vrrpTrackedProcessName", "vrrpTrackedProcessWeight", "vrrpTrackedProcessWgtRev"],
        INTEGER,
    ),
};

const GROUP_INTERFACES: Table<Tracks> = Table {
    name: "vrrpSyncTrackedInterfaceEntry",
    entry: &[2, 14, 1],
    index: &["vrrpSyncGroupIndex", "ifIndex"],
    rows: |At(view), start| of_group(view, start, |g| &g.settings.tracking.interfaces),
    columns: &columns(
        1,
        ["vrrpSyncTrackedInterfaceName", "vrrpSyncTrackedInterfaceWeight", "vrrpSyncTrackedInterfaceWgtRev"],
        INTEGER,
    ),
};

const GROUP_SCRIPTS: Table<Tracks> = Table {
    name: "vrrpSyncTrackedScriptEntry",
    entry: &[2, 15, 1],
    index: &["vrrpSyncGroupIndex", "vrrpSyncTrackedScriptIndex"],
    rows: |At(view), start| of_group(view, start, |g| &g.settings.tracking.scripts),
    columns: &columns(
        2,
        ["vrrpSyncTrackedScriptName", "vrrpSyncTrackedScriptWeight", "vrrpSyncTrackedScriptWgtRev"],
        INTEGER,
    ),
};

const GROUP_FILES: Table<Tracks> = Table {
    name: "vrrpSyncTrackedFileEntry",
    entry: &[2, 16, 1],
    index: &["vrrpSyncGroupIndex", "vrrpSyncTrackedFileIndex"],
    rows: |At(view), start| of_group(view, start, |g| &g.settings.tracking.files),
    columns: &columns(
        2,
        ["vrrpSyncTrackedFileName", "vrrpSyncTrackedFileWeight", "vrrpSyncTrackedFileWgtRev"],
        INTEGER,
    ),
};

const GROUP_BFDS: Table<Tracks> = Table {
    name: "vrrpSyncTrackedBfdEntry",
    entry: &[2, 19, 1],
    index: &["vrrpSyncGroupIndex", "vrrpSyncTrackedBfdIndex"],
    rows: |At(view), start| of_group(view, start, |g| &g.settings.tracking.bfds),
    columns: &columns(
        2,
        ["vrrpSyncTrackedBfdName", "vrrpSyncTrackedBfdWeight", "vrrpSyncTrackedBfdWgtRev"],
        INTEGER,
    ),
};

const GROUP_PROCESSES: Table<Tracks> = Table {
    name: "vrrpSyncTrackedProcessEntry",
    entry: &[2, 22, 1],
    index: &["vrrpSyncGroupIndex", "vrrpSyncTrackedProcessIndex"],
    rows: |At(view), start| of_group(view, start, |g| &g.settings.tracking.processes),
    columns: &columns(
        2,
        ["vrrpSyncTrackedProcessName", "vrrpSyncTrackedProcessWeight", "vrrpSyncTrackedProcessWgtRev"],
        INTEGER,
    ),
};
