//! Tables of the packet filter that belong to the daemon: they drop packets to addresses that are not accepted, keep
//! group messages of VMACs off the wire, and mark packets of virtual server groups.

use serde::{Deserialize, Serialize};

use crate::{FwMark, Name};

/// The daemon's part of the packet filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// `nftables` and `nftables_…` of virtual routers.
    pub nftables: Nftables,
    /// `nftables_ipvs…`.
    pub ipvs: NftablesIpvs,
    /// `nftables_counters`: rules of both tables count packets.
    pub counters: bool,
    /// `vrrp_iptables`: these chains, which others made, rather than a table of nftables.
    pub iptables: Option<Iptables>,
    /// `vrrp_ipsets`: sets that those chains look addresses up in; without them there is a rule for each address.
    pub ipsets: Option<IpSets>,
}

/// The table of nftables for virtual routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    /// `nftables [TABLE]`: its name, [`Nftables::TABLE`] when the keyword stands alone. Without the keyword there is such
    /// a table only while an instance needs one.
    pub table: Option<Name>,
    /// `nftables_priority` of its base chains; −1 unless given.
    pub priority: i32,
    /// `nftables_ifindex`: sets of link-local addresses hold interface indexes, not names, whatever the version.
    pub interface_index: bool,
}

impl Nftables {
    /// Name of the table unless given.
    pub const TABLE: &'static str = "keepalived";
}

impl Default for Nftables {
    fn default() -> Self {
        Self { table: None, priority: -1, interface_index: false }
    }
}

/// The table of nftables that gives each virtual server group one firewall mark, so that the kernel's IPVS table needs
/// one virtual server for the whole group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NftablesIpvs {
    /// `nftables_ipvs [TABLE]`: its name, [`NftablesIpvs::TABLE`] when the keyword stands alone; `None` without the
    /// keyword: groups are put into the IPVS table entry by entry.
    pub table: Option<Name>,
    /// `nftables_ipvs_priority` of its base chains; −1 unless given.
    pub priority: i32,
    /// `nftables_ipvs_start_fwmark`: mark of the first group, one more for each; 1000 unless given.
    pub first_mark: FwMark,
}

impl NftablesIpvs {
    /// Name of the table unless given.
    pub const TABLE: &'static str = "keepalived_ipvs";
    /// First mark unless given.
    pub const FIRST_MARK: FwMark = FwMark(1000);
}

impl Default for NftablesIpvs {
    fn default() -> Self {
        Self { table: None, priority: -1, first_mark: Self::FIRST_MARK }
    }
}

/// `vrrp_iptables [INPUT [OUTPUT]]`: chains of iptables and ip6tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iptables {
    /// Chain of packets that come in; `INPUT` when the keyword stands alone.
    pub input: Name,
    /// Chain of packets that go out; `OUTPUT` when the keyword stands alone, none when only the first is named.
    pub output: Option<Name>,
}

/// `vrrp_ipsets NAME …`: names that are not given are made of those before them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpSets {
    /// IPv4 addresses.
    pub addresses: Name,
    /// IPv6 addresses; that of IPv4 with `6` unless given.
    pub addresses6: Name,
    /// Link-local IPv6 addresses with their interface; that of IPv6 with `_if6` in place of `6` unless given.
    pub interface_addresses6: Name,
    /// Interfaces whose IGMP messages are dropped; that of IPv4 with `_igmp` unless given.
    pub igmp: Name,
    /// Interfaces whose MLD messages are dropped; that of IPv4 with `_mld` unless given.
    pub mld: Name,
    /// VMACs whose neighbour discovery is dropped; that of IPv4 with `_nd` unless given.
    pub neighbour_discovery: Name,
}

impl IpSets {
    /// All six names, in the order of the keyword's values.
    pub fn names(&self) -> [&Name; 6] {
        [
            &self.addresses,
            &self.addresses6,
            &self.interface_addresses6,
            &self.igmp,
            &self.mld,
            &self.neighbour_discovery,
        ]
    }
}
