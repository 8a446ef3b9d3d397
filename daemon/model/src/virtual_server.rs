//! Virtual servers and the groups that they may stand for.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::subject::ServiceKey;
use crate::{
    AddressRange, CheckTiming, Config, Family, Forwarding, FwMark, Name, RealServer, Script, SorryServer,
    Weight,
};

/// Transport protocol of a virtual service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum VirtualServerKey {
    /// `virtual_server ADDRESS PORT` with its `protocol`, or `virtual_server fwmark N`. The family of a mark is
    /// `ip_family`, else that of the first real server without a tunnel, else that of all of them, else IPv4.
    Service(ServiceKey),
    /// `virtual_server group NAME`: every entry of that group.
    Group {
        /// Name of the `virtual_server_group`.
        #[serde(rename = "group")]
        name: Name,
        /// Protocol of its address entries.
        protocol: Protocol,
        /// Family of its entries; `None` when the group has both, which only tunnels can serve.
        family: Option<Family>,
    },
}

impl VirtualServerKey {
    /// Its address, if it has one of its own.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Service(ServiceKey::Address { address, .. }) => Some(*address),
            Self::Service(ServiceKey::Fwmark { .. }) | Self::Group { .. } => None,
        }
    }
}

impl VirtualServerKey {
    /// By what it is known over reloads: a group is the same one whatever entries it has, of which families.
    pub fn lasting(&self) -> Self {
        match self {
            Self::Service(key) => Self::Service(*key),
            Self::Group { name, protocol, family: _ } => {
                Self::Group { name: name.clone(), protocol: *protocol, family: None }
            }
        }
    }
}

impl From<ServiceKey> for VirtualServerKey {
    fn from(key: ServiceKey) -> Self {
        Self::Service(key)
    }
}

/// As keepalived writes it in its log: `[192.168.4.10]:tcp:80`, `FWM 10`, `[GROUP]`.
impl fmt::Display for VirtualServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(key) => key.fmt(f),
            Self::Group { name, .. } => write!(f, "[{name}]"),
        }
    }
}

/// Flags of the scheduler and service: `ops`, `hashed`, `sh-port` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// `real_server` blocks; no two have the same address and port. None where one is told of by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub real_servers: Vec<RealServer>,
}

impl VirtualServer {
    /// A virtual server with keepalived's defaults, and nobody behind it.
    pub fn new(key: VirtualServerKey) -> Self {
        Self {
            key,
            scheduler: "wlc".into(),
            flags: SchedulerFlags::default(),
            forwarding: Forwarding::Nat,
            persistence_timeout: None,
            persistence_granularity: None,
            persistence_engine: None,
            delay_loop: Duration::from_secs(60),
            timing: CheckTiming::default(),
            weight: Weight::default(),
            inhibit_on_failure: false,
            quorum: 1,
            hysteresis: 0,
            alpha: false,
            omega: false,
            quorum_up: None,
            quorum_down: None,
            ha_suspend: false,
            smtp_alert: false,
            virtualhost: None,
            snmp_name: None,
            sorry_server: None,
            real_servers: Vec::new(),
        }
    }

    /// The same without its real servers, as facts tell of it.
    pub fn alone(&self) -> Self {
        let Self {
            key, scheduler, persistence_engine, quorum_up, quorum_down, virtualhost, snmp_name, ..
        } = self;
        Self {
            key: key.clone(),
            scheduler: scheduler.clone(),
            persistence_engine: persistence_engine.clone(),
            quorum_up: quorum_up.clone(),
            quorum_down: quorum_down.clone(),
            virtualhost: virtualhost.clone(),
            snmp_name: snmp_name.clone(),
            sorry_server: self.sorry_server.clone(),
            real_servers: Vec::new(),
            ..*self
        }
    }

    /// Name of the `virtual_server_group` that it stands for.
    pub fn group(&self) -> Option<&Name> {
        match &self.key {
            VirtualServerKey::Group { name, .. } => Some(name),
            VirtualServerKey::Service(_) => None,
        }
    }

    /// What it is called where scripts, FIFOs and mails are told of it, as by keepalived: `[10.0.0.1]:tcp:80`, `FWM 5`, and
    /// `[G]:0` where it stands for a group. `service` is the key that it is known by.
    pub fn label(&self, service: &ServiceKey) -> String {
        match self.group() {
            Some(name) => group_label(name),
            None => service.to_string(),
        }
    }

    /// The family that it serves; `None` for a group of both.
    pub fn family(&self) -> Option<Family> {
        match &self.key {
            VirtualServerKey::Service(key) => Some(key.family()),
            VirtualServerKey::Group { family, .. } => *family,
        }
    }
}

/// What keepalived calls a virtual server that stands for a group.
pub fn group_label(name: &str) -> String {
    format!("[{name}]:0")
}

/// A `virtual_server_group` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServerGroup {
    /// Its name.
    pub name: Name,
    /// Its entries, in the order of the file.
    pub entries: Vec<GroupEntry>,
}

/// A line of a virtual server group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

impl GroupEntry {
    /// The services that it stands for in a virtual server of this protocol and family.
    fn services(self, protocol: Protocol, outer: Option<Family>) -> Vec<ServiceKey> {
        match self {
            Self::Addresses { range, port } => {
                range.addresses().map(|address| ServiceKey::Address { address, port, protocol }).collect()
            }
            // A group of both families says which one each mark is.
            Self::FwMark { mark, family } => {
                let family = family.or(outer).unwrap_or(Family::Inet);
                vec![ServiceKey::Fwmark { fwmark: mark.0, family }]
            }
        }
    }
}

impl GroupEntry {
    /// The same where packets to its addresses get a mark.
    fn marked(self, mark: FwMark, protocol: Protocol, outer: Option<Family>) -> Vec<ServiceKey> {
        match self {
            Self::Addresses { range, .. } => {
                vec![ServiceKey::Fwmark { fwmark: mark.0, family: Family::of(range.first) }]
            }
            Self::FwMark { .. } => self.services(protocol, outer),
        }
    }
}

impl Config {
    /// The virtual servers, each with every service that it answers to: itself, or all of its group's, in order. The
    /// first is the key by which facts and checkers know the whole: the one that [`Self::keep_leads`] has named, else the
    /// first of the file. There is none if its group has no entries, or others have them all: what two name is the first
    /// one's, for the kernel knows each service once.
    pub fn services(&self) -> impl Iterator<Item = (&VirtualServer, Vec<ServiceKey>)> {
        let mut taken = HashSet::new();
        self.claims().map(move |(server, mut services)| {
            services.retain(|service| taken.insert(*service));
            let lead = server.group().and_then(|_| self.leads.get(&server.key.lasting()));
            if let Some(at) = lead.and_then(|lead| services.iter().position(|service| service == lead)) {
                services[..=at].rotate_right(1);
            }
            (server, services)
        })
    }

    /// The entries of each group that a virtual server stands for, as [`Self::keep_leads`] wants them of the configuration that
    /// was in force before.
    pub fn group_entries(&self) -> HashMap<VirtualServerKey, Vec<ServiceKey>> {
        let groups = self.services().filter(|(server, _)| server.group().is_some());
        groups.map(|(server, services)| (server.key.lasting(), services)).collect()
    }

    /// Has groups be known by the entry that they were known by `before` this configuration came, as long as they have it,
    /// wherever it stands in the file; if they do not, by the next of those that they had. `before` are the entries of each,
    /// by [`VirtualServerKey::lasting`], first the one that it is known by.
    pub fn keep_leads(&mut self, before: &HashMap<VirtualServerKey, Vec<ServiceKey>>) {
        let leads = self.services().filter_map(|(server, services)| {
            let key = server.group().map(|_| server.key.lasting())?;
            let has: HashSet<_> = services.iter().collect();
            let lead = before.get(&key)?.iter().find(|entry| has.contains(entry))?;
            Some((key, *lead))
        });
        self.leads = leads.collect();
    }

    /// The virtual servers, each with every service that it names, whoever else does.
    pub fn claims(&self) -> impl Iterator<Item = (&VirtualServer, Vec<ServiceKey>)> {
        let mut groups = HashMap::new();
        for group in &self.virtual_server_groups {
            groups.entry(&group.name).or_insert(group.entries.as_slice());
        }
        self.virtual_servers.iter().map(move |server| {
            let services = match &server.key {
                VirtualServerKey::Service(key) => vec![*key],
                VirtualServerKey::Group { name, protocol, family } => {
                    let entries = groups.get(name).copied().unwrap_or_default();
                    let mark = self.global.mark_of(name, *protocol);
                    let mut all = Vec::new();
                    for entry in entries {
                        match mark {
                            // All addresses of one family have one mark.
                            Some(mark) => all.extend(entry.marked(mark, *protocol, *family)),
                            None => all.extend(entry.services(*protocol, *family)),
                        }
                    }
                    all
                }
            };
            (server, services)
        })
    }
}
