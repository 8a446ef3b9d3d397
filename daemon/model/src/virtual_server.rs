//! Virtual servers and the groups that they may stand for.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::{
    AddressRange, CheckTiming, Family, Forwarding, FwMark, Name, RealServer, Script, SorryServer, Weight,
};

/// Transport protocol of a virtual service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP (6).
    Tcp,
    /// UDP (17).
    Udp,
    /// SCTP (132).
    Sctp,
}

impl Protocol {
    /// IP protocol number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// What a virtual server answers to: its identity over reloads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VirtualServerKey {
    /// `virtual_server ADDRESS PORT` with its `protocol`. Port 0 is every port.
    Address {
        /// Address and port.
        address: SocketAddr,
        /// Protocol.
        protocol: Protocol,
    },
    /// `virtual_server fwmark N`.
    FwMark {
        /// The mark, not 0.
        mark: FwMark,
        /// `ip_family`, else that of the first real server without a tunnel, else that of all of them, else IPv4.
        family: Family,
    },
    /// `virtual_server group NAME`: every entry of that group.
    Group {
        /// Name of the `virtual_server_group`.
        name: Name,
        /// Protocol of its address entries.
        protocol: Protocol,
        /// Family of its entries; `None` when the group has both, which only tunnels can serve.
        family: Option<Family>,
    },
}

/// As keepalived writes it in its log: `[192.168.4.10]:tcp:80`, `FWM 10`, `[GROUP]`.
impl fmt::Display for VirtualServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, protocol } => {
                write!(f, "[{}]:{protocol}:{}", address.ip(), address.port())
            }
            Self::FwMark { mark, .. } => write!(f, "FWM {mark}"),
            Self::Group { name, .. } => write!(f, "[{name}]"),
        }
    }
}

/// Flags of the scheduler and service: `ops`, `hashed`, `sh-port` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct SchedulerFlags {
    /// `ops`: each UDP packet is scheduled by itself.
    pub one_packet: bool,
    /// `hashed`: the service is in the hash table (always so in today's kernels).
    pub hashed: bool,
    /// `flag-1`, `sh-fallback`, `mh-fallback`.
    pub sched_1: bool,
    /// `flag-2`, `sh-port`, `mh-port`.
    pub sched_2: bool,
    /// `flag-3`.
    pub sched_3: bool,
}

/// A `virtual_server` block, defaults resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VirtualServer {
    /// What it answers to. Its protocol is UDP when none is written, as in keepalived.
    pub key: VirtualServerKey,
    /// `lvs_sched` (old: `lb_algo`): name of the kernel's scheduler, `wlc` unless given.
    pub scheduler: Name,
    /// Flags.
    pub flags: SchedulerFlags,
    /// `lvs_method`; NAT unless given.
    pub forwarding: Forwarding,
    /// `persistence_timeout`: a client stays with its server so long after its last connection ended; 360 s when the
    /// keyword has no number. Always set for an address with port 0.
    pub persistence_timeout: Option<Duration>,
    /// `persistence_granularity`: prefix length of what counts as one client; each address unless given.
    pub persistence_granularity: Option<u8>,
    /// `persistence_engine`, e.g. `sip`.
    pub persistence_engine: Option<Name>,
    /// `delay_loop` of checkers that have none of their own; 60 s unless given.
    pub delay_loop: Duration,
    /// What it says for its checkers, as written: the checkers have taken it over already.
    pub timing: CheckTiming,
    /// `weight` of real servers that have none of their own, which have taken it over already; 1 unless given.
    pub weight: Weight,
    /// `inhibit_on_failure`, which its real servers have taken over already.
    pub inhibit_on_failure: bool,
    /// `quorum`: total weight of living servers that keeps it up; 1 unless given.
    pub quorum: u32,
    /// `hysteresis`: lost below quorum − hysteresis, regained at quorum + hysteresis.
    pub hysteresis: u32,
    /// `alpha`: begins without quorum, and its real servers as failed.
    pub alpha: bool,
    /// `omega`: on stopping, `quorum_down` and `notify_down` are run.
    pub omega: bool,
    /// `quorum_up`.
    pub quorum_up: Option<Script>,
    /// `quorum_down`.
    pub quorum_down: Option<Script>,
    /// `ha_suspend`: checkers rest while its address is not on this host.
    pub ha_suspend: bool,
    /// `smtp_alert`, else `smtp_alert_checker`, else the global `smtp_alert`, else no.
    pub smtp_alert: bool,
    /// `virtualhost` for HTTP_GET and SSL_GET.
    pub virtualhost: Option<Name>,
    /// `snmp_name`.
    pub snmp_name: Option<Name>,
    /// `sorry_server`.
    pub sorry_server: Option<SorryServer>,
    /// `real_server` blocks; no two have the same address and port.
    pub real_servers: Vec<RealServer>,
}

impl VirtualServer {
    /// The family that it serves; `None` for a group of both.
    pub fn family(&self) -> Option<Family> {
        match &self.key {
            VirtualServerKey::Address { address, .. } => Some(Family::of(address.ip())),
            VirtualServerKey::FwMark { family, .. } => Some(*family),
            VirtualServerKey::Group { family, .. } => *family,
        }
    }
}

/// A `virtual_server_group` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VirtualServerGroup {
    /// Its name.
    pub name: Name,
    /// Its entries, in the order of the file.
    pub entries: Vec<GroupEntry>,
}

/// A line of a virtual server group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupEntry {
    /// `ADDRESS[-END] [PORT]`.
    Addresses {
        /// One address or more.
        range: AddressRange,
        /// Port; 0 is every port.
        port: u16,
    },
    /// `fwmark N [inet|inet6]`.
    FwMark {
        /// The mark, not 0.
        mark: FwMark,
        /// The family written here; that of the virtual server that uses the group when `None`.
        family: Option<Family>,
    },
}
