//! What the configuration says, as the facts carry it and the world keeps it: enough for SNMP, Prometheus, mails
//! and the status page to need no look at the configuration itself. Times are `Duration` unless a name says more.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keepwatch_model::{Forwarding, Script};
use serde::{Deserialize, Serialize};

use crate::details::{DaemonDetails, GroupDetails, InstanceDetails, RealServerDetails, ServiceDetails};
use crate::subject::{Family, Name, VirtualAddress, VrrpState};

/// The process and `global_defs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonSettings {
    /// Version of keepwatch.
    pub version: String,
    /// Process id of the worker.
    pub pid: u32,
    /// `router_id`.
    pub router_id: String,
    /// The configuration file.
    pub config_file: String,
    /// `ipvs`, `memory` or `shadow`; `none` where the checkers are not run.
    pub dataplane: String,
    /// `smtp_server`: host name or address, and port.
    pub smtp_server: Option<(String, u16)>,
    /// `smtp_connect_timeout`.
    pub smtp_connect_timeout: Duration,
    /// `notification_email_from`.
    pub email_from: Option<String>,
    /// `notification_email`.
    pub email_to: Vec<String>,
    /// `enable_traps`.
    pub traps: bool,
    /// `vrrp_version`: what instances use that do not say.
    pub vrrp_version: u8,
    /// Whether the VRRP side runs.
    pub vrrp_enabled: bool,
    /// Whether the checker side runs.
    pub checkers_enabled: bool,
    /// What only tables and dumps show.
    #[serde(default)]
    pub details: DaemonDetails,
}

/// How a virtual router authenticates (version 2 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthKind {
    /// Not at all.
    None,
    /// A password in clear (RFC 2338 type 1).
    Pass,
    /// IPSEC AH (RFC 2338 type 2).
    Ah,
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSettings {
    /// Place in the configuration, from 1: the index of the SNMP tables.
    pub position: u32,
    /// The interface of its advertisements; a unicast one may have none.
    pub interface: Option<Name>,
    /// Virtual router id.
    pub vrid: u8,
    /// VRRP version, 2 or 3.
    pub version: u8,
    /// Family of its advertisements.
    pub family: Family,
    /// The state that the configuration wishes at start.
    pub initial_state: VrrpState,
    /// Configured priority.
    pub priority: u8,
    /// Time between advertisements.
    pub advert_interval: Duration,
    /// Whether it preempts a master of lower priority.
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// Authentication.
    pub auth: AuthKind,
    /// Source address of its advertisements, where configured (`mcast_src_ip`, `unicast_src_ip`).
    pub source: Option<IpAddr>,
    /// `virtual_ipaddress`.
    pub addresses: Vec<VirtualAddress>,
    /// `virtual_ipaddress_excluded`.
    pub excluded_addresses: Vec<VirtualAddress>,
    /// `garp_master_delay`; zero where there is no second burst.
    pub garp_master_delay: Duration,
    /// `garp_master_repeat`: frames a burst.
    pub garp_master_repeat: u32,
    /// `garp_master_refresh`; zero where there is none.
    pub garp_master_refresh: Duration,
    /// `garp_master_refresh_repeat`.
    pub garp_master_refresh_repeat: u32,
    /// `garp_lower_prio_delay`.
    pub garp_lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`.
    pub garp_lower_prio_repeat: u32,
    /// Whether state changes are mailed.
    pub smtp_alert: bool,
    /// Whether it takes packets for its addresses (version 3 accept mode).
    pub accept: bool,
    /// The sync group that it belongs to.
    pub group: Option<Name>,
    /// `lvs_sync_daemon_interface`.
    pub lvs_sync_daemon_interface: Option<Name>,
    /// What only tables and dumps show.
    #[serde(default)]
    pub details: InstanceDetails,
}

/// One sync group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Place in the configuration, from 1.
    pub position: u32,
    /// Its members, in order.
    pub members: Vec<Name>,
    /// Whether state changes are mailed.
    pub smtp_alert: bool,
    /// What only tables and dumps show.
    #[serde(default)]
    pub details: GroupDetails,
}

/// One virtual server, without its real servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// Place in the configuration, from 1.
    pub position: u32,
    /// IPVS scheduler: `wlc`, `rr`, …
    pub scheduler: String,
    /// How packets are forwarded, unless a real server says otherwise.
    pub forwarding: Forwarding,
    /// `persistence_timeout`; none where the service is not persistent.
    pub persistence: Option<Duration>,
    /// `persistence_granularity`: prefix length in bits.
    pub granularity: Option<u8>,
    /// `delay_loop`.
    pub delay_loop: Duration,
    /// `quorum`.
    pub quorum: u32,
    /// `hysteresis`.
    pub hysteresis: u32,
    /// `alpha`.
    pub alpha: bool,
    /// `omega`.
    pub omega: bool,
    /// `ops`: one-packet scheduling.
    pub one_packet: bool,
    /// `virtualhost`.
    pub virtualhost: Option<String>,
    /// `sorry_server`.
    pub sorry_server: Option<SocketAddr>,
    /// `quorum_up` and `quorum_down` commands.
    pub quorum_scripts: (Option<Script>, Option<Script>),
    /// Whether quorum changes are mailed.
    pub smtp_alert: bool,
    /// What only tables and dumps show.
    #[serde(default)]
    pub details: ServiceDetails,
}

/// One real server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealServerSettings {
    /// Place in its virtual server, from 1.
    pub position: u32,
    /// Configured weight.
    pub weight: i32,
    /// How packets are forwarded to it.
    pub forwarding: Forwarding,
    /// `inhibit_on_failure`: weight 0 instead of removal.
    pub inhibit_on_failure: bool,
    /// `uthreshold`: most connections; 0 for no limit.
    pub upper_threshold: u32,
    /// `lthreshold`.
    pub lower_threshold: u32,
    /// `notify_up` and `notify_down` commands.
    pub scripts: (Option<Script>, Option<Script>),
    /// `virtualhost`.
    pub virtualhost: Option<String>,
    /// Whether up and down are mailed.
    pub smtp_alert: bool,
    /// Its checkers' kinds, in order.
    pub checkers: Vec<Name>,
    /// What only tables and dumps show.
    #[serde(default)]
    pub details: RealServerDetails,
}
