//! What `global_defs` and its neighbours make of values that are odd, as keepalived 2.4.3 does: what is said, what the
//! exit status of `-t` is, and what comes of it.
#![allow(clippy::expect_used)] // helpers of tests

#[path = "../reading/mod.rs"]
mod reading;
mod tracking;

use reading::{codes, read};
use serde_json::{Value, json};

/// A text, the codes of its diagnostics, the exit code, where to look in the model and what must be there.
type Case = (&'static str, &'static [&'static str], u8, &'static str, fn() -> Value);

fn check(cases: &[Case], around: impl Fn(&str) -> String) {
    for (text, said, exit_status, pointer, value) in cases {
        let loaded = read(&around(text));
        assert_eq!(codes(&loaded), *said, "{text}\n{}", loaded.diagnostics.render_text(false));
        assert_eq!(loaded.diagnostics.exit_status(), *exit_status, "{text}");
        let model = loaded.config.expect("it runs").to_json();
        assert_eq!(model.pointer(pointer), Some(&value()), "{text}: {pointer} of {model:#}");
    }
}

#[test]
fn addresses_of_mail_may_have_names_and_none_is_made_up_of_a_name() {
    let to = "/global/notification_email";
    let from = "/global/notification_email_from";
    let cases: &[Case] = &[
        ("notification_email {\nops@example.net\nNight Watch <night@example.net>\n}", &[], 0, to, || {
            json!(["ops@example.net", "Night Watch <night@example.net>"])
        }),
        ("notification_email {\n\"Night, Watch\" <night@example.net>\n}", &[], 0, to, || {
            json!(["\"Night, Watch\" <night@example.net>"])
        }),
        ("notification_email {\n\"Night Watch <night@example.net>\"\n}", &[], 0, to, || {
            json!(["Night Watch <night@example.net>"])
        }),
        ("notification_email {\na@b <night@example.net> Day<day@[10.0.0.1]> c@d\n}", &[], 0, to, || {
            json!(["\"a@b\" <night@example.net>", "Day <day@[10.0.0.1]>", "c@d"])
        }),
        ("notification_email {\n<night@example.net> root\n}", &[], 0, to, || {
            json!(["night@example.net", "root"])
        }),
        ("notification_email {\nnight@example.net Night Watch\n}", &["invalid-value"], 5, to, || {
            json!(["night@example.net"])
        }),
        ("notification_email {\nNight Watch night@example.net\n}", &["invalid-value"], 5, to, || {
            json!(["night@example.net"])
        }),
        ("notification_email {\nNight Watch <night@example.net\na@b\n}", &["invalid-value"], 5, to, || {
            json!(["a@b"])
        }),
        ("notification_email {\na@b, c@d\n}", &["foreign-syntax"], 5, to, || json!(["c@d"])),
        ("notification_email {\na@\n}", &["invalid-value"], 5, to, || json!([])),
        ("notification_email {\nroot\n}", &[], 0, to, || json!(["root"])),
        ("notification_email_from Keep Watch <keep@example.net>", &[], 0, from, || {
            json!("Keep Watch <keep@example.net>")
        }),
        ("notification_email_from a@b c@d", &["extra-words"], 0, from, || json!("a@b")),
    ];
    check(cases, |text| format!("global_defs {{\n{text}\n}}\n"));
}

#[test]
fn global_defs_clamps_and_drops_what_keepalived_does() {
    let cases: &[Case] = &[
        ("smtp_connect_timeout 0", &["out-of-range"], 5, "/global/smtp_connect_timeout", || json!(1)),
        ("smtp_connect_timeout 4295", &["out-of-range"], 5, "/global/smtp_connect_timeout", || json!(30)),
        ("notification_email {\n}", &["missing-value"], 5, "/global/notification_email", || json!([])),
        ("vrrp_mcast_group4 10.0.0.1", &["invalid-address"], 5, "/global/vrrp_mcast_group4", || {
            json!("224.0.0.18")
        }),
        ("vrrp_mcast_group6 ff05::12", &["invalid-address"], 5, "/global/vrrp_mcast_group6", || {
            json!("ff05::12")
        }),
        ("vrrp_mcast_group6 ff02::13", &[], 0, "/global/vrrp_mcast_group6", || json!("ff02::13")),
        ("dynamic_interfaces", &[], 0, "/global/dynamic_interfaces", || json!("allowed")),
        ("dynamic_interfaces allow_if_changes", &[], 0, "/global/dynamic_interfaces", || json!("may_change")),
        ("dynamic_interfaces on", &["invalid-value"], 5, "/global/dynamic_interfaces", || json!("allowed")),
        ("max_auto_priority", &[], 0, "/global/processes/auto_priority", || json!({"up_to": 99})),
        ("max_auto_priority 0", &[], 0, "/global/processes/auto_priority", || json!("off")),
        ("max_auto_priority -1", &[], 0, "/global/processes/auto_priority", || json!("never")),
        ("max_auto_priority 100", &["out-of-range"], 5, "/global/processes/auto_priority", || json!("off")),
        ("vrrp_rt_priority 0", &["out-of-range"], 5, "/global/processes/vrrp/realtime", || json!(1)),
        ("bfd_rt_priority 1000", &["out-of-range"], 5, "/global/processes/bfd/realtime", || json!(99)),
        ("vrrp_rlimit_rttime 1", &[], 0, "/global/processes/vrrp/rttime_limit", || json!(0.000002)),
        ("vrrp_cpu_affinity 3 1 3", &[], 0, "/global/processes/vrrp/cpu_affinity", || json!([1, 3])),
        ("process_name a_very_long_name", &["too-long"], 5, "/global/processes/names/main", || {
            json!("a_very_long_nam")
        }),
        (
            "process_names\nvrrp_process_name v",
            &[],
            0,
            "/global/processes/names",
            || json!({"main": null, "vrrp": "v", "checker": "keepalived_lvs", "bfd": "keepalived_bfd"}),
        ),
        ("vrrp_process_name v\nprocess_names", &[], 0, "/global/processes/names/vrrp", || {
            json!("keepalived_vrrp")
        }),
        ("vrrp_garp_master_repeat 0", &["out-of-range"], 5, "/global/garp/master_repeat", || json!(1)),
        ("vrrp_min_garp\nvrrp_garp_master_repeat 3", &[], 0, "/global/garp/master_repeat", || json!(3)),
        ("vrrp_garp_master_repeat 3\nvrrp_min_garp", &[], 0, "/global/garp/master_repeat", || json!(3)),
        ("vrrp_min_garp", &[], 0, "/global/garp/master_refresh_repeat", || json!(0)),
        ("vrrp_min_garp off", &[], 0, "/global/garp/master_repeat", || json!(5)),
        ("vrrp_garp_extra_if all", &["missing-value"], 5, "/global/garp/extra_interfaces", || json!(null)),
        ("vrrp_garp_extra_if 0", &["out-of-range"], 5, "/global/garp/extra_interfaces", || json!(null)),
        (
            "vrrp_garp_extra_if 5 all",
            &[],
            0,
            "/global/garp/extra_interfaces",
            || json!({"every": 5, "all": true}),
        ),
        ("vrrp_startup_delay 9\nvrrp_startup_delay 5", &[], 0, "/global/vrrp_startup_delay", || json!(9)),
        (
            "vmac_prefix a\nvmac_prefix b",
            &["duplicate-keyword"],
            5,
            "/global/vmac_prefixes",
            || json!({"instances": "a", "addresses": "a"}),
        ),
        ("vrrp_rx_bufs_policy mtu advert", &["conflict"], 5, "/global/receive_buffers/adverts", || {
            json!("mtu")
        }),
        (
            "vrrp_rx_bufs_policy 5000 MTU",
            &["conflict"],
            5,
            "/global/receive_buffers/adverts",
            || json!({"bytes": 5000}),
        ),
        ("vrrp_rx_bufs_policy much", &["invalid-number"], 5, "/global/receive_buffers/adverts", || {
            json!("system")
        }),
        ("vrrp_netlink_cmd_rcv_bufs 0", &[], 0, "/global/receive_buffers/vrrp_commands/bytes", || {
            json!(null)
        }),
        ("snmp_vs_stats_update_interval 2", &[], 0, "/global/snmp/rs_stats_interval", || json!(2)),
        ("reload_file", &[], 0, "/global/reload/marker", || json!("beside_pid")),
        ("config_save_dir /x/", &[], 0, "/global/reload/save_directory", || json!("/x")),
        ("state_dump_file \"\"", &["missing-value"], 5, "/global/dumps/state", || json!("keepalived.data")),
    ];
    check(cases, |text| format!("global_defs {{\n{text}\n}}\n"));
}

#[test]
fn a_umask_is_a_number_of_c_or_bits_by_name() {
    let cases: &[Case] = &[
        ("0177", &[], 0, "/global/umask", || json!(0o177)),
        ("0x3f", &[], 0, "/global/umask", || json!(0o077)),
        ("63", &[], 0, "/global/umask", || json!(0o077)),
        ("IRWXG|IRWXO", &[], 0, "/global/umask", || json!(0o077)),
        ("IXUSR | IRWXG | IWOTH", &[], 0, "/global/umask", || json!(0o172)),
        ("01000", &["invalid-number"], 5, "/global/umask", || json!(null)),
        ("0178", &["invalid-number"], 5, "/global/umask", || json!(null)),
        ("IRWXG IRWXO", &["invalid-value"], 5, "/global/umask", || json!(null)),
        ("IRWXG|", &["invalid-value"], 5, "/global/umask", || json!(null)),
    ];
    check(cases, |text| format!("global_defs {{\numask {text}\n}}\n"));
}

#[test]
fn tables_and_chains_of_the_packet_filter() {
    let cases: &[Case] = &[
        ("nftables", &[], 0, "/global/firewall/nftables/table", || json!("keepalived")),
        ("nftables t\nnftables_priority 5", &[], 0, "/global/firewall/nftables/priority", || json!(5)),
        ("nftables_priority 5\nnftables t", &["no-effect"], 0, "/global/firewall/nftables/priority", || {
            json!(-1)
        }),
        ("nftables a\nnftables b", &["duplicate-keyword"], 5, "/global/firewall/nftables/table", || {
            json!("a")
        }),
        ("nftables \"\"", &["missing-value"], 5, "/global/firewall/nftables/table", || json!(null)),
        (
            "nftables_ipvs",
            &[],
            0,
            "/global/firewall/ipvs",
            || json!({"table": "keepalived_ipvs", "priority": -1, "first_mark": 1000}),
        ),
        ("vrrp_iptables", &["no-effect"], 0, "/global/firewall/nftables/table", || json!("keepalived")),
        ("vrrp_iptables a b", &["no-effect"], 0, "/global/firewall/nftables/table", || json!("keepalived")),
        ("nftables t\nvrrp_iptables", &["no-effect"], 0, "/global/firewall/nftables/table", || json!("t")),
        ("vrrp_ipsets k", &["no-effect"], 0, "/global/firewall/nftables/table", || json!(null)),
    ];
    check(cases, |text| format!("global_defs {{\n{text}\n}}\n"));
}

#[test]
fn nobody_is_told_twice_over_named_pipes() {
    let cases: &[Case] = &[
        ("notify_fifo /a root root", &[], 0, "/global/notify_fifos/all", || {
            json!({
                "path": "/a", "script": null,
                "owner": {"name": "root", "group": "root", "supplementary_groups": false},
            })
        }),
        ("notify_fifo /a\nvrrp_notify_fifo /a", &["conflict"], 0, "/global/notify_fifos/vrrp", || {
            json!(null)
        }),
        ("lvs_notify_fifo /a\nnotify_fifo /a", &["conflict"], 0, "/global/notify_fifos/lvs", || json!(null)),
        (
            "vrrp_notify_fifo /a\nvrrp_notify_fifo_script /s\nlvs_notify_fifo /a\nlvs_notify_fifo_script /t",
            &["conflict"],
            0,
            "/global/notify_fifos/lvs",
            || json!({"path": "/a", "owner": null, "script": null}),
        ),
        ("notify_fifo_script /s", &["no-effect"], 0, "/global/notify_fifos/all", || json!(null)),
        (
            "notify_fifo /a\nnotify_fifo /b",
            &["duplicate-keyword"],
            5,
            "/global/notify_fifos/all/path",
            || json!("/a"),
        ),
    ];
    check(cases, |text| format!("global_defs {{\n{text}\n}}\n"));
}

#[test]
fn connection_synchronisation_and_timeouts() {
    let cases: &[Case] = &[
        ("lvs_sync_daemon eth1", &[], 0, "/global/lvs_sync_daemon/instance", || json!(null)),
        ("lvs_sync_daemon eth1", &[], 0, "/global/lvs_sync_daemon/sync_id", || json!(0)),
        ("lvs_sync_daemon eth1 inst V", &[], 0, "/global/lvs_sync_daemon/sync_id", || json!(7)),
        ("lvs_sync_daemon eth1 V id 3", &[], 0, "/global/lvs_sync_daemon/sync_id", || json!(3)),
        ("lvs_sync_daemon eth1 V 3", &["deprecated-spelling"], 5, "/global/lvs_sync_daemon/sync_id", || {
            json!(3)
        }),
        ("lvs_sync_daemon eth1 W", &["unknown-instance"], 5, "/global/lvs_sync_daemon", || json!(null)),
        ("lvs_sync_daemon eth1 V id 256", &["out-of-range"], 5, "/global/lvs_sync_daemon/sync_id", || {
            json!(7)
        }),
        (
            "lvs_sync_daemon eth1 V group 10.0.0.1",
            &["invalid-address"],
            5,
            "/global/lvs_sync_daemon/group",
            || json!(null),
        ),
        ("lvs_sync_daemon eth1 V x port 5", &["unknown-option"], 5, "/global/lvs_sync_daemon/port", || {
            json!(5)
        }),
        ("lvs_timeouts tcp 900 udp", &["missing-value"], 5, "/global/lvs_timeouts/tcp", || json!(900)),
        ("lvs_timeouts icmp 5 tcp 9", &["unknown-option"], 5, "/global/lvs_timeouts/tcp", || json!(9)),
        ("lvs_timeouts tcp 0", &[], 0, "/global/lvs_timeouts/tcp", || json!(null)),
    ];
    check(cases, |text| {
        format!(
            "global_defs {{\n{text}\n}}\nvrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\n\
             virtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"
        )
    });
}

#[test]
fn keywords_of_the_top_level() {
    let cases: &[Case] = &[
        ("net_namespace blue", &[], 0, "/global/use_pid_dir", || json!(true)),
        ("instance a\ninstance b", &["duplicate-keyword"], 5, "/global/instance_name", || json!("a")),
        ("net_namespace_ipvs", &[], 0, "/global/net_namespace_ipvs", || json!("default")),
        ("net_namespace_ipvs x", &[], 0, "/global/net_namespace_ipvs", || json!({"named": "x"})),
        ("interface_up_down_delays {\neth0 1.5\neth1 2 3\n}", &[], 0, "/global/interface_delays", || {
            json!([
                {"interface": "eth0", "down": 1.5, "up": 0},
                {"interface": "eth1", "down": 2, "up": 3},
            ])
        }),
        ("interface_up_down_delays {\neth0\n}", &["missing-value"], 0, "/global/interface_delays", || {
            json!([])
        }),
        (
            "linkbeat_interfaces {\neth0\neth1 MII\n}",
            &[],
            0,
            "/global/linkbeat_interfaces",
            || json!([{"interface": "eth0", "method": null}, {"interface": "eth1", "method": "MII"}]),
        ),
        (
            "linkbeat_interfaces {\neth0 mii\n}",
            &["unknown-option"],
            5,
            "/global/linkbeat_interfaces/0",
            || json!({"interface": "eth0", "method": null}),
        ),
    ];
    check(cases, str::to_owned);
}
