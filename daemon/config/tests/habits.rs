//! What people write out of habit from other languages, or bring along when they paste: each is answered once, at its
//! line, with what to write.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use keepwatch_config::Outcome;

use reading::{line, mistakes, read};

const TEXT: &str = "global_defs {
    router_id LB1
    script_user root
    enable_script_security
}
vrrp_script check {
    script \"/usr/bin/pgrep haproxy\"
    interval 2
    weight -20
}
vrrp_instance A {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    unicast_src_ip 10.1.0.1
    unicast_peer {
        10.1.0.2
        10.1.0.3
    }
    virtual_ipaddress {
        10.0.0.1/24
        10.0.0.2/24
    }
    track_script {
        check
    }
}
virtual_server 10.0.0.1 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.2.0.1 80 {
        weight 1
        HTTP_GET {
            url {
                path /
                status_code 200
            }
            connect_timeout 3
        }
    }
}
";

/// `code:line` of everything above a note, and the mends.
fn answer(text: &str) -> (Vec<String>, Vec<String>, String) {
    let loaded = read(text);
    let said = mistakes(&loaded);
    let codes = said.iter().map(|d| format!("{}:{}", d.code, line(&loaded, d.span))).collect();
    let mends = said.iter().filter_map(|d| d.suggestion.as_ref().map(|mend| mend.replacement.clone()));
    (codes, mends.collect(), loaded.diagnostics.render_text(false))
}

/// Each: what is written in place of what, how it is answered, and the mend.
fn each(cases: &[(&str, &str, &str, &str)]) {
    assert_eq!(answer(TEXT).0, [] as [&str; 0], "{}", answer(TEXT).2);
    for (right, written, code, mend) in cases {
        let at = TEXT.find(right).expect("a part of the text");
        let line = TEXT[..at].matches('\n').count() + 1;
        let text = TEXT.replacen(right, written, 1);
        let (codes, mends, shown) = answer(&text);
        assert_eq!(codes, [format!("{code}:{line}")], "{written}\n{shown}");
        let expected: Vec<&str> = Some(*mend).filter(|mend| *mend != "-").into_iter().collect();
        assert_eq!(mends, expected, "{written}\n{shown}");
    }
}

#[test]
fn short_and_long_forms_of_keywords() {
    each(&[
        ("virtual_router_id", "vrid", "unknown-keyword", "virtual_router_id"),
        ("interface", "iface", "unknown-keyword", "interface"),
        ("priority", "prio", "unknown-keyword", "priority"),
        ("advert_int", "advert_interval", "unknown-keyword", "advert_int"),
        ("unicast_src_ip", "unicast_src", "unknown-keyword", "unicast_src_ip"),
        ("virtual_ipaddress {", "vip {", "unknown-keyword", "virtual_ipaddress"),
        ("virtual_ipaddress {", "virtual_ip {", "unknown-keyword", "virtual_ipaddress"),
        ("global_defs", "global", "unknown-keyword", "global_defs"),
        ("vrrp_instance A", "vrrp_instanceinside", "unknown-keyword", "vrrp_instance inside"),
        ("lb_algo wrr", "lb_method wrr", "unknown-keyword", "lb_algo"),
        ("HTTP_GET", "HTTP_CHECK", "unknown-keyword", "HTTP_GET"),
    ]);
}

#[test]
fn values_as_they_are_written_elsewhere() {
    each(&[
        ("advert_int 1", "advert_int 1000ms", "invalid-number", "1"),
        ("interval 2", "interval 5m", "invalid-number", "300"),
        ("interval 2", "interval 1,5", "invalid-number", "1.5"),
        ("weight -20", "weight –20", "invalid-number", "-20"),
        ("priority 100", "priority 10.1.0.1", "invalid-number", "-"),
        ("real_server 10.2.0.1 80", "real_server 10.2.0.1:80", "invalid-address", "10.2.0.1 80"),
        (
            "virtual_server 10.0.0.1 80",
            "virtual_server [2001:db8::1]:80",
            "invalid-address",
            "2001:db8::1 80",
        ),
        ("real_server 10.2.0.1", "real_server web1", "invalid-address", "-"),
        ("10.1.0.2", "10.1.0.2:112", "invalid-address", "10.1.0.2"),
        ("10.0.0.1/24", "10.0.0.1/255.255.255.0", "out-of-range", "10.0.0.1/24"),
        ("10.0.0.1/24", "10.0.0.1 255.255.255.0", "unknown-option", "10.0.0.1/24"),
        ("10.0.0.1/24", "10.0.0.1 netmask 255.255.255.0", "unknown-option", "10.0.0.1/24"),
        ("10.0.0.1/24", "10.0.0.1 / 24", "unknown-option", "10.0.0.1/24"),
        ("10.0.0.1/24", "10.0.0.1/24 eth0", "unknown-option", "dev eth0"),
        ("10.0.0.1/24", "10.0.0.1/24 dev=eth0", "unknown-option", "dev eth0"),
        ("10.0.0.1/24", "10.0.0.1/24 10.0.0.3/24", "unknown-option", "\n        10.0.0.3/24"),
        ("interface eth0", "interface $IFACE", "undefined-name", "-"),
        ("interface eth0", "interface ${IFACE", "undefined-name", "}"),
    ]);
}

#[test]
fn punctuation_of_other_languages() {
    each(&[
        ("10.1.0.2\n        10.1.0.3", "10.1.0.2, 10.1.0.3", "foreign-syntax", "\n        10.1.0.3"),
        ("10.0.0.1/24", "10.0.0.1/24;", "foreign-syntax", ""),
        ("10.1.0.2\n", "- 10.1.0.2\n", "foreign-syntax", ""),
        ("track_script {", "track_script = {", "foreign-syntax", ""),
        (
            "track_script {\n        check\n    }",
            "track_script (\n        check\n    )",
            "foreign-syntax",
            "{",
        ),
        ("track_script {", "track_script [", "foreign-syntax", "{"),
        ("track_script {", "track_script ｛", "foreign-syntax", "{"),
        ("    priority 100", "    ; the usual\n    priority 100", "foreign-syntax", "#"),
        ("    priority 100", "    /* the\n       usual */\n    priority 100", "foreign-syntax", "#"),
        (
            "virtual_ipaddress {\n        10.0.0.1/24\n        10.0.0.2/24\n    }",
            "virtual_ipaddress 10.0.0.1/24",
            "missing-brace",
            "{ 10.0.0.1/24 }",
        ),
        (
            "unicast_peer {\n        10.1.0.2\n        10.1.0.3\n    }",
            "unicast_peer 10.1.0.2 10.1.0.3",
            "missing-brace",
            "{\n10.1.0.2\n10.1.0.3\n}",
        ),
        ("priority 100\n    advert_int 1", "priority 100 advert_int 1", "extra-words", "\n    advert_int"),
        ("100\n    advert_int 1", "100; advert_int 1", "extra-words", "\n    advert_int"),
        (
            "100\n    advert_int 1\n    unicast_src_ip 10.1.0.1\n",
            "100 advert_int 1 unicast_src_ip 10.1.0.1 ",
            "extra-words",
            "\n    advert_int",
        ),
    ]);
}

#[test]
fn what_comes_along_with_a_paste() {
    each(&[
        ("10.0.0.1/24", "{{ vip }}", "unfilled-template", "-"),
        ("interface eth0", "interface {{ keepalived_interface }}", "unfilled-template", "-"),
        ("10.1.0.2", "{% for peer in peers %}\n10.1.0.2", "unfilled-template", "-"),
        (
            "    priority 100\n",
            "<<<<<<< HEAD\n    priority 100\n=======\n    prio 90\n>>>>>>> b\n",
            "foreign-syntax",
            "-",
        ),
    ]);
}

#[test]
fn a_definition_of_another_language_is_said_once() {
    let instance = |first: &str| {
        let rest =
            "vrrp_instance A {\ninterface ${IF}\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n";
        format!("{first}\n{rest}")
    };
    for first in ["$IF = eth0", "$IF =eth0", "IF=eth0", "export IF=eth0", "IF = eth0"] {
        let (codes, mends, shown) = answer(&instance(first));
        assert_eq!((codes, mends), (vec!["unknown-keyword:1".into()], vec!["$IF=eth0".into()]), "{shown}");
    }
}

#[test]
fn a_whole_configuration_on_one_line_is_said_once() {
    let text = "vrrp_instance A { interface eth0 virtual_router_id 1 virtual_ipaddress { 10.0.0.1 } }\n";
    assert_eq!(answer(text).0, ["extra-words:1"], "{}", answer(text).2);
}

#[test]
fn a_block_that_is_lost_in_its_line_is_a_change_a_keyword_is_not() {
    let server = |inside: &str| {
        let text = format!(
            "virtual_server 10.0.0.1 80 {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 {{ {inside} }}\n}}\n"
        );
        read(&text).diagnostics.outcomes().worst()
    };
    assert_eq!(server("weight 2 lthreshold 1\n TCP_CHECK {\n}"), Outcome::Runs);
    assert_eq!(server("weight 1 TCP_CHECK { connect_timeout 3 }"), Outcome::RunsChanged);
}
