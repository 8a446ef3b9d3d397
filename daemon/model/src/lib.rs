//! The ground floor: what a configuration means once it is parsed, checked and every default filled in, and the names
//! and keys of what it is about ([`subject`]).
//!
//! Goes in: nothing. These are plain structs; `keepwatch-config` fills them from a file. Comes out: values that the rest
//! of the daemon uses without knowing the language. Inheritance (global → instance, virtual server → real server →
//! checker) is already resolved here with keepalived 2.4.3's defaults, so a consumer never has to guess one.
//!
//! Everything is `Clone + PartialEq + Serialize`: a reload compares the old and the new value of each part by its
//! identity (name, or key) and touches only what differs.

mod address;
mod auth_hmac;
mod bfd;
mod checker;
pub mod encoding;
mod follow;
mod forwarding;
mod garp;
mod global;
mod group_marks;
mod header;
mod mail;
mod names;
mod notify;
mod observability;
mod otlp;
mod prefix;
mod rare;
mod real_server;
mod route;
mod routing_words;
mod rule;
mod script;
mod secret;
mod severity;
mod ssl;
pub mod subject;
mod track;
mod virtual_server;
mod vmac;
mod vrrp;
mod vrrp_group;
mod webhook;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use address::{AddressRange, AddressScope, Family, InterfaceAddress, LinkTarget, MailServer};
pub use auth_hmac::{AntiReplay, AuthHmac, HmacKey, HmacMode};
pub use bfd::{BfdDiagnostic, BfdSession, BfdState, MaxHops};
pub use checker::{
    BfdCheck, BodyRegex, Bytes, CheckTiming, Checker, CheckerKind, Connection, Digest, DnsCheck, DnsRecord,
    FileCheck, Followed, HttpGet, HttpVersion, Levels, MatcherStack, MiscCheck, RegexOption, SmtpCheck,
    StatusCodes, TlsUrl, UdpCheck, UdpReply, Url,
};
pub use follow::{Follow, Level, Meaning, TrackedKind};
pub use forwarding::{Forwarding, Tunnel, TunnelChecksum};
pub use garp::{Garp, GarpExtraInterfaces, GarpGroup};
pub use global::{
    AdvertBuffers, AdvertsMultiplier, ApplicationPriority, AutoPriority, AutoPriorityDelay, Dbus, DumpFiles,
    DynamicInterfaces, Firewall, Global, InterfaceDelays, IprouteDirectories, IpvsNamespace, JsonVersion,
    KernelBuffer, LinkbeatInterface, LinkbeatMethod, LvsFlushOnStop, LvsTimeouts, Nftables, NftablesIpvs,
    NotifyFifo, NotifyFifos, ProcessNames, ProcessScheduling, Processes, ReceiveBuffers, ReloadFiles,
    ReloadMarker, Snmp, VmacPrefixes,
};
pub use group_marks::{GroupMark, MarkedRange};
pub use header::Header;
pub use mail::{Mail, MailGroup, MailTls, MailUser};
pub use names::{FwMark, Name, Priority, VirtualRouterId, Weight};
pub use notify::Notify;
pub use observability::{History, Observability};
pub use otlp::{Otlp, OtlpProtocol};
pub use prefix::{Prefix, Realms, RoutingProtocol, RoutingTable};
pub use rare::{Rare, Usual};
pub use real_server::{RealServer, SorryServer};
pub use route::{
    Encap, IpEncap, Lockable, NextHop, Route, RouteHop, RouteKind, RouteMetrics, RoutePlacement,
    RouterPreference,
};
pub use rule::{MaskedMark, Rule, RuleAction};
pub use script::{Script, ScriptUser};
pub use secret::Secret;
pub use severity::Severity;
pub use ssl::Ssl;
pub use subject::ServiceKey;
pub use track::{
    ArgumentMatch, InitFile, LeftOutScript, TrackFile, TrackProcess, TrackScript, Tracked, Tracker, Tracking,
};
pub use virtual_server::{
    GroupEntry, Protocol, SchedulerFlags, VirtualServer, VirtualServerGroup, VirtualServerKey, group_label,
};
pub use vmac::{IpvlanMode, Vmac, VmacKind, virtual_hardware};
pub use vrrp::{
    Authentication, ConfigFault, InitialState, Instance, LvsSyncDaemon, UnicastChecksum, UnicastPeer,
    VrrpVersion,
};
pub use vrrp_group::{StaticTrackGroup, SyncGroup};
pub use webhook::{Webhook, WebhookForm};

/// A whole configuration, in the order of the file, after expansion and defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// `global_defs` and the root keywords that stand beside it.
    pub global: Global,
    /// `vrrp_sync_group` blocks.
    pub sync_groups: Vec<SyncGroup>,
    /// `vrrp_instance` blocks.
    pub instances: Vec<Instance>,
    /// `static_ipaddress` blocks: addresses that are there whatever an instance does.
    pub static_addresses: Vec<InterfaceAddress>,
    /// `static_routes` blocks.
    pub static_routes: Vec<Route>,
    /// `static_rules` blocks.
    pub static_rules: Vec<Rule>,
    /// `track_group` blocks.
    pub track_groups: Vec<StaticTrackGroup>,
    /// `garp_group` blocks.
    pub garp_groups: Vec<GarpGroup>,
    /// `vrrp_script` blocks.
    pub track_scripts: Vec<TrackScript>,
    /// Those of them that are followed and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out_scripts: Vec<LeftOutScript>,
    /// `track_file` blocks (old spelling `vrrp_track_file`).
    pub track_files: Vec<TrackFile>,
    /// `vrrp_track_process` blocks.
    pub track_processes: Vec<TrackProcess>,
    /// `bfd_instance` blocks.
    pub bfd_sessions: Vec<BfdSession>,
    /// `virtual_server_group` blocks.
    pub virtual_server_groups: Vec<VirtualServerGroup>,
    /// `SSL` block; nothing special unless given.
    pub ssl: Option<Ssl>,
    /// `virtual_server` blocks.
    pub virtual_servers: Vec<VirtualServer>,
    /// The entries by which groups are known, of those that were known before a reload.
    #[serde(skip)]
    pub leads: HashMap<VirtualServerKey, ServiceKey>,
    /// keepwatch's own `observability` block.
    pub observability: Observability,
}

impl Config {
    /// The instance of this name.
    pub fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| &*instance.name == name)
    }

    /// The whole model for programs; times are numbers of seconds. `Null` if it could not be said in JSON, which does
    /// not happen.
    pub fn to_json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        seconds(&mut value);
        value
    }

    /// The interfaces of the static addresses, routes and rules that are tracked for this instance (`track_group`).
    pub fn static_links_of<'a>(&'a self, instance: &'a str) -> impl Iterator<Item = &'a Name> + 'a {
        let addresses = self.static_addresses.iter().map(|address| {
            let LinkTarget::Named(interface) = &address.link else { return (&address.track_group, None) };
            (&address.track_group, Some(interface))
        });
        let routes = self.static_routes.iter().flat_map(|route| {
            let hops = std::iter::once(&route.hop).chain(route.next_hops.iter().map(|next| &next.hop));
            hops.map(|hop| (&route.track_group, hop.interface.as_ref()))
        });
        let rules = self.static_rules.iter().flat_map(|rule| {
            let both = [&rule.incoming_interface, &rule.outgoing_interface];
            both.map(|interface| (&rule.track_group, interface.as_ref()))
        });
        let has_it = move |group: &Name| {
            let group = self.track_groups.iter().find(|known| known.name == *group);
            group.is_some_and(|group| group.members.iter().any(|member| &**member == instance))
        };
        addresses
            .chain(routes)
            .chain(rules)
            .filter(move |(group, _)| group.as_ref().is_some_and(&has_it))
            .filter_map(|(_, interface)| interface)
    }

    /// The sync group that this instance is a member of.
    pub fn sync_group_of(&self, instance: &str) -> Option<&SyncGroup> {
        self.sync_groups.iter().find(|group| group.members.iter().any(|member| &**member == instance))
    }
}

/// Turns every `{"secs": …, "nanos": …}` into a number of seconds.
fn seconds(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            let part = |name: &str| map.get(name).and_then(serde_json::Value::as_u64);
            if let (2, Some(secs), Some(nanos)) = (map.len(), part("secs"), part("nanos")) {
                *value = match nanos {
                    0 => secs.into(),
                    _ => std::time::Duration::new(secs, nanos as u32).as_secs_f64().into(),
                };
            } else {
                map.values_mut().for_each(seconds);
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(seconds),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}
