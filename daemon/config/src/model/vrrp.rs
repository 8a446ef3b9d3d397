//! Virtual routers and their groups.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{
    Family, InterfaceAddress, Name, Priority, Script, TrackedInterface, TrackedObject, VirtualRouterId,
};

/// VRRP version of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum VrrpVersion {
    /// RFC 3768: IPv4 (and keepalived's IPv6 use of it), whole seconds, PASS or AH authentication.
    #[default]
    #[serde(rename = "2")]
    V2,
    /// RFC 9568: IPv4 and IPv6, centiseconds, no authentication.
    #[serde(rename = "3")]
    V3,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InitialState {
    /// Begins as master at once, without waiting for the master-down time.
    Master,
    /// Begins as backup.
    #[default]
    Backup,
}

/// `authentication { … }`.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// None.
    None,
    /// `auth_type PASS`: the password in the packet, padded with zeros (RFC 2338 §5.3.6).
    Pass([u8; 8]),
    /// `auth_type AH`: IPsec authentication header, HMAC-MD5-96, keyed with these bytes padded with zeros.
    Ah([u8; 8]),
}

/// Passwords are secrets: neither the debug form nor `keepwatch config --json` shows them.
impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Pass(_) => "Pass(…)",
            Self::Ah(_) => "Ah(…)",
        })
    }
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

/// Gratuitous ARP and unsolicited neighbour advertisements of one instance; global defaults already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Garp {
    /// From becoming master to the second burst; 0 sends none. 5 s unless given.
    pub master_delay: Duration,
    /// Messages per address in each of the two bursts; 5 unless given.
    pub master_repeat: u32,
    /// Period of refreshing while master; 0 never refreshes (the default).
    pub master_refresh: Duration,
    /// Messages per address in each refresh; 1 unless given.
    pub master_refresh_repeat: u32,
    /// Delay of the second burst after a lower-priority advert was heard while master.
    pub lower_prio_delay: Duration,
    /// Messages per address after a lower-priority advert; 0 sends none.
    pub lower_prio_repeat: u32,
    /// Least time between two gratuitous ARP messages on an interface; 0 is no limit.
    pub interval: Duration,
    /// Least time between two unsolicited neighbour advertisements on an interface; 0 is no limit.
    pub gna_interval: Duration,
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
            interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
        }
    }
}

/// `notify_*` of an instance or a sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<Script>,
    /// `notify_backup`.
    pub backup: Option<Script>,
    /// `notify_fault`.
    pub fault: Option<Script>,
    /// `notify_stop`.
    pub stop: Option<Script>,
    /// `notify_deleted` (instances): a reload removed it.
    pub deleted: Option<Script>,
    /// `notify`: every change, with the arguments `INSTANCE|GROUP name STATE priority`.
    pub any: Option<Script>,
    /// `notify_master_rx_lower_pri` (instances): an advert of lower priority was heard while master.
    pub master_rx_lower_priority: Option<Script>,
}

/// An address of `unicast_peer { … }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct UnicastPeer {
    /// The other router.
    pub address: IpAddr,
    /// `min_ttl`: adverts with a smaller TTL are refused.
    pub min_ttl: Option<u8>,
    /// `max_ttl`: adverts with a greater TTL are refused.
    pub max_ttl: Option<u8>,
}

/// `use_vmac`, `use_ipvlan` and what goes with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vmac {
    /// `use_ipvlan` rather than `use_vmac`.
    pub ipvlan: bool,
    /// Name of the interface; one made of the prefix and the VRID when `None`.
    pub interface: Option<Name>,
    /// A hardware address written after `use_vmac`.
    pub mac: Option<[u8; 6]>,
    /// `vmac_xmit_base`: adverts leave through the underlying interface.
    pub xmit_base: bool,
    /// `use_vmac_addr`: addresses on other interfaces get VMAC interfaces too.
    pub addresses: bool,
}

/// What the kernel's IPVS connection synchronisation follows: `lvs_sync_daemon` of `global_defs`, or
/// `lvs_sync_daemon_interface` of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// A `vrrp_instance` block, defaults and inheritance resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instance {
    /// Its name: its identity over reloads.
    pub name: Name,
    /// `state`; without one, MASTER for priority 255 and BACKUP otherwise.
    pub state: InitialState,
    /// `interface`, else `default_interface`; `None` only for a unicast instance with a source address.
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
    /// `virtual_ipaddress`: advertised in this order.
    pub addresses: Vec<InterfaceAddress>,
    /// `virtual_ipaddress_excluded`: put on and taken off with the others but not advertised. More addresses than an
    /// advert has room for end up here too.
    pub excluded_addresses: Vec<InterfaceAddress>,
    /// `nopreempt`: a lower-priority master is left alone.
    pub nopreempt: bool,
    /// `preempt_delay`: wait so long after start-up, or after hearing a lower-priority master, before preempting.
    pub preempt_delay: Duration,
    /// `down_timer_adverts`: adverts missed before the master counts as dead; 3 unless given.
    pub down_timer_adverts: u8,
    /// `accept`: packets to the addresses are answered even by a master that does not own them; `no_accept` clears it.
    pub accept: bool,
    /// `strict_mode`, else `vrrp_strict`.
    pub strict: bool,
    /// Gratuitous ARP and neighbour advertisements.
    pub garp: Garp,
    /// `lower_prio_no_advert`: no advert in answer to one of lower priority.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`: a master that hears a higher priority sends one more advert before it yields.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`: the owner (priority 255) doesn't even look at adverts.
    pub owner_ignore_adverts: bool,
    /// `dont_track_primary`: the state of `interface` is no fault.
    pub dont_track_primary: bool,
    /// `track_interface`.
    pub track_interfaces: Vec<TrackedInterface>,
    /// `track_script`.
    pub track_scripts: Vec<TrackedObject>,
    /// `track_file`.
    pub track_files: Vec<TrackedObject>,
    /// `track_process`.
    pub track_processes: Vec<TrackedObject>,
    /// `track_bfd`.
    pub track_bfds: Vec<TrackedObject>,
    /// `mcast_src_ip` or `unicast_src_ip`: source of the adverts; the interface's first address when `None`.
    pub source_address: Option<IpAddr>,
    /// `track_src_ip`: a source address that is gone from the interface is a fault.
    pub track_source_address: bool,
    /// `mcast_dst_ip`, else the `vrrp_mcast_group` of the family.
    pub multicast_group: IpAddr,
    /// `unicast_peer`: adverts go to these instead of the multicast group; multicast when empty.
    pub unicast_peers: Vec<UnicastPeer>,
    /// `unicast_ttl` of adverts sent to peers, 0 to 255; 255 unless given.
    pub unicast_ttl: u8,
    /// `check_unicast_src`: adverts from other than the peers are refused.
    pub check_unicast_source: bool,
    /// `skip_check_adv_addr`: the address list of an advert from the same master is checked only once.
    pub skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`: version 3 over IPv4 without the pseudo-header in the checksum.
    pub v3_checksum_as_v2: bool,
    /// `promote_secondaries` on the interface.
    pub promote_secondaries: bool,
    /// `smtp_alert`, else `smtp_alert_vrrp`, else the global `smtp_alert`, else no.
    pub smtp_alert: bool,
    /// `notify_*` scripts.
    pub notify: Notify,
    /// `notify_priority_changes`: FIFOs are told of these too; inherited from the group, then `global_defs`.
    pub notify_priority_changes: bool,
    /// `lvs_sync_daemon_interface` of the instance (its old spellings included).
    pub lvs_sync_daemon_interface: Option<Name>,
    /// `use_vmac` or `use_ipvlan`.
    pub vmac: Option<Vmac>,
    /// `no_virtual_ipaddress`: having no address is meant so.
    pub no_virtual_ipaddress: bool,
    /// `kernel_rx_buf_size` of the receiving socket, bytes.
    pub kernel_rx_buf_size: Option<u32>,
    /// `debug`, 0 to 4.
    pub debug: u8,
}

/// A `vrrp_sync_group` block: its members change state together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SyncGroup {
    /// Its name: its identity over reloads.
    pub name: Name,
    /// Names of its instances; every one exists and is in no other group.
    pub members: Vec<Name>,
    /// `smtp_alert`, with the same inheritance as an instance.
    pub smtp_alert: bool,
    /// `notify_*` scripts.
    pub notify: Notify,
    /// `notify_priority_changes`, if written.
    pub notify_priority_changes: Option<bool>,
    /// `sync_group_tracking_weight`: members may have weighted trackers, and keep different priorities.
    pub tracking_weight: bool,
    /// `global_tracking` (old): tracking is done by the group only.
    pub global_tracking: bool,
    /// `track_interface`.
    pub track_interfaces: Vec<TrackedInterface>,
    /// `track_script`.
    pub track_scripts: Vec<TrackedObject>,
    /// `track_file`.
    pub track_files: Vec<TrackedObject>,
    /// `track_process`.
    pub track_processes: Vec<TrackedObject>,
    /// `track_bfd`.
    pub track_bfds: Vec<TrackedObject>,
}
