//! The rest of what the configuration says: data that decide nothing in a consumer, and that SNMP tables and dumps
//! show all the same. Everything here has a default, so that whoever builds settings may leave it out.

use std::net::IpAddr;

use keepwatch_model::{
    CheckTiming, DynamicInterfaces, LvsFlushOnStop, LvsSyncDaemon, LvsTimeouts, Notify, Tracking,
    VirtualServerGroup,
};
use serde::{Deserialize, Serialize};

use crate::subject::{Name, VirtualAddress};

/// Of `global_defs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonDetails {
    /// `no_email_faults`.
    pub no_email_faults: bool,
    /// `smtp_alert`, where written.
    pub smtp_alert: Option<bool>,
    /// `smtp_alert_vrrp`, where written.
    pub smtp_alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`, where written.
    pub smtp_alert_checker: Option<bool>,
    /// `lvs_flush`.
    pub lvs_flush: bool,
    /// `lvs_flush_on_stop`.
    pub lvs_flush_on_stop: LvsFlushOnStop,
    /// `net_namespace`.
    pub net_namespace: Option<Name>,
    /// `dynamic_interfaces`.
    pub dynamic_interfaces: DynamicInterfaces,
    /// `lvs_sync_daemon`, or an instance's `lvs_sync_daemon_interface`.
    pub sync_daemon: Option<LvsSyncDaemon>,
    /// `virtual_server_group` blocks.
    #[serde(default)]
    pub virtual_server_groups: Vec<VirtualServerGroup>,
    /// `lvs_timeouts`.
    pub lvs_timeouts: LvsTimeouts,
}

/// Of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceDetails {
    /// The multicast group of its advertisements; none with unicast peers.
    pub multicast: Option<IpAddr>,
    /// Options of addresses, of those that have any.
    pub address_options: Vec<AddressOptions>,
    /// `notify_*`.
    pub scripts: Notify,
    /// What it tracks.
    pub tracked: Tracking,
    /// `promote_secondaries`.
    pub promote_secondaries: bool,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: bool,
}

/// What stands behind an address in `virtual_ipaddress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressOptions {
    /// The address.
    #[serde(flatten)]
    pub of: VirtualAddress,
    /// `brd`.
    pub broadcast: Option<IpAddr>,
    /// `label`.
    pub label: Option<Name>,
    /// `scope`, as the kernel's number: 0 is global.
    pub scope: u8,
    /// `peer`.
    pub peer: Option<IpAddr>,
}

/// Of a sync group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupDetails {
    /// `notify_*`.
    pub scripts: Notify,
    /// What it tracks.
    pub tracked: Tracking,
    /// `sync_group_tracking_weight`.
    pub tracking_weight: bool,
}

/// Of a virtual server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceDetails {
    /// `virtual_server group NAME`: the group that this service is an entry of. Its services share a position.
    pub group: Option<Name>,
    /// `ha_suspend`.
    pub ha_suspend: bool,
    /// `hashed`.
    pub hashed: bool,
    /// `flag-1` to `flag-3`, or what they are called for the scheduler (`sh-fallback`, `sh-port`…).
    pub scheduler_flags: [bool; 3],
    /// `snmp_name`.
    pub snmp_name: Option<Name>,
    /// What it says for its checkers.
    pub timing: CheckTiming,
    /// `weight` of real servers that say none.
    pub weight: u32,
    /// `inhibit_on_failure` of real servers that say nothing of it.
    pub inhibit_on_failure: bool,
}

/// Of a real server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RealServerDetails {
    /// `alpha`.
    pub alpha: bool,
    /// `snmp_name`.
    pub snmp_name: Option<Name>,
    /// What it, or else its virtual server, says for its checkers.
    pub timing: CheckTiming,
}
