//! `global_defs`.

use super::{Arg, Keyword, Kind, any, flag, kw, one, opt, script, some, switch};

const LONG: u64 = 4_294_967_295;
const U32: i64 = u32::MAX as i64;
const SECS: i64 = 4294;
const I32: i64 = i32::MAX as i64;

const PATH: &[Arg] = &[one("PATH", Kind::Word)];
const NICE: &[Arg] = &[one("NICE", Kind::Int(-20, 19))];
const REALTIME: &[Arg] = &[one("PRIORITY", Kind::Int(i32::MIN as i64, I32))];
const CPUS: &[Arg] = &[some("CPU", Kind::Int(0, 1023))];
const MICROS: &[Arg] = &[one("MICROSECONDS", Kind::Int(1, U32))];
const BYTES: &[Arg] = &[one("BYTES", Kind::Int(0, U32))];

const fn path(name: &'static str, help: &'static str) -> Keyword {
    kw(name, PATH, help)
}
const fn nice(name: &'static str, help: &'static str) -> Keyword {
    kw(name, NICE, help)
}
const fn realtime(name: &'static str) -> Keyword {
    kw(name, REALTIME, "Real-time priority (SCHED_RR).")
}
const fn affinity(name: &'static str) -> Keyword {
    kw(name, CPUS, "CPUs that it may run on.")
}
const fn rlimit(name: &'static str) -> Keyword {
    kw(name, MICROS, "Most real-time CPU time without sleeping.")
}
const fn buffers(name: &'static str) -> Keyword {
    kw(name, BYTES, "Receive buffer of a kernel socket.")
}

/// `global_defs { … }`.
pub(super) const GLOBAL: &[Keyword] = &[
    kw("router_id", &[one("NAME", Kind::Word)], "Name of this machine in mails and SNMP.")
        .old(&["lvs_id"])
        .default("the host's name")
        .example("router_id LVS_MAIN"),
    kw("notification_email", &[], "Who gets mail.")
        .lines("ADDRESS …")
        .repeats()
        .example("notification_email {\n    admin@example.com\n}"),
    kw("notification_email_from", &[one("ADDRESS", Kind::Word)], "Who mail comes from.")
        .default("USER@HOST")
        .example("notification_email_from keepwatch@example.com"),
    kw("smtp_server", &[one("ADDRESS | HOST", Kind::Word), opt("PORT", Kind::Int(1, 65535))], "Mail server.")
        .default("none: no mail; port 25")
        .example("smtp_server 127.0.0.1 25"),
    kw("smtp_helo_name", &[one("NAME", Kind::Word)], "Name in the greeting to the mail server.")
        .default("the host's name")
        .example("smtp_helo_name me.example.com"),
    kw("smtp_connect_timeout", &[one("SECONDS", Kind::Int(0, SECS))], "How long the mail server may take.")
        .default("30")
        .example("smtp_connect_timeout 10"),
    switch("smtp_alert", "Mail from everything.").example("smtp_alert"),
    switch("smtp_alert_vrrp", "Mail from instances and groups.")
        .default("smtp_alert, else off")
        .example("smtp_alert_vrrp"),
    switch("smtp_alert_checker", "Mail from virtual and real servers.")
        .default("smtp_alert, else on for real servers only")
        .example("smtp_alert_checker"),
    flag("no_email_faults", "No mail for faults.").example("no_email_faults"),
    switch("no_checker_emails", "No mail from checkers unless the server goes up or down.")
        .example("no_checker_emails"),
    switch("checker_log_all_failures", "Log every failed check.")
        .default("off")
        .example("checker_log_all_failures"),
    flag("process_names", "Name processes after what they are.").example("process_names"),
    kw("process_name", &[opt("NAME", Kind::Word)], "Name of the main process.").example("process_name kw"),
    kw("vrrp_process_name", &[opt("NAME", Kind::Word)], "Name of the VRRP part.")
        .example("vrrp_process_name kw_vrrp"),
    kw("checker_process_name", &[opt("NAME", Kind::Word)], "Name of the checker part.")
        .old(&["lvs_process_name"])
        .example("checker_process_name kw_check"),
    kw("bfd_process_name", &[opt("NAME", Kind::Word)], "Name of the BFD part.")
        .example("bfd_process_name kw_bfd"),
    switch("use_symlink_paths", "Leave symbolic links in paths of scripts.").example("use_symlink_paths"),
    switch("set_supplementary_groups", "Scripts run with the user's supplementary groups.")
        .example("set_supplementary_groups"),
    script("startup_script", "Command to run before anything starts.")
        .example("startup_script \"/etc/keepalived/start.sh\"")
        .first_counts(),
    kw("startup_script_timeout", &[one("SECONDS", Kind::Int(1, 1000))], "How long that may run.")
        .default("10")
        .example("startup_script_timeout 10"),
    script("shutdown_script", "Command to run after everything has stopped.")
        .example("shutdown_script \"/etc/keepalived/stop.sh\"")
        .first_counts(),
    kw("shutdown_script_timeout", &[one("SECONDS", Kind::Int(1, 1000))], "How long that may run.")
        .default("10")
        .example("shutdown_script_timeout 10"),
    kw(
        "max_auto_priority",
        &[opt("PRIORITY", Kind::Int(-1, 99))],
        "How far the real-time priority may be raised by itself.",
    )
    .default("0")
    .example("max_auto_priority 50"),
    kw(
        "min_auto_priority_delay",
        &[one("MICROSECONDS", Kind::Int(1, 10_000_000))],
        "How late a timer must be for that.",
    )
    .default("1000000")
    .example("min_auto_priority_delay 1000000"),
    switch("dynamic_interfaces", "Interfaces may appear later.").example("dynamic_interfaces"),
    kw("default_interface", &[one("INTERFACE", Kind::Interface)], "Interface of addresses that name none.")
        .default("eth0")
        .example("default_interface eth0"),
    flag("disable_local_igmp", "Leave IGMP to others.").example("disable_local_igmp"),
    switch("v3_checksum_as_v2", "No pseudo-header in the checksum of version 3 over IPv4.")
        .default("off")
        .example("v3_checksum_as_v2 on"),
    kw(
        "lvs_timeouts",
        &[some("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]", Kind::Options("timeouts"))],
        "Timeouts of IPVS connections.",
    )
    .example("lvs_timeouts tcp 900 tcpfin 120 udp 300"),
    flag("lvs_flush", "Empty the IPVS table at start.").example("lvs_flush"),
    kw("lvs_flush_on_stop", &[opt("VS", Kind::Choice(&["VS"]))], "Empty the IPVS table on stopping.")
        .old(&["lvs_flush_onstop"])
        .example("lvs_flush_on_stop"),
    kw(
        "lvs_sync_daemon",
        &[
            one("INTERFACE", Kind::Interface),
            any(
                "[inst] INSTANCE [id ID] [maxlen BYTES] [port PORT] [ttl TTL] [group ADDRESS]",
                Kind::Options("sync daemon"),
            ),
        ],
        "Synchronise IPVS connections with the other director.",
    )
    .example("lvs_sync_daemon eth1 inst VI_1 id 51")
    .first_counts(),
    kw("vrrp_mcast_group4", &[one("ADDRESS", Kind::Address4)], "Multicast group of IPv4 adverts.")
        .default("224.0.0.18")
        .example("vrrp_mcast_group4 224.0.0.19"),
    kw("vrrp_mcast_group6", &[one("ADDRESS", Kind::Multicast6)], "Multicast group of IPv6 adverts.")
        .default("ff02::12")
        .example("vrrp_mcast_group6 ff02::13"),
    kw(
        "vrrp_garp_master_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "From becoming master to the second burst of gratuitous ARP.",
    )
    .default("5")
    .example("vrrp_garp_master_delay 10"),
    kw("vrrp_garp_master_repeat", &[one("NUMBER", Kind::Int(0, U32))], "Messages per address in each burst.")
        .default("5")
        .example("vrrp_garp_master_repeat 3"),
    kw(
        "vrrp_garp_master_refresh",
        &[one("SECONDS", Kind::Int(0, U32))],
        "Period of refreshing gratuitous ARP while master.",
    )
    .default("0, never")
    .example("vrrp_garp_master_refresh 60"),
    kw(
        "vrrp_garp_master_refresh_repeat",
        &[one("NUMBER", Kind::Int(0, U32))],
        "Messages per address in each refresh.",
    )
    .default("1")
    .example("vrrp_garp_master_refresh_repeat 2"),
    kw(
        "vrrp_garp_lower_prio_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "Delay of the second burst after a lower priority was heard.",
    )
    .default("vrrp_garp_master_delay")
    .example("vrrp_garp_lower_prio_delay 10"),
    kw(
        "vrrp_garp_lower_prio_repeat",
        &[one("NUMBER", Kind::Int(0, I32))],
        "Messages per address after a lower priority was heard.",
    )
    .default("vrrp_garp_master_repeat")
    .example("vrrp_garp_lower_prio_repeat 1"),
    kw(
        "vrrp_down_timer_adverts",
        &[one("NUMBER", Kind::Int(1, 100))],
        "Adverts missed before a master counts as dead.",
    )
    .default("3")
    .example("vrrp_down_timer_adverts 4"),
    kw(
        "vrrp_garp_interval",
        &[one("SECONDS", Kind::Seconds(1, LONG))],
        "Least time between gratuitous ARP messages on an interface.",
    )
    .default("0")
    .example("vrrp_garp_interval 0.001"),
    kw(
        "vrrp_gna_interval",
        &[one("SECONDS", Kind::Seconds(1, LONG))],
        "Least time between unsolicited neighbour advertisements on an interface.",
    )
    .default("0")
    .example("vrrp_gna_interval 0.001"),
    switch("vrrp_min_garp", "One message per address and no second burst.").example("vrrp_min_garp"),
    kw(
        "vrrp_garp_extra_if",
        &[some("[all] SECONDS", Kind::Word)],
        "Repeat gratuitous ARP on interfaces other than the instance's.",
    )
    .old(&["vrrp_vmac_garp_intvl"])
    .example("vrrp_garp_extra_if all 100"),
    switch("vrrp_lower_prio_no_advert", "No advert in answer to a lower priority.")
        .default("off")
        .example("vrrp_lower_prio_no_advert"),
    switch("vrrp_higher_prio_send_advert", "One more advert before yielding to a higher priority.")
        .default("off")
        .example("vrrp_higher_prio_send_advert"),
    kw("vrrp_version", &[one("VERSION", Kind::Int(2, 3))], "Version of IPv4 instances.")
        .default("2")
        .example("vrrp_version 3"),
    kw(
        "vrrp_iptables",
        &[opt("INPUT", Kind::Limited(28)), opt("OUTPUT", Kind::Limited(28))],
        "Chains of iptables that drop packets to unaccepted addresses.",
    )
    .example("vrrp_iptables keepalived")
    .first_counts(),
    kw("vrrp_ipsets", &[any("off | NAME …", Kind::Word)], "Sets that those chains use.")
        .example("vrrp_ipsets keepalived"),
    kw("nftables", &[opt("TABLE", Kind::Word)], "nftables table that drops packets to unaccepted addresses.")
        .example("nftables keepalived")
        .first_counts(),
    kw("nftables_priority", &[one("PRIORITY", Kind::Int(i32::MIN as i64, I32))], "Priority of its chains.")
        .default("-1")
        .example("nftables_priority -1"),
    flag("nftables_ifindex", "Use interface indexes in it.").example("nftables_ifindex"),
    flag("nftables_counters", "Count packets in it.").example("nftables_counters"),
    kw(
        "nftables_ipvs",
        &[opt("TABLE", Kind::Word)],
        "nftables table that marks packets of virtual server groups.",
    )
    .example("nftables_ipvs keepalived_ipvs")
    .first_counts(),
    kw(
        "nftables_ipvs_priority",
        &[one("PRIORITY", Kind::Int(i32::MIN as i64, I32))],
        "Priority of its chains.",
    )
    .example("nftables_ipvs_priority -1"),
    kw("nftables_ipvs_start_fwmark", &[one("MARK", Kind::Int(1, U32))], "First mark that it uses.")
        .default("1000")
        .example("nftables_ipvs_start_fwmark 1000"),
    flag("vrrp_check_unicast_src", "Refuse unicast adverts from others than the peers.")
        .example("vrrp_check_unicast_src"),
    switch("vrrp_skip_check_adv_addr", "Check the address list of a master's adverts only once.")
        .default("off")
        .example("vrrp_skip_check_adv_addr"),
    switch("vrrp_strict", "Keep to the RFC.").default("off").example("vrrp_strict"),
    nice("vrrp_priority", "Nice value of the VRRP part.").default("0").example("vrrp_priority -10"),
    flag("vrrp_no_swap", "Lock the VRRP part's memory.").example("vrrp_no_swap"),
    realtime("vrrp_rt_priority").example("vrrp_rt_priority 50"),
    affinity("vrrp_cpu_affinity").example("vrrp_cpu_affinity 0 1"),
    rlimit("vrrp_rlimit_rttime")
        .old(&["vrrp_rlimit_rtime"])
        .default("10000")
        .example("vrrp_rlimit_rttime 10000"),
    nice("checker_priority", "Nice value of the checker part.").default("0").example("checker_priority -10"),
    flag("checker_no_swap", "Lock the checker part's memory.").example("checker_no_swap"),
    realtime("checker_rt_priority").example("checker_rt_priority 50"),
    affinity("checker_cpu_affinity").example("checker_cpu_affinity 0 1"),
    rlimit("checker_rlimit_rttime")
        .old(&["checker_rlimit_rtime"])
        .default("10000")
        .example("checker_rlimit_rttime 10000"),
    nice("bfd_priority", "Nice value of the BFD part.").default("0").example("bfd_priority -10"),
    flag("bfd_no_swap", "Lock the BFD part's memory.").example("bfd_no_swap"),
    realtime("bfd_rt_priority").example("bfd_rt_priority 50"),
    affinity("bfd_cpu_affinity").example("bfd_cpu_affinity 0 1"),
    rlimit("bfd_rlimit_rttime")
        .old(&["bfd_rlimit_rtime"])
        .default("10000")
        .example("bfd_rlimit_rttime 10000"),
    kw(
        "notify_fifo",
        &[one("PATH", Kind::Word), any("[USER [GROUP]]", Kind::Word)],
        "FIFO that is told of every change.",
    )
    .example("notify_fifo /run/keepalived.fifo")
    .first_counts(),
    script("notify_fifo_script", "Command that reads it.")
        .example("notify_fifo_script \"/etc/keepalived/fifo.sh\"")
        .first_counts(),
    kw(
        "vrrp_notify_fifo",
        &[one("PATH", Kind::Word), any("[USER [GROUP]]", Kind::Word)],
        "FIFO that is told of VRRP changes.",
    )
    .example("vrrp_notify_fifo /run/vrrp.fifo")
    .first_counts(),
    script("vrrp_notify_fifo_script", "Command that reads it.")
        .example("vrrp_notify_fifo_script \"/etc/keepalived/fifo.sh\"")
        .first_counts(),
    kw(
        "lvs_notify_fifo",
        &[one("PATH", Kind::Word), any("[USER [GROUP]]", Kind::Word)],
        "FIFO that is told of virtual and real server changes.",
    )
    .example("lvs_notify_fifo /run/lvs.fifo")
    .first_counts(),
    script("lvs_notify_fifo_script", "Command that reads it.")
        .example("lvs_notify_fifo_script \"/etc/keepalived/fifo.sh\"")
        .first_counts(),
    switch("vrrp_notify_priority_changes", "Tell FIFOs of priority changes too.")
        .default("off")
        .example("vrrp_notify_priority_changes"),
    flag("fifo_write_vrrp_states_on_reload", "Write all states to FIFOs on a reload.")
        .example("fifo_write_vrrp_states_on_reload"),
    kw("snmp_socket", &[opt("SOCKET", Kind::Word)], "Where the SNMP master agent listens.")
        .default("/var/agentx/master")
        .example("snmp_socket unix:/var/agentx/master")
        .exact()
        .first_counts(),
    flag("enable_snmp_vrrp", "Serve the VRRP part of KEEPALIVED-MIB.")
        .old(&["enable_snmp_keepalived"])
        .example("enable_snmp_vrrp"),
    flag("enable_snmp_checker", "Serve the checker part of KEEPALIVED-MIB.").example("enable_snmp_checker"),
    flag("enable_snmp_rfc", "Serve VRRP-MIB and VRRPV3-MIB.").example("enable_snmp_rfc"),
    flag("enable_snmp_rfcv2", "Serve VRRP-MIB (RFC 2787).").example("enable_snmp_rfcv2"),
    flag("enable_snmp_rfcv3", "Serve VRRPV3-MIB (RFC 6527).").example("enable_snmp_rfcv3"),
    flag("enable_traps", "Send SNMP traps.").example("enable_traps"),
    kw(
        "snmp_vs_stats_update_interval",
        &[one("SECONDS", Kind::Seconds(1000, 30_000_000))],
        "How old virtual servers' figures may be.",
    )
    .default("5")
    .example("snmp_vs_stats_update_interval 5"),
    kw(
        "snmp_rs_stats_update_interval",
        &[one("SECONDS", Kind::Seconds(1000, 30_000_000))],
        "How old real servers' figures may be.",
    )
    .default("snmp_vs_stats_update_interval")
    .example("snmp_rs_stats_update_interval 5"),
    flag("enable_dbus", "Be seen on D-Bus.").example("enable_dbus"),
    kw("dbus_service_name", &[one("NAME", Kind::Word)], "Name on D-Bus.")
        .default("org.keepalived.Vrrp1")
        .example("dbus_service_name org.keepalived.Vrrp1"),
    kw("dbus_no_interface_name", &[one("NAME", Kind::Word)], "What stands for no interface in D-Bus paths.")
        .default("none")
        .example("dbus_no_interface_name none"),
    kw("script_user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs scripts.")
        .default("keepalived_script, else root")
        .example("script_user nobody"),
    flag("enable_script_security", "Do not run as root what others than root could change.")
        .example("enable_script_security"),
    buffers("vrrp_netlink_cmd_rcv_bufs").example("vrrp_netlink_cmd_rcv_bufs 1000000"),
    switch("vrrp_netlink_cmd_rcv_bufs_force", "Go beyond the system's limit.")
        .example("vrrp_netlink_cmd_rcv_bufs_force"),
    buffers("vrrp_netlink_monitor_rcv_bufs").example("vrrp_netlink_monitor_rcv_bufs 1000000"),
    switch("vrrp_netlink_monitor_rcv_bufs_force", "Go beyond the system's limit.")
        .example("vrrp_netlink_monitor_rcv_bufs_force"),
    buffers("process_monitor_rcv_bufs").example("process_monitor_rcv_bufs 1000000"),
    switch("process_monitor_rcv_bufs_force", "Go beyond the system's limit.")
        .example("process_monitor_rcv_bufs_force"),
    buffers("lvs_netlink_cmd_rcv_bufs").example("lvs_netlink_cmd_rcv_bufs 1000000"),
    switch("lvs_netlink_cmd_rcv_bufs_force", "Go beyond the system's limit.")
        .example("lvs_netlink_cmd_rcv_bufs_force"),
    buffers("lvs_netlink_monitor_rcv_bufs").example("lvs_netlink_monitor_rcv_bufs 1000000"),
    switch("lvs_netlink_monitor_rcv_bufs_force", "Go beyond the system's limit.")
        .example("lvs_netlink_monitor_rcv_bufs_force"),
    switch("rs_init_notifies", "Run `notify_up` for servers found up at start.").example("rs_init_notifies"),
    kw(
        "vrrp_rx_bufs_policy",
        &[some("MTU | ADVERT | NO_SEND_RX | BYTES", Kind::Word)],
        "Receive buffers of VRRP sockets.",
    )
    .example("vrrp_rx_bufs_policy ADVERT"),
    kw("vrrp_rx_bufs_multiplier", &[one("NUMBER", Kind::Int(1, U32))], "How many times that.")
        .default("3")
        .example("vrrp_rx_bufs_multiplier 3")
        .exact(),
    kw(
        "vrrp_startup_delay",
        &[one("SECONDS", Kind::Seconds(1000, LONG))],
        "How long instances wait at start.",
    )
    .default("0")
    .example("vrrp_startup_delay 5.5"),
    kw(
        "vrrp_delay_after_boot",
        &[one("SECONDS", Kind::Seconds(1000, LONG))],
        "How long after boot instances wait.",
    )
    .default("0")
    .example("vrrp_delay_after_boot 60"),
    flag("log_unknown_vrids", "Log adverts of virtual routers that are not configured.")
        .example("log_unknown_vrids"),
    switch("vrrp_owner_ignore_adverts", "The owner does not look at adverts.")
        .default("off")
        .example("vrrp_owner_ignore_adverts"),
    kw("vmac_prefix", &[one("PREFIX", Kind::Limited(8))], "What names of VMAC interfaces begin with.")
        .default("vrrp")
        .example("vmac_prefix vrrp")
        .first_counts(),
    kw("vmac_addr_prefix", &[one("PREFIX", Kind::Limited(8))], "The same for VMACs of single addresses.")
        .default("vmac_prefix")
        .example("vmac_addr_prefix vrrp")
        .first_counts(),
    kw("umask", &[some("OCTAL | [IRWX…] | …", Kind::Word)], "File mode mask.")
        .default("IXUSR | IRWXG | IRWXO")
        .example("umask 0177"),
    kw("random_seed", &[one("SEED", Kind::Int(0, U32))], "Makes `${_RANDOM}` repeatable.")
        .example("random_seed 1"),
    kw(
        "reload_check_config",
        &[opt("LOG FILE", Kind::Word)],
        "Check before a reload. keepwatch always does.",
    )
    .example("reload_check_config"),
    kw("reload_time_file", &[one("PATH", Kind::Word)], "File with the time of the next reload.")
        .example("reload_time_file /run/reload_at")
        .exact(),
    flag("reload_repeat", "Reload again at the next such time.").example("reload_repeat"),
    kw("reload_file", &[opt("PATH", Kind::Word)], "File that is there while a reload is going on.")
        .example("reload_file /run/reloading"),
    kw(
        "include_check",
        &[any("[+|-]read | match | wildcard_match | brace_match", Kind::Word)],
        "What `include` asks of its files.",
    )
    .example("include_check read +match"),
    path("config_save_dir", "Where configurations are kept around a reload, for debugging.")
        .example("config_save_dir /tmp/kw"),
    path("tmp_config_directory", "Where keepalived keeps its copy of the configuration.")
        .example("tmp_config_directory /tmp")
        .first_counts(),
    switch("data_use_instance", "Names of dumps have the instance in them.").example("data_use_instance"),
    kw("json_version", &[one("VERSION", Kind::Int(1, 2))], "Version of the JSON dump.")
        .default("1")
        .example("json_version 2"),
    path("iproute_usr_dir", "Where iproute2 keeps its tables.")
        .example("iproute_usr_dir /usr/share/iproute2")
        .exact(),
    path("iproute_etc_dir", "Where iproute2's tables are overridden.")
        .example("iproute_etc_dir /etc/iproute2")
        .exact(),
    path("state_dump_file", "Where SIGUSR1 writes.")
        .default("/tmp/keepalived.data")
        .example("state_dump_file /tmp/keepalived.data")
        .exact(),
    path("stats_dump_file", "Where SIGUSR2 writes.")
        .default("/tmp/keepalived.stats")
        .example("stats_dump_file /tmp/keepalived.stats")
        .exact(),
    path("json_dump_file", "Where the JSON signal writes.")
        .default("/tmp/keepalived.json")
        .example("json_dump_file /tmp/keepalived.json")
        .exact(),
    kw("linkbeat_use_polling", &[], "Poll links.")
        .replaced_by("linkbeat_interfaces")
        .example("linkbeat_use_polling"),
];
