//! Routes and rules as `ip route` and `ip rule` write them: what tells one from another, and not all that they say.

use std::fmt::{self, Display, Formatter, Write as _};

use super::{Family, Prefix, Route, RouteHop, RouteKind, RoutingTable, Rule, RuleAction};

fn prefix(f: &mut Formatter<'_>, prefix: &Prefix) -> fmt::Result {
    match (prefix.address.is_unspecified() && prefix.length == 0, prefix.length) {
        (true, _) => f.write_str("default"),
        (false, 32) if prefix.address.is_ipv4() => prefix.address.fmt(f),
        (false, 128) => prefix.address.fmt(f),
        (false, _) => prefix.fmt(f),
    }
}

fn hop(f: &mut Formatter<'_>, hop: &RouteHop) -> fmt::Result {
    if let Some(via) = hop.via {
        write!(f, " via {via}")?;
    }
    if let Some(interface) = &hop.interface {
        write!(f, " dev {interface}")?;
    }
    Ok(())
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
        if let Some(source) = self.preferred_source {
            write!(f, " src {source}")?;
        }
        match &self.table {
            &RoutingTable::MAIN => {}
            RoutingTable::Id(table) => write!(f, " table {table}")?,
            RoutingTable::Vrf(name) => write!(f, " vrf {name}")?,
        }
        if let Some(tos) = self.tos {
            write!(f, " tos {tos:#04x}")?;
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
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
        if let Some(mark) = &self.mark {
            write!(f, " fwmark {:#x}", mark.mark.0)?;
        }
        for (word, interface) in [("iif", &self.incoming_interface), ("oif", &self.outgoing_interface)] {
            if let Some(interface) = interface {
                write!(f, " {word} {interface}")?;
            }
        }
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
        }
    }
}
