//! Marks of virtual server groups (`nftables_ipvs`): which group has which, and which packets get it.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::subject::ServiceKey;
use crate::{
    AddressRange, Config, FwMark, Global, GroupEntry, Name, Protocol, VirtualServer, VirtualServerGroup,
    VirtualServerKey,
};

/// Packets that get the mark of a group: those to one of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkedRange {
    /// Addresses that they go to.
    pub range: AddressRange,
    /// Port that they go to; 0 is every port.
    pub port: u16,
    /// Their protocol.
    pub protocol: Protocol,
    /// What they get.
    pub mark: FwMark,
}

/// The mark of a virtual server group, for one protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMark {
    /// Name of the group.
    pub group: Name,
    /// Protocol of its packets.
    pub protocol: Protocol,
    /// Their mark.
    pub mark: FwMark,
}

impl Global {
    /// The mark that the packets of a group have, if they are marked.
    pub fn mark_of(&self, group: &Name, protocol: Protocol) -> Option<FwMark> {
        let mut marks = self.group_marks.iter();
        marks.find(|one| one.group == *group && one.protocol == protocol).map(|one| one.mark)
    }
}

impl Config {
    /// Gives each group that a virtual server stands for, and that has addresses, a mark, if `nftables_ipvs` says so. Those
    /// that had one `before` (the configuration that this one follows) keep it, so that their connections go on. Marks that
    /// stand in the configuration are left to what they are written for; and those of groups that go are given to nobody by
    /// the reload that takes the groups away, for packets carry them still while it is under way.
    pub fn give_marks(&mut self, before: &Global) {
        let mut marks: Vec<GroupMark> = Vec::new();
        if self.global.firewall.ipvs.table.is_some() {
            let (groups, first) = (self.marked_groups(), before.firewall.ipvs.first_mark);
            let kept = |(group, protocol): &(Name, Protocol)| {
                let mark = before.mark_of(group, *protocol).filter(|_| first == self.first_mark())?;
                Some(GroupMark { group: group.clone(), protocol: *protocol, mark })
            };
            let mut taken = self.written_marks();
            let mut next = self.first_mark().0;
            marks.extend(groups.iter().filter_map(kept).filter(|kept| !taken.contains(&kept.mark.0)));
            taken.extend(before.group_marks.iter().map(|old| old.mark.0));
            for (group, protocol) in groups {
                if marks.iter().any(|one| one.group == group && one.protocol == protocol) {
                    continue;
                }
                while taken.contains(&next) || next == 0 {
                    next = next.wrapping_add(1);
                }
                taken.insert(next);
                marks.push(GroupMark { group, protocol, mark: FwMark(next) });
            }
        }
        self.global.group_marks = marks;
    }

    fn first_mark(&self) -> FwMark {
        self.global.firewall.ipvs.first_mark
    }

    /// Groups with addresses that virtual servers stand for, each with the protocol, in the order of the file.
    fn marked_groups(&self) -> Vec<(Name, Protocol)> {
        let mut all = Vec::new();
        for server in &self.virtual_servers {
            let VirtualServerKey::Group { name, protocol, .. } = &server.key else { continue };
            let one = (name.clone(), *protocol);
            if self.ranges(server).next().is_some() && !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    /// Marks that are written somewhere.
    fn written_marks(&self) -> HashSet<u32> {
        let servers = self.virtual_servers.iter().filter_map(|server| match &server.key {
            VirtualServerKey::Service(ServiceKey::Fwmark { fwmark, .. }) => Some(*fwmark),
            VirtualServerKey::Service(ServiceKey::Address { .. }) | VirtualServerKey::Group { .. } => None,
        });
        let lines = self.virtual_server_groups.iter().flat_map(|group| &group.entries);
        let lines = lines.filter_map(|entry| match entry {
            GroupEntry::FwMark { mark, .. } => Some(mark.0),
            GroupEntry::Addresses { .. } => None,
        });
        servers.chain(lines).collect()
    }

    /// The group that a virtual server stands for.
    fn group_of(&self, server: &VirtualServer) -> Option<&VirtualServerGroup> {
        let name = server.group()?;
        self.virtual_server_groups.iter().find(|group| group.name == *name)
    }

    /// Address ranges of the group that a virtual server stands for, with their ports.
    fn ranges<'a>(&'a self, server: &'a VirtualServer) -> impl Iterator<Item = (AddressRange, u16)> + 'a {
        let entries = self.group_of(server).into_iter().flat_map(|group| &group.entries);
        entries.filter_map(|entry| match entry {
            GroupEntry::Addresses { range, port } => Some((*range, *port)),
            GroupEntry::FwMark { .. } => None,
        })
    }

    /// The addresses that a virtual server answers to, its group's if it stands for one.
    pub fn addresses_of(&self, server: &VirtualServer) -> Vec<IpAddr> {
        let own = server.key.address();
        own.into_iter().chain(self.ranges(server).flat_map(|(range, _)| range.addresses())).collect()
    }

    /// The packets that get marks, each line of a group once.
    pub fn marked_ranges(&self) -> Vec<MarkedRange> {
        let mut all = Vec::new();
        for server in &self.virtual_servers {
            let VirtualServerKey::Group { name, protocol, .. } = &server.key else { continue };
            let Some(mark) = self.global.mark_of(name, *protocol) else { continue };
            for (range, port) in self.ranges(server) {
                let one = MarkedRange { range, port, protocol: *protocol, mark };
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        all
    }
}
