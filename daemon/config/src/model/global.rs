//! `global_defs`, and the root keywords that concern the whole daemon.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Garp, LvsSyncDaemon, MailServer, Name, Script, VrrpVersion};

/// `global_defs { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Global {
    /// `router_id` (old: `lvs_id`); the host's name unless given.
    pub router_id: Name,
    /// `notification_email { … }`: who gets the mail. Nobody means no mail.
    pub notification_email: Vec<Name>,
    /// `notification_email_from`; `USER@HOST` of this process unless given, and only when there is a mail server.
    pub notification_email_from: Option<Name>,
    /// `smtp_server`; no mail without it.
    pub smtp_server: Option<MailServer>,
    /// `smtp_connect_timeout`; 30 s unless given.
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
    /// `default_interface` of instances, static addresses and routes.
    pub default_interface: Option<Name>,
    /// `dynamic_interfaces`: interfaces may appear later.
    pub dynamic_interfaces: bool,
    /// `vrrp_version` of IPv4 instances; 2 unless given.
    pub vrrp_version: VrrpVersion,
    /// `vrrp_mcast_group4`; 224.0.0.18 unless given.
    pub vrrp_mcast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`; ff02::12 unless given.
    pub vrrp_mcast_group6: Ipv6Addr,
    /// `vrrp_garp_*`, `vrrp_gna_interval`: already applied to every instance.
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
    /// `vrrp_startup_delay`: no instance does anything before this has passed.
    pub vrrp_startup_delay: Duration,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// `vrrp_priority` and the like: how the VRRP thread is scheduled.
    pub vrrp_process: ProcessScheduling,
    /// `checker_priority` and the like.
    pub checker_process: ProcessScheduling,
    /// `bfd_priority` and the like.
    pub bfd_process: ProcessScheduling,
    /// `max_auto_priority`, if written: real-time priority is raised by itself up to this; −1 turns it off.
    pub max_auto_priority: Option<i32>,
    /// What SNMP serves.
    pub snmp: Snmp,
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
    /// `script_user USER [GROUP]`.
    pub script_user: Option<(Name, Option<Name>)>,
    /// `enable_script_security`: scripts that somebody but root could change are not run.
    pub enable_script_security: bool,
    /// `startup_script`.
    pub startup_script: Option<Script>,
    /// `shutdown_script`.
    pub shutdown_script: Option<Script>,
    /// `instance NAME`: names of pid files and dumps.
    pub instance_name: Option<Name>,
    /// `net_namespace NAME`: the whole daemon runs in it.
    pub net_namespace: Option<Name>,
    /// `net_namespace_ipvs NAME`: the IPVS table of it is used.
    pub net_namespace_ipvs: Option<Name>,
    /// `use_pid_dir`.
    pub use_pid_dir: bool,
    /// `process_names`: names of the processes show what they are.
    pub process_name: Option<Name>,
    /// `umask`, if written.
    pub umask: Option<u32>,
    /// `state_dump_file`, if written.
    pub state_dump_file: Option<PathBuf>,
    /// `stats_dump_file`, if written.
    pub stats_dump_file: Option<PathBuf>,
    /// `json_dump_file`, if written.
    pub json_dump_file: Option<PathBuf>,
}

/// How much nicer a process is: `…_priority`, −20 to 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ApplicationPriority(pub i8);

/// Scheduling of one of the daemon's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessScheduling {
    /// `…_priority`: nice value.
    pub nice: Option<ApplicationPriority>,
    /// `…_rt_priority`: SCHED_RR with this priority, 1 to 99.
    pub realtime: Option<u8>,
    /// `…_rlimit_rttime`: RLIMIT_RTTIME; 10 ms unless given. Only with `realtime`.
    pub rttime_limit: Option<Duration>,
    /// `…_no_swap`: memory is locked.
    pub no_swap: bool,
    /// `…_cpu_affinity`: CPUs it may run on; all when empty.
    pub cpu_affinity: Vec<u32>,
}

/// SNMP settings. `-x` on the command line turns all four tables on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// `snmp_socket`: where the master agent listens, in net-snmp's notation.
    pub socket: Option<Name>,
    /// `snmp_vs_stats_update_interval`; 5 s unless given.
    pub vs_stats_interval: Duration,
    /// `snmp_rs_stats_update_interval`; that of virtual servers unless given.
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

/// `lvs_flush_on_stop [VS]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LvsFlushOnStop {
    /// Not written: services are removed server by server.
    #[default]
    No,
    /// The whole table is flushed.
    All,
    /// `VS`: virtual servers are deleted without their real servers one by one.
    VirtualServers,
}

/// `lvs_timeouts [tcp N] [tcpfin N] [udp N]`: the kernel's, changed only where written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct LvsTimeouts {
    /// Established TCP.
    pub tcp: Option<Duration>,
    /// TCP after FIN.
    pub tcp_fin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
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
            dynamic_interfaces: false,
            vrrp_version: VrrpVersion::V2,
            vrrp_mcast_group4: Ipv4Addr::new(224, 0, 0, 18),
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
            log_unknown_vrids: false,
            vrrp_process: ProcessScheduling::default(),
            checker_process: ProcessScheduling::default(),
            bfd_process: ProcessScheduling::default(),
            max_auto_priority: None,
            snmp: Snmp::default(),
            lvs_flush: false,
            lvs_flush_on_stop: LvsFlushOnStop::No,
            lvs_timeouts: LvsTimeouts::default(),
            lvs_sync_daemon: None,
            rs_init_notifies: false,
            script_user: None,
            enable_script_security: false,
            startup_script: None,
            shutdown_script: None,
            instance_name: None,
            net_namespace: None,
            net_namespace_ipvs: None,
            use_pid_dir: false,
            process_name: None,
            umask: None,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
        }
    }
}
