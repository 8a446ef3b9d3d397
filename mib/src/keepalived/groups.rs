//! Sync groups and their members.

use keepwatch_bus::subject::Name;
use keepwatch_bus::world::Group;
use snmp_agentx::syntax::{DISPLAY_STRING, INTEGER};
use snmp_agentx::{At, Column, Rows, Table};

use super::{Tables, VRRP_STATE};
use crate::cells::{integer, text, truth};
use crate::keepalived::instances::script;
use crate::source::{Keepwatch, part, placed, row};

pub(super) const TABLES: Tables = &[&GROUPS, &MEMBERS];

pub(crate) struct Groups;

impl Rows for Groups {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = &'s Group;
}

pub(crate) const NAME: Column<Groups> =
    Column::new(2, "vrrpSyncGroupName", DISPLAY_STRING, |group| text(&group.name));
pub(crate) const STATE: Column<Groups> =
    Column::new(3, "vrrpSyncGroupState", VRRP_STATE, |group| integer(group.state.number()));

pub(crate) const GROUPS: Table<Groups> = Table {
    name: "vrrpSyncGroupEntry",
    entry: &[2, 1, 1],
    index: &["vrrpSyncGroupIndex"],
    rows: |At(view), start| row(start, |place| placed(&view.world.groups, place)),
    columns: &[
        NAME,
        STATE,
        Column::new(4, "vrrpSyncGroupSmtpAlert", INTEGER, |g| truth(g.settings.smtp_alert)),
        Column::new(5, "vrrpSyncGroupNotifyExec", INTEGER, |g| truth(!g.settings.notify.is_empty())),
        Column::new(6, "vrrpSyncGroupScriptMaster", DISPLAY_STRING, |g| script(&g.settings.notify.master)),
        Column::new(7, "vrrpSyncGroupScriptBackup", DISPLAY_STRING, |g| script(&g.settings.notify.backup)),
        Column::new(8, "vrrpSyncGroupScriptFault", DISPLAY_STRING, |g| script(&g.settings.notify.fault)),
        Column::new(9, "vrrpSyncGroupScript", DISPLAY_STRING, |g| script(&g.settings.notify.any)),
        Column::new(10, "vrrpSyncGroupTrackingWeight", INTEGER, |g| truth(g.settings.tracking_weight)),
        Column::new(11, "vrrpSyncGroupScriptStop", DISPLAY_STRING, |g| script(&g.settings.notify.stop)),
    ],
};

struct Members;

impl Rows for Members {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = &'s Name;
}

const MEMBERS: Table<Members> = Table {
    name: "vrrpSyncGroupMemberEntry",
    entry: &[2, 2, 1],
    index: &["vrrpSyncGroupIndex", "vrrpSyncGroupMemberInstanceIndex"],
    rows: |At(view), start| {
        let groups = &view.world.groups;
        let (index, part) = part(start, |place| placed(groups, place), |g| g.settings.members.len())?;
        Some((index, part.of.settings.members.get(part.at)?))
    },
    columns: &[Column::new(2, "vrrpSyncGroupMemberName", DISPLAY_STRING, |member| text(member))],
};
