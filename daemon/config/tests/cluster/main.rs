//! The files of two routers, and more, against each other.

mod places;
#[path = "../reading/mod.rs"]
mod reading;
mod servers;
mod several;

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
    let options = Options { for_cluster: true, ..reading::options() };
    load_text(Path::new(name), text.to_owned(), &options)
}

/// Codes of what does not fit when the second file has `from` replaced by `to`.
fn with(from: &str, to: &str) -> Vec<&'static str> {
    let one = read("one.conf", &FILE.replace("priority 100", "priority 150"));
    let other = read("other.conf", &FILE.replace(from, to));
    let found = check_cluster(&[one, other]);
    assert!(found[0].is_empty(), "{}", found[0].render_text(false));
    found[1].iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn files_that_fit_are_not_complained_about() {
    assert_eq!(with("x", "x"), ["cluster-preempt"], "only a note");
    let fits = FILE.replace("advert_int 1", "nopreempt");
    let found = check_cluster(&[
        read("one.conf", &fits.replace("priority 100", "priority 150")),
        read("other.conf", &fits),
    ]);
    assert!(found.iter().all(keepwatch_config::Diagnostics::is_empty));
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
        ("lvs_sched rr", "lvs_sched wlc", "cluster-virtual-servers"),
        ("lvs_method NAT", "lvs_method DR", "cluster-virtual-servers"),
        ("real_server 10.0.1.1 80 {", "real_server 10.0.1.1 80 {\n        weight 7", "cluster-real-servers"),
        ("virtual_router_id 51", "virtual_router_id 52", "cluster-vrid"),
        (
            "virtual_router_id 51",
            "virtual_router_id 51\n    unicast_peer {\n        10.0.9.9\n    }",
            "cluster-unicast",
        ),
        ("x", "x", "cluster-preempt"),
    ] {
        assert!(with(from, to).contains(&code), "{to}: {:?}", with(from, to));
    }
    assert!(with("advert_int 1", "advert_int 1\n    version 3").contains(&"cluster-version"));
}

/// Codes of what does not fit in the second of two files.
fn second(one: &str, other: &str) -> Vec<&'static str> {
    codes(&[one, other]).swap_remove(1)
}

/// Codes of what is said of each file.
fn codes(files: &[&str]) -> Vec<Vec<&'static str>> {
    let file = |(number, text): (usize, &&str)| read(&format!("{number}.conf"), text);
    let found = check_cluster(&files.iter().enumerate().map(file).collect::<Vec<_>>());
    found.iter().map(|said| said.iter().map(|diagnostic| diagnostic.code).collect()).collect()
}

/// An instance of this name, id and address, with more in it.
fn instance(name: &str, id: u8, address: &str, more: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {id}\n nopreempt\n{more}\n \
         virtual_ipaddress {{\n {address}\n }}\n}}\n"
    )
}

#[test]
fn instances_of_other_routers_are_let_be() {
    let (one, other) = (instance("A", 51, "10.0.0.1", ""), instance("B", 52, "10.0.0.2", ""));
    assert_eq!(second(&one, &other), [] as [&str; 0]);
}

#[test]
fn two_masters_are_said() {
    let begins = |priority: u8| {
        instance("A", 51, "10.0.0.1", &format!("state MASTER\npriority {priority}"))
            .replace(" nopreempt\n", "")
    };
    assert!(second(&begins(100), &begins(90)).contains(&"cluster-state"));
}

#[test]
fn weights_that_move_nothing_are_said() {
    let stays =
        |priority: u8, lines: &str| instance("A", 51, "10.0.0.1", &format!("priority {priority}\n{lines}"));
    let router = |priority: u8, lines: &str| stays(priority, lines).replace(" nopreempt\n", "");
    let tracks = |weight: &str| format!("track_interface {{\n eth1 weight {weight}\n }}\n");
    let both = |weight: &str| {
        let said = second(&router(150, &tracks(weight)), &router(100, &tracks(weight)));
        said.contains(&"cluster-weights")
    };
    for (weight, in_vain) in
        [("-20", true), ("-49", true), ("-50", false), ("-60", false), ("30", true), ("60", false)]
    {
        assert_eq!(both(weight), in_vain, "{weight}");
    }
    assert!(!both("0"), "that is a fault");
    // By those of the other file alone.
    assert!(second(&router(150, &tracks("-20")), &router(100, "")).contains(&"cluster-weights"));
    assert!(!second(&router(150, &tracks("-60")), &router(100, "")).contains(&"cluster-weights"));
    assert!(second(&router(150, &tracks("-60")), &stays(100, "")).contains(&"cluster-weights"));
    assert!(!second(&router(150, ""), &router(100, "")).contains(&"cluster-weights"));
}

#[test]
fn weights_of_a_group_are_looked_at_too_and_each_place_names_what_stands_there() {
    let router = |priority: u8, tracks: &str, of_group: &str| {
        let more = format!("priority {priority}\n{tracks}");
        let one = |name: &str, id: u8, address: &str| {
            instance(name, id, address, &more).replace(" nopreempt\n", "")
        };
        format!("vrrp_sync_group G {{\n group {{\n A\n B\n }}\n{of_group}}}\n")
            + &one("A", 51, "10.0.0.1")
            + &one("B", 52, "10.0.0.2")
    };
    let tracks = |weight: &str| format!(" track_interface {{\n eth1 weight {weight}\n }}\n");
    let in_group = |priority: u8, weight: &str| router(priority, "", &tracks(weight));
    let in_vain = |one: &str, other: &str| second(one, other).contains(&"cluster-weights");
    assert!(in_vain(&in_group(150, "-20"), &in_group(100, "-20")));
    assert!(!in_vain(&in_group(150, "-60"), &in_group(100, "-60")));
    assert!(!in_vain(&router(150, "", ""), &router(100, "", "")));

    let files = [read("0.conf", &in_group(150, "-20")), read("1.conf", &router(100, "", ""))];
    let found = check_cluster(&files);
    let shown = found[1].render_text(false);
    for label in ["no `track_interface` here", "in the other file"] {
        assert!(shown.contains(label), "{label}: {shown}");
    }
    assert!(!shown.contains("track_script"), "nobody has any: {shown}");
}

#[test]
fn an_instance_that_only_one_of_two_routers_has_is_said() {
    let both = |priority: u8| instance("A", 51, "10.0.0.1", &format!("priority {priority}"));
    let more = both(90) + &instance("B", 52, "10.0.0.2", "");
    assert_eq!(second(&both(100), &more), ["cluster-alone"]);
}

#[test]
fn unicast_peers_must_point_at_each_other() {
    let one = |source: &str, peer: &str, priority: u8| {
        let more = format!("priority {priority}\nunicast_src_ip {source}\nunicast_peer {{\n {peer}\n}}");
        instance("A", 51, "10.0.0.1", &more)
    };
    let first = one("10.9.0.1", "10.9.0.2", 100);
    assert_eq!(second(&first, &one("10.9.0.2", "10.9.0.1", 90)), [] as [&str; 0]);
    assert_eq!(second(&first, &one("10.9.0.2", "10.9.0.3", 90)), ["cluster-unicast"]);
    assert_eq!(second(&first, &one("10.9.0.3", "10.9.0.1", 90)), ["cluster-unicast"]);
}

#[test]
fn one_router_id_for_two_hosts_is_said_unless_it_is_only_the_default() {
    let file = |id: &str, priority: u8| {
        id.to_owned() + &instance("A", 51, "10.0.0.1", &format!("priority {priority}"))
    };
    let named = "global_defs {\n router_id LVS\n}\n";
    assert_eq!(second(&file(named, 100), &file(named, 90)), ["cluster-router-id"]);
    assert_eq!(second(&file("", 100), &file("", 90)), [] as [&str; 0]);
    assert_eq!(second(&file(named, 100), &file(&named.replace("LVS", "LVS2"), 90)), [] as [&str; 0]);
}
