//! Real servers and sorry servers.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BfdCheck, CheckTiming, Checker, FileCheck, Forwarding, Name, Rare, Script, Weight};

/// A `real_server` block, inheritance resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealServer {
    /// Address and port: its identity in its virtual server. The port is the virtual server's when none is written, and
    /// 0 in a virtual server of a firewall mark unless NAT.
    pub address: SocketAddr,
    /// `weight`, else the virtual server's; 1 unless given.
    pub weight: Weight,
    /// `lvs_method` of its own, else the virtual server's.
    pub forwarding: Forwarding,
    /// `uthreshold`: most connections; 0, no limit, unless given.
    pub upper_threshold: u32,
    /// `lthreshold`: below it, an overloaded server takes connections again; 0 unless given, which is ¾ of the upper.
    pub lower_threshold: u32,
    /// `inhibit_on_failure`: a failed server gets weight 0 rather than being removed.
    pub inhibit_on_failure: bool,
    /// `alpha`: begins as failed, until its checkers have succeeded.
    pub alpha: bool,
    /// `smtp_alert`, else `smtp_alert_checker`, else the global `smtp_alert`, else yes.
    pub smtp_alert: bool,
    /// `notify_up`.
    pub notify_up: Option<Box<Script>>,
    /// `notify_down`.
    pub notify_down: Option<Box<Script>>,
    /// `virtualhost` for HTTP_GET and SSL_GET, else the virtual server's.
    pub virtualhost: Option<Name>,
    /// `snmp_name`.
    pub snmp_name: Option<Name>,
    /// What it or its virtual server says for its checkers, as written: the checkers have taken it over already.
    pub timing: Rare<CheckTiming>,
    /// Its checkers that run on a schedule, in the order of the file. A server without any check is always up.
    pub checkers: Vec<Arc<Checker>>,
    /// `FILE_CHECK` blocks: files whose numbers change its weight.
    pub file_checks: Rare<Vec<FileCheck>>,
    /// `BFD_CHECK` blocks: sessions that must be up; no two of one session.
    pub bfd_checks: Rare<Vec<BfdCheck>>,
}

impl RealServer {
    /// A real server with keepalived's defaults, that nobody looks at.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            weight: Weight::default(),
            forwarding: Forwarding::Nat,
            upper_threshold: 0,
            lower_threshold: 0,
            inhibit_on_failure: false,
            alpha: false,
            smtp_alert: false,
            notify_up: None,
            notify_down: None,
            virtualhost: None,
            snmp_name: None,
            timing: Rare::default(),
            checkers: Vec::new(),
            file_checks: Rare::default(),
            bfd_checks: Rare::default(),
        }
    }
}

impl SorryServer {
    /// A sorry server that is there only while it is needed.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, forwarding: Forwarding::Nat, inhibit: false, weight: Weight::default() }
    }
}

/// `sorry_server`: serves when the quorum is lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SorryServer {
    /// Address and port, resolved as a real server's.
    pub address: SocketAddr,
    /// `sorry_server_lvs_method`, else the virtual server's.
    pub forwarding: Forwarding,
    /// `sorry_server_inhibit`: with weight 0 in the table all the time, rather than added and removed.
    pub inhibit: bool,
    /// Always 1.
    pub weight: Weight,
}
