//! Virtual routers, sync groups, and what is there without one: static addresses, routes and rules.

use keepwatch_config::schema::BlockId;

use super::Area;

pub(super) const AREA: Area = Area {
    root: &[
        "track_group",
        "static_ipaddress",
        "static_routes",
        "static_rules",
        "garp_group",
        "vrrp_sync_group",
        "vrrp_instance",
    ],
    blocks: &[
        BlockId::StaticTrackGroup,
        BlockId::GarpGroup,
        BlockId::SyncGroup,
        BlockId::Instance,
        BlockId::Authentication,
        BlockId::AuthHmac,
    ],
    base,
    no_change: &[
        (BlockId::Root, "vrrp_sync_group", "its example is what is there already"),
        (BlockId::Root, "vrrp_instance", "its example is what is there already"),
        (BlockId::SyncGroup, "group", "its example is what is there already"),
        (BlockId::Instance, "interface", "its example is what is there already"),
        (BlockId::Instance, "preempt", "the default"),
        (BlockId::Instance, "accept", "the default"),
        (BlockId::Instance, "owner_ignore_adverts", "only with priority 255"),
        (BlockId::Instance, "vmac_xmit_base", "only with use_vmac"),
        (BlockId::Instance, "track_src_ip", "only with a source address"),
        (BlockId::Instance, "unicast_ttl", "only with peers"),
        (BlockId::Instance, "native_ipv6", "only without IPv4"),
        (BlockId::Instance, "vrf", "only for unicast without interface"),
        (BlockId::Instance, "debug", "its example is the default"),
        (BlockId::Instance, "timer_expired_backup", "only with nopreempt"),
        (BlockId::Instance, "thread_timer_expired", "only with nopreempt"),
        (BlockId::GarpGroup, "interface", "only with a limit"),
        (BlockId::GarpGroup, "interfaces", "only with a limit"),
        (BlockId::Authentication, "auth_type", "its example is what is there already"),
        (BlockId::Authentication, "auth_pass", "passwords are not shown"),
    ],
};

fn base(block: BlockId, extra: &str) -> String {
    let at = |here: BlockId| if here == block { extra } else { "" };
    format!(
        "vrrp_script chk {{\nscript \"/bin/true\"\n}}\ntrack_file offset {{\nfile /run/offset\n}}\n\
         vrrp_track_process web {{\nprocess nginx\n}}\nbfd_instance B1 {{\nneighbor_ip 192.0.2.9\n}}\n\
         track_group TG {{\n{}\n}}\ngarp_group {{\n{}\n}}\n\
         vrrp_sync_group S {{\ngroup {{\nVI_1\nVI_2\n}}\n{}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{}\n}}\n\
         vrrp_instance VI_2 {{\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {{\n10.0.0.2\n}}\n}}\n\
         vrrp_instance A {{\ninterface eth0\nvirtual_router_id 3\nvirtual_ipaddress {{\n10.0.0.3\n}}\nauthentication {{\n\
         auth_type PASS\nauth_pass x\n{}\n}}\n}}\n\
         vrrp_instance H {{\ninterface eth0\nvirtual_router_id 4\nvirtual_ipaddress {{\n10.0.0.4\n}}\nauth_hmac {{\n\
         key 2 0123456789abcdef0123456789abcdef\nactive_key 2\n{}\n}}\n}}\n{}\n",
        at(BlockId::StaticTrackGroup),
        at(BlockId::GarpGroup),
        at(BlockId::SyncGroup),
        at(BlockId::Instance),
        at(BlockId::Authentication),
        at(BlockId::AuthHmac),
        at(BlockId::Root),
    )
}

/// What changes nothing without something else, and with it does: a configuration, its place marked by `@`, and lines for
/// there.
const WITH_OTHERS: &[(&str, &[&str])] = &[
    (
        "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\nmcast_src_ip 10.0.0.9\n\
         unicast_peer {\n10.0.0.8\n}\nnopreempt\n@\n}\n",
        &[
            "track_src_ip",
            "unicast_ttl 64",
            "timer_expired_backup",
            "timer_expired_backup 120",
            "thread_timer_expired 7",
            "debug 3",
            "linkbeat_use_polling",
            "old_unicast_checksum never",
            "notify_deleted",
        ],
    ),
    (
        "vrrp_instance A {\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\nunicast_src_ip 10.0.0.9\n\
         unicast_peer {\n10.0.0.8\n}\n@\n}\n",
        &["vrf red"],
    ),
    (
        "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nno_virtual_ipaddress\n@\n}\n",
        &["native_ipv6", "version 3"],
    ),
    (
        "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nuse_vmac\nvirtual_ipaddress {\n10.0.0.1\n}\n@\n}\n",
        &[
            "vmac_xmit_base",
            "use_vmac_addr",
            "use_vmac vrrp.1",
            "use_vmac name vrrp.1",
            "use_vmac 02:00:00:00:00:01",
            "use_vmac 02:00:00:00:02",
            "use_vmac group 7",
            "use_vmac netlink_notify_msg",
            "use_ipvlan",
        ],
    ),
    (
        "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nuse_ipvlan 10.0.0.9/24 @\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n",
        &["ipv.1", "name ipv.1", "vepa", "private", "group 7"],
    ),
    (
        "garp_group {\ngarp_interval 0.1\n@\n}\n",
        &["interface eth0", "interfaces {\neth0\neth1\n}", "gna_interval 0.2"],
    ),
];

#[test]
fn what_needs_something_else_reaches_the_model_beside_it() {
    let unchanged: Vec<&str> = WITH_OTHERS
        .iter()
        .flat_map(|(base, lines)| {
            let before = super::model(&base.replace('@', ""));
            assert!(before.is_some(), "{base}");
            lines.iter().copied().filter(move |line| super::model(&base.replace('@', line)) == before)
        })
        .collect();
    assert_eq!(unchanged, [] as [&str; 0]);
}

/// A line of a block, and words that may be put after it.
const LINES: &[(&str, &str, &[&str])] = &[
    (
        "static_ipaddress",
        "10.0.0.1/24 dev eth0",
        &[
            "brd +",
            "brd 10.0.0.9",
            "broadcast -",
            "scope link",
            "scope 7",
            "label eth0:1",
            "peer 10.0.0.2",
            "home",
            "-nodad",
            "mngtmpaddr",
            "noprefixroute",
            "autojoin",
            "no_track",
            "preferred_lft 5",
            "track_group TG",
        ],
    ),
    ("static_ipaddress", "2001:db8::1", &["preferred_lft forever", "preferred_lft 7", "home"]),
    (
        "virtual_ipaddress",
        "10.0.0.1/24",
        &["dev eth1", "use_vmac", "label x", "brd +", "scope host", "no_track", "preferred_lft 5"],
    ),
    ("virtual_ipaddress_excluded", "10.0.0.7", &["dev eth1", "no_track", "use_vmac"]),
    (
        "static_routes",
        "10.1.0.0/16 dev eth0",
        &["track_group TG", "no_track", "no_track protocol static", "via 10.0.0.2", "via inet 10.0.0.2"],
    ),
    (
        "virtual_routes",
        "10.1.0.0/16",
        &[
            "src 10.0.0.9",
            "via 10.0.0.2",
            "gw 10.0.0.2",
            "gw 10.0.0.2 or 10.0.0.3",
            "dev eth1",
            "oif eth1",
            "onlink",
            "tos 0x10",
            "dsfield 16",
            "table 7",
            "table local",
            "vrf red",
            "no_track protocol 99",
            "scope link",
            "metric 5",
            "priority 5",
            "preference 5",
            "realms 2/3",
            "add",
            "append",
            "no_track",
            "ttl-propagate enabled",
            "ttl-propagate disabled",
            "mtu 1400",
            "mtu lock 1400",
            "hoplimit 9",
            "advmss 1000",
            "advmss lock 1000",
            "rtt 1s",
            "rtt lock 300ms",
            "rttvar 2s",
            "rto_min 0.5s",
            "reordering 4",
            "window 9",
            "cwnd lock 4",
            "ssthresh 5",
            "initcwnd 6",
            "initrwnd 7",
            "features ecn",
            "quickack 1",
            "quickack 0",
            "fastopen_no_cookie 1",
            "congctl cubic",
            "congctl lock reno",
            "encap mpls 100/200",
            "encap ila 1:2:3:4",
            "encap ip id 5",
            "encap ip dst 10.9.0.1 src 10.9.0.2 tos 4 ttl 5 flags 6 id 7",
            "encap ip6 dst 2001:db8::9 tc 4 hoplimit 5",
            "nexthop via 10.0.0.2 nexthop via 10.0.0.3 weight 5 dev eth1 onlink realms 4",
            "nexthop dev eth1 encap mpls 7",
        ],
    ),
    (
        "virtual_routes",
        "2001:db8::/32",
        &["expires 60", "pref low", "pref 1", "from 2001:db8:1::/48", "via inet6 2001:db8::1"],
    ),
    (
        "static_rules",
        "from 10.0.0.0/8 table 7 preference 100",
        &["track_group TG iif eth0", "iif eth0", "no_track", "no_track protocol 5"],
    ),
    (
        "virtual_rules",
        "preference 100 table 7 from 10.0.0.0/8",
        &[
            "to 10.9.0.0/16",
            "not",
            "order 101",
            "priority 102",
            "tos 0x10",
            "dsfield 16",
            "fwmark 5",
            "fwmark 5/0xff",
            "realms 2/3",
            "suppress_prefixlength 8",
            "sup_pl 9",
            "suppress_ifgroup 1",
            "sup_group 2",
            "dev eth0",
            "oif eth0",
            "tunnel-id 5",
            "uidrange 1-2",
            "ipproto tcp",
            "ipproto 17",
            "sport 10-20",
            "dport 30-40",
            "no_track",
        ],
    ),
    (
        "virtual_rules",
        "preference 100",
        &[
            "table 7",
            "lookup 8",
            "goto 200",
            "nop",
            "blackhole",
            "prohibit",
            "unreachable",
            "type blackhole",
            "l3mdev",
        ],
    ),
    ("unicast_peer", "10.0.0.8", &["min_ttl 5", "max_ttl 6"]),
];

#[test]
fn every_option_of_a_line_reaches_the_model() {
    let mut unchanged: Vec<&str> = Vec::new();
    for (block, line, options) in LINES {
        let text = |option: &str| {
            let lines = format!("{block} {{\n{line} {option}\n}}\n");
            let (outside, inside) = if block.starts_with("static") { (&*lines, "") } else { ("", &*lines) };
            format!(
                "track_group TG {{\ngroup {{\nA\n}}\n}}\n{outside}vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n\
                 no_virtual_ipaddress\n{inside}}}\n"
            )
        };
        let before = super::model(&text(""));
        unchanged.extend(options.iter().copied().filter(|option| super::model(&text(option)) == before));
    }
    assert_eq!(unchanged, [] as [&str; 0]);
}
