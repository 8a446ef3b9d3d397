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
}

/// The table of nftables for virtual routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    /// `nftables [TABLE]`: its name, [`Nftables::TABLE`] when the keyword stands alone. Without the keyword there is such
    /// a table only while an instance needs one.
    pub table: Option<Name>,
    /// `nftables_priority` of its base chains; −1 unless given.
    pub priority: i32,
}

impl Nftables {
    /// Name of the table unless given.
    pub const TABLE: &'static str = "keepalived";
}

impl Default for Nftables {
    fn default() -> Self {
        Self { table: None, priority: -1 }
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
