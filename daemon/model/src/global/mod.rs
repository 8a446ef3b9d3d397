//! `global_defs`, and the root keywords that concern the whole daemon.

mod buffers;
mod dbus;
mod fifo;
mod files;
mod firewall;
mod ipvs;
mod links;
mod processes;
mod snmp;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use buffers::{AdvertBuffers, AdvertsMultiplier, KernelBuffer, ReceiveBuffers};
pub use dbus::Dbus;
pub use fifo::{NotifyFifo, NotifyFifos};
pub use files::{DumpFiles, IprouteDirectories, JsonVersion, ReloadFiles, ReloadMarker};
pub use firewall::{Firewall, Nftables, NftablesIpvs};
pub use ipvs::{LvsFlushOnStop, LvsTimeouts};
pub use links::{DynamicInterfaces, InterfaceDelays, LinkbeatInterface, LinkbeatMethod, VmacPrefixes};
pub use processes::{
    ApplicationPriority, AutoPriority, AutoPriorityDelay, ProcessNames, ProcessScheduling, Processes,
};
pub use snmp::Snmp;

use super::{Garp, GroupMark, LvsSyncDaemon, MailServer, Name, Script, ScriptUser, VrrpVersion};

/// `global_defs { … }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Global {
    /// `router_id` (old: `lvs_id`); the host's name unless given.
    pub router_id: Name,
    /// `notification_email { … }`: who gets the mail. Nobody means no mail.
    pub notification_email: Vec<Name>,
    /// `notification_email_from`; `USER@HOST` of this process unless given, and only when there is a mail server.
    pub notification_email_from: Option<Name>,
    /// `smtp_server`; no mail without it.
    pub smtp_server: Option<MailServer>,
    /// `smtp_connect_timeout`; 30 s unless given, never less than 1 s.
    pub smtp_connect_timeout: Duration,
    /// `smtp_helo_name`; the host's name unless given.
    pub smtp_helo_name: Name,
    /// `smtp_alert`, if written: already applied to every instance, group and server.
    pub smtp_alert: Option<bool>,
    /// `smtp_alert_vrrp`, if written: already applied.
    pub smtp_alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`, if written: already applied.
    pub smtp_alert_checker: Option<bool>,
    /// `no_email_faults`: no mail for going to FAULT.
    pub no_email_faults: bool,
    /// `no_checker_emails`: no mail from checkers when a server's overall state stays the same.
    pub no_checker_emails: bool,
    /// `checker_log_all_failures`: every failed check is logged, not only the last.
    pub checker_log_all_failures: bool,
    /// `default_interface` of addresses that have none, which have it already; for static ones `eth0` when `None`.
    pub default_interface: Option<Name>,
    /// `dynamic_interfaces [allow_if_changes]`: interfaces may appear later.
    pub dynamic_interfaces: DynamicInterfaces,
    /// `interface_up_down_delays`: when an interface counts as up or down; the others at once.
    pub interface_delays: Vec<InterfaceDelays>,
    /// `linkbeat_interfaces`: interfaces whose link is polled.
    pub linkbeat_interfaces: Vec<LinkbeatInterface>,
    /// `linkbeat_use_polling`: links of all interfaces are polled.
    pub linkbeat_use_polling: bool,
    /// `vmac_prefix`, `vmac_addr_prefix`.
    pub vmac_prefixes: VmacPrefixes,
    /// `disable_local_igmp`: the kernel does not report membership of groups of the link.
    pub disable_local_igmp: bool,
    /// `vrrp_version` of IPv4 instances; 2 unless given.
    pub vrrp_version: VrrpVersion,
    /// `vrrp_mcast_group4`; 224.0.0.18 unless given.
    pub vrrp_mcast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`; ff02::12 unless given.
    pub vrrp_mcast_group6: Ipv6Addr,
    /// `vrrp_garp_*`, `vrrp_gna_interval`, `vrrp_min_garp`: already applied to every instance.
    pub garp: Garp,
    /// `vrrp_lower_prio_no_advert`: already applied.
    pub vrrp_lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`: already applied.
    pub vrrp_higher_prio_send_advert: bool,
    /// `vrrp_down_timer_adverts`: already applied; 3 unless given.
    pub vrrp_down_timer_adverts: u8,
    /// `vrrp_strict`: already applied.
    pub vrrp_strict: bool,
    /// `vrrp_skip_check_adv_addr`: already applied.
    pub vrrp_skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`: already applied.
    pub v3_checksum_as_v2: bool,
    /// `vrrp_check_unicast_src`: already applied.
    pub vrrp_check_unicast_src: bool,
    /// `vrrp_owner_ignore_adverts`: already applied.
    pub vrrp_owner_ignore_adverts: bool,
    /// `vrrp_notify_priority_changes`: already applied.
    pub vrrp_notify_priority_changes: bool,
    /// `vrrp_startup_delay`: no instance does anything before this has passed since the start.
    pub vrrp_startup_delay: Duration,
    /// `vrrp_delay_after_boot`: no instance does anything before this has passed since the machine's boot. The later of
    /// both counts.
    pub vrrp_delay_after_boot: Duration,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// Names, priorities and CPUs of the daemon's parts.
    pub processes: Processes,
    /// Receive buffers of sockets.
    pub receive_buffers: ReceiveBuffers,
    /// Tables of the packet filter.
    pub firewall: Firewall,
    /// The marks that virtual server groups have, where `nftables_ipvs` gives them any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_marks: Vec<GroupMark>,
    /// `notify_fifo` and the like.
    pub notify_fifos: NotifyFifos,
    /// What SNMP serves.
    pub snmp: Snmp,
    /// The daemon on D-Bus.
    pub dbus: Dbus,
    /// `lvs_flush`: the kernel's IPVS table is emptied at start.
    pub lvs_flush: bool,
    /// `lvs_flush_on_stop`.
    pub lvs_flush_on_stop: LvsFlushOnStop,
    /// `lvs_timeouts`.
    pub lvs_timeouts: LvsTimeouts,
    /// `lvs_sync_daemon` (or an instance's `lvs_sync_daemon_interface`), resolved.
    pub lvs_sync_daemon: Option<LvsSyncDaemon>,
    /// `rs_init_notifies`: `notify_up` is run for servers found up at start.
    pub rs_init_notifies: bool,
    /// `script_user USER [[:]GROUP]`: already applied to every command and pipe without a user of its own.
    pub script_user: Option<ScriptUser>,
    /// `enable_script_security`: scripts that somebody but root could change are not run.
    pub enable_script_security: bool,
    /// `use_symlink_paths`: symbolic links in paths of scripts stay; else they are run by their real path.
    pub use_symlink_paths: bool,
    /// `set_supplementary_groups`: scripts run with their user's supplementary groups: already applied.
    pub set_supplementary_groups: bool,
    /// `startup_script`: runs before anything else does.
    pub startup_script: Option<Script>,
    /// `startup_script_timeout`, 1 s to 1000 s; 10 s unless given.
    pub startup_script_timeout: Duration,
    /// `shutdown_script`: runs after everything has stopped.
    pub shutdown_script: Option<Script>,
    /// `shutdown_script_timeout`, 1 s to 1000 s; 10 s unless given.
    pub shutdown_script_timeout: Duration,
    /// `instance NAME`: names of pid files and dumps.
    pub instance_name: Option<Name>,
    /// `net_namespace NAME`: the whole daemon runs in it.
    pub net_namespace: Option<Name>,
    /// `net_namespace_ipvs [NAME]`: whose IPVS table is used; that of the daemon's own namespace without the keyword.
    pub net_namespace_ipvs: Option<IpvsNamespace>,
    /// `use_pid_dir`: pid files are in a directory of their own; also with `instance` or `net_namespace`.
    pub use_pid_dir: bool,
    /// `child_wait_time`: how long a stop waits for what it has started; 5 s unless given.
    pub child_wait_time: Duration,
    /// `umask`, if written, in octal, any other base of C, or bits by name.
    pub umask: Option<u32>,
    /// `reload_*`, `config_save_dir`, `tmp_config_directory`.
    pub reload: ReloadFiles,
    /// `*_dump_file`, `data_use_instance`, `json_version`.
    pub dumps: DumpFiles,
    /// `iproute_usr_dir`, `iproute_etc_dir`.
    pub iproute: IprouteDirectories,
}

/// `net_namespace_ipvs [NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpvsNamespace {
    /// The keyword stands alone: the namespace that the daemon was started in.
    Default,
    /// That of this name.
    Named(Name),
}

impl Global {
    /// `vrrp_mcast_group4` unless given (RFC 9568 §5.1.1.2).
    pub const MULTICAST_GROUP_4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
}

impl Default for Global {
    fn default() -> Self {
        let host: Name = Name::from("localhost");
        Self {
            router_id: host.clone(),
            notification_email: Vec::new(),
            notification_email_from: None,
            smtp_server: None,
            smtp_connect_timeout: Duration::from_secs(30),
            smtp_helo_name: host,
            smtp_alert: None,
            smtp_alert_vrrp: None,
            smtp_alert_checker: None,
            no_email_faults: false,
            no_checker_emails: false,
            checker_log_all_failures: false,
            default_interface: None,
            dynamic_interfaces: DynamicInterfaces::No,
            interface_delays: Vec::new(),
            linkbeat_interfaces: Vec::new(),
            linkbeat_use_polling: false,
            vmac_prefixes: VmacPrefixes::default(),
            disable_local_igmp: false,
            vrrp_version: VrrpVersion::V2,
            vrrp_mcast_group4: Self::MULTICAST_GROUP_4,
            vrrp_mcast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            garp: Garp::default(),
            vrrp_lower_prio_no_advert: false,
            vrrp_higher_prio_send_advert: false,
            vrrp_down_timer_adverts: 3,
            vrrp_strict: false,
            vrrp_skip_check_adv_addr: false,
            v3_checksum_as_v2: false,
            vrrp_check_unicast_src: false,
            vrrp_owner_ignore_adverts: false,
            vrrp_notify_priority_changes: false,
            vrrp_startup_delay: Duration::ZERO,
            vrrp_delay_after_boot: Duration::ZERO,
            log_unknown_vrids: false,
            processes: Processes::default(),
            receive_buffers: ReceiveBuffers::default(),
            firewall: Firewall::default(),
            group_marks: Vec::new(),
            notify_fifos: NotifyFifos::default(),
            snmp: Snmp::default(),
            dbus: Dbus::default(),
            lvs_flush: false,
            lvs_flush_on_stop: LvsFlushOnStop::No,
            lvs_timeouts: LvsTimeouts::default(),
            lvs_sync_daemon: None,
            rs_init_notifies: false,
            script_user: None,
            enable_script_security: false,
            use_symlink_paths: false,
            set_supplementary_groups: false,
            startup_script: None,
            startup_script_timeout: Duration::from_secs(10),
            shutdown_script: None,
            shutdown_script_timeout: Duration::from_secs(10),
            instance_name: None,
            net_namespace: None,
            net_namespace_ipvs: None,
            use_pid_dir: false,
            child_wait_time: Duration::from_secs(5),
            umask: None,
            reload: ReloadFiles::default(),
            dumps: DumpFiles::default(),
            iproute: IprouteDirectories::default(),
        }
    }
}
