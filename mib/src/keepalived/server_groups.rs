//! Groups of virtual servers and their members.

use keepwatch_model::{AddressRange, GroupEntry, VirtualServerGroup};
use snmp_agentx::syntax::{
    DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_TYPE, INET_PORT_NUMBER, INTEGER, UNSIGNED32,
};
use snmp_agentx::{At, Column, Rows, Table};

use super::Tables;
use crate::cells::{address, address_type, integer, text, unsigned};
use crate::source::{Keepwatch, listed, part, row};

pub(super) const TABLES: Tables = &[&GROUPS, &MEMBERS];

struct Groups;

impl Rows for Groups {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = &'s VirtualServerGroup;
}

const GROUPS: Table<Groups> = Table {
    name: "virtualServerGroupEntry",
    entry: &[3, 1, 1],
    index: &["virtualServerGroupIndex"],
    rows: |At(view), start| row(start, |number| listed(&view.world.settings.virtual_server_groups, number)),
    columns: &[Column::new(2, "virtualServerGroupName", DISPLAY_STRING, |group| text(&group.name))],
};

struct Members;

impl Rows for Members {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = GroupEntry;
}

const MEMBERS: Table<Members> = Table {
    name: "virtualServerGroupMemberEntry",
    entry: &[3, 2, 1],
    index: &["virtualServerGroupIndex", "virtualServerGroupMemberIndex"],
    rows: |At(view), start| {
        let groups = &view.world.settings.virtual_server_groups;
        let (index, part) = part(start, |number| listed(groups, number), |g| g.entries.len())?;
        // Firewall marks come first, wherever they stand.
        let is_mark = |entry: &&GroupEntry| matches!(entry, GroupEntry::FwMark { .. });
        let marks = part.of.entries.iter().filter(is_mark);
        let addresses = part.of.entries.iter().filter(|entry| !is_mark(entry));
        Some((index, *marks.chain(addresses).nth(part.at)?))
    },
    columns: &[
        // fwmark(1), ip(2), iprange(3).
        Column::new(2, "virtualServerGroupMemberType", INTEGER, |entry| {
            integer(match entry {
                GroupEntry::FwMark { .. } => 1,
                GroupEntry::Addresses { range, .. } if range.count == 1 => 2,
                GroupEntry::Addresses { .. } => 3,
            })
        }),
        Column::new(3, "virtualServerGroupMemberFwMark", UNSIGNED32, |entry| match entry {
            GroupEntry::FwMark { mark, .. } => unsigned(mark.0),
            GroupEntry::Addresses { .. } => None,
        }),
        Column::new(4, "virtualServerGroupMemberAddrType", INET_ADDRESS_TYPE, |entry| {
            address_type(&range(entry)?.first)
        }),
        Column::new(5, "virtualServerGroupMemberAddress", INET_ADDRESS, |entry| {
            address(&range(entry).filter(|range| range.count == 1)?.first)
        }),
        Column::new(6, "virtualServerGroupMemberAddr1", INET_ADDRESS, |entry| {
            address(&range(entry).filter(|range| range.count > 1)?.first)
        }),
        Column::new(7, "virtualServerGroupMemberAddr2", INET_ADDRESS, |entry| {
            address(&range(entry).filter(|range| range.count > 1)?.last())
        }),
        Column::new(8, "virtualServerGroupMemberPort", INET_PORT_NUMBER, |entry| match entry {
            GroupEntry::Addresses { port, .. } => unsigned(*port),
            GroupEntry::FwMark { .. } => None,
        }),
    ],
};

fn range(entry: &GroupEntry) -> Option<&AddressRange> {
    match entry {
        GroupEntry::Addresses { range, .. } => Some(range),
        GroupEntry::FwMark { .. } => None,
    }
}
