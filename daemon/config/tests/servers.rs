//! Virtual servers, real servers and checkers: what does not fit together is said once, with the outcome that
//! keepalived 2.4.3 has, and what is kept of it is what keepalived keeps.
#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use keepwatch_config::{Loaded, Outcome};
use reading::read;
use serde_json::{Value, json};

/// The codes of what is not right, but for what is not built yet; those that keepalived would let pass in brackets.
fn said(loaded: &Loaded) -> String {
    let codes = loaded.diagnostics.iter();
    let codes = codes.map(|diagnostic| match diagnostic.outcome {
        Outcome::Runs => format!("[{}]", diagnostic.code),
        _ => diagnostic.code.to_owned(),
    });
    codes.collect::<Vec<_>>().join(" ")
}

/// `HEAD { … }` with what most virtual servers have, and these lines.
fn server(head: &str, lines: &str) -> String {
    let protocol = if head.starts_with("fwmark") { "" } else { "protocol TCP\n" };
    format!("virtual_server {head} {{\nlvs_sched rr\n{protocol}{lines}\n}}\n")
}

/// A virtual server that is as it should be, but for these lines.
fn web(lines: &str) -> String {
    server("10.0.0.1 80", &format!("lvs_method NAT\nreal_server 10.2.0.1 80 {{\n}}\n{lines}"))
}

/// A virtual server whose real server has these lines.
fn checked(lines: &str) -> String {
    server("10.0.0.1 80", &format!("lvs_method NAT\nreal_server 10.2.0.1 80 {{\n{lines}\n}}"))
}

/// A group, and a virtual server of it.
fn group(entries: &str, lines: &str) -> String {
    format!("virtual_server_group G {{\n{entries}\n}}\n{}", server("group G", lines))
}

#[test]
fn what_does_not_fit_together_is_said_once() {
    const NAT: &str = "lvs_method NAT\nreal_server 10.2.0.1 80 {\n}";
    const TUN: &str = "lvs_method TUN\nreal_server 10.2.0.1 {\n}";
    const TUN6: &str = "lvs_method TUN\nreal_server 2001:db8::1 {\n}";
    let cases: &[(String, &str)] = &[
        (web(""), ""),
        // The kernel would make a service of TCP at 0.0.0.0:0 out of mark 0.
        (server("fwmark 0", NAT), "out-of-range"),
        (group("fwmark 0", NAT), "out-of-range conflict"),
        // Families.
        (web("real_server 2001:db8::1 80 {\n}"), "family-mix"),
        (server("10.0.0.1 80", "lvs_method DR\nreal_server 2001:db8::1 80 {\n}"), "family-mix"),
        (server("10.0.0.1 80", TUN6), ""),
        (server("10.0.0.1 80", "lvs_method DR\nreal_server 2001:db8::1 80 {\nlvs_method TUN\n}"), ""),
        (web("real_server 2001:db8::1 80 {\n}\nlvs_method TUN"), "family-mix [duplicate-keyword]"),
        (web("sorry_server 2001:db8::9 80"), "family-mix"),
        (web("sorry_server 2001:db8::9 80\nsorry_server_lvs_method TUN"), ""),
        (web("ip_family inet"), ""),
        (web("ip_family inet6"), "family-mix"),
        (server("fwmark 5", &format!("{NAT}\nip_family inet6")), "family-mix"),
        (server("fwmark 5", &format!("ip_family inet6\n{NAT}")), "family-mix"),
        (server("fwmark 5", &format!("persistence_granularity 64\n{NAT}")), "family-mix"),
        (server("fwmark 5", "lvs_method TUN\nreal_server 2001:db8::1 {\n}\nreal_server 10.2.0.1 {\n}"), ""),
        (
            server(
                "2001:db8::5 80",
                "persistence_granularity 255.255.255.0\nlvs_method NAT\nreal_server 2001:db8::9 80 {\n}",
            ),
            "family-mix",
        ),
        // Groups.
        (group("10.0.0.1 80", NAT), ""),
        (server("group G", NAT), "unknown-group"),
        (group("", NAT), "empty-group"),
        (group("10.0.0.1 80\n2001:db8::1 80\nfwmark 3", TUN), "family-mix"),
        (group("10.0.0.1 80\n2001:db8::1 80\nfwmark 3 inet\nfwmark 3 inet6", TUN), ""),
        (group("10.0.0.1 80\n2001:db8::1 80", NAT), "[family-mix]"),
        (group("2001:db8::1 80", NAT), "family-mix"),
        (group("10.0.0.1 80\nfwmark 5 inet7", NAT), "unknown-option"),
        (group("10.0.0.1-1 80\n10.0.0.2 80", NAT), "invalid-address"),
        (group("10.0.0.1-10.0.0.1 80", NAT), ""),
        // Ports.
        (server("10.0.0.1", NAT), "port-missing"),
        (server("10.0.0.1", &format!("persistence_timeout 60\n{NAT}")), ""),
        (group("10.0.0.1", NAT), "port-missing"),
        (server("10.0.0.1 80", "lvs_method DR\nreal_server 10.2.0.1 8080 {\n}"), "port-mismatch"),
        (server("10.0.0.1 80", "lvs_method DR\nreal_server 10.2.0.1 {\n}"), ""),
        (server("10.0.0.1 80", "lvs_method NAT\nreal_server 10.2.0.1 {\n}"), ""),
        (web("sorry_server 10.9.9.9 8080\nsorry_server_lvs_method DR"), "port-mismatch"),
        (server("fwmark 3", "lvs_method DR\nreal_server 10.2.0.1 80 {\n}"), "port-mismatch"),
        (server("fwmark 3", NAT), ""),
        (group("10.0.0.1 80\n10.0.0.2 81", "lvs_method DR\nreal_server 10.2.0.1 80 {\n}"), "port-mismatch"),
        // Protocol, scheduler, method.
        (
            "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nreal_server 10.2.0.1 80 {\n}\n}"
                .into(),
            "default-used",
        ),
        (
            "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlvs_method NAT\nreal_server 10.2.0.1 80 {\n}\n}"
                .into(),
            "default-used",
        ),
        (server("10.0.0.1 80", "real_server 10.2.0.1 80 {\n}"), "default-used"),
        (server("10.0.0.1 80", "real_server 10.2.0.1 80 {\nlvs_method DR\n}"), ""),
        (
            server("10.0.0.1 80", "sorry_server 10.9.9.9 80\nreal_server 10.2.0.1 80 {\nlvs_method DR\n}"),
            "default-used",
        ),
        (server("fwmark 3", &format!("protocol TCP\n{NAT}")), "conflict"),
        (server("fwmark 3", &format!("ops\n{NAT}")), ""),
        (web("ops"), "conflict"),
        (web("sh-port"), "conflict"),
        (web("lvs_sched sh\nsh-port"), "[duplicate-keyword]"),
        (web("lvs_sched sh\nmh-port"), "[duplicate-keyword] [conflict]"),
        (server("fwmark 3", &format!("ha_suspend\n{NAT}")), "conflict"),
        (web("ha_suspend"), ""),
        // Quorum.
        (web("quorum 2"), "quorum-too-high"),
        (web("quorum 2\nweight 2"), ""),
        (web("quorum 3\nweight 2\nhysteresis 2"), "quorum-too-high"),
        (web("hysteresis 1"), "hysteresis-too-high"),
        (checked("weight 0"), "quorum-too-high"),
        // Servers given twice, or not at all.
        (web("real_server 10.2.0.1 80 {\n}"), "duplicate-server"),
        (web("real_server 10.2.0.1 {\n}"), ""),
        (web("") + &web(""), "duplicate-server"),
        (web("") + &group("10.0.0.1-3 80\n10.0.0.2 80", NAT), "duplicate-server"),
        (web("") + &group("10.0.0.1 81\n10.0.0.2 80\n10.0.0.2 80", NAT), ""),
        (group("10.0.0.1-5 80", NAT) + &group("10.0.0.4-9 80", NAT).replace('G', "H"), "duplicate-server"),
        (server("fwmark 3", NAT) + &group("fwmark 3", NAT), "duplicate-server conflict"),
        (server("fwmark 3", NAT) + &group("fwmark 3 inet6", TUN6), "conflict"),
        (server("10.0.0.1 80", "lvs_method NAT"), "no-real-servers"),
        (web("sorry_server 10.2.0.1 80"), "[conflict]"),
        (web("sorry_server 10.2.0.1 80\nsorry_server_inhibit"), "conflict"),
        (web("sorry_server 10.2.0.1 80\ninhibit_on_failure"), "conflict"),
        (web("sorry_server_inhibit"), "conflict"),
        // Tunnels.
        (web("sorry_server 10.9.9.9 80\nsorry_server_lvs_method TUN type gue"), "conflict"),
        (checked("lvs_method TUN type gue port 5 remcsum"), ""),
        (checked("lvs_method TUN type gre remcsum"), "conflict"),
        (checked("lvs_method TUN type gre csum"), ""),
        (checked("lvs_method TUN csum"), "conflict"),
        (checked("lvs_method TUN port 5"), "conflict"),
        (checked("lvs_method TUN type"), "missing-value"),
        (checked("lvs_method TUN type gue port 0"), "out-of-range"),
        (checked("lvs_method TUN type vxlan"), "unknown-option"),
        (checked("lvs_method DR type gue port 5"), "[conflict]"),
        // Thresholds of connections.
        (checked("uthreshold 5\nlthreshold 5"), ""),
        (checked("lthreshold 6\nuthreshold 5"), "[conflict]"),
        (checked("lthreshold 1"), "[conflict]"),
        (checked("uthreshold 5\nlthreshold 0"), ""),
    ];
    for (text, expected) in cases {
        let loaded = read(text);
        assert_eq!(said(&loaded), *expected, "{text}\n{}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn what_is_wrong_in_a_checker_is_said_once() {
    let http = |url: &str| format!("HTTP_GET {{\nurl {{\npath /\n{url}\n}}\n}}");
    let tcp = |lines: &str| format!("TCP_CHECK {{\n{lines}\n}}");
    let udp = |lines: &str| format!("UDP_CHECK {{\n{lines}\n}}");
    let cases: &[(String, &str)] = &[
        (tcp("bindto 10.0.0.9"), ""),
        (tcp("bindto 2001:db8::1"), "family-mix"),
        (tcp("connect_ip 2001:db8::2\nbindto 2001:db8::1"), ""),
        (tcp("bindto 10.0.0.9\nconnect_ip 2001:db8::2"), "family-mix"),
        (tcp("connect_ip fe80::1"), "missing-part"),
        (tcp("connect_ip fe80::1\nbind_if eth0"), ""),
        (tcp("connect_ip fe80::1%eth0"), "invalid-address"),
        (tcp("connect_ip 192.0.2.5/24"), "[no-effect]"),
        ("HTTP_GET {\n}".into(), "missing-part"),
        ("HTTP_GET {\nurl {\n}\n}".into(), "missing-part"),
        ("HTTP_GET {\ntls_compliant\nurl {\npath /\n}\n}".into(), "unknown-keyword"),
        ("SSL_GET {\ntls_compliant\nurl {\npath /\ntls_compliant off\n}\n}".into(), ""),
        (http("status_code"), ""),
        (http("status_code 600"), "invalid-value"),
        ("SSL_GET {\nsni_name\nsni_name a\nurl {\npath /\n}\n}".into(), ""),
        ("SSL_GET {\nsni_name a\nsni_name\nurl {\npath /\n}\n}".into(), "duplicate-keyword"),
        ("SSL_GET {\nsni_name www.example.com:8443\nurl {\npath /\n}\n}".into(), "[invalid-value]"),
        (http("path /x"), "duplicate-keyword"),
        (http("regex \"two words\""), ""),
        (http("regex two words"), "extra-words"),
        (http("regex_no_match"), "[conflict]"),
        (http("regex \"a(b\""), "invalid-pattern"),
        (http("regex a(b)\nregex_no_match\nregex_min_offset 5"), ""),
        (http("regex a[b\nregex_no_match\nregex_min_offset 5"), "invalid-pattern"),
        (http("regex [z-a\nregex a"), "duplicate-keyword"),
        (http("regex (?<n>a)(?<n>b)"), "invalid-pattern"),
        (http("regex_options dupnames\nregex (?<n>a)(?<n>b)"), ""),
        (http("regex x\nregex_options utf never_utf"), "invalid-pattern"),
        (http("regex x\nregex_options caseless blunder"), "[unknown-option]"),
        (http("regex x\nregex_min_offset 5\nregex_max_offset 4"), "[conflict]"),
        (http("regex x\nregex_min_offset 5\nregex_max_offset 5"), ""),
        (http("regex x\nregex_stack 5 4"), "[conflict]"),
        ("DNS_CHECK {\nname .example\n}".into(), "invalid-value"),
        ("DNS_CHECK {\nname a.b\n}".into(), ""),
        ("DNS_CHECK {\nname .\ntype aaaa\n}".into(), ""),
        ("DNS_CHECK {\ntype SRV\n}".into(), "invalid-value"),
        (format!("DNS_CHECK {{\nname {}.b\n}}", "a".repeat(64)), "too-long"),
        (format!("DNS_CHECK {{\nname {}\n}}", "a.".repeat(127)), "too-long"),
        ("TCP_CHECK {\n}\nTCP_CHECK {\nretry 3\n}".into(), "[duplicate-checker]"),
        ("TCP_CHECK {\n}\nTCP_CHECK {\nconnect_port 81\n}".into(), ""),
        (tcp("retry 0\ndelay_before_retry 2"), "[no-effect]"),
        ("MISC_CHECK {\nmisc_path /bin/true\ndelay_before_retry 2\n}".into(), "[no-effect]"),
        ("MISC_CHECK {\nmisc_path /bin/true\ndelay_before_retry 2\nretry 1\n}".into(), ""),
        ("PING_CHECK {\nconnect_port 80\n}".into(), "[no-effect]"),
        (udp(""), ""),
        (udp("connect_timeout 3"), "[short-timeout]"),
        (udp("connect_timeout 3\nrequire_reply"), ""),
        (udp("require_reply\nmax_reply_length 5"), "[no-effect]"),
        ("MISC_CHECK {\n}".into(), "missing-part"),
        ("MISC_CHECK {\nmisc_path \"\"\n}".into(), "missing-value"),
        (udp("payload 00 1\nrequire_reply 0x x\nmin_reply_length 2"), ""),
        (udp("payload 0x"), "invalid-value"),
        (udp("require_reply \"\""), "invalid-value"),
        (udp("require_reply\nmin_reply_length 300"), "conflict"),
        ("SMTP_CHECK {\nhost {\nconnect_port 25\n}\n}".into(), "[deprecated-keyword]"),
        ("FILE_CHECK {\n}".into(), "missing-part"),
        ("FILE_CHECK {\ntrack_file nobody\n}".into(), "unknown-tracked"),
        ("BFD_CHECK {\n}".into(), "missing-part"),
        ("BFD_CHECK {\nname nobody\n}".into(), "unknown-tracked"),
    ];
    for (text, expected) in cases {
        let loaded = read(&checked(text));
        assert_eq!(said(&loaded), *expected, "{text}\n{}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn a_pattern_is_wrong_where_pcre2_says() {
    for (regex, column) in [
        (r"regex a(b", 10),
        (r#"regex "a(b""#, 11),
        (r#"regex "é\\d+(b""#, 15),
        (r"regex a)b", 8),
        (r"regex 'a'\x28b", 15),
    ] {
        let loaded = read(&checked(&format!("HTTP_GET {{\nurl {{\npath /\n{regex}\n}}\n}}")));
        let wrong = loaded.diagnostics.iter().find(|diagnostic| diagnostic.code == "invalid-pattern");
        let wrong = wrong.and_then(|diagnostic| diagnostic.span).expect("a place");
        assert_eq!(loaded.diagnostics.sources().place(wrong).column, column, "{regex}");
    }
}

#[test]
fn a_wrong_pattern_out_of_a_definition_is_shown_in_part() {
    for (pattern, shown) in [
        ("a(b", "in the pattern that this stands for, after `a(b`"),
        ("*a", "at the beginning of the pattern that this stands for"),
        (
            "one_two_three_four_five_six_seven(",
            "in the pattern that this stands for, after `…two_three_four_five_six_seven(`",
        ),
    ] {
        let text = checked("HTTP_GET {\nurl {\npath /\nregex ${P}\n}\n}");
        let loaded = read(&format!("$P={pattern}\n{text}"));
        let wrong = loaded.diagnostics.iter().find(|diagnostic| diagnostic.code == "invalid-pattern");
        assert_eq!(wrong.expect("it is wrong").notes, [shown]);
    }
}

/// What the model holds at a place of the first virtual server.
fn at(text: &str, pointer: &str) -> Value {
    let model = read(text).config.expect("a model").to_json();
    model.pointer(&format!("/virtual_servers/0{pointer}")).cloned().unwrap_or(Value::Null)
}

#[test]
fn what_is_kept_is_what_keepalived_keeps() {
    let real = "/real_servers/0";
    let cases: &[(String, &str, Value)] = &[
        (web(""), "/key", json!({"address": "10.0.0.1", "port": 80, "protocol": "tcp"})),
        (
            server("fwmark 5", "lvs_method TUN\nreal_server 2001:db8::1 {\n}"),
            "/key",
            json!({"fwmark": 5, "family": "inet6"}),
        ),
        (
            server("fwmark 5", "ip_family inet\nlvs_method TUN\nreal_server 2001:db8::1 {\n}"),
            "/key",
            json!({"fwmark": 5, "family": "inet"}),
        ),
        (
            server("fwmark 5", "lvs_method TUN\nreal_server 2001:db8::1 {\n}\nreal_server 10.2.0.1 {\n}"),
            "/key",
            json!({"fwmark": 5, "family": "inet"}),
        ),
        (
            group("10.0.0.1 80\n2001:db8::1 80", "lvs_method TUN\nreal_server 10.2.0.1 {\n}"),
            "/key",
            json!({"group": "G", "protocol": "tcp", "family": null}),
        ),
        (web("quorum 2"), "/quorum", json!(1)),
        (web("quorum 5\nweight 3\nhysteresis 4"), "/hysteresis", json!(2)),
        (
            server("10.0.0.1", "lvs_method NAT\nreal_server 10.2.0.1 80 {\n}"),
            "/persistence_timeout",
            json!(360),
        ),
        (web("persistence_granularity 255.255.0.0"), "/persistence_timeout", json!(360)),
        (web("persistence_granularity 255.255.0.0"), "/persistence_granularity", json!(16)),
        (web("sorry_server 10.2.0.1 80\nsorry_server_inhibit"), "/sorry_server/inhibit", json!(false)),
        (web("sorry_server 10.2.0.1 80\ninhibit_on_failure"), "/sorry_server/inhibit", json!(true)),
        (checked("lvs_method TUN type gue"), "/real_servers/0/forwarding", json!({"TUN": {"type": "ipip"}})),
        (
            checked("HTTP_GET {\nurl {\npath /\nstatus_code 200 700 204\n}\n}"),
            "/real_servers/0/checkers/0/kind/urls/0/status",
            json!("200 204"),
        ),
        (
            checked("UDP_CHECK {\nrequire_reply 0g\n}"),
            "/real_servers/0/checkers/0/kind/reply/pattern",
            json!(""),
        ),
        (
            checked("MISC_CHECK {\nmisc_path /bin/true nobody\n}"),
            "/real_servers/0/checkers/0/kind/script/user",
            Value::Null,
        ),
        (
            checked("lvs_method TUN type gue port 5 csum"),
            "/real_servers/0/forwarding",
            json!({"TUN": {"type": "gue", "port": 5, "checksum": "full"}}),
        ),
        (
            server("10.0.0.1 80", "lvs_method DR\nreal_server 10.2.0.1 80 {\n}\nlvs_method TUN"),
            "/real_servers/0/forwarding",
            json!("DR"),
        ),
        (
            server("10.0.0.1 80", "lvs_method DR\nreal_server 10.2.0.1 8080 {\n}"),
            "/real_servers/0/address",
            json!("10.2.0.1:80"),
        ),
    ];
    for (text, pointer, expected) in cases {
        assert_eq!(at(text, pointer), *expected, "{pointer} of\n{text}");
    }
    // A checker asks the port that is written, also where the method makes nothing of it.
    let marked = server("fwmark 3", "lvs_method DR\nreal_server 10.2.0.1 80 {\nTCP_CHECK {\n}\n}");
    assert_eq!(at(&marked, &format!("{real}/address")), json!("10.2.0.1:0"));
    assert_eq!(at(&marked, &format!("{real}/checkers/0/kind/connect_to")), json!("10.2.0.1:80"));
}

#[test]
fn checkers_inherit_from_real_and_virtual_server() {
    let text = |outer: &str, middle: &str, checker: &str| {
        server(
            "10.0.0.1 80",
            &format!("lvs_method NAT\n{outer}\nreal_server 10.2.0.1 80 {{\n{middle}\n{checker}\n}}"),
        )
    };
    const DNS: &str = "DNS_CHECK {\n}";
    const MISC: &str = "MISC_CHECK {\nmisc_path /bin/true\n}";
    const HTTP: &str = "HTTP_GET {\nurl {\npath /\n}\n}";
    const TCP: &str = "TCP_CHECK {\n}";
    let ssl = |lines: &str| format!("SSL_GET {{\n{lines}\nurl {{\npath /\n}}\n}}");
    let cases: &[(&str, &str, &str, &str, Value)] = &[
        ("", "", TCP, "/retry", json!(1)),
        ("", "", DNS, "/retry", json!(3)),
        ("", "", MISC, "/retry", json!(0)),
        ("retry 9", "", DNS, "/retry", json!(9)),
        ("retry 9", "retry 8", DNS, "/retry", json!(8)),
        ("", "", TCP, "/delay_before_retry", json!(1)),
        ("", "", HTTP, "/delay_before_retry", json!(3)),
        ("delay_loop 7", "", DNS, "/delay_before_retry", json!(7)),
        ("delay_loop 7", "delay_loop 8", TCP, "/delay_loop", json!(8)),
        ("delay_loop 7", "delay_loop 8", TCP, "/warmup", json!(8)),
        ("warmup 2", "delay_loop 8", TCP, "/warmup", json!(2)),
        ("connect_timeout 4", "", TCP, "/kind/connect_timeout", json!(4)),
        // The virtual server's own, whatever the checker has.
        ("delay_loop 7", "delay_loop 8", MISC, "/kind/timeout", json!(7)),
        ("alpha", "", TCP, "/alpha", json!(true)),
        ("alpha", "alpha off", TCP, "/alpha", json!(false)),
        ("virtualhost a", "virtualhost b", HTTP, "/kind/urls/0/host", json!("b")),
        ("virtualhost a", "", HTTP, "/kind/urls/0/host", json!("a")),
        ("", "", HTTP, "/kind/urls/0/tls", Value::Null),
        ("virtualhost a", "", &ssl(""), "/kind/urls/0/tls/server_name", Value::Null),
        ("virtualhost a", "virtualhost b", &ssl("enable_sni"), "/kind/urls/0/tls/server_name", json!("a")),
        ("", "", &ssl("virtualhost c\nsni_name"), "/kind/urls/0/tls/server_name", json!("c")),
        ("", "", &ssl("virtualhost c\nsni_name d"), "/kind/urls/0/tls/server_name", json!("d")),
        ("", "", "SMTP_CHECK {\n}", "/kind/helo_name", json!("smtpchecker.keepalived.org")),
        ("", "", "UDP_CHECK {\nrequire_reply\n}", "/kind/reply/max_length", json!(255)),
    ];
    for (outer, middle, checker, pointer, expected) in cases {
        let text = text(outer, middle, checker);
        assert_eq!(
            at(&text, &format!("/real_servers/0/checkers/0{pointer}")),
            *expected,
            "{pointer} of\n{text}"
        );
    }
}

#[test]
fn each_host_of_an_smtp_check_is_a_checker() {
    let targets = |lines: &str| {
        let model = read(&checked(&format!("SMTP_CHECK {{\n{lines}\n}}"))).config.expect("a model").to_json();
        let checkers =
            model.pointer("/virtual_servers/0/real_servers/0/checkers").cloned().unwrap_or_default();
        let checkers = checkers.as_array().cloned().unwrap_or_default();
        let target =
            |checker: &Value| checker.pointer("/kind/connect_to").and_then(Value::as_str).map(str::to_owned);
        checkers.iter().filter_map(target).collect::<Vec<_>>()
    };
    assert_eq!(targets(""), ["10.2.0.1:80"]);
    assert_eq!(
        targets("host {\nconnect_port 25\n}\nhost {\nconnect_ip 10.2.0.2\n}"),
        ["10.2.0.1:25", "10.2.0.2:80"]
    );
    assert_eq!(targets("connect_port 26\nhost {\nconnect_port 25\n}"), ["10.2.0.1:26", "10.2.0.1:25"]);
}

#[test]
fn followed_files_and_sessions_take_what_their_blocks_say() {
    let text = format!(
        "track_file f {{\nfile /run/f\nweight 5 reverse\n}}\nbfd_instance B {{\nneighbor_ip 192.0.2.9\n}}\n{}",
        checked(
            "alpha\nFILE_CHECK {\ntrack_file f\n}\nFILE_CHECK {\ntrack_file f\nweight 2\n}\nBFD_CHECK {\nname B\n}\nBFD_CHECK {\nname B\n}"
        )
    );
    // With `lvs_sched rr` the files could as well hold nothing but 0 and 1.
    assert_eq!(said(&read(&text)), "[no-effect] [no-effect] duplicate-member");
    assert_eq!(
        at(&text, "/real_servers/0/file_checks"),
        json!([
            {"track_file": "f", "weight": 5, "reverse": true},
            {"track_file": "f", "weight": 2, "reverse": false}
        ])
    );
    assert_eq!(at(&text, "/real_servers/0/bfd_checks"), json!([{"session": "B", "alpha": true}]));
}

#[test]
fn half_an_identity_is_said_to_be_shown_to_nobody() {
    for (lines, expected) in [
        ("certificate /c.pem\nkey /k.pem", ""),
        ("ca /ca.pem", ""),
        ("certificate /c.pem", "[no-effect]"),
        ("key /k.pem\npassword hush", "[no-effect]"),
    ] {
        let loaded = read(&format!("SSL {{\n{lines}\n}}\n{}", web("")));
        assert_eq!(said(&loaded), expected, "{lines}\n{}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn secrets_are_not_shown() {
    let loaded = read("SSL {\npassword hush\nkey /k.pem\n}\n");
    let config = loaded.config.expect("a model");
    assert_eq!(config.to_json().pointer("/ssl/key"), Some(&json!("/k.pem")));
    assert!(!format!("{config:?} {}", config.to_json()).contains("hush"));
}

#[test]
fn a_checker_is_shown_by_the_keyword_that_it_was_written_with() {
    for (keyword, inside) in [
        ("TCP_CHECK", ""),
        ("HTTP_GET", "url {\npath /\n}"),
        ("SSL_GET", "url {\npath /\n}"),
        ("SMTP_CHECK", ""),
        ("DNS_CHECK", ""),
        ("MISC_CHECK", "misc_path \"/bin/true\""),
        ("PING_CHECK", ""),
        ("UDP_CHECK", ""),
    ] {
        let text = checked(&format!("{keyword} {{\n{inside}\n}}"));
        assert_eq!(at(&text, "/real_servers/0/checkers/0/kind/type"), json!(keyword));
    }
}
