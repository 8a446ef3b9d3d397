//! What contradicts itself, or the host that it is on: each is said once, where it stands.
#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use keepwatch_config::{Host, HostAddress, Loaded, Options, check_cluster, check_host, load_text};
use reading::{codes, line, options, read};

/// An instance of this name and id, with more in it, and this address.
fn instance(name: &str, id: u8, more: &str, addresses: &str) -> String {
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {id}\n{more}\nvirtual_ipaddress {{\n{addresses}\n}}\n}}\n"
    )
}

/// What is said of a text, and on which lines.
fn said(text: &str) -> Vec<(&'static str, usize)> {
    let loaded = read(text);
    assert_eq!(loaded.diagnostics.exit_status(), 0, "keepalived takes it: {text}");
    let said = loaded.diagnostics.iter();
    said.map(|said| (said.code, line(&loaded, said.span))).collect()
}

#[test]
fn addresses_that_contradict_each_other_are_said_at_the_second_place() {
    let peers = |source: &str, peers: &str| format!("unicast_src_ip {source}\nunicast_peer {{\n{peers}\n}}");
    let one = instance("A", 1, "priority 90", "10.0.0.1\n10.0.0.2/24");
    for (text, expected) in [
        (one.clone() + &instance("B", 2, "", "10.0.0.3"), vec![]),
        (one.clone() + &instance("B", 2, "", "10.0.0.3\n10.0.0.2\n10.0.0.1"), vec![("shared-address", 16)]),
        (one.clone() + &instance("B", 2, "", "10.0.0.2 dev eth1"), vec![]),
        (one.clone() + &instance("B", 2, "", "10.0.0.2 dev eth0"), vec![("shared-address", 15)]),
        (one.clone() + &instance("B", 2, "", "10.0.0.2").replace("eth0", "eth1"), vec![]),
        (
            one.clone() + &instance("B", 2, "virtual_ipaddress_excluded {\n10.0.0.1\n}", "10.0.0.9"),
            vec![("shared-address", 14)],
        ),
        (instance("A", 1, &peers("10.0.0.7", "10.0.0.8\n10.0.0.7"), "10.0.0.1"), vec![("own-peer", 7)]),
        (instance("A", 1, &peers("10.0.0.7", "10.0.0.8\n10.0.0.1"), "10.0.0.1"), vec![("virtual-peer", 7)]),
        (instance("A", 1, &peers("10.0.0.7", "10.0.0.8"), "10.0.0.1"), vec![]),
        (
            instance("A", 1, &peers("10.0.0.7", "10.0.0.9"), "10.0.0.1") + &instance("B", 2, "", "10.0.0.9"),
            vec![("virtual-peer", 6)],
        ),
        (instance("A", 1, "", "127.0.0.5"), vec![("loopback-address", 6)]),
        (instance("A", 1, "", "127.0.0.5 dev lo\n224.0.0.50 autojoin"), vec![]),
        ("global_defs {\nnotification_email {\nNight Watch\n}\n}\n".into(), vec![("invalid-value", 3)]),
        (
            "global_defs {\nnotification_email {\nops at example.com\n}\n}\n".into(),
            vec![("invalid-value", 3)],
        ),
        ("global_defs {\nnotification_email {\nroot admin\nroot\nadmin\na@b c@d\n}\n}\n".into(), vec![]),
        (
            instance("A", 1, &peers("10.0.0.7", "10.0.0.8"), "10.0.0.1 dev eth0")
                .replace("interface eth0\n", ""),
            vec![("no-interface", 1)],
        ),
        ("global_defs {\nsnmp_socket udp:192.0.2.4:705\n}\n".into(), vec![("snmp-transport", 2)]),
        ("global_defs {\nsnmp_socket tcp:192.0.2.4:705\n}\n".into(), vec![]),
        ("global_defs {\nsnmp_socket unix:/run/agentx\n}\n".into(), vec![]),
    ] {
        assert_eq!(said(&text), expected, "{text}");
    }
}

#[test]
fn an_agentx_socket_that_cannot_be_is_not_in_the_model() {
    let loaded = read("global_defs {\nsnmp_socket udp:192.0.2.4:705\n}\n");
    let shown = loaded.diagnostics.render_text(false);
    assert!(shown.contains("tcp:192.0.2.4:705"), "{shown}");
    assert_eq!(loaded.config.expect("it runs").global.snmp.socket, None);
}

#[test]
fn a_socket_that_the_command_line_would_refuse_is_refused() {
    for socket in ["banana", "unix:", "tcp:", "tcp:host:99999"] {
        let loaded = read(&format!("global_defs {{\nsnmp_socket {socket}\n}}\n"));
        assert_eq!(codes(&loaded), ["invalid-address"], "{socket}");
        assert_eq!(loaded.config.expect("it runs").global.snmp.socket, None);
    }
}

#[test]
fn an_address_that_no_interface_can_have_is_left_out() {
    for address in ["0.0.0.0", "0.0.0.0/24", "224.0.0.50", "::", "ff02::5"] {
        let good = if address.contains(':') { "fe80::1\nfd00::1" } else { "10.0.0.1" };
        for text in [
            instance("A", 1, "", &format!("{good}\n{address}")),
            instance("A", 1, &format!("virtual_ipaddress_excluded {{\n{address}\n}}"), good),
        ] {
            let loaded = read(&text);
            assert_eq!(codes(&loaded), ["invalid-address"], "{text}");
            let config = loaded.config.expect("it runs");
            let instance = &config.instances[0];
            assert_eq!(instance.addresses.len(), good.lines().count(), "{text}");
            assert!(instance.excluded_addresses.is_empty(), "{text}");
        }
    }
}

#[test]
fn that_scripts_are_not_secured_is_said_after_what_is_wrong() {
    let text =
        "vrrp_script S {\nscript /bin/true\n}\n".to_owned() + &instance("A", 1, "priority x", "10.0.0.1");
    let options = Options { host_name: Some("lab".into()), ..Options::default() };
    let loaded = load_text(Path::new("test.conf"), text, &options);
    assert_eq!(codes(&loaded).last(), Some(&"script-security"));
    assert!(codes(&loaded).len() > 1);
}

/// `eth0` with an address of its own, one of IPv6, and one that VRRP put there.
fn host() -> Host {
    let address = |address: &str, is_own| HostAddress {
        address: address.parse::<IpAddr>().expect("an address"),
        interface: "eth0".into(),
        is_own,
    };
    Host {
        interfaces: ["lo", "eth0", "lvm", "lip", "eth1"].map(String::from).into(),
        addresses: vec![address("10.0.0.7", true), address("fd00::7", true), address("10.0.0.1", false)],
        vmacs: vec!["lvm".into()],
        ipvlans: vec!["lip".into()],
    }
}

/// What is said of it on that host, where, and the exit status.
fn on_host(text: &str) -> (Vec<(&'static str, usize)>, u8) {
    let loaded = read(text);
    assert_eq!(codes(&loaded), [] as [&str; 0], "by itself it is good: {text}");
    let misfits = check_host(&loaded, &host());
    (misfits.iter().map(|said| (said.code, line(&loaded, said.span))).collect(), misfits.exit_status())
}

#[test]
fn addresses_that_do_not_fit_the_host_are_said() {
    let unicast = |source: &str| format!("unicast_src_ip {source}\nunicast_peer {{\n10.0.0.8\n}}");
    for (text, expected, status) in [
        (instance("A", 1, "", "10.0.0.1"), vec![], 0),
        (instance("A", 1, "", "10.0.0.9\n10.0.0.7/24 dev eth0"), vec![("own-address", 7)], 5),
        (instance("A", 1, "priority 255", "10.0.0.9\n10.0.0.7/24"), vec![], 0),
        (instance("A", 1, "state MASTER\npriority 254", "10.0.0.7/24"), vec![("own-address", 7)], 5),
        (
            instance("A", 1, "virtual_ipaddress_excluded {\nfd00::7/64\n}", "10.0.0.9"),
            vec![("own-address", 5)],
            5,
        ),
        (instance("A", 1, &unicast("10.0.0.7"), "10.0.0.9"), vec![], 0),
        (instance("A", 1, &unicast("10.0.0.6"), "10.0.0.9"), vec![("no-such-address", 4)], 0),
        (instance("A", 1, "mcast_src_ip 10.0.0.6", "10.0.0.9"), vec![("no-such-address", 4)], 0),
        (instance("A", 1, "unicast_peer {\n10.0.0.8\n10.0.0.7\n}", "10.0.0.9"), vec![("own-peer", 6)], 0),
    ] {
        assert_eq!(on_host(&text), (expected, status), "{text}");
    }
}

#[test]
fn an_interface_of_a_virtual_router_takes_no_name_that_is_taken() {
    for (line, taken) in [
        ("use_vmac eth1", true),
        ("use_vmac lip", true),
        ("use_ipvlan lvm 10.0.0.7", true),
        ("use_vmac lvm", false),
        ("use_ipvlan lip 10.0.0.7", false),
        ("use_vmac new", false),
        ("use_vmac", false),
    ] {
        let expected = if taken { (vec![("interface-taken", 4)], 5) } else { (vec![], 0) };
        assert_eq!(on_host(&instance("A", 1, line, "10.0.0.9")), expected, "{line}");
    }
}

#[test]
fn of_a_host_whose_addresses_are_not_known_nothing_is_said() {
    let loaded = read(&instance("A", 1, "mcast_src_ip 10.0.0.6", "10.0.0.7"));
    let host = Host { addresses: Vec::new(), ..host() };
    assert!(check_host(&loaded, &host).is_empty());
}

#[test]
fn an_interface_of_the_instance_is_not_what_it_was_meant_to_track() {
    let text = |tracked: &str| instance("A", 1, &format!("track_interface {{\n{tracked}\n}}"), "10.0.0.9");
    let shown = |tracked: &str| check_host(&read(&text(tracked)), &host()).render_text(false);
    let shown_one = shown("uplink");
    assert!(
        !shown_one.contains("did you mean") && shown_one.contains("there are lo, eth0, lvm, lip, eth1"),
        "{shown_one}"
    );
    let own = read(&instance("A", 1, "", "10.0.0.9").replace("eth0", "eht0"));
    assert!(check_host(&own, &host()).render_text(false).contains("did you mean `eth0`?"));
}

#[test]
fn the_name_of_a_script_is_suggested() {
    let instance = instance("A", 1, "track_script {\nchk_htpd\n}", "10.0.0.9");
    for name in ["chk_httpd", "chk_http"] {
        let text = format!("vrrp_script {name} {{\nscript /bin/true\nuser root\n}}\n{instance}");
        let shown = read(&text).diagnostics.render_text(false);
        assert!(shown.contains(&format!("did you mean `{name}`?")), "{shown}");
    }
    // One that is left out itself was meant all the same.
    let text =
        format!("vrrp_script chk_httpd {{\nscript /bin/true\nuser nobody_of_that_name\n}}\n{instance}");
    let shown = read(&text).diagnostics.render_text(false);
    assert!(shown.contains("did you mean `chk_httpd`?"), "{shown}");
}

fn file(name: &str, text: &str) -> Loaded {
    load_text(Path::new(name), text.to_owned(), &Options { for_cluster: true, ..options() })
}

/// What is said of the second of two files.
fn second(one: &str, other: &str) -> Vec<(&'static str, String)> {
    let found = check_cluster(&[file("one.conf", one), file("other.conf", other)]);
    assert!(found[0].is_empty(), "{}", found[0].render_text(false));
    let said = found[1].iter().filter(|said| said.code != "cluster-preempt");
    said.map(|said| (said.code, said.message.clone())).collect()
}

#[test]
fn a_group_whose_members_disagree_who_is_master_is_said() {
    let router = |one: u8, other: u8| {
        format!(
            "vrrp_sync_group G {{\ngroup {{\nA\nB\n}}\n}}\n{}{}",
            instance("A", 1, &format!("priority {one}"), "10.0.0.1"),
            instance("B", 2, &format!("priority {other}"), "10.0.0.2")
        )
    };
    assert_eq!(second(&router(100, 100), &router(90, 80)), []);
    let crossed = second(&router(100, 90), &router(90, 100));
    assert_eq!(crossed.iter().map(|said| said.0).collect::<Vec<_>>(), ["cluster-group-priority"]);
    assert!(crossed[0].1.starts_with("`B` has the higher priority here and `A` in one.conf"), "{crossed:?}");
    // Apart they may share the load.
    let apart = |text: String| {
        text.split_once("vrrp_instance").map(|(_, rest)| format!("vrrp_instance{rest}")).expect("one")
    };
    assert_eq!(second(&apart(router(100, 90)), &apart(router(90, 100))), []);
}

#[test]
fn two_owners_are_a_mistake() {
    let router = |priority: u8| instance("A", 1, &format!("priority {priority}"), "10.0.0.1");
    let found = check_cluster(&[file("one.conf", &router(255)), file("other.conf", &router(255))]);
    let shown = found[1].render_text(false);
    assert!(shown.contains("error[cluster-priority]") && shown.contains("there can be one"), "{shown}");
    let found = check_cluster(&[file("one.conf", &router(100)), file("other.conf", &router(100))]);
    assert!(found[1].render_text(false).contains("warning[cluster-priority]"));
}

#[test]
fn adverts_from_a_link_local_address_reach_nobody_who_expects_another() {
    let router = |peer: &str, more: &str, priority: u8| {
        let unicast = format!("priority {priority}\nversion 3\nunicast_peer {{\n{peer}\n}}\n{more}");
        instance("A", 1, &unicast, "fe80::9\nfd00::9")
    };
    let checks = "check_unicast_src";
    let codes =
        |one: &str, other: &str| second(one, other).into_iter().map(|said| said.0).collect::<Vec<_>>();
    let unknown = router("fd00::2", "", 100);
    assert_eq!(codes(&unknown, &router("fd00::1", "", 90)), [] as [&str; 0]);
    assert_eq!(codes(&unknown, &router("fd00::1", checks, 90)), ["cluster-unicast"]);
    assert_eq!(codes(&unknown, &router("fe80::1", checks, 90)), [] as [&str; 0]);
    let named = router("fd00::2", "unicast_src_ip fd00::1", 100);
    assert_eq!(
        codes(&named, &router("fd00::1", &format!("{checks}\nunicast_src_ip fd00::2"), 90)),
        [] as [&str; 0]
    );
}

/// The delays of `eth0` and what is said of them, with these lines in one of two instances on it.
fn delays(written: &str, lines: &str) -> (Duration, Duration, Vec<(&'static str, usize)>) {
    let text = format!("interface_up_down_delays {{\neth0 {written}\n}}\n")
        + &instance("A", 1, "priority 90", "10.0.0.1")
        + &instance("B", 2, lines, "10.0.0.2");
    let delays = read(&text).config.expect("it runs").global.interface_delays.swap_remove(0);
    (delays.down, delays.up, said(&text))
}

#[test]
fn an_interface_counts_as_down_before_others_take_over() {
    let ms = Duration::from_millis;
    let cut = vec![("conflict", 2)];
    for (written, lines, down, up, expected) in [
        ("1.5 9", "", ms(1_500), ms(9_000), vec![]),
        // Of keepalived 2.4.3.
        ("4 0.5", "version 3\nadvert_int 0.5", Duration::from_nanos(998_046_875), ms(500), cut.clone()),
        (
            "4 4",
            "version 3\nadvert_int 0.5",
            Duration::from_nanos(998_046_875),
            Duration::from_nanos(998_046_875),
            cut.clone(),
        ),
        ("4 9", "", Duration::from_nanos(1_996_093_750), ms(9_000), cut.clone()),
        ("0.1 0.1", "down_timer_adverts 1", ms(0), ms(0), cut),
    ] {
        assert_eq!(delays(written, lines), (down, up, expected), "{written} {lines}");
    }
}

/// What is said of the weights of an instance with these lines, alone or in a group.
fn weights(lines: &str, group: &str) -> String {
    let text = "vrrp_script s {\nscript \"/bin/true\"\nweight 5\n}\ntrack_file f {\nfile /tmp/f\n}\n\
        track_file g {\nfile /tmp/g\n}\nvrrp_track_process p {\nprocess p\nweight 3\n}\n"
        .to_owned()
        + group
        + &instance("A", 1, lines, "10.0.0.1")
        + &instance("B", 2, "priority 90", "10.0.0.2");
    let loaded = read(&text);
    let said = loaded.diagnostics.iter().filter(|said| said.code == "weight-ignored");
    said.map(|said| said.label.to_string()).collect::<Vec<_>>().join("|")
}

#[test]
fn what_becomes_of_each_weight_that_can_t_count_is_said() {
    let all = "track_interface {\neth1 weight 5\n}\ntrack_script {\ns\n}\ntrack_file {\nf\ng weight 2\n}\n\
        track_process {\np\n}";
    let group = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n";
    assert_eq!(
        weights(all, group),
        "interface `eth1`, file `f` are tracked without weight (a failure is a fault); \
         script `s`, file `g` are left out"
    );
    assert_eq!(
        weights("track_file {\nf\n}", group),
        "file `f` is tracked without weight (a failure is a fault)"
    );
    assert_eq!(
        weights(&format!("priority 255\n{all}"), ""),
        "file `f` is tracked without weight (a failure is a fault); \
         interface `eth1`, script `s`, file `g` are left out"
    );
    assert_eq!(weights("track_process {\np\n}\ntrack_script {\ns weight 0\n}", group), "");
}

#[test]
fn a_value_that_is_given_twice_is_said_at_the_second_which_counts() {
    let with = |lines: &str| instance("A", 1, lines, "10.0.0.1");
    let server = |lines: &str, real: &str| {
        format!(
            "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{lines}\n\
             real_server 10.1.0.1 80 {{\n{real}\n}}\n}}\n"
        )
    };
    let again = |line| vec![("duplicate-keyword", line)];
    for (text, expected) in [
        (with("priority 90\npriority 80"), again(5)),
        (with("advert_int 2\n\nadvert_int 3"), again(6)),
        (with("garp_master_delay 2\ngarp_master_delay 3"), again(5)),
        (with("state BACKUP\nstate MASTER"), again(5)),
        (with("smtp_alert\nsmtp_alert off"), again(5)),
        ("vrrp_garp_master_delay 3\nvrrp_garp_master_delay 4\n".to_owned(), again(3)),
        // One that is spelt in another way is the same.
        (server("", "").replace("lvs_method NAT", "lb_algo wrr\nlvs_method NAT"), again(3)),
        (server("delay_loop 5\ndelay_loop 6", ""), again(6)),
        (server("sorry_server 10.1.0.8 80\nsorry_server 10.1.0.9 80", ""), again(6)),
        (server("", "weight 1\nweight 2"), again(8)),
        (server("", "TCP_CHECK {\nconnect_timeout 3\nconnect_timeout 4\n}"), again(9)),
        // What stands alone says the same again; what adds to what was said takes nothing away; what is put together is no
        // second; and another block is another block.
        (with("nopreempt\nstate BACKUP\nnopreempt"), vec![]),
        (server("", "HTTP_GET {\nurl {\npath /\nstatus_code 200\nstatus_code 301\n}\n}"), vec![]),
        (
            with("virtual_ipaddress_excluded {\n10.0.0.2\n}\nvirtual_ipaddress_excluded {\n10.0.0.3\n}"),
            vec![],
        ),
        (with("priority 90") + &instance("B", 2, "priority 80", "10.0.0.2"), vec![]),
    ] {
        let text = match text.starts_with("vrrp_garp") {
            true => format!("global_defs {{\n{text}}}\n{}", with("")),
            false => text,
        };
        assert_eq!(said(&text), expected, "{text}");
    }
    let loaded = read(&with("priority 90\npriority 80"));
    assert_eq!(loaded.config.expect("it runs").instances[0].priority.0, 80);
}

#[test]
fn routes_and_rules_that_the_kernel_refuses_are_said() {
    let nowhere = vec![("missing-part", 2)];
    for (line, expected) in [
        ("10.20.0.0/16", nowhere.clone()),
        ("10.20.0.0/16 table 100 metric 5", nowhere.clone()),
        ("local 10.20.0.0/16", nowhere.clone()),
        ("10.20.0.0/16 nexthop weight 3", nowhere.clone()),
        ("10.20.0.0/16 nexthop via 10.0.0.2 nexthop weight 3", nowhere.clone()),
        ("10.20.0.0/16 via 10.0.0.2", vec![]),
        ("10.20.0.0/16 dev eth0", vec![]),
        ("10.20.0.0/16 oif eth0", vec![]),
        ("blackhole 10.20.0.0/16", vec![]),
        ("10.20.0.0/16 nexthop dev eth0 weight 3 nexthop via 10.0.0.2", vec![]),
    ] {
        assert_eq!(said(&format!("static_routes {{\n{line}\n}}\n")), expected, "{line}");
    }
    let reversed = vec![("conflict", 2)];
    for (line, expected) in [
        ("uidrange 9-5", reversed.clone()),
        ("sport 90-80", reversed.clone()),
        ("dport 90-80", reversed.clone()),
        ("uidrange 5-9", vec![]),
        ("sport 80-80 dport 80-90", vec![]),
    ] {
        let text = format!("static_rules {{\n{line} table 100 preference 5\n}}\n");
        assert_eq!(said(&text), expected, "{line}");
    }
}

#[test]
fn a_sorry_server_that_is_one_of_the_real_servers_is_said() {
    let server = |sorry: &str| {
        format!(
            "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nsorry_server {sorry}\n\
             real_server 10.1.0.1 80 {{\n}}\n}}\n"
        )
    };
    assert_eq!(said(&server("10.1.0.1 80")), [("conflict", 5)]);
    assert_eq!(said(&server("10.1.0.1 81")), []);
    assert_eq!(said(&server("10.1.0.2 80")), []);
}
