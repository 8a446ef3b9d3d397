//! Lines of addresses, routes and rules: what each mistake in one leads to. What the file comes to is what keepalived 2.4.3
//! says, but for the lines that [`OTHERWISE`] names.

use keepwatch_config::Outcome::{self, Runs, RunsChanged};

use super::answer;

/// A line, what it leads to, and what is said.
type Case = (&'static str, Outcome, &'static [&'static str]);

#[rustfmt::skip]
const ADDRESSES: &[Case] = &[
    ("10.0.0.1/33", RunsChanged, &["out-of-range"]),
    ("10.0.0.1/x", RunsChanged, &["out-of-range"]),
    ("x", RunsChanged, &["invalid-address"]),
    ("10.0.0.1 dev eth0 dev eth1", RunsChanged, &["duplicate-keyword"]),
    ("10.0.0.1 dev", RunsChanged, &["missing-value"]),
    ("10.0.0.1 scope link", Runs, &[]),
    ("10.0.0.1 scope nosuch", RunsChanged, &["invalid-value"]),
    ("10.0.0.1 scope 0x10", Runs, &[]),
    ("fe80::1 scope link", RunsChanged, &["not-for-ipv6"]),
    ("10.0.0.1/24 brd +", Runs, &[]),
    ("10.0.0.1/24 brd -", Runs, &[]),
    ("10.0.0.1/31 brd +", RunsChanged, &["out-of-range"]),
    ("10.0.0.1/24 brd 10.0.0.9", Runs, &[]),
    ("10.0.0.1/24 brd x", RunsChanged, &["invalid-address"]),
    ("fe80::1 brd +", RunsChanged, &["not-for-ipv6"]),
    ("10.0.0.1 label eth0:1", Runs, &[]),
    ("10.0.0.1 label aaaaaaaaaaaaaaaa", RunsChanged, &["too-long"]),
    ("fe80::1 label x", RunsChanged, &["not-for-ipv6"]),
    ("10.0.0.1 peer 10.0.0.2", Runs, &[]),
    ("10.0.0.1/24 peer 10.0.0.2", RunsChanged, &["conflict"]),
    ("10.0.0.1 peer x", RunsChanged, &["invalid-address"]),
    ("10.0.0.1 peer fe80::1", RunsChanged, &["family-mix"]),
    ("10.0.0.1 peer 10.0.0.2 brd 10.0.0.3", RunsChanged, &["conflict"]),
    ("10.0.0.1 peer 10.0.0.2 peer 10.0.0.3", RunsChanged, &["duplicate-keyword"]),
    ("10.0.0.1 home -nodad mngtmpaddr noprefixroute autojoin no_track", Runs, &[]),
    ("10.0.0.1 preferred_lft 5", Runs, &[]),
    ("10.0.0.1 preferred_lft forever", Runs, &[]),
    ("10.0.0.1 preferred_lft x", RunsChanged, &["invalid-number"]),
    ("10.0.0.1 foo", RunsChanged, &["unknown-option"]),
    ("10.0.0.1 label", RunsChanged, &["missing-value"]),
];

#[rustfmt::skip]
const ROUTES: &[Case] = &[
    ("10.9.0.0/24 via 10.0.0.5", Runs, &[]),
    ("default via 10.0.0.5", Runs, &[]),
    ("via 10.0.0.5 default", RunsChanged, &["family-mix"]),
    ("dev eth0 default", Runs, &[]),
    ("src 10.0.0.1 default", RunsChanged, &["family-mix"]),
    ("inet 10.9.0.0/24 via 10.0.0.5", Runs, &[]),
    ("inet6 10.9.0.0/24 via 10.0.0.5", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 inet6", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 inet", Runs, &["missing-part"]),
    ("2001:db8::/32 inet", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 src fe80::1", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 src x", RunsChanged, &["invalid-address"]),
    ("10.9.0.0/24 as to 10.0.0.3 dev eth0", RunsChanged, &["unknown-option"]),
    ("10.9.0.0/24 as 10.0.0.3 dev eth0", RunsChanged, &["unknown-option"]),
    ("10.9.0.0/24 gw 10.0.0.5", RunsChanged, &["deprecated-keyword"]),
    ("10.9.0.0/24 via fe80::1", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 via inet6 fe80::1", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 via inet 10.0.0.5", Runs, &[]),
    ("10.9.0.0/24 via 10.0.0.5/24", RunsChanged, &["invalid-address"]),
    ("10.9.0.0/24 via 10.0.0.300", RunsChanged, &["invalid-address"]),
    ("10.9.0.0/24 from 10.0.0.0/8 dev eth0", RunsChanged, &["family-mix"]),
    ("2001:db8::/32 from 2001:db8:1::/48 dev eth0", Runs, &[]),
    ("10.9.0.0/24 from 2001:db8:1::/48 dev eth0", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 tos 0x10 dev eth0", Runs, &[]),
    ("10.9.0.0/24 tos 256 dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 tos nosuch dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 table nosuch dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 table main dev eth0", Runs, &[]),
    ("10.9.0.0/24 table 0x10 dev eth0", Runs, &[]),
    ("10.9.0.0/24 protocol static dev eth0", RunsChanged, &["conflict"]),
    ("10.9.0.0/24 protocol static no_track dev eth0", Runs, &[]),
    ("10.9.0.0/24 protocol 18 dev eth0", Runs, &[]),
    ("10.9.0.0/24 protocol 256 dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 scope link dev eth0", Runs, &[]),
    ("10.9.0.0/24 scope nosuch dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 metric 5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 metric x dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 metric 4294967295 dev eth0", Runs, &[]),
    ("10.9.0.0/24 onlink via 10.0.0.5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 encap mpls 100 dev eth0", Runs, &[]),
    ("10.9.0.0/24 encap mpls 1048576 dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 encap mpls 1/2/3 dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 encap ip id 5 dst 10.0.0.9 dev eth0", Runs, &[]),
    ("10.9.0.0/24 encap ip dev eth0", RunsChanged, &["missing-part"]),
    ("10.9.0.0/24 encap ip dst fe80::1 dev eth0", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 encap ip6 dst fe80::1 dev eth0", Runs, &[]),
    ("10.9.0.0/24 encap ip6 dst 10.0.0.1 dev eth0", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 encap ila 1:2:3:4 dev eth0", Runs, &[]),
    ("10.9.0.0/24 encap ila 1:2:3 dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 encap foo 5 dev eth0", RunsChanged, &["invalid-value"]),
    ("2001:db8::/32 expires 5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 expires 5 dev eth0", RunsChanged, &["family-mix"]),
    ("2001:db8::/32 expires x dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 mtu lock 1400 dev eth0", Runs, &[]),
    ("10.9.0.0/24 mtu x dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 hoplimit 255 dev eth0", Runs, &[]),
    ("10.9.0.0/24 hoplimit 256 dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 rtt 1s dev eth0", Runs, &[]),
    ("10.9.0.0/24 rtt 100ms dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 rtt 121s dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 rtt 960001 dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 rtt 100 dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 rtt 1e3 dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 rtt 1.5s dev eth0", Runs, &[]),
    ("10.9.0.0/24 rtt 1.2345s dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 rttvar lock 1s dev eth0", Runs, &[]),
    ("10.9.0.0/24 rto_min 1s dev eth0", Runs, &[]),
    ("10.9.0.0/24 rto_min 121s dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 reordering lock 5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 window 5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 cwnd 5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 ssthresh lock 5 dev eth0", Runs, &[]),
    ("10.9.0.0/24 realms 2/3 dev eth0", Runs, &[]),
    ("10.9.0.0/24 realms 300 dev eth0", RunsChanged, &["invalid-value"]),
    ("2001:db8::/32 realms 2 dev eth0", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 initcwnd 5 initrwnd 6 dev eth0", Runs, &[]),
    ("10.9.0.0/24 features ecn dev eth0", Runs, &[]),
    ("10.9.0.0/24 features foo dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 quickack 1 dev eth0", Runs, &[]),
    ("10.9.0.0/24 quickack 2 dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 congctl lock cubic dev eth0", Runs, &[]),
    ("2001:db8::/32 pref low dev eth0", Runs, &[]),
    ("2001:db8::/32 pref 7 dev eth0", Runs, &[]),
    ("2001:db8::/32 pref foo dev eth0", RunsChanged, &["invalid-number"]),
    ("10.9.0.0/24 pref low dev eth0", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 ttl-propagate enabled dev eth0", Runs, &[]),
    ("10.9.0.0/24 ttl-propagate foo dev eth0", RunsChanged, &["invalid-value"]),
    ("10.9.0.0/24 fastopen_no_cookie 1 dev eth0", Runs, &[]),
    ("10.9.0.0/24 fastopen_no_cookie 2 dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 add append prepend dev eth0", Runs, &[]),
    ("10.9.0.0/24 gw 10.0.0.5 or 10.0.0.6", RunsChanged, &["deprecated-keyword", "deprecated-keyword"]),
    ("10.9.0.0/24 gw 10.0.0.5 or x", RunsChanged, &["deprecated-keyword", "deprecated-keyword", "invalid-address"]),
    ("10.9.0.0/24 gw 10.0.0.5 or 10.0.0.6 nexthop via 10.0.0.7", RunsChanged, &["deprecated-keyword", "deprecated-keyword", "conflict"]),
    ("10.9.0.0/24 nexthop via 10.0.0.5 weight 5 nexthop via 10.0.0.6 dev eth0 onlink realms 3", Runs, &[]),
    ("10.9.0.0/24 nexthop via 10.0.0.5 weight 0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 nexthop via 10.0.0.5 weight 256", Runs, &[]),
    ("10.9.0.0/24 nexthop via 10.0.0.5 weight 257", RunsChanged, &["out-of-range"]),
    ("10.9.0.0/24 nexthop via fe80::1", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 nexthop via inet6 fe80::1", RunsChanged, &["family-mix"]),
    ("10.9.0.0/24 nexthop via x", RunsChanged, &["invalid-address"]),
    ("10.9.0.0/24 nexthop via 10.0.0.5 foo", RunsChanged, &["unknown-option"]),
    ("10.9.0.0/24 nexthop via 10.0.0.5 as to 10.0.0.6", RunsChanged, &["unknown-option"]),
    ("10.9.0.0/24 nexthop encap mpls 5 dev eth0", Runs, &[]),
    ("2001:db8::/32 nexthop via fe80::1 realms 5", RunsChanged, &["family-mix"]),
    ("blackhole 10.9.0.0/24", Runs, &[]),
    ("unreachable default", Runs, &[]),
    ("to 10.9.0.0/24 dev eth0", Runs, &[]),
    ("to blackhole 10.9.0.0/24", RunsChanged, &["unknown-option"]),
    ("6 10.9.0.0/24", Runs, &[]),
    ("brd 10.9.0.0/24 dev eth0", Runs, &[]),
    ("10.9.0.0/24 10.8.0.0/24 dev eth0", Runs, &["duplicate-value"]),
    ("10.9.0.0/33 dev eth0", RunsChanged, &["out-of-range"]),
    ("10.9.0.0 dev eth0", Runs, &[]),
    ("foo dev eth0", RunsChanged, &["unknown-option"]),
    ("10.9.0.0/24 foo dev eth0", RunsChanged, &["unknown-option"]),
    ("dev eth0", RunsChanged, &["missing-part"]),
    ("default6 via fe80::1", Runs, &["deprecated-keyword"]),
    ("10.9.0.0/24 no_track dev eth0", Runs, &[]),
];

#[rustfmt::skip]
const RULES: &[Case] = &[
    ("from 10.0.0.0/8 table 5 preference 5", Runs, &[]),
    ("from 10.0.0.0/8 table 5", RunsChanged, &["missing-preference"]),
    ("from all table 5 preference 5", Runs, &[]),
    ("to 10.0.0.0/8 from all table 5 preference 5", RunsChanged, &["family-mix"]),
    ("from all to 10.0.0.0/8 table 5 preference 5", Runs, &[]),
    ("from 10.0.0.0/8 to fe80::/10 table 5 preference 5", RunsChanged, &["family-mix"]),
    ("from x table 5 preference 5", RunsChanged, &["invalid-address"]),
    ("table 0 preference 5", RunsChanged, &["out-of-range"]),
    ("table nosuch preference 5", RunsChanged, &["invalid-value"]),
    ("lookup main preference 5", Runs, &[]),
    ("table 5 table 6 preference 5", RunsChanged, &["conflict"]),
    ("table 5 blackhole preference 5", RunsChanged, &["conflict"]),
    ("blackhole preference 5", Runs, &[]),
    ("type blackhole preference 5", Runs, &[]),
    ("type foo preference 5", RunsChanged, &["unknown-option"]),
    ("type nat preference 5", RunsChanged, &["invalid-value"]),
    ("6 preference 5", Runs, &[]),
    ("unicast preference 5", RunsChanged, &["invalid-value"]),
    ("nop preference 5", Runs, &[]),
    ("goto 6 preference 5", Runs, &[]),
    ("goto 5 preference 5", RunsChanged, &["out-of-range"]),
    ("goto 6", RunsChanged, &["missing-part"]),
    ("goto x preference 5", RunsChanged, &["invalid-number"]),
    ("l3mdev preference 5", Runs, &[]),
    ("l3mdev table 5 preference 5", RunsChanged, &["conflict"]),
    ("not from 10.0.0.0/8 table 5 preference 0x10", Runs, &[]),
    ("from 10.0.0.0/8 preference 5", RunsChanged, &["missing-part"]),
    ("table 5 preference x", RunsChanged, &["invalid-number"]),
    ("table 5 tos 0x10 preference 5", Runs, &[]),
    ("table 5 tos nosuch preference 5", RunsChanged, &["invalid-value"]),
    ("table 5 fwmark 5 preference 5", Runs, &[]),
    ("table 5 fwmark 0x5/0xff preference 5", Runs, &[]),
    ("table 5 fwmark -5 preference 5", RunsChanged, &["invalid-number"]),
    ("table 5 fwmark 5/ preference 5", RunsChanged, &["invalid-number"]),
    ("table 5 fwmark 5/x preference 5", RunsChanged, &["invalid-number"]),
    ("table 5 fwmark 4294967296 preference 5", RunsChanged, &["invalid-number"]),
    ("table 5 realms 2/3 preference 5", Runs, &[]),
    ("from fe80::/10 table 5 realms 2/3 preference 5", RunsChanged, &["family-mix"]),
    ("blackhole realms 2/3 preference 5", RunsChanged, &["conflict"]),
    ("table 5 suppress_prefixlength 8 preference 5", Runs, &[]),
    ("table 5 sup_pl 2147483648 preference 5", RunsChanged, &["out-of-range"]),
    ("blackhole suppress_prefixlength 8 preference 5", RunsChanged, &["conflict"]),
    ("table 5 suppress_ifgroup 8 preference 5", Runs, &[]),
    ("table 5 sup_group nosuch preference 5", RunsChanged, &["invalid-value"]),
    ("table 5 iif eth0 oif eth1 preference 5", Runs, &[]),
    ("table 5 tunnel-id 5 preference 5", Runs, &[]),
    ("table 5 tunnel-id x preference 5", RunsChanged, &["invalid-number"]),
    ("table 5 uidrange 5-6 preference 5", Runs, &[]),
    ("table 5 uidrange 5 preference 5", RunsChanged, &["invalid-number"]),
    ("table 5 protocol 18 preference 5", Runs, &[]),
    ("table 5 protocol 5 preference 5", RunsChanged, &["conflict"]),
    ("table 5 protocol 5 no_track preference 5", Runs, &[]),
    ("table 5 protocol static no_track preference 5", RunsChanged, &["invalid-value"]),
    ("table 5 ipproto tcp preference 5", Runs, &[]),
    ("table 5 ipproto UDP preference 5", Runs, &[]),
    ("table 5 ipproto 6 preference 5", Runs, &[]),
    ("table 5 ipproto 200 preference 5", RunsChanged, &["invalid-value"]),
    ("table 5 ipproto nosuch preference 5", RunsChanged, &["invalid-value"]),
    ("table 5 sport 10-20 preference 5", Runs, &[]),
    ("table 5 sport x preference 5", RunsChanged, &["invalid-value"]),
    ("table 5 dport 10-20 preference 5", Runs, &[]),
    ("table 5 dport 10-70000 preference 5", RunsChanged, &["invalid-value"]),
    ("foo table 5 preference 5", RunsChanged, &["unknown-option"]),
    ("table 5 preference 5 foo", RunsChanged, &["unknown-option"]),
    ("inet preference 5", RunsChanged, &["missing-part"]),
];

/// Lines that keepalived answers otherwise, and why we don't.
const OTHERWISE: &[(&str, &str)] = &[
    ("inet 10.9.0.0/24 via 10.0.0.5", "keepalived skips the word after `inet`, which its man page has there"),
    ("table 5 fwmark 5/ preference 5", "keepalived takes an empty mask for 0"),
    ("table 5 dport 10-70000 preference 5", "keepalived takes 70000 modulo 65536"),
];

#[test]
fn each_line_is_answered_as_listed() {
    let mut wrong = Vec::new();
    let blocks = [("virtual_ipaddress", ADDRESSES), ("virtual_routes", ROUTES), ("virtual_rules", RULES)];
    for (block, cases) in blocks {
        let address = if block == "virtual_ipaddress" { "" } else { "virtual_ipaddress {\n10.0.0.1\n}\n" };
        for (line, outcome, codes) in cases {
            let text = format!(
                "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n{address}{block} {{\n{line}\n}}\n}}\n"
            );
            let answered = answer(&text);
            if answered != (*outcome, codes.to_vec()) {
                wrong.push(format!("{line}: {answered:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_answered_otherwise_is_one_of_the_lines() {
    for (line, why) in OTHERWISE {
        let listed =
            [ADDRESSES, ROUTES, RULES].iter().flat_map(|cases| cases.iter()).any(|case| case.0 == *line);
        assert!(listed, "{line}: {why}");
    }
}
