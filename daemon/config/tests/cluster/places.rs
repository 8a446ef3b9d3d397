//! Each difference is said once, where it stands, with the place in the other file.

use keepwatch_config::{Diagnostic, Diagnostics, check_cluster};

use super::read;

/// An instance, and two virtual servers behind it. Every line has its number in the tables below.
const FILE: &str = "global_defs {
    router_id ONE
    lvs_sync_daemon eth1 id 5
}
vrrp_sync_group G {
    group {
        A
        B
    }
}
vrrp_instance A {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    nopreempt
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        10.0.0.1/24
        10.0.0.2/24
    }
}
vrrp_instance B {
    interface eth1
    virtual_router_id 52
    priority 150
    nopreempt
    version 3
    unicast_src_ip 10.9.0.1
    unicast_peer {
        10.9.0.2
    }
    virtual_ipaddress {
        10.1.0.1/24
    }
}
virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    quorum 1
    real_server 10.2.0.1 80 {
        weight 1
        TCP_CHECK {
            connect_port 80
        }
    }
    real_server 10.2.0.2 80 {
        HTTP_GET {
            url {
                path /alive
                status_code 200
            }
        }
    }
}
virtual_server 10.0.0.2 443 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.2.0.1 443 {
    }
}
";

/// The file of the other router, which goes with the one above.
fn partner() -> String {
    FILE.replace("router_id ONE", "router_id TWO")
        .replace("priority 150", "priority 100")
        .replace("unicast_src_ip 10.9.0.1", "unicast_src_ip 10.9.0.2")
        .replace("        10.9.0.2\n", "        10.9.0.1\n")
        // On another machine the interface may have another name.
        .replace("interface eth1", "interface ens7")
        .replace("lvs_sync_daemon eth1", "lvs_sync_daemon ens7")
}

fn lines(diagnostic: &Diagnostic, said: &Diagnostics) -> (usize, Vec<usize>) {
    let line = |span| said.sources().place(span).line;
    let there = diagnostic.related.iter().map(|(span, _)| line(*span)).collect();
    (diagnostic.span.map_or(0, line), there)
}

#[test]
fn two_files_that_fit_are_good() {
    let found = check_cluster(&[read("one.conf", FILE), read("two.conf", &partner())]);
    for said in found {
        assert!(said.is_empty(), "{}", said.render_text(false));
    }
}

/// What is written in the second file in place of what, the code, the line of the second file, and the one of the first.
type Case = (&'static str, &'static str, &'static str, usize, &'static [usize]);

const CASES: &[Case] = &[
    ("router_id TWO", "router_id ONE", "cluster-router-id", 2, &[2]),
    ("ens7 id 5", "ens7 id 6", "cluster-sync-daemon", 3, &[3]),
    ("auth_type PASS", "auth_type AH", "cluster-authentication", 18, &[18]),
    ("auth_pass 1111", "auth_pass 2222", "cluster-authentication", 19, &[19]),
    ("id 51", "id 51\n    advert_int 2", "cluster-advert-int", 15, &[11]),
    (
        "priority 100\n    nopreempt\n    auth",
        "priority 150\n    nopreempt\n    auth",
        "cluster-priority",
        15,
        &[15],
    ),
    ("priority 100\n    nopreempt\n    auth", "priority 100\n    auth", "cluster-nopreempt", 11, &[16]),
    ("10.0.0.2/24", "10.0.0.3/24", "cluster-addresses", 23, &[23]),
    ("        10.1.0.1/24\n", "        10.1.0.1/24\n        10.1.0.2/24\n", "cluster-addresses", 38, &[36]),
    ("10.0.0.2/24", "10.0.0.2/25", "cluster-netmask", 23, &[23]),
    ("version 3", "version 2", "cluster-version", 31, &[31]),
    ("version 3", "version 3\n    v3_checksum_as_v2", "cluster-version", 32, &[26]),
    ("        10.9.0.1\n", "        10.9.0.7\n", "cluster-unicast", 33, &[32]),
    ("src_ip 10.9.0.2", "src_ip 10.9.0.7", "cluster-unicast", 32, &[33]),
    ("src_ip 10.9.0.2", "src_ip 10.9.0.1", "cluster-source", 32, &[32]),
    (
        "lvs_sched rr\n    lvs_method NAT\n    protocol TCP\n    quorum",
        "lvs_sched wlc\n    lvs_method NAT\n    protocol TCP\n    quorum",
        "cluster-virtual-servers",
        41,
        &[41],
    ),
    ("quorum 1", "quorum 2\n    hysteresis 0", "cluster-virtual-servers", 44, &[44]),
    (
        "443 {\n    lvs_sched",
        "443 {\n    persistence_timeout 50\n    lvs_sched",
        "cluster-virtual-servers",
        61,
        &[60],
    ),
    ("0.0.2 443", "0.0.2 444", "cluster-virtual-servers", 60, &[60]),
    ("weight 1", "weight 9", "cluster-real-servers", 46, &[46]),
    ("2.0.1 443", "2.0.9 443", "cluster-real-servers", 64, &[64]),
    ("connect_port 80", "connect_port 81", "cluster-checks", 48, &[48]),
    ("path /alive", "path /dead", "cluster-checks", 54, &[54]),
    ("status_code 200", "status_code 204", "cluster-checks", 55, &[55]),
    ("                status_code 200\n", "", "cluster-checks", 53, &[55]),
    ("HTTP_GET", "SSL_GET", "cluster-checks", 52, &[52]),
];

#[test]
fn a_difference_is_said_once_at_its_line_with_the_line_of_the_other_file() {
    for (from, to, code, line, other_lines) in CASES {
        let text = partner().replacen(from, to, 1);
        assert_ne!(text, partner(), "{from}");
        let found = check_cluster(&[read("one.conf", FILE), read("two.conf", &text)]);
        assert!(found[0].is_empty(), "{to}: {}", found[0].render_text(false));
        let said: Vec<_> = found[1].iter().map(|one| (one.code, lines(one, &found[1]))).collect();
        assert_eq!(said, [(*code, (*line, other_lines.to_vec()))], "{to}: {}", found[1].render_text(false));
    }
}

#[test]
fn what_only_the_first_file_has_is_said_there() {
    for (gone, code, line, other_lines) in [
        ("        A\n", "cluster-sync-group", 7, &[5][..]),
        (
            "    real_server 10.2.0.1 80 {\n        weight 1\n        TCP_CHECK {\n            connect_port 80\n        }\n    }\n",
            "cluster-real-servers",
            45,
            &[40],
        ),
        (
            "virtual_server 10.0.0.2 443 {\n    lvs_sched rr\n    lvs_method NAT\n    protocol TCP\n    real_server 10.2.0.1 443 {\n    }\n}\n",
            "cluster-virtual-servers",
            60,
            &[],
        ),
    ] {
        let text = partner().replacen(gone, "", 1);
        assert_ne!(text, partner(), "{gone}");
        let found = check_cluster(&[read("one.conf", FILE), read("two.conf", &text)]);
        assert!(found[1].is_empty(), "{gone}: {}", found[1].render_text(false));
        let said: Vec<_> = found[0].iter().map(|one| (one.code, lines(one, &found[0]))).collect();
        assert_eq!(said, [(code, (line, other_lines.to_vec()))], "{gone}: {}", found[0].render_text(false));
    }
}

#[test]
fn both_texts_are_shown_and_json_names_the_other_place() {
    let other = partner().replace("auth_pass 1111", "auth_pass 2222");
    let found = check_cluster(&[read("one.conf", FILE), read("two.conf", &other)]);
    let text = found[1].render_text(false);
    assert!(text.contains("two.conf:19:9") && text.contains("one.conf:19:9"), "{text}");
    let json = found[1].render_json();
    assert!(json.contains(r#""file":"two.conf","line":19,"column":9"#), "{json}");
    assert!(json.contains("in the other file (one.conf:19)"), "{json}");
}

#[test]
fn the_same_difference_in_many_expansions_is_said_once() {
    let many = |priority: u8, interval: u8| {
        format!(
            "$V=vrrp_instance V${{N}} {{\\\n interface eth0\\\n virtual_router_id ${{N}}\\\n nopreempt\\\n \
             priority {priority}\\\n advert_int {interval}\\\n virtual_ipaddress {{\\\n 10.0.0.${{N}}\\\n \
             }}\\\n}}\n~SEQ(N, 1, 9) $V\n"
        )
    };
    let found = check_cluster(&[read("one.conf", &many(150, 1)), read("two.conf", &many(100, 2))]);
    let said: Vec<_> = found[1].iter().map(|one| (one.code, one.repeated)).collect();
    assert_eq!(said, [("cluster-advert-int", 8)], "{}", found[1].render_text(false));
}

#[test]
fn a_difference_in_an_included_file_is_said_there() {
    let directory = std::env::temp_dir().join(format!("keepwatch-cluster-{}", std::process::id()));
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).map(|()| path)
    };
    let Ok(()) = std::fs::create_dir_all(&directory) else { panic!("no directory for the files") };
    let instance = |priority: u8, advert: u8| {
        format!(
            "vrrp_instance A {{\n interface eth0\n virtual_router_id 5\n nopreempt\n priority {priority}\n advert_int {advert}\n virtual_ipaddress {{\n 10.0.0.1\n }}\n}}\n"
        )
    };
    let options = keepwatch_config::Options { for_cluster: true, ..keepwatch_config::Options::default() };
    let loaded: Vec<_> = [("one", 150, 1), ("two", 100, 2)]
        .into_iter()
        .filter_map(|(name, priority, advert)| {
            write(&format!("{name}.inc"), &instance(priority, advert)).ok()?;
            let main = write(&format!("{name}.conf"), &format!("include {name}.inc\n")).ok()?;
            Some(keepwatch_config::load(&main, &options))
        })
        .collect();
    let found = check_cluster(&loaded);
    let places: Vec<_> = found[1]
        .iter()
        .filter_map(|one| one.span)
        .map(|span| found[1].sources().place(span))
        .map(|place| (place.path.file_name().map(|name| name.to_os_string()), place.line))
        .collect();
    assert_eq!(places, [(Some("two.inc".into()), 6)], "{}", found[1].render_text(false));
    let _ = std::fs::remove_dir_all(directory);
}
