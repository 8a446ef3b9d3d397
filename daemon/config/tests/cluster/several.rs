//! Which instances and files belong together.

use super::{codes, instance, second};

#[test]
fn addresses_that_are_all_different_do_not_end_the_comparison() {
    let router = |name: &str, address: &str, priority: u8, interval: u8| {
        instance(name, 51, address, &format!("priority {priority}\nadvert_int {interval}"))
    };
    let first = router("A", "10.0.0.1", 150, 1);
    for name in ["A", "B"] {
        let said = second(&first, &router(name, "10.0.0.9", 100, 2));
        assert_eq!(said, ["cluster-advert-int", "cluster-addresses"], "{name}");
    }
}

#[test]
fn a_file_that_is_given_twice_is_only_told_of() {
    let text = instance("A", 51, "10.0.0.1", "");
    let [one, again] = ["one.conf", "./one.conf"].map(|name| super::read(name, &text));
    let found = keepwatch_config::check_cluster(&[one, again]);
    let codes: Vec<_> =
        found.iter().flat_map(keepwatch_config::Diagnostics::iter).map(|said| said.code).collect();
    assert_eq!(codes, ["cluster-same-file"]);
}

#[test]
fn interfaces_and_names_may_differ_between_machines() {
    let one = instance("A", 51, "10.0.0.1", "priority 150")
        + &instance("B", 51, "10.1.0.1", "priority 150").replace("eth0", "eth1");
    let crossed = instance("X", 51, "10.0.0.1", "priority 100").replace("eth0", "eth1")
        + &instance("Y", 51, "10.1.0.1", "priority 100");
    assert_eq!(codes(&[&one, &crossed]), [[] as [&str; 0], []]);
}

#[test]
fn two_clusters_with_one_id_on_a_link_are_told_of_it_once() {
    let router = |address: &str, priority: u8, more: &str| {
        instance("VI_1", 51, address, &format!("priority {priority}\n{more}"))
    };
    let files = [
        router("10.0.0.1", 150, ""),
        router("10.0.0.1", 100, ""),
        router("10.0.0.9", 150, "advert_int 2"),
        router("10.0.0.9", 100, "advert_int 2"),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(codes(&files), [vec![], vec![], vec!["cluster-vrid"], vec![]]);
}

#[test]
fn each_of_three_routers_is_held_against_the_first_and_against_all_for_what_must_differ() {
    let router =
        |priority: u8, more: &str| instance("A", 51, "10.0.0.1", &format!("priority {priority}\n{more}"));
    let (first, second, third) = (router(150, ""), router(100, ""), router(50, ""));
    let none: Vec<&str> = Vec::new();
    assert_eq!(codes(&[&first, &second, &third]), [none.clone(), none.clone(), none.clone()]);
    assert_eq!(
        codes(&[&first, &second, &router(100, "")]),
        [none.clone(), none.clone(), vec!["cluster-priority"]]
    );
    let slow = router(50, "advert_int 3");
    assert_eq!(codes(&[&first, &second, &slow]), [none.clone(), none, vec!["cluster-advert-int"]]);
}

#[test]
fn three_routers_that_speak_unicast_need_each_other_as_peers() {
    let router = |own: u8, peers: [u8; 2]| {
        let [one, other] = peers.map(|peer| format!("10.9.0.{peer}"));
        let more =
            format!("priority {own}\nunicast_src_ip 10.9.0.{own}\nunicast_peer {{\n {one}\n {other}\n}}");
        instance("A", 51, "10.0.0.1", &more)
    };
    let files = |third: [u8; 2]| codes(&[&router(1, [2, 3]), &router(2, [1, 3]), &router(3, third)]);
    assert_eq!(files([1, 2]), [[] as [&str; 0], [], []]);
    assert_eq!(files([1, 4]), [vec![], vec![], vec!["cluster-unicast"]]);
}

#[test]
fn routers_with_the_same_single_peer_do_not_reach_each_other() {
    let router = |priority: u8| {
        instance("A", 51, "10.0.0.1", &format!("priority {priority}\nunicast_peer {{\n 10.9.0.2\n}}"))
    };
    assert_eq!(second(&router(150), &router(100)), ["cluster-unicast"]);
}

#[test]
fn what_an_instance_of_one_file_only_has_need_not_be_in_the_others() {
    let both = |priority: u8| instance("A", 51, "10.0.0.1", &format!("priority {priority}"));
    let server = "virtual_server 10.0.0.2 80 {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 10.1.0.1 80 {\n }\n}\n";
    let more = both(90) + &instance("B", 52, "10.0.0.2", "") + server;
    assert_eq!(second(&both(100), &more), ["cluster-alone"]);
}

#[test]
fn multicast_routers_need_one_group_and_a_source_each() {
    let router =
        |priority: u8, more: &str| instance("A", 51, "10.0.0.1", &format!("priority {priority}\n{more}"));
    let source = "mcast_src_ip 10.9.0.1";
    assert_eq!(second(&router(150, source), &router(100, source)), ["cluster-source"]);
    assert_eq!(second(&router(150, ""), &router(100, "mcast_dst_ip 224.0.0.20")), ["cluster-multicast"]);
}

#[test]
fn each_router_must_know_the_key_that_the_other_signs_with() {
    let router = |priority: u8, keys: &str| {
        let block = if keys.is_empty() { String::new() } else { format!("auth_hmac {{\n{keys}\n}}") };
        instance("A", 51, "10.0.0.1", &format!("priority {priority}\n{block}"))
    };
    let (one, two) = ("key 1 0123456789abcdef0123456789abcdef", "key 2 fedcba9876543210fedcba9876543210");
    let first = router(150, &format!("{one}\nactive_key 1"));
    for (keys, said) in [
        (format!("{one}\nactive_key 1"), None),
        (format!("{one}\n{two}\nactive_key 1"), None),
        (format!("{one}\n{two}\nactive_key 2"), Some("cluster-authentication")),
        (format!("{two}\nactive_key 2"), Some("cluster-authentication")),
        ("key 1 00000000000000000000000000000000\nactive_key 1".to_owned(), Some("cluster-authentication")),
        (String::new(), Some("cluster-authentication")),
    ] {
        assert_eq!(second(&first, &router(100, &keys)), Vec::from_iter(said), "{keys}");
    }
}

#[test]
fn a_misspelt_or_wrong_value_is_said_by_itself_and_not_of_the_pair() {
    let router = |priority: &str| instance("A", 51, "10.0.0.1", priority);
    for wrong in ["prioritty 150", "priority 300"] {
        assert_eq!(second(&router("priority 100"), &router(wrong)), [] as [&str; 0], "{wrong}");
    }
}

#[test]
fn sync_groups_must_hold_the_same_instances() {
    let file = |priority: u8, groups: &str| {
        (1..=3)
            .map(|id| {
                instance(&format!("V{id}"), id, &format!("10.0.{id}.1"), &format!("priority {priority}"))
            })
            .collect::<String>()
            + groups
    };
    let group =
        |name: &str, members: &str| format!("vrrp_sync_group {name} {{\n group {{\n{members}\n }}\n}}\n");
    let said = |one: String, other: String| {
        let mut codes = codes(&[&file(150, &one), &file(100, &other)]);
        codes.iter_mut().for_each(|codes| codes.retain(|code| *code == "cluster-sync-group"));
        codes.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(said(group("G", "V1\nV2"), group("OTHER_NAME", "V2\nV1")), [0, 0]);
    assert_eq!(said(group("G", "V1\nV2"), String::new()), [1, 0]);
    assert_eq!(said(group("G", "V1\nV2"), group("G", "V1\nV2\nV3")), [0, 1]);
    assert_eq!(said(group("G", "V1\nV2\nV3"), group("G", "V1\nV2")), [1, 0]);
}
