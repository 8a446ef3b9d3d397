//! The rest of what the configuration says: data that decide nothing in a consumer, and that SNMP tables and dumps
//! show all the same. Everything here has a default, so that whoever builds settings may leave it out.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

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
    pub lvs_flush_on_stop: FlushOnStop,
    /// `net_namespace`.
    pub net_namespace: Option<Name>,
    /// `dynamic_interfaces`.
    pub dynamic_interfaces: bool,
    /// `lvs_sync_daemon`, or an instance's `lvs_sync_daemon_interface`.
    pub sync_daemon: Option<SyncDaemon>,
    /// `virtual_server_group` blocks.
    #[serde(default)]
    pub virtual_server_groups: Vec<VirtualServerGroup>,
    /// `lvs_timeouts`: TCP, TCP after FIN, UDP; where written.
    pub lvs_timeouts: [Option<Duration>; 3],
}

/// `lvs_flush_on_stop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushOnStop {
    /// No.
    #[default]
    No,
    /// The whole table.
    All,
    /// The virtual servers that are ours.
    VirtualServers,
}

/// A group that a virtual server may stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServerGroup {
    /// Its name.
    pub name: Name,
    /// Its entries, in the order of the configuration.
    pub entries: Vec<GroupEntry>,
}

/// An entry of such a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupEntry {
    /// Addresses from the first to the last, which may be the same, and their port.
    Addresses {
        /// The first.
        first: IpAddr,
        /// The last.
        last: IpAddr,
        /// The port; 0 for every port.
        port: u16,
    },
    /// A firewall mark.
    Fwmark(u32),
}

/// The kernel's synchronisation of IPVS connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// Its interface.
    pub interface: Name,
    /// The virtual router that it follows; without one both halves run all the time.
    pub instance: Option<Name>,
    /// Its id.
    pub sync_id: u8,
    /// Most bytes of a message, where given.
    pub max_len: Option<u16>,
    /// UDP port, where given.
    pub port: Option<u16>,
    /// TTL of its multicast, where given.
    pub ttl: Option<u8>,
    /// Multicast group, where given.
    pub group: Option<IpAddr>,
}

/// Of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceDetails {
    /// The multicast group of its advertisements; none with unicast peers.
    pub multicast: Option<IpAddr>,
    /// Options of addresses, of those that have any.
    pub address_options: Vec<AddressOptions>,
    /// `notify_*`.
    pub scripts: NotifyScripts,
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
    pub scripts: NotifyScripts,
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

/// What a virtual or real server says for the checkers in it; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTiming {
    /// `delay_loop`.
    pub delay_loop: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
    /// `retry`.
    pub retry: Option<u32>,
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `connect_timeout`.
    pub connect_timeout: Option<Duration>,
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

/// The scripts of a virtual router or sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyScripts {
    /// `notify_master`.
    pub master: Option<Command>,
    /// `notify_backup`.
    pub backup: Option<Command>,
    /// `notify_fault`.
    pub fault: Option<Command>,
    /// `notify_stop`.
    pub stop: Option<Command>,
    /// `notify_deleted`.
    pub deleted: Option<Command>,
    /// `notify`.
    pub any: Option<Command>,
    /// `notify_master_rx_lower_pri`.
    pub master_rx_lower_priority: Option<Command>,
}

impl NotifyScripts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Command(pub Vec<Name>);

/// Each word in single quotes, as keepalived shows commands; a quote in a word as `'\''`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?;
        }
        Ok(())
    }
}

/// What a virtual router or a sync group tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// `track_interface`.
    pub interfaces: Vec<Tracked>,
    /// `track_script`.
    pub scripts: Vec<Tracked>,
    /// `track_file`.
    pub files: Vec<Tracked>,
    /// `track_bfd`.
    pub bfds: Vec<Tracked>,
    /// `track_process`.
    pub processes: Vec<Tracked>,
}

/// One thing that is tracked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Its name.
    pub name: Name,
    /// What it adds to the priority, or takes from it; 0 means that its failure is a fault.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}
