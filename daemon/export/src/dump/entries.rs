//! Addresses, routes and rules, each on one line as keepalived writes them. What a route tells TCP (`RTA_METRICS`) and how
//! it wraps packets (`encap`) are left out.

use std::fmt::Write as _;
use std::net::IpAddr;

use keepwatch_bus::World;
use keepwatch_bus::world::Instance;
use keepwatch_model::{
    AddressScope, Family, InterfaceAddress, Prefix, Realms, Route, RouteHop, RouteKind, RoutePlacement,
    RoutingTable, Rule, RuleAction,
};

use super::routers::vmac_interface;

/// `10.9.0.100/24 dev eth0 scope global label eth0:1 set`.
pub(super) fn address(instance: &Instance, address: &InterfaceAddress, world: &World) -> String {
    let named = instance.settings.virtual_address(address);
    let interface = match &address.link {
        keepwatch_model::LinkTarget::Instance => {
            let own = vmac_interface(&instance.settings, world);
            own.map(|own| format!("{own}@{}", instance.settings.interface_name()))
        }
        keepwatch_model::LinkTarget::Named(_) => None,
    };
    let interface = interface.unwrap_or_else(|| named.interface.to_string());
    let is_there = instance.addresses.contains(&named) || instance.own_addresses.contains(&named);
    let mut text = placed(address, &interface);
    if is_there {
        text.push_str(" set");
    }
    let dropped = instance.dropped.iter().any(|(dropped, _)| *dropped == address.address);
    if dropped {
        text.push_str(" nftable_set");
    }
    text
}

/// An address on an interface, without whether it is there.
pub(super) fn placed(address: &InterfaceAddress, interface: &str) -> String {
    let mut text = match address.prefix_len {
        32 if address.address.is_ipv4() => address.address.to_string(),
        128 => address.address.to_string(),
        _ => address.to_string(),
    };
    // Writing into memory does not fail.
    let mut add = |part: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(part);
    };
    if let Some(broadcast) = address.broadcast {
        add(format_args!(" brd {broadcast}"));
    }
    add(format_args!(" dev {interface}"));
    if address.use_vmac {
        add(format_args!(" use_vmac"));
    }
    add(format_args!(" scope {}", scope(address.scope)));
    if let Some(label) = &address.label {
        add(format_args!(" label {label}"));
    }
    if let Some((peer, length)) = &address.peer {
        add(format_args!(" peer {peer}/{length}"));
    }
    for (is, word) in [
        (address.home, " home"),
        (address.detect_duplicates, " -nodad"),
        (address.manage_temp_addresses, " mngtmpaddr"),
        (address.no_prefix_route, " noprefixroute"),
        (address.auto_join, " autojoin"),
        (address.no_track, " no_track"),
    ] {
        if is {
            add(format_args!("{word}"));
        }
    }
    if let Some(group) = &address.track_group {
        add(format_args!(" track_group {group}"));
    }
    if address.address.is_ipv6() {
        match address.preferred_lifetime {
            Some(0) => add(format_args!(" deprecated")),
            Some(seconds) => add(format_args!(" preferred_lft {seconds}")),
            None => add(format_args!(" preferred_lft forever")),
        }
    }
    text
}

fn scope(scope: AddressScope) -> String {
    match scope {
        AddressScope::Global => "global".into(),
        AddressScope::Site => "site".into(),
        AddressScope::Link => "link".into(),
        AddressScope::Host => "host".into(),
        AddressScope::Nowhere => "nowhere".into(),
        AddressScope::Number(number) => number.to_string(),
    }
}

fn prefix(prefix: &Prefix) -> String {
    match prefix.length {
        32 if prefix.address.is_ipv4() => prefix.address.to_string(),
        128 => prefix.address.to_string(),
        _ => prefix.to_string(),
    }
}

fn inet(address: IpAddr) -> String {
    format!("{} {address}", if address.is_ipv4() { "inet" } else { "inet6" })
}

fn realms(text: &mut String, realms: Option<Realms>) {
    let _ = match realms {
        Some(Realms { from: Some(from), to }) => write!(text, " realms {from}/{to}"),
        Some(Realms { from: None, to }) => write!(text, " realm {to}"),
        None => Ok(()),
    };
}

/// `prepend 10.77.0.0/16 via inet 10.9.0.2 dev eth0 proto 18`.
pub(super) fn route(route: &Route) -> String {
    let mut text = String::from(match route.placement {
        RoutePlacement::Add => "add ",
        RoutePlacement::Append => "append ",
        RoutePlacement::Prepend => "prepend ",
    });
    let mut add = |part: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(part);
    };
    if route.kind != RouteKind::Unicast {
        match RouteKind::NAMES.iter().find(|(_, kind)| *kind == route.kind) {
            Some((name, _)) => add(format_args!("{name} ")),
            None => add(format_args!("{} ", route.kind.number())),
        }
    }
    let all = route.destination.length == 0 && route.destination.address.is_unspecified();
    add(format_args!("{}", if all { "default".into() } else { prefix(&route.destination) }));
    if let Some(from) = &route.from {
        add(format_args!(" from {}", prefix(from)));
    }
    if let Some(source) = route.preferred_source {
        add(format_args!(" src {source}"));
    }
    if let Some(tos) = route.tos {
        add(format_args!(" tos {tos}"));
    }
    let RouteHop { via, interface, on_link, encap: _, realms: mark } = &route.hop;
    if let Some(via) = via {
        add(format_args!(" via {}", inet(*via)));
    }
    if let Some(interface) = interface {
        add(format_args!(" dev {interface}"));
    }
    match &route.table {
        &RoutingTable::MAIN => {}
        RoutingTable::Id(table) => add(format_args!(" table {table}")),
        RoutingTable::Vrf(name) => add(format_args!(" vrf {name}")),
    }
    add(format_args!(" proto {}", route.protocol.0));
    if route.scope != AddressScope::Global {
        add(format_args!(" scope {}", route.scope.number()));
    }
    if let Some(metric) = route.metric {
        add(format_args!(" metric {metric}"));
    }
    if *on_link && route.family == Family::Inet {
        add(format_args!(" onlink"));
    }
    realms(&mut text, *mark);
    if let Some(expires) = route.expires {
        let _ = write!(text, " expires {}sec", expires.as_secs());
    }
    for next in &route.next_hops {
        hop(&mut text, &next.hop, next.weight);
    }
    tracked(&mut text, route.no_track, route.track_group.as_deref());
    text
}

fn hop(text: &mut String, hop: &RouteHop, weight: u16) {
    text.push_str(" nexthop");
    let mut add = |part: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(part);
    };
    if let Some(via) = hop.via {
        add(format_args!(" via {}", inet(via)));
    }
    if let Some(interface) = &hop.interface {
        add(format_args!(" dev {interface}"));
    }
    if weight != 1 {
        add(format_args!(" weight {weight}"));
    }
    if hop.on_link {
        add(format_args!(" onlink"));
    }
    realms(text, hop.realms);
}

fn tracked(text: &mut String, no_track: bool, group: Option<&str>) {
    if no_track {
        text.push_str(" no_track");
    }
    if let Some(group) = group {
        let _ = write!(text, " track_group {group}");
    }
}

/// `from 10.9.0.100 priority 16384 tos 0x0 protocol 18 lookup 200`.
pub(super) fn rule(rule: &Rule) -> String {
    let mut text = String::new();
    let mut add = |part: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(part);
    };
    if rule.family == Family::Inet6 && rule.from.is_none() && rule.to.is_none() {
        add(format_args!("inet6 "));
    }
    if rule.inverted {
        add(format_args!("not "));
    }
    match &rule.from {
        Some(from) => add(format_args!("from {}", prefix(from))),
        None => add(format_args!("from all")),
    }
    if let Some(to) = &rule.to {
        add(format_args!(" to {}", prefix(to)));
    }
    add(format_args!(" priority {} tos {:#x}", rule.preference, rule.tos));
    if let Some(mark) = &rule.mark {
        add(format_args!(" fwmark {:#x}", mark.mark.0));
        if let Some(mask) = mark.mask.filter(|mask| *mask != u32::MAX) {
            add(format_args!("/{mask:#x}"));
        }
    }
    for (word, interface) in [("iif", &rule.incoming_interface), ("oif", &rule.outgoing_interface)] {
        if let Some(interface) = interface {
            add(format_args!(" {word} {interface}"));
        }
    }
    let numbers = [
        ("suppress_prefixlen", rule.suppress_prefix_length.map(u64::from)),
        ("suppress_ifgroup", rule.suppress_interface_group.map(u64::from)),
        ("tunnel-id", rule.tunnel_id),
    ];
    for (word, number) in numbers {
        if let Some(number) = number {
            add(format_args!(" {word} {number}"));
        }
    }
    if let Some((first, last)) = rule.users {
        add(format_args!(" uidrange {first}-{last}"));
    }
    if rule.action == RuleAction::L3mdev {
        add(format_args!(" l3mdev"));
    }
    if let Some(protocol) = rule.protocol {
        add(format_args!(" protocol {}", protocol.0));
    }
    if let Some(protocol) = rule.ip_protocol {
        add(format_args!(" ipproto {protocol}"));
    }
    for (word, ports) in [("sport", rule.source_ports), ("dport", rule.destination_ports)] {
        if let Some((first, last)) = ports {
            add(format_args!(" {word} {first}-{last}"));
        }
    }
    if let Some(realms) = rule.realms {
        add(format_args!(" realms {}/{}", realms.from.unwrap_or(0), realms.to));
    }
    match rule.action {
        RuleAction::Table(table) => add(format_args!(" lookup {table}")),
        RuleAction::L3mdev => {}
        RuleAction::Goto(preference) => add(format_args!(" goto {preference}")),
        RuleAction::Nop => add(format_args!(" nop")),
        RuleAction::Blackhole => add(format_args!(" type blackhole")),
        RuleAction::Unreachable => add(format_args!(" type unreachable")),
        RuleAction::Prohibit => add(format_args!(" type prohibit")),
    }
    tracked(&mut text, rule.no_track, rule.track_group.as_deref());
    text
}
