//! A LAN out of the configurations of a cluster: which interfaces are on one segment, and which addresses the hosts
//! have, as far as the files say; what they do not say is assumed, and told.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use keepwatch_bus::subject::{Family, Name};
use keepwatch_model::LinkTarget;
use keepwatch_vrrp::spec::Transport;
use keepwatch_vrrp::{Definitions, RouterSpec, TrackedKind};

use crate::host::{HostPlan, LinkPlan};

/// The hosts, and what had to be assumed of them.
#[derive(Debug)]
pub struct Cluster {
    /// The hosts.
    pub plans: Vec<HostPlan>,
    /// In words, for whoever asked.
    pub assumed: Vec<String>,
}

/// An interface of a host; without a name: wherever unicast instances without one send from.
type Port = (usize, Name);

/// Puts these configurations on one network. Two interfaces are on one segment if an instance here and one there have
/// the same family and virtual router id, and are unicast, or have a virtual address, their name or their interface's
/// name in common.
pub fn of(configurations: Vec<(String, Definitions)>) -> Cluster {
    let specs: Vec<Vec<&RouterSpec>> = configurations
        .iter()
        .map(|(_, all)| all.routers.iter().map(|router| &router.spec).collect())
        .collect();
    let ports: Vec<Port> = (0..specs.len()).flat_map(|host| ports_of(host, &specs[host])).collect();
    let segments = segments(&ports, &specs);
    let mut assumed = BTreeSet::new();
    let mut addresses: Vec<Vec<IpAddr>> = vec![Vec::new(); ports.len()];
    for (at, (host, name)) in ports.iter().enumerate() {
        for spec in specs[*host].iter().filter(|spec| home(spec) == *name) {
            let address = spec.source.or_else(|| told_by_others(*host, spec, &specs));
            let address = address.unwrap_or_else(|| {
                assumed.insert(format!(
                    "the addresses of interfaces are not in the files: of equal priorities the later file wins ({})",
                    spec.name
                ));
                invented(*host, segments[at], spec.family)
            });
            if !addresses[at].contains(&address) {
                addresses[at].push(address);
            }
        }
    }
    let mut plans: Vec<HostPlan> = configurations
        .into_iter()
        .map(|(name, definitions)| HostPlan { name, definitions, links: Vec::new(), pace: 1_000_000 })
        .collect();
    for (((host, name), segment), addresses) in ports.into_iter().zip(segments).zip(addresses) {
        plans[host].links.push(LinkPlan { name, segment, addresses });
    }
    Cluster { plans, assumed: assumed.into_iter().collect() }
}

fn home(spec: &RouterSpec) -> Name {
    spec.interface.clone().unwrap_or_else(|| "".into())
}

/// Every interface that a host's configuration names.
fn ports_of(host: usize, specs: &[&RouterSpec]) -> BTreeSet<Port> {
    let mut ports = BTreeSet::new();
    for spec in specs {
        ports.insert((host, home(spec)));
        for address in spec.addresses.iter() {
            if let LinkTarget::Named(name) = &address.link {
                ports.insert((host, name.clone()));
            }
        }
        let links = spec.follows.iter().filter(|follow| follow.kind == TrackedKind::Link);
        ports.extend(links.map(|follow| (host, follow.name.clone())));
    }
    ports
}

/// The segment of each port.
fn segments(ports: &[Port], specs: &[Vec<&RouterSpec>]) -> Vec<usize> {
    let mut segments: Vec<usize> = (0..ports.len()).collect();
    let port = |host: usize, spec: &RouterSpec| {
        ports.iter().position(|(at, name)| *at == host && *name == home(spec))
    };
    for one in 0..specs.len() {
        for other in one + 1..specs.len() {
            for a in &specs[one] {
                for b in specs[other].iter().filter(|b| are_one(a, b)) {
                    if let (Some(from), Some(to)) = (port(one, a), port(other, b)) {
                        let (from, to) = (segments[from], segments[to]);
                        segments
                            .iter_mut()
                            .filter(|segment| **segment == to)
                            .for_each(|segment| *segment = from);
                    }
                }
            }
        }
    }
    segments
}

/// Whether two instances of different hosts are meant to be one virtual router.
fn are_one(a: &RouterSpec, b: &RouterSpec) -> bool {
    let unicast = |spec: &RouterSpec| matches!(spec.transport, Transport::Unicast { .. });
    let shares = || {
        let of_a = a.addresses.iter().map(|address| address.address);
        of_a.into_iter().any(|address| b.addresses.iter().any(|other| other.address == address))
    };
    (a.family, a.vrid) == (b.family, b.vrid)
        && (unicast(a) || unicast(b) || a.name == b.name || a.interface == b.interface || shares())
}

/// The address that every other router sends to, and this one does not.
fn told_by_others(host: usize, spec: &RouterSpec, specs: &[Vec<&RouterSpec>]) -> Option<IpAddr> {
    let peers = |spec: &RouterSpec| match &spec.transport {
        Transport::Unicast { peers, .. } => peers.iter().map(|peer| peer.address).collect::<Vec<_>>(),
        Transport::Multicast { .. } => Vec::new(),
    };
    let ours = peers(spec);
    let mut others = (0..specs.len()).filter(|other| *other != host);
    let first = others.find_map(|other| specs[other].iter().find(|b| are_one(spec, b)).copied())?;
    peers(first).into_iter().find(|address| !ours.contains(address) && Some(*address) != first.source)
}

fn invented(host: usize, segment: usize, family: Family) -> IpAddr {
    match family {
        Family::Inet => [169, 254, segment as u8, host as u8 + 1].into(),
        Family::Inet6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, segment as u16, host as u16 + 1).into(),
    }
}
