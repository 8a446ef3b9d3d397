//! What is served over SNMP.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Name;

/// SNMP settings. `-x` on the command line turns all four tables on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// `enable_snmp_vrrp` (old: `enable_snmp_keepalived`): VRRP part of KEEPALIVED-MIB.
    pub vrrp: bool,
    /// `enable_snmp_checker`: checker part of KEEPALIVED-MIB.
    pub checker: bool,
    /// `enable_snmp_rfc`, `enable_snmp_rfcv2`: VRRP-MIB of RFC 2787.
    pub rfc_v2: bool,
    /// `enable_snmp_rfc`, `enable_snmp_rfcv3`: VRRPV3-MIB of RFC 6527.
    pub rfc_v3: bool,
    /// `enable_traps`.
    pub traps: bool,
    /// `snmp_socket`: where the master agent listens, in net-snmp's notation; `unix:/var/agentx/master` unless given.
    pub socket: Option<Name>,
    /// `snmp_vs_stats_update_interval`: how old virtual servers' figures may be; 5 s unless given.
    pub vs_stats_interval: Duration,
    /// `snmp_rs_stats_update_interval`: how old real servers' may be; that of virtual servers unless given.
    pub rs_stats_interval: Duration,
}

impl Default for Snmp {
    fn default() -> Self {
        Self {
            vrrp: false,
            checker: false,
            rfc_v2: false,
            rfc_v3: false,
            traps: false,
            socket: None,
            vs_stats_interval: Duration::from_secs(5),
            rs_stats_interval: Duration::from_secs(5),
        }
    }
}
