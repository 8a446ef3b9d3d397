//! Routes and rules as rtnetlink has them (`struct rtmsg`, `struct fib_rule_hdr`, include/uapi/linux/rtnetlink.h,
//! fib_rules.h, lwtunnel.h). In: the model, and the numbers of interfaces. Out: bodies of requests.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_model::{
    Encap, Family, IpEncap, Lockable, Prefix, Route, RouteHop, RouteMetrics, RoutingTable, Rule, RuleAction,
};
use keepwatch_net::link::{LinkIndex, LinkKind, LinkTable};
use keepwatch_net::netlink::Attributes;
use nix::errno::Errno;
use nix::libc;

// linux/rtnetlink.h; `libc` has these only where the C library is glibc.
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;
const RT_SCOPE_NOWHERE: u8 = 255;
const RTNH_F_ONLINK: u8 = 4;
const FIB_RULE_INVERT: u32 = 2;

/// `RTAX_…`: metrics of a route; each has its bit in the mask of those that are locked (the first).
mod metric {
    pub(super) const LOCK: u16 = 1;
    pub(super) const MTU: u16 = 2;
    pub(super) const WINDOW: u16 = 3;
    pub(super) const RTT: u16 = 4;
    pub(super) const RTTVAR: u16 = 5;
    pub(super) const SSTHRESH: u16 = 6;
    pub(super) const CWND: u16 = 7;
    pub(super) const ADVMSS: u16 = 8;
    pub(super) const REORDERING: u16 = 9;
    pub(super) const HOPLIMIT: u16 = 10;
    pub(super) const INITCWND: u16 = 11;
    pub(super) const FEATURES: u16 = 12;
    pub(super) const RTO_MIN: u16 = 13;
    pub(super) const INITRWND: u16 = 14;
    pub(super) const QUICKACK: u16 = 15;
    pub(super) const CC_ALGO: u16 = 16;
    pub(super) const FASTOPEN_NO_COOKIE: u16 = 17;
}

/// `FRA_…`.
mod rule_attribute {
    pub(super) const DST: u16 = 1;
    pub(super) const SRC: u16 = 2;
    pub(super) const IIFNAME: u16 = 3;
    pub(super) const GOTO: u16 = 4;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const FWMARK: u16 = 10;
    pub(super) const FLOW: u16 = 11;
    pub(super) const TUN_ID: u16 = 12;
    pub(super) const SUPPRESS_IFGROUP: u16 = 13;
    pub(super) const SUPPRESS_PREFIXLEN: u16 = 14;
    pub(super) const TABLE: u16 = 15;
    pub(super) const FWMASK: u16 = 16;
    pub(super) const OIFNAME: u16 = 17;
    pub(super) const L3MDEV: u16 = 19;
    pub(super) const UID_RANGE: u16 = 20;
    pub(super) const PROTOCOL: u16 = 21;
    pub(super) const IP_PROTO: u16 = 22;
    pub(super) const SPORT_RANGE: u16 = 23;
    pub(super) const DPORT_RANGE: u16 = 24;
}

fn family(family: Family) -> u8 {
    match family {
        Family::Inet => libc::AF_INET as u8,
        Family::Inet6 => libc::AF_INET6 as u8,
    }
}

/// What a table is called in the kernel.
fn table(table: &RoutingTable, links: &LinkTable) -> Result<u32, Errno> {
    match table {
        RoutingTable::Id(table) => Ok(*table),
        RoutingTable::Vrf(name) => match links.by_name(name).map(|link| link.report.kind) {
            Some(LinkKind::Vrf { table }) => Ok(table),
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENODEV),
        },
    }
}

/// The request that adds a route, or the one that removes it.
pub(super) fn route(route: &Route, adding: bool, links: &LinkTable) -> Result<Attributes, Errno> {
    let number = table(&route.table, links)?;
    // IPv4 routes are removed whatever their scope; the kernel finds it by itself for those that are added.
    let scope = match (adding, route.family) {
        (false, Family::Inet) => RT_SCOPE_NOWHERE,
        (true, _) | (false, Family::Inet6) => route.scope.number(),
    };
    let mut body = Attributes::after(&[
        family(route.family),
        route.destination.length,
        route.from.map_or(0, |from| from.length),
        route.tos.unwrap_or(0),
        u8::try_from(number).unwrap_or(0),
        route.protocol.0,
        scope,
        route.kind.number(),
        if route.hop.on_link { RTNH_F_ONLINK } else { 0 },
        0,
        0,
        0,
    ]);
    body.u32(libc::RTA_TABLE, number);
    prefix(&mut body, libc::RTA_DST, &route.destination);
    if let Some(from) = &route.from {
        prefix(&mut body, libc::RTA_SRC, from);
    }
    if let Some(source) = route.preferred_source {
        body.ip(libc::RTA_PREFSRC, source);
    }
    if let Some(metric) = route.metric {
        body.u32(libc::RTA_PRIORITY, metric);
    }
    if let Some(index) = index(&route.hop, links)? {
        body.u32(libc::RTA_OIF, index.0);
    }
    hop(&mut body, &route.hop, route.family);
    if let Some(expires) = route.expires {
        body.u32(RTA_EXPIRES, u32::try_from(expires.as_secs()).unwrap_or(u32::MAX));
    }
    if let Some(preference) = route.router_preference {
        body.u8(RTA_PREF, preference.number());
    }
    if let Some(propagate) = route.ttl_propagate {
        body.u8(RTA_TTL_PROPAGATE, propagate.into());
    }
    let measures = metrics(&route.metrics);
    if !measures.as_bytes().is_empty() {
        body.bytes(libc::RTA_METRICS, measures.as_bytes());
    }
    if !route.next_hops.is_empty() {
        body.bytes(libc::RTA_MULTIPATH, &next_hops(route, links)?);
    }
    Ok(body)
}

fn prefix(body: &mut Attributes, kind: u16, prefix: &Prefix) {
    if prefix.length > 0 {
        body.ip(kind, prefix.address);
    }
}

fn index(hop: &RouteHop, links: &LinkTable) -> Result<Option<LinkIndex>, Errno> {
    let found = |name| links.by_name(name).map(|link| link.report.index).ok_or(Errno::ENODEV);
    hop.interface.as_deref().map(found).transpose()
}

/// Several ways: `struct rtnexthop` for each, with its attributes behind it.
fn next_hops(route: &Route, links: &LinkTable) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    for next in &route.next_hops {
        let mut attributes = Attributes::default();
        hop(&mut attributes, &next.hop, route.family);
        let index = index(&next.hop, links)?.map_or(0, |index| index.0);
        let length = (8 + attributes.as_bytes().len()) as u16;
        all.extend(length.to_ne_bytes());
        all.push(if next.hop.on_link { RTNH_F_ONLINK } else { 0 });
        all.push(u8::try_from(next.weight.saturating_sub(1)).unwrap_or(u8::MAX));
        all.extend(index.to_ne_bytes());
        all.extend(attributes.as_bytes());
    }
    Ok(all)
}

/// Where packets go, but for the interface, which a route and one of several ways say in different places.
fn hop(body: &mut Attributes, hop: &RouteHop, of: Family) {
    match hop.via {
        Some(via) if Family::of(via) == of => {
            body.ip(libc::RTA_GATEWAY, via);
        }
        // `struct rtvia`: the family stands before the address.
        Some(via) => {
            let mut value = u16::from(family(Family::of(via))).to_ne_bytes().to_vec();
            match via {
                IpAddr::V4(via) => value.extend(via.octets()),
                IpAddr::V6(via) => value.extend(via.octets()),
            }
            body.bytes(RTA_VIA, &value);
        }
        None => {}
    }
    if let Some(encap) = &hop.encap {
        let (kind, inner) = encapsulation(encap);
        body.nest(RTA_ENCAP, |nested| *nested = inner);
        body.u16(RTA_ENCAP_TYPE, kind);
    }
    if let Some(realms) = hop.realms {
        body.u32(libc::RTA_FLOW, realms.number());
    }
}

/// `LWTUNNEL_ENCAP_…` and its attributes.
fn encapsulation(encap: &Encap) -> (u16, Attributes) {
    let mut inner = Attributes::default();
    match encap {
        Encap::Mpls { labels } => {
            // RFC 3032 §2.1: 20 bits of label; the last of the stack has the bit S.
            let last = labels.len().saturating_sub(1);
            let entries = labels
                .iter()
                .enumerate()
                .flat_map(|(at, label)| (label << 12 | if at == last { 1 << 8 } else { 0 }).to_be_bytes());
            inner.bytes(1, &entries.collect::<Vec<u8>>());
            (1, inner)
        }
        Encap::Ip(tunnel) => {
            tunnel_attributes(&mut inner, tunnel, 5, 4);
            (2, inner)
        }
        Encap::Ila { locator } => {
            inner.bytes(1, &locator.to_be_bytes());
            (3, inner)
        }
        Encap::Ip6(tunnel) => {
            tunnel_attributes(&mut inner, tunnel, 5, 4);
            (4, inner)
        }
    }
}

/// `LWTUNNEL_IP_…` and `LWTUNNEL_IP6_…`, which have the same numbers.
fn tunnel_attributes<A: Copy + Into<IpAddr>>(
    inner: &mut Attributes,
    tunnel: &IpEncap<A>,
    traffic_class: u16,
    hop_limit: u16,
) {
    if let Some(id) = tunnel.id {
        inner.bytes(1, &id.to_be_bytes());
    }
    if let Some(destination) = tunnel.destination {
        inner.ip(2, destination.into());
    }
    if let Some(source) = tunnel.source {
        inner.ip(3, source.into());
    }
    if let Some(limit) = tunnel.hop_limit {
        inner.u8(hop_limit, limit);
    }
    if let Some(class) = tunnel.traffic_class {
        inner.u8(traffic_class, class);
    }
    if let Some(flags) = tunnel.flags {
        inner.bytes(6, &flags.to_be_bytes());
    }
}

fn metrics(metrics: &RouteMetrics) -> Attributes {
    let mut all = Attributes::default();
    let mut locked = 0u32;
    let mut put = |kind: u16, value: Option<Lockable<u32>>| {
        if let Some(Lockable { value, locked: lock }) = value {
            all.u32(kind, value);
            locked |= u32::from(lock) << kind;
        }
    };
    let free = |value: Option<u32>| value.map(|value| Lockable { value, locked: false });
    let time = |value: Option<Lockable<Duration>>, parts: u32| {
        value.map(|time| Lockable {
            value: u32::try_from(time.value.as_millis()).unwrap_or(u32::MAX).saturating_mul(parts),
            locked: time.locked,
        })
    };
    put(metric::MTU, metrics.mtu);
    put(metric::WINDOW, free(metrics.window));
    put(metric::RTT, time(metrics.rtt, 8));
    put(metric::RTTVAR, time(metrics.rtt_variance, 4));
    put(metric::SSTHRESH, metrics.slow_start_threshold);
    put(metric::CWND, metrics.congestion_window);
    put(metric::ADVMSS, metrics.advertised_mss);
    put(metric::REORDERING, metrics.reordering);
    put(metric::HOPLIMIT, free(metrics.hop_limit.map(u32::from)));
    put(metric::INITCWND, free(metrics.initial_congestion_window));
    put(metric::FEATURES, free(metrics.ecn.then_some(1)));
    put(metric::RTO_MIN, time(metrics.rto_min, 1));
    put(metric::INITRWND, free(metrics.initial_receive_window));
    put(metric::QUICKACK, free(metrics.quick_ack.map(u32::from)));
    put(metric::FASTOPEN_NO_COOKIE, free(metrics.fast_open_no_cookie.map(u32::from)));
    if let Some(algorithm) = &metrics.congestion_control {
        locked |= u32::from(algorithm.locked) << metric::CC_ALGO;
        all.text(metric::CC_ALGO, &algorithm.value);
    }
    if locked != 0 {
        all.u32(metric::LOCK, locked);
    }
    all
}

/// The request that adds a rule or removes it.
pub(super) fn rule(rule: &Rule) -> Attributes {
    let (action, number) = match rule.action {
        RuleAction::Table(table) => (1, table),
        RuleAction::L3mdev => (1, 0),
        RuleAction::Goto(_) => (2, 0),
        RuleAction::Nop => (3, 0),
        RuleAction::Blackhole => (6, 0),
        RuleAction::Unreachable => (7, 0),
        RuleAction::Prohibit => (8, 0),
    };
    let length = |prefix: &Option<Prefix>| prefix.map_or(0, |prefix| prefix.length);
    let mut header = vec![
        family(rule.family),
        length(&rule.to),
        length(&rule.from),
        rule.tos,
        u8::try_from(number).unwrap_or(0),
        0,
        0,
        action,
    ];
    header.extend(if rule.inverted { FIB_RULE_INVERT } else { 0 }.to_ne_bytes());
    let mut body = Attributes::after(&header);
    body.u32(rule_attribute::PRIORITY, rule.preference);
    if number != 0 {
        body.u32(rule_attribute::TABLE, number);
    }
    for (kind, address) in [(rule_attribute::DST, &rule.to), (rule_attribute::SRC, &rule.from)] {
        if let Some(address) = address {
            prefix(&mut body, kind, address);
        }
    }
    let interfaces = [
        (rule_attribute::IIFNAME, &rule.incoming_interface),
        (rule_attribute::OIFNAME, &rule.outgoing_interface),
    ];
    for (kind, interface) in interfaces {
        if let Some(interface) = interface {
            body.text(kind, interface);
        }
    }
    if let Some(mark) = rule.mark {
        body.u32(rule_attribute::FWMARK, mark.mark.0);
        if let Some(mask) = mark.mask {
            body.u32(rule_attribute::FWMASK, mask);
        }
    }
    let numbers = [
        (rule_attribute::GOTO, if let RuleAction::Goto(to) = rule.action { Some(to) } else { None }),
        (rule_attribute::FLOW, rule.realms.map(|realms| realms.number())),
        (rule_attribute::SUPPRESS_IFGROUP, rule.suppress_interface_group),
        (rule_attribute::SUPPRESS_PREFIXLEN, rule.suppress_prefix_length),
    ];
    for (kind, number) in numbers {
        if let Some(number) = number {
            body.u32(kind, number);
        }
    }
    if let Some(id) = rule.tunnel_id {
        body.bytes(rule_attribute::TUN_ID, &id.to_be_bytes());
    }
    if rule.action == RuleAction::L3mdev {
        body.u8(rule_attribute::L3MDEV, 1);
    }
    if let Some((first, last)) = rule.users {
        body.bytes(rule_attribute::UID_RANGE, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
    }
    if let Some(protocol) = rule.protocol {
        body.u8(rule_attribute::PROTOCOL, protocol.0);
    }
    if let Some(protocol) = rule.ip_protocol {
        body.u8(rule_attribute::IP_PROTO, protocol);
    }
    for (kind, ports) in [
        (rule_attribute::SPORT_RANGE, rule.source_ports),
        (rule_attribute::DPORT_RANGE, rule.destination_ports),
    ] {
        if let Some((first, last)) = ports {
            body.bytes(kind, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
        }
    }
    body
}
