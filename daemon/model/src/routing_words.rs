//! Routes and rules as `ip route` and `ip rule` write them, with all that they say to the kernel. What is left out is what
//! everybody has: the main table, keepalived's protocol, global scope.

use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

use super::{
    AddressScope, Encap, Family, IpEncap, Lockable, MaskedMark, Prefix, Realms, Route, RouteHop, RouteKind,
    RouteMetrics, RouterPreference, RoutingProtocol, RoutingTable, Rule, RuleAction,
};

fn prefix(f: &mut Formatter<'_>, prefix: &Prefix) -> fmt::Result {
    match (prefix.address.is_unspecified() && prefix.length == 0, prefix.length) {
        (true, _) => f.write_str("default"),
        (false, 32) if prefix.address.is_ipv4() => prefix.address.fmt(f),
        (false, 128) => prefix.address.fmt(f),
        (false, _) => prefix.fmt(f),
    }
}

fn hop(f: &mut Formatter<'_>, hop: &RouteHop) -> fmt::Result {
    if let Some(encap) = &hop.encap {
        write!(f, " encap {encap}")?;
    }
    word(f, "via", hop.via)?;
    word(f, "dev", hop.interface.as_ref())?;
    if hop.on_link {
        f.write_str(" onlink")?;
    }
    word(f, "realms", hop.realms)
}

/// A word and its value, if there is one.
fn word(f: &mut Formatter<'_>, word: &str, value: Option<impl Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {word} {value}"))
}

impl fmt::Display for Realms {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.from {
            write!(f, "{from}/")?;
        }
        self.to.fmt(f)
    }
}

impl fmt::Display for Encap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mpls { labels } => {
                let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
                write!(f, "mpls {}", labels.join("/"))
            }
            Self::Ip(tunnel) => tunnel.write(f, ["ip", "tos", "ttl"]),
            Self::Ip6(tunnel) => tunnel.write(f, ["ip6", "tc", "hoplimit"]),
            Self::Ila { locator } => {
                let groups = [48, 32, 16, 0].map(|shift| format!("{:x}", locator >> shift & 0xffff));
                write!(f, "ila {}", groups.join(":"))
            }
        }
    }
}

impl<Address: Display> IpEncap<Address> {
    /// With the words that the family has for itself, for the traffic class and for the hop limit.
    fn write(&self, f: &mut Formatter<'_>, [family, class, limit]: [&str; 3]) -> fmt::Result {
        f.write_str(family)?;
        word(f, "id", self.id)?;
        word(f, "src", self.source.as_ref())?;
        word(f, "dst", self.destination.as_ref())?;
        word(f, limit, self.hop_limit)?;
        word(f, class, self.traffic_class)?;
        word(f, "flags", self.flags.map(|flags| format!("{flags:#x}")))
    }
}

impl fmt::Display for AddressScope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Site => f.write_str("site"),
            Self::Link => f.write_str("link"),
            Self::Host => f.write_str("host"),
            Self::Nowhere => f.write_str("nowhere"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for RouterPreference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Low => f.write_str("low"),
            Self::Medium => f.write_str("medium"),
            Self::High => f.write_str("high"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for RouteMetrics {
    /// Each with a blank before it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let time = |time: Lockable<Duration>| Lockable {
            value: format!("{}ms", time.value.as_secs_f64() * 1000.0),
            locked: time.locked,
        };
        let bit = |bit: Option<bool>| bit.map(u8::from);
        word(f, "mtu", self.mtu)?;
        word(f, "advmss", self.advertised_mss)?;
        word(f, "hoplimit", self.hop_limit)?;
        word(f, "rtt", self.rtt.map(time))?;
        word(f, "rttvar", self.rtt_variance.map(time))?;
        word(f, "rto_min", self.rto_min.map(time))?;
        word(f, "reordering", self.reordering)?;
        word(f, "window", self.window)?;
        word(f, "cwnd", self.congestion_window)?;
        word(f, "ssthresh", self.slow_start_threshold)?;
        word(f, "initcwnd", self.initial_congestion_window)?;
        word(f, "initrwnd", self.initial_receive_window)?;
        word(f, "features", self.ecn.then_some("ecn"))?;
        word(f, "quickack", bit(self.quick_ack))?;
        word(f, "fastopen_no_cookie", bit(self.fast_open_no_cookie))?;
        word(f, "congctl", self.congestion_control.as_ref())
    }
}

impl<T: Display> fmt::Display for Lockable<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.locked {
            f.write_str("lock ")?;
        }
        self.value.fmt(f)
    }
}

impl fmt::Display for MaskedMark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.mark.0)?;
        self.mask.map_or(Ok(()), |mask| write!(f, "/{mask:#x}"))
    }
}

/// A protocol above IP: by name, where everybody knows it.
fn ip_protocol(number: u8) -> String {
    match number {
        1 => "icmp".into(),
        6 => "tcp".into(),
        17 => "udp".into(),
        58 => "ipv6-icmp".into(),
        132 => "sctp".into(),
        other => other.to_string(),
    }
}

/// `FIRST-LAST`, or the one that both are.
fn range<T: Display + PartialEq>((first, last): (T, T)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Who made it, unless it is keepalived, as usual.
fn protocol(f: &mut Formatter<'_>, protocol: Option<RoutingProtocol>) -> fmt::Result {
    word(f, "proto", protocol.filter(|by| *by != RoutingProtocol::KEEPALIVED).map(|by| by.0))
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.kind != RouteKind::Unicast {
            let name = RouteKind::NAMES.iter().find(|(_, kind)| *kind == self.kind);
            match name {
                Some((name, _)) => write!(f, "{name} ")?,
                None => write!(f, "{} ", self.kind.number())?,
            }
        }
        prefix(f, &self.destination)?;
        if let Some(from) = &self.from {
            f.write_str(" from ")?;
            prefix(f, from)?;
        }
        hop(f, &self.hop)?;
        word(f, "src", self.preferred_source)?;
        match &self.table {
            &RoutingTable::MAIN => {}
            RoutingTable::Id(table) => write!(f, " table {table}")?,
            RoutingTable::Vrf(name) => write!(f, " vrf {name}")?,
        }
        if let Some(tos) = self.tos {
            write!(f, " tos {tos:#04x}")?;
        }
        protocol(f, Some(self.protocol))?;
        word(f, "scope", Some(self.scope).filter(|scope| *scope != AddressScope::Global))?;
        word(f, "metric", self.metric)?;
        word(f, "expires", self.expires.map(|expires| format!("{}sec", expires.as_secs())))?;
        self.metrics.fmt(f)?;
        word(f, "pref", self.router_preference)?;
        let propagates = self.ttl_propagate.map(|on| if on { "enabled" } else { "disabled" });
        word(f, "ttl-propagate", propagates)?;
        for next in &self.next_hops {
            f.write_str(" nexthop")?;
            hop(f, &next.hop)?;
            if next.weight != 1 {
                write!(f, " weight {}", next.weight)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.preference)?;
        if self.inverted {
            f.write_str(" not")?;
        }
        f.write_str(" from ")?;
        match &self.from {
            Some(from) => prefix(f, from)?,
            None => f.write_str("all")?,
        }
        if let Some(to) = &self.to {
            f.write_str(" to ")?;
            prefix(f, to)?;
        }
        if self.tos != 0 {
            write!(f, " tos {:#04x}", self.tos)?;
        }
        word(f, "fwmark", self.mark)?;
        word(f, "iif", self.incoming_interface.as_ref())?;
        word(f, "oif", self.outgoing_interface.as_ref())?;
        word(f, "uidrange", self.users.map(|(first, last)| format!("{first}-{last}")))?;
        word(f, "ipproto", self.ip_protocol.map(ip_protocol))?;
        word(f, "sport", self.source_ports.map(range))?;
        word(f, "dport", self.destination_ports.map(range))?;
        word(f, "tun_id", self.tunnel_id)?;
        if self.family == Family::Inet6 && self.from.is_none() && self.to.is_none() {
            f.write_str(" (IPv6)")?;
        }
        f.write_char(' ')?;
        match self.action {
            RuleAction::Table(table) => write!(f, "lookup {table}"),
            RuleAction::L3mdev => f.write_str("lookup [l3mdev-table]"),
            RuleAction::Goto(preference) => write!(f, "goto {preference}"),
            RuleAction::Nop => f.write_str("nop"),
            RuleAction::Blackhole => f.write_str("blackhole"),
            RuleAction::Unreachable => f.write_str("unreachable"),
            RuleAction::Prohibit => f.write_str("prohibit"),
        }?;
        word(f, "suppress_prefixlength", self.suppress_prefix_length)?;
        word(f, "suppress_ifgroup", self.suppress_interface_group)?;
        word(f, "realms", self.realms)?;
        protocol(f, self.protocol)
    }
}
