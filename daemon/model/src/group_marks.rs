//! Marks of virtual server groups (`nftables_ipvs`): which group has which, and which packets get it.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::subject::ServiceKey;
use crate::{
    AddressRange, Config, FwMark, Global, GroupEntry, Name, Protocol, VirtualServer, VirtualServerGroup,
    VirtualServerKey,
};

/// Packets that get the mark of a group: those to one of its lines, or to what other lines leave of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkedRange {
    /// Addresses that they go to.
    pub range: AddressRange,
    /// First and last port that they go to.
    pub ports: (u16, u16),
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

    /// The packets that get marks, none of them twice: where lines overlap the narrower one has them, one of a port before
    /// one of every port, and of two that are alike the first in the file. In the order of their addresses.
    pub fn marked_ranges(&self) -> Vec<MarkedRange> {
        let mut all = Vec::new();
        for server in &self.virtual_servers {
            let VirtualServerKey::Group { name, protocol, .. } = &server.key else { continue };
            let Some(mark) = self.global.mark_of(name, *protocol) else { continue };
            let lines = self.ranges(server);
            all.extend(lines.map(|(range, port)| {
                let ports = if port == 0 { (0, u16::MAX) } else { (port, port) };
                MarkedRange { range, ports, protocol: *protocol, mark }
            }));
        }
        disjoint(all)
    }
}

impl MarkedRange {
    /// First and last address, as numbers.
    fn addresses(&self) -> (u128, u128) {
        let (first, most) = match self.range.first {
            IpAddr::V4(first) => (u32::from(first).into(), u32::MAX.into()),
            IpAddr::V6(first) => (u128::from(first), u128::MAX),
        };
        (first, first.saturating_add(self.range.count.saturating_sub(1).into()).min(most))
    }

    /// What is in the same set of the packet filter: nothing else can overlap.
    fn set(&self) -> (bool, u8) {
        (self.range.first.is_ipv6(), self.protocol.number())
    }

    /// The same with these addresses and ports, as far as there are any.
    fn with(&self, (first, last): (u128, u128), ports: (u16, u16)) -> Option<Self> {
        let count = u32::try_from(last.checked_sub(first)?).ok()?.checked_add(1)?;
        let first = match self.range.first {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(first).ok()?.into()),
            IpAddr::V6(_) => IpAddr::V6(first.into()),
        };
        (ports.0 <= ports.1).then_some(Self { range: AddressRange { first, count }, ports, ..*self })
    }

    /// Whether another, of the same set, has packets of this.
    fn overlaps(&self, other: &Self) -> bool {
        let ((first, last), (from, to)) = (self.addresses(), other.addresses());
        first <= to && from <= last && self.ports.0 <= other.ports.1 && other.ports.0 <= self.ports.1
    }

    /// What another, of the same set, leaves of this.
    fn without(&self, other: &Self) -> Vec<Self> {
        let ((first, last), (from, to)) = (self.addresses(), other.addresses());
        let ((low, high), (bottom, top)) = (self.ports, other.ports);
        if !self.overlaps(other) {
            return vec![*self];
        }
        let both = (first.max(from), last.min(to));
        let below = from.checked_sub(1).and_then(|end| self.with((first, end), self.ports));
        let above = to.checked_add(1).and_then(|start| self.with((start, last), self.ports));
        let lower = bottom.checked_sub(1).and_then(|end| self.with(both, (low, end)));
        let upper = top.checked_add(1).and_then(|start| self.with(both, (start, high)));
        [below, lower, upper, above].into_iter().flatten().collect()
    }
}

/// The same packets, each in one range only: the kernel takes no others in a set.
fn disjoint(mut ranges: Vec<MarkedRange>) -> Vec<MarkedRange> {
    // The sort is stable: those that begin at the same address stay in their order.
    let mut numbered: Vec<_> = ranges.drain(..).enumerate().collect();
    numbered.sort_by_key(|(_, one)| (one.set(), one.addresses().0));
    let mut numbered = numbered.into_iter().peekable();
    while let Some(first) = numbered.next() {
        // Those whose addresses touch each other, over however many others.
        let (set, mut last) = (first.1.set(), first.1.addresses().1);
        let mut together = vec![first];
        while let Some(next) = numbered.next_if(|(_, one)| one.set() == set && one.addresses().0 <= last) {
            last = last.max(next.1.addresses().1);
            together.push(next);
        }
        together.sort_by_key(|(number, one)| (one.ports.1 - one.ports.0, one.range.count, *number));
        let mut done: Vec<MarkedRange> = Vec::new();
        for (_, one) in together {
            let mut left = vec![one];
            for taken in done.iter().filter(|taken| one.overlaps(taken)) {
                left = left.iter().flat_map(|piece| piece.without(taken)).collect();
            }
            done.append(&mut left);
        }
        done.sort_by_key(|one| (one.addresses(), one.ports));
        ranges.append(&mut done);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: [u8; 4], count: u32, port: u16, mark: u32) -> MarkedRange {
        MarkedRange {
            range: AddressRange { first: first.into(), count },
            ports: if port == 0 { (0, u16::MAX) } else { (port, port) },
            protocol: Protocol::Tcp,
            mark: FwMark(mark),
        }
    }

    /// The marks that packets to an address and port get.
    fn marks(ranges: &[MarkedRange], last: u8, port: u16) -> Vec<u32> {
        let address = u128::from(u32::from_be_bytes([10, 0, 0, last]));
        let within = |one: &&MarkedRange| {
            let (from, to) = one.addresses();
            from <= address && address <= to && one.ports.0 <= port && port <= one.ports.1
        };
        ranges.iter().filter(within).map(|one| one.mark.0).collect()
    }

    #[test]
    fn lines_that_overlap_share_no_packet_and_the_narrower_has_it() {
        let lines = vec![
            range([10, 0, 0, 1], 9, 80, 1),
            range([10, 0, 0, 3], 1, 80, 2),
            range([10, 0, 0, 3], 1, 0, 3),
            range([10, 0, 0, 8], 4, 0, 4),
            range([10, 0, 0, 1], 9, 80, 5),
        ];
        let apart = disjoint(lines.clone());
        for last in 0..=20 {
            for port in [0, 1, 79, 80, 81, u16::MAX] {
                let (marks, before) = (marks(&apart, last, port), marks(&lines, last, port));
                assert_eq!(marks.len(), usize::from(!before.is_empty()), "10.0.0.{last}:{port}");
                assert!(marks.iter().all(|mark| before.contains(mark)));
            }
        }
        assert_eq!(marks(&apart, 3, 80), [2]);
        assert_eq!(marks(&apart, 3, 81), [3]);
        assert_eq!(marks(&apart, 4, 80), [1]);
        assert_eq!(marks(&apart, 9, 80), [1], "of one port before every port");
        assert_eq!(marks(&apart, 9, 79), [4]);
    }

    #[test]
    fn what_does_not_overlap_stays_as_it_is() {
        let udp = MarkedRange { protocol: Protocol::Udp, ..range([10, 0, 0, 1], 9, 80, 1) };
        let lines = vec![range([10, 0, 0, 1], 9, 80, 1), range([10, 0, 0, 1], 9, 81, 2), udp];
        let last = MarkedRange {
            range: AddressRange { first: [0xff; 16].into(), count: 1 },
            ..range([255; 4], 1, 0, 3)
        };
        let lines = [lines, vec![range([255; 4], 1, 0, 3), last]].concat();
        let apart = disjoint(lines.clone());
        assert_eq!(apart.len(), lines.len());
        assert!(lines.iter().all(|line| apart.contains(line)));
    }
}
