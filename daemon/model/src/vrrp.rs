//! Virtual routers.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::auth_hmac::AuthHmac;
use super::subject::{VirtualAddress, VrrpState};
use super::{
    Family, Garp, Global, InterfaceAddress, Name, Notify, Priority, Rare, Route, Rule, Secret, Tracking,
    VirtualRouterId, Vmac,
};

/// VRRP version of an instance. Written, it is its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum VrrpVersion {
    /// RFC 3768: IPv4 (and keepalived's IPv6 use of it), whole seconds, PASS or AH authentication.
    #[default]
    V2,
    /// RFC 9568: IPv4 and IPv6, centiseconds, no authentication.
    V3,
}

impl From<VrrpVersion> for u8 {
    fn from(version: VrrpVersion) -> Self {
        version.number()
    }
}

impl TryFrom<u8> for VrrpVersion {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            2 => Ok(Self::V2),
            3 => Ok(Self::V3),
            other => Err(format!("there is no version {other} of VRRP")),
        }
    }
}

impl VrrpVersion {
    /// 2 or 3, as on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for VrrpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// `state`: where the instance begins. It decides nothing after the first election.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InitialState {
    /// Begins as master at once, without waiting for the master-down time.
    Master,
    /// Begins as backup.
    #[default]
    Backup,
}

impl From<InitialState> for VrrpState {
    fn from(state: InitialState) -> Self {
        match state {
            InitialState::Master => Self::Master,
            InitialState::Backup => Self::Backup,
        }
    }
}

/// `authentication { … }`. Written, it is its kind: `none`, `PASS` or `AH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// None.
    #[default]
    None,
    /// `auth_type PASS`: the password in the packet, padded with zeros (RFC 2338 §5.3.6).
    Pass(Secret<[u8; 8]>),
    /// `auth_type AH`: IPsec authentication header, HMAC-MD5-96, keyed with these bytes padded with zeros.
    Ah(Secret<[u8; 8]>),
}

impl Serialize for Authentication {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::None => "none",
            Self::Pass(_) => "PASS",
            Self::Ah(_) => "AH",
        })
    }
}

impl<'de> Deserialize<'de> for Authentication {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "none" => Ok(Self::None),
            "PASS" => Ok(Self::Pass(Secret::default())),
            "AH" => Ok(Self::Ah(Secret::default())),
            other => Err(D::Error::unknown_variant(other, &["none", "PASS", "AH"])),
        }
    }
}

/// An address of `unicast_peer { … }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnicastPeer {
    /// The other router.
    pub address: IpAddr,
    /// `min_ttl`: adverts with a smaller TTL are refused.
    pub min_ttl: Option<u8>,
    /// `max_ttl`: adverts with a greater TTL are refused.
    pub max_ttl: Option<u8>,
}

/// What the kernel's IPVS connection synchronisation follows: `lvs_sync_daemon` of `global_defs`, or
/// `lvs_sync_daemon_interface` of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LvsSyncDaemon {
    /// Interface that the synchronisation messages use.
    pub interface: Name,
    /// Instance whose state it follows: its master tells of connections, everybody else listens. Without one both halves
    /// run all the time.
    pub instance: Option<Name>,
    /// Synchronisation id; the instance's VRID unless given, 0 without one.
    pub sync_id: u8,
    /// `maxlen` of a message.
    pub max_len: Option<u16>,
    /// UDP port.
    pub port: Option<u16>,
    /// TTL of the multicast.
    pub ttl: Option<u8>,
    /// Multicast group.
    pub group: Option<IpAddr>,
}

/// `old_unicast_checksum`: up to keepalived 1.3.6 the checksum of version 3 unicast over IPv4 was another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnicastChecksum {
    /// As the peer does. The default.
    #[default]
    Detect,
    /// The old one.
    Old,
    /// `never`: the right one, whatever the peer does.
    Never,
}

/// Why an instance can't leave FAULT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigFault {
    /// `unicast_fault_no_peer`, and there are no peers.
    UnicastWithoutPeers,
    /// `use_ipvlan` over IPv4 without an address.
    IpvlanWithoutAddress,
    /// An instance that takes over by itself has addresses on the same VMAC.
    SharedVmac,
    /// `auth_hmac` without a key of the number that `active_key` says: its adverts could not be signed.
    HmacWithoutKey,
}

/// A `vrrp_instance` block, defaults and inheritance resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name: its identity over reloads.
    pub name: Name,
    /// `state`; without one, MASTER for priority 255 and BACKUP otherwise.
    pub state: InitialState,
    /// `interface`; `None` only for a unicast instance with a source address.
    pub interface: Option<Name>,
    /// `virtual_router_id`.
    pub vrid: VirtualRouterId,
    /// `priority`; without one, 255 for `state MASTER` and 100 otherwise.
    pub priority: Priority,
    /// `advert_int`: whole seconds 1–255 in version 2, a multiple of 10 ms up to 40.95 s in version 3; 1 s unless given.
    pub advert_int: Duration,
    /// Protocol version: its own, else `vrrp_version`; 3 for IPv6 unless told otherwise.
    pub version: VrrpVersion,
    /// Family of the adverts: that of the first `virtual_ipaddress`, or of the unicast source; or IPv6 by `native_ipv6`.
    pub family: Family,
    /// `authentication`, version 2 only.
    pub authentication: Authentication,
    /// `auth_hmac`; there is no `authentication` beside it.
    pub auth_hmac: Option<Box<AuthHmac>>,
    /// `virtual_ipaddress`: advertised in this order.
    pub addresses: Vec<InterfaceAddress>,
    /// `virtual_ipaddress_excluded`: put on and taken off with the others but not advertised. More addresses than an
    /// advert has room for end up here too.
    pub excluded_addresses: Vec<InterfaceAddress>,
    /// `nopreempt`: a lower-priority master is left alone.
    pub nopreempt: bool,
    /// `preempt_delay`: wait so long after start-up, or after hearing a lower-priority master, before preempting.
    pub preempt_delay: Duration,
    /// `timer_expired_backup`: when its timer ran out so late that another may have become master, it waits as backup
    /// for one of this priority, the highest that another has. Only with `nopreempt`.
    pub timer_expired_backup: Option<Priority>,
    /// `down_timer_adverts`: adverts missed before the master counts as dead; 3 unless given.
    pub down_timer_adverts: u8,
    /// `accept`: packets to the addresses are answered even by a master that does not own them; `no_accept` clears it.
    pub accept: bool,
    /// `strict_mode`, else `vrrp_strict`.
    pub strict: bool,
    /// Gratuitous ARP and neighbour advertisements; instances with the same settings share them.
    pub garp: Arc<Garp>,
    /// `lower_prio_no_advert`: no advert in answer to one of lower priority.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`: a master that hears a higher priority sends one more advert before it yields.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`: the owner (priority 255) doesn't even look at adverts.
    pub owner_ignore_adverts: bool,
    /// `dont_track_primary`: the state of `interface` is no fault.
    pub dont_track_primary: bool,
    /// What it follows besides its interface; what its group follows stands there.
    pub tracking: Rare<Tracking>,
    /// `mcast_src_ip` or `unicast_src_ip`: source of the adverts; the interface's first address when `None`.
    pub source_address: Option<IpAddr>,
    /// `track_src_ip`: a source address that is gone from the interface is a fault.
    pub track_source_address: bool,
    /// `mcast_dst_ip`, else the `vrrp_mcast_group` of the family.
    pub multicast_group: IpAddr,
    /// `unicast_peer`: adverts go to these instead of the multicast group; multicast when empty.
    pub unicast_peers: Vec<UnicastPeer>,
    /// `old_unicast_checksum`.
    pub unicast_checksum: UnicastChecksum,
    /// `unicast_ttl` of adverts sent to peers, 0 to 255; 255 unless given.
    pub unicast_ttl: u8,
    /// `check_unicast_src`: adverts from other than the peers are refused.
    pub check_unicast_source: bool,
    /// `skip_check_adv_addr`: the address list of an advert from the same master is checked only once.
    pub skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`: the checksum of version 3 over IPv4 leaves the pseudo-header out, as that of version 2 does.
    pub v3_checksum_as_v2: bool,
    /// `promote_secondaries` on the interface.
    pub promote_secondaries: bool,
    /// `smtp_alert`, else `smtp_alert_vrrp`, else the global `smtp_alert`, else no.
    pub smtp_alert: bool,
    /// `notify_*` scripts.
    pub notify: Rare<Notify>,
    /// `notify_priority_changes`: FIFOs are told of these too; inherited from the group, then `global_defs`.
    pub notify_priority_changes: bool,
    /// The `vrrp_sync_group` that it is a member of.
    pub group: Option<Name>,
    /// `lvs_sync_daemon_interface` of the instance (its old spellings included).
    pub lvs_sync_daemon_interface: Option<Name>,
    /// `use_vmac` or `use_ipvlan`.
    pub vmac: Option<Box<Vmac>>,
    /// `use_vmac_addr`: addresses on other interfaces go on VMAC interfaces too.
    pub vmac_for_addresses: bool,
    /// `vrf` that the sockets of a unicast instance without interface are bound to.
    pub vrf: Option<Name>,
    /// `virtual_routes`: put on and taken off with the addresses.
    pub routes: Box<[Route]>,
    /// `virtual_rules`: put on and taken off with the addresses.
    pub rules: Box<[Rule]>,
    /// `no_virtual_ipaddress`: having no address is meant so.
    pub no_virtual_ipaddress: bool,
    /// `kernel_rx_buf_size` of the receiving socket, bytes.
    pub kernel_rx_buf_size: Option<u32>,
    /// `debug`, 0 to 4.
    pub debug: u8,
    /// `linkbeat_use_polling` (old): the link of its interface is polled.
    pub poll_link: bool,
    /// It is in FAULT and stays there, for a mistake that nothing but another configuration mends.
    pub config_fault: Option<ConfigFault>,
}

impl Instance {
    /// A version 2 instance of this name with keepalived's defaults, and without an address.
    pub fn new(name: Name, interface: Name, vrid: VirtualRouterId) -> Self {
        Self {
            name,
            state: InitialState::Backup,
            interface: Some(interface),
            vrid,
            priority: Priority::DEFAULT,
            advert_int: Duration::from_secs(1),
            version: VrrpVersion::V2,
            family: Family::Inet,
            authentication: Authentication::None,
            auth_hmac: None,
            addresses: Vec::new(),
            excluded_addresses: Vec::new(),
            nopreempt: false,
            preempt_delay: Duration::ZERO,
            timer_expired_backup: None,
            down_timer_adverts: 3,
            accept: true,
            strict: false,
            garp: Arc::default(),
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            dont_track_primary: false,
            tracking: Rare::default(),
            source_address: None,
            track_source_address: false,
            multicast_group: Global::MULTICAST_GROUP_4.into(),
            unicast_peers: Vec::new(),
            unicast_checksum: UnicastChecksum::Detect,
            unicast_ttl: 255,
            check_unicast_source: false,
            skip_check_adv_addr: false,
            v3_checksum_as_v2: false,
            promote_secondaries: false,
            smtp_alert: false,
            notify: Rare::default(),
            notify_priority_changes: false,
            group: None,
            lvs_sync_daemon_interface: None,
            vmac: None,
            vmac_for_addresses: false,
            vrf: None,
            routes: Box::default(),
            rules: Box::default(),
            no_virtual_ipaddress: false,
            kernel_rx_buf_size: None,
            debug: 0,
            poll_link: false,
            config_fault: None,
        }
    }

    /// The interface of its adverts; empty for a unicast instance without one.
    pub fn interface_name(&self) -> &str {
        self.interface.as_deref().unwrap_or_default()
    }

    /// One of its addresses as facts name it: with the interface that it goes on.
    pub fn virtual_address(&self, address: &InterfaceAddress) -> VirtualAddress {
        address.beside(self.interface_name())
    }

    /// All that it puts on interfaces: what it advertises, then the excluded addresses.
    pub fn all_addresses(&self) -> impl Iterator<Item = &InterfaceAddress> {
        self.addresses.iter().chain(&self.excluded_addresses)
    }
}
