//! What instances have after reading, where that is not what is written: defaults, what one keyword means for another, what is
//! left of a line with a mistake in it.

use serde_json::json;

use super::reading::read;

/// What stands in `global_defs`, and in the instance, where to look in the instance, and what is there.
type Case = (&'static str, &'static str, &'static str, fn() -> serde_json::Value);

const CASES: &[Case] = &[
    ("", "state MASTER", "/priority", || json!(255)),
    ("", "priority 255", "/state", || json!("MASTER")),
    ("vrrp_notify_priority_changes", "", "/notify_priority_changes", || json!(true)),
    ("v3_checksum_as_v2", "version 3", "/v3_checksum_as_v2", || json!(true)),
    ("vrrp_skip_check_adv_addr", "", "/skip_check_adv_addr", || json!(true)),
    ("vrrp_check_unicast_src", "", "/check_unicast_source", || json!(true)),
    ("vrrp_garp_extra_if 7", "", "/garp/extra_interfaces/every", || json!(7)),
    // The lower priority's follow the general settings, not the instance's others.
    ("vrrp_garp_master_delay 3", "garp_master_delay 9", "/garp/lower_prio_delay", || json!(3)),
    ("vrrp_garp_master_repeat 3", "garp_master_repeat 9", "/garp/lower_prio_repeat", || json!(3)),
    ("vrrp_garp_lower_prio_delay 3", "strict_mode", "/garp/lower_prio_delay", || json!(0)),
    ("smtp_alert\nsmtp_alert_vrrp off", "", "/smtp_alert", || json!(false)),
    ("smtp_alert", "", "/smtp_alert", || json!(true)),
    // Who says MASTER wants to be it.
    ("", "state MASTER\npriority 100\nnopreempt", "/nopreempt", || json!(false)),
    ("", "state MASTER\npriority 100\npreempt_delay 5", "/preempt_delay", || json!(0)),
    ("", "nopreempt\npreempt_delay 5", "/nopreempt", || json!(true)),
    ("", "nopreempt\npreempt_delay 5", "/preempt_delay", || json!(0)),
    // Strict mode says who answers; an owner always does.
    ("vrrp_strict", "", "/accept", || json!(false)),
    ("vrrp_strict", "accept\nversion 3", "/accept", || json!(true)),
    ("vrrp_strict", "priority 255", "/accept", || json!(true)),
    ("vrrp_strict", "state MASTER\npriority 100", "/state", || json!("BACKUP")),
    ("vrrp_strict", "preempt_delay 5", "/preempt_delay", || json!(0)),
    ("", "use_vmac\nunicast_peer {\n10.0.0.8\n}", "/vmac/kind/macvlan/xmit_base", || json!(true)),
    ("", "use_vmac\nvmac_xmit_base", "/vmac/kind/macvlan/xmit_base", || json!(true)),
    ("", "use_vmac", "/vmac/kind/macvlan/xmit_base", || json!(false)),
    // Rules without a preference have one each, downwards.
    (
        "",
        "virtual_rules {\nfrom 10.1.0.0/16 table 5\nfrom 10.2.0.0/16 table 5\n}",
        "/rules/0/preference",
        || json!(16384),
    ),
    (
        "",
        "virtual_rules {\nfrom 10.1.0.0/16 table 5\nfrom 10.2.0.0/16 table 5\n}",
        "/rules/1/preference",
        || json!(16383),
    ),
    ("", "virtual_ipaddress {\n10.0.0.2 track_group\n10.0.0.3\n}", "/addresses/1/address", || {
        json!("10.0.0.2")
    }),
    ("", "virtual_ipaddress {\n10.0.0.2 track_group G no_track\n}", "/addresses/1/no_track", || json!(true)),
];

#[test]
fn instances_have_these_values() {
    for (global, text, pointer, expected) in CASES {
        let text = format!(
            "global_defs {{\n{global}\n}}\nvrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n\
             virtual_ipaddress {{\n10.0.0.1\n}}\n{text}\n}}\n"
        );
        let model = read(&text).config.expect("it runs").to_json();
        let instance = &model["instances"][0];
        assert_eq!(instance.pointer(pointer), Some(&expected()), "{text}{pointer} in {instance:#}");
    }
}

#[test]
fn a_sync_group_tells_its_members_whether_priority_changes_are_told() {
    for (global, group, own, told) in [
        ("", "notify_priority_changes", "", true),
        ("vrrp_notify_priority_changes", "notify_priority_changes off", "", false),
        ("", "notify_priority_changes", "notify_priority_changes off", false),
    ] {
        let text = format!(
            "global_defs {{\n{global}\n}}\nvrrp_sync_group G {{\ngroup {{\nA\n}}\n{group}\n}}\n\
             vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{own}\n}}\n"
        );
        let config = read(&text).config.expect("it runs");
        assert_eq!(config.instances[0].notify_priority_changes, told, "{text}");
    }
}

#[test]
fn a_name_of_two_words_voids_an_instance_or_a_group() {
    let text = "vrrp_sync_group G H {\ngroup {\nC\n}\n}\nvrrp_instance A B {\ninterface eth0\nvirtual_router_id 1\n\
                virtual_ipaddress {\n10.0.0.1\n}\n}\nvrrp_instance C {\ninterface eth0\nvirtual_router_id 2\n\
                virtual_ipaddress {\n10.0.0.2\n}\n}\n";
    let config = read(text).config.expect("it runs");
    assert_eq!(config.instances.iter().map(|instance| &*instance.name).collect::<Vec<_>>(), ["C"]);
    assert!(config.sync_groups.is_empty());
}
