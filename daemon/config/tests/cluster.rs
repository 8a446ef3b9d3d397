//! The files of two routers against each other.

#![allow(clippy::expect_used)] // helpers of tests

use std::path::Path;

use keepwatch_config::{Loaded, Options, check_cluster, load_text};

const FILE: &str = "vrrp_instance A {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        10.0.0.1/24
        10.0.0.2/24
    }
}
virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.0.1.1 80 {
    }
}
";

fn read(name: &str, text: &str) -> Loaded {
    load_text(
        Path::new(name),
        text.to_owned(),
        &Options { host_name: Some("lab".into()), scripts: false, ..Options::default() },
    )
}

/// Codes of what does not fit when the second file has `from` replaced by `to`.
fn with(from: &str, to: &str) -> Vec<&'static str> {
    let one = read("one.conf", &FILE.replace("priority 100", "priority 150"));
    let other = read("other.conf", &FILE.replace(from, to));
    let found = check_cluster(&[one, other]);
    assert!(found[0].is_empty());
    found[1].iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn files_that_fit_are_not_complained_about() {
    assert_eq!(with("x", "x"), [] as [&str; 0]);
}

#[test]
fn each_difference_that_matters_is_said() {
    for (from, to, code) in [
        ("priority 100", "priority 150", "cluster-priority"),
        ("advert_int 1", "advert_int 2", "cluster-advert-int"),
        ("auth_pass 1111", "auth_pass 2222", "cluster-authentication"),
        ("        10.0.0.2/24\n", "", "cluster-addresses"),
        ("state BACKUP", "state BACKUP\n    nopreempt", "cluster-nopreempt"),
        ("virtual_server 10.0.0.1 80", "virtual_server 10.0.0.1 81", "cluster-virtual-servers"),
    ] {
        assert!(with(from, to).contains(&code), "{to}: {:?}", with(from, to));
    }
    assert!(with("advert_int 1", "advert_int 1\n    version 3").contains(&"cluster-version"));
}

#[test]
fn instances_of_other_routers_are_let_be() {
    assert_eq!(with("virtual_router_id 51", "virtual_router_id 52"), [] as [&str; 0]);
}

#[test]
fn the_place_in_both_files_is_named() {
    let one = read("one.conf", FILE);
    let other = read("other.conf", &FILE.replace("advert_int 1", "advert_int 2"));
    let found = check_cluster(&[one, other]);
    let text = found[1].render_text(false);
    assert!(text.contains("other.conf:1") && text.contains("one.conf:1"), "{text}");
}
