//! Routes and rules in words: as everybody is told of them.

use super::read;

/// What is told of a route or a rule is all that it says.
#[test]
fn routes_and_rules_are_told_as_ip_has_them() {
    let model = |block: &str, line: &str| {
        let text = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.9\n}}\n{block} {{\n{line}\n}}\n}}\n"
        );
        let loaded = read(&text);
        let instance = loaded.config.expect("it runs").instances.remove(0);
        let routes = instance.routes.iter().map(ToString::to_string);
        routes.chain(instance.rules.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
    };
    for (line, told) in [
        ("10.9.0.0/24 via 10.0.0.5", "10.9.0.0/24 via 10.0.0.5"),
        (
            "10.9.0.0/24 via 10.0.0.5 dev eth0 onlink realms 2/3 src 10.0.0.1 scope link metric 7",
            "10.9.0.0/24 via 10.0.0.5 dev eth0 onlink realms 2/3 src 10.0.0.1 scope link metric 7",
        ),
        (
            "10.9.0.0/24 dev eth0 mtu lock 1400 advmss 1300 rtt 250ms initcwnd 9 features ecn quickack 1",
            "10.9.0.0/24 dev eth0 mtu lock 1400 advmss 1300 rtt 250ms initcwnd 9 features ecn quickack 1",
        ),
        (
            "10.9.0.0/24 encap ip id 7 dst 10.0.0.5 src 10.0.0.1 tos 16 ttl 20 dev eth0",
            "10.9.0.0/24 encap ip id 7 src 10.0.0.1 dst 10.0.0.5 ttl 20 tos 16 dev eth0",
        ),
        ("10.9.0.0/24 encap mpls 100/200 via 10.0.0.5", "10.9.0.0/24 encap mpls 100/200 via 10.0.0.5"),
        ("2001:db8::/32 dev eth0 expires 60 pref high", "2001:db8::/32 dev eth0 expires 60sec pref high"),
        ("10.9.0.0/24 protocol static no_track dev eth0", "10.9.0.0/24 dev eth0 proto 4"),
        (
            "10.9.0.0/24 nexthop via 10.0.0.5 onlink weight 2 nexthop via 10.0.0.6 realms 4",
            "10.9.0.0/24 nexthop via 10.0.0.5 onlink weight 2 nexthop via 10.0.0.6 realms 4",
        ),
    ] {
        assert_eq!(model("virtual_routes", line), told, "{line}");
    }
    for (line, told) in [
        ("from 10.0.0.0/8 table 7 preference 50", "50: from 10.0.0.0/8 lookup 7"),
        (
            "ipproto tcp sport 1-5 dport 80-90 table 100 priority 52",
            "52: from all ipproto tcp sport 1-5 dport 80-90 lookup 100",
        ),
        ("dport 53 ipproto 17 table 7 priority 53", "53: from all ipproto udp dport 53 lookup 7"),
        (
            "fwmark 5/0xff uidrange 10-10 table 7 priority 54",
            "54: from all fwmark 0x5/0xff uidrange 10-10 lookup 7",
        ),
        (
            "tunnel-id 9 realms 5/6 suppress_prefixlength 8 suppress_ifgroup 2 table 7 priority 55",
            "55: from all tun_id 9 lookup 7 suppress_prefixlength 8 suppress_ifgroup 2 realms 5/6",
        ),
        (
            "iif eth0 l3mdev priority 56 no_track protocol 4",
            "56: from all iif eth0 lookup [l3mdev-table] proto 4",
        ),
    ] {
        assert_eq!(model("virtual_rules", line), told, "{line}");
    }
}
