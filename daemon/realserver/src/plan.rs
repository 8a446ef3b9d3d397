//! What a host needs to be a real server: which of the `real_server`s of a configuration it is, and so which virtual
//! addresses it has to have, on which interface.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use keepwatch_model::subject::ServiceKey;
use keepwatch_model::{Config, Family, Forwarding, Tunnel};
use serde::{Deserialize, Serialize};

/// How many addresses an error names.
const NAMED: usize = 12;

/// Where a virtual address belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The loopback interface: direct routing.
    Lo,
    /// The kernel's own end of tunnels of IPv4 in IPv4. (Those for IPv6 are of no use here: `ip6tnl0` takes nothing that
    /// comes in.)
    Tunl0,
}

impl Device {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lo => "lo",
            Self::Tunl0 => "tunl0",
        }
    }

    /// What rtnetlink calls its kind, if it is a tunnel's end.
    pub fn tunnel(self) -> Option<&'static str> {
        match self {
            Self::Lo => None,
            Self::Tunl0 => Some("ipip"),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the operator says about it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The real servers that this host is; none: those with an address of its own.
    pub servers: Vec<IpAddr>,
    /// Virtual addresses that the configuration does not name, for services of a firewall mark.
    pub addresses: Vec<IpAddr>,
}

/// What this host needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The real servers that it is.
    pub servers: BTreeSet<IpAddr>,
    /// The virtual addresses, and where they belong.
    pub addresses: BTreeSet<(Device, IpAddr)>,
    /// Services that it could not be set up for, and why: for people.
    pub left_out: Vec<String>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No real server is reached by DR or TUN.
    #[error(
        "no virtual server has a real server that is reached by direct routing (`lvs_method DR`) or a tunnel (`TUN`)"
    )]
    NoServers,
    /// The host is none of them.
    #[error(
        "no address of this host ({}) is among the real servers of DR and TUN ({}): name the one that it is with --server",
        list(own),
        list(servers)
    )]
    NotThisHost {
        /// What it has.
        own: Vec<IpAddr>,
        /// What there is.
        servers: Vec<IpAddr>,
    },
    /// The one that was named is none of them.
    #[error("{asked} is no real server of DR or TUN here; there are {}", list(servers))]
    Unknown {
        /// What was named.
        asked: IpAddr,
        /// What there is.
        servers: Vec<IpAddr>,
    },
    /// It is one, of services that it can't be set up for.
    #[error("there is nothing to set up: {}", .0.join("; "))]
    Nothing(Vec<String>),
}

/// Addresses as a list for people, not too long.
fn list(addresses: &[IpAddr]) -> String {
    let named: Vec<String> = addresses.iter().take(NAMED).map(IpAddr::to_string).collect();
    match addresses.len().saturating_sub(NAMED) {
        0 if named.is_empty() => "none".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

impl Plan {
    /// What a host with these addresses of its `own` needs.
    ///
    /// # Errors
    /// When it is no real server of the configuration, or of nothing that can be set up.
    pub fn of(config: &Config, own: &BTreeSet<IpAddr>, asked: &Asked) -> Result<Self, PlanError> {
        let there: BTreeSet<IpAddr> = config
            .virtual_servers
            .iter()
            .flat_map(|server| &server.real_servers)
            .filter(|real| real.forwarding != Forwarding::Nat)
            .map(|real| real.address.ip())
            .collect();
        let servers = || there.iter().copied().collect();
        if there.is_empty() {
            return Err(PlanError::NoServers);
        }
        let chosen: BTreeSet<IpAddr> = match &asked.servers[..] {
            [] => there.intersection(own).copied().filter(|address| !address.is_loopback()).collect(),
            asked => match asked.iter().find(|asked| !there.contains(asked)) {
                Some(asked) => return Err(PlanError::Unknown { asked: *asked, servers: servers() }),
                None => asked.iter().copied().collect(),
            },
        };
        if chosen.is_empty() {
            let own = own.iter().copied().filter(|address| !address.is_loopback()).collect();
            return Err(PlanError::NotThisHost { own, servers: servers() });
        }
        let mut plan = Self { servers: chosen, ..Self::default() };
        // Those of the asked that are of a service of a firewall mark.
        let mut marked = BTreeSet::new();
        for (server, services) in config.services() {
            let mine = server.real_servers.iter().filter(|real| plan.servers.contains(&real.address.ip()));
            let ways: BTreeSet<_> = mine.map(|real| Way::of(real.forwarding, real.address.ip())).collect();
            for (way, service) in
                ways.iter().flat_map(|way| services.iter().map(move |service| (way, service)))
            {
                let ServiceKey::Fwmark { family, .. } = service else {
                    plan.add(way.device(service), &service);
                    continue;
                };
                let asked = asked.addresses.iter().filter(|address| Family::of(**address) == *family);
                let mut asked = asked.filter(|_| *way != Way::Nat).peekable();
                if asked.peek().is_none() {
                    plan.add(way.device(service), &service);
                }
                for address in asked {
                    marked.insert(*address);
                    plan.add(way.device_of(*address), &format_args!("{service} with {address}"));
                }
            }
        }
        let others = asked.addresses.iter().filter(|address| !marked.contains(*address));
        plan.addresses.extend(others.map(|address| (Device::Lo, *address)));
        plan.left_out.sort_unstable();
        plan.left_out.dedup();
        match plan.addresses.is_empty() {
            true => Err(PlanError::Nothing(plan.left_out)),
            false => Ok(plan),
        }
    }

    fn add(&mut self, found: Result<Option<(Device, IpAddr)>, String>, of: &dyn fmt::Display) {
        match found {
            Ok(found) => self.addresses.extend(found),
            Err(why) => self.left_out.push(format!("{of}: {why}")),
        }
    }
}

/// How packets come to this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// With its own address as their destination.
    Nat,
    /// As they are.
    Dr,
    /// In packets of IPv4, or of IPv6.
    Ipip { outer_is_6: bool },
    /// In a tunnel that needs more than the kernel's own end.
    OtherTunnel(&'static str),
}

impl Way {
    fn of(forwarding: Forwarding, server: IpAddr) -> Self {
        match forwarding {
            Forwarding::Nat => Self::Nat,
            Forwarding::Dr => Self::Dr,
            Forwarding::Tun(Tunnel::Ipip) => Self::Ipip { outer_is_6: server.is_ipv6() },
            Forwarding::Tun(Tunnel::Gue { .. }) => Self::OtherTunnel("GUE"),
            Forwarding::Tun(Tunnel::Gre { .. }) => Self::OtherTunnel("GRE"),
        }
    }

    /// Which address belongs where for a service; nothing is needed for NAT.
    fn device(self, service: &ServiceKey) -> Result<Option<(Device, IpAddr)>, String> {
        match service {
            _ if self == Self::Nat => Ok(None),
            ServiceKey::Address { address, .. } => self.device_of(*address),
            ServiceKey::Fwmark { .. } => {
                Err("a firewall mark has no address: name its addresses with --address".to_owned())
            }
        }
    }

    /// Where an address of a service belongs.
    fn device_of(self, address: IpAddr) -> Result<Option<(Device, IpAddr)>, String> {
        let device = match (self, address.is_ipv6()) {
            (Self::Nat, _) => return Ok(None),
            (Self::Dr, _) => Device::Lo,
            (Self::Ipip { outer_is_6: false }, false) => Device::Tunl0,
            (Self::Ipip { outer_is_6 }, inner_is_6) => {
                let version = |is_6: bool| if is_6 { "IPv6" } else { "IPv4" };
                return Err(format!(
                    "for {} in {} the kernel has no tunnel's end of its own: one has to be made",
                    version(inner_is_6),
                    version(outer_is_6)
                ));
            }
            (Self::OtherTunnel(kind), _) => {
                return Err(format!(
                    "for a {kind} tunnel the kernel has no end of its own: one has to be made"
                ));
            }
        };
        Ok(Some((device, address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepwatch_model::{Protocol, RealServer, VirtualServer, VirtualServerKey};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn service(vip: &str) -> VirtualServerKey {
        VirtualServerKey::Service(ServiceKey::Address { address: ip(vip), port: 80, protocol: Protocol::Tcp })
    }

    fn server(key: VirtualServerKey, reals: &[(&str, Forwarding)]) -> VirtualServer {
        let mut server = VirtualServer::new(key);
        server.real_servers = reals
            .iter()
            .map(|(at, forwarding)| {
                let mut real = RealServer::new(std::net::SocketAddr::new(ip(at), 80));
                real.forwarding = *forwarding;
                real
            })
            .collect();
        server
    }

    fn plan(servers: Vec<VirtualServer>, own: &[&str], asked: &[&str]) -> Result<Plan, PlanError> {
        let config = Config { virtual_servers: servers, ..Config::default() };
        let own = own.iter().map(|one| ip(one)).collect();
        let asked = Asked { servers: asked.iter().map(|one| ip(one)).collect(), addresses: Vec::new() };
        Plan::of(&config, &own, &asked)
    }

    const IPIP: Forwarding = Forwarding::Tun(Tunnel::Ipip);

    #[test]
    fn a_host_needs_the_addresses_of_the_services_that_it_serves() {
        let servers = || {
            vec![
                server(service("10.0.0.100"), &[("10.0.0.1", Forwarding::Dr), ("10.0.0.2", Forwarding::Dr)]),
                server(service("10.0.0.101"), &[("10.0.0.2", Forwarding::Dr)]),
                server(service("10.0.0.102"), &[("10.0.0.1", Forwarding::Nat)]),
                server(service("10.0.0.103"), &[("10.0.0.1", IPIP)]),
                server(service("fd00::104"), &[("fd00::1", Forwarding::Dr)]),
            ]
        };
        let all = plan(servers(), &["127.0.0.1", "10.0.0.1", "fd00::1"], &[]).unwrap();
        let expected = [(Device::Lo, "10.0.0.100"), (Device::Tunl0, "10.0.0.103"), (Device::Lo, "fd00::104")];
        assert_eq!(all.addresses, expected.map(|(device, vip)| (device, ip(vip))).into());
        let named = plan(servers(), &["10.0.0.1"], &["10.0.0.2"]).unwrap();
        let expected = [(Device::Lo, ip("10.0.0.100")), (Device::Lo, ip("10.0.0.101"))];
        assert_eq!(named.addresses, expected.into());
    }

    #[test]
    fn who_is_no_real_server_is_told_who_is() {
        let servers = || vec![server(service("10.0.0.100"), &[("10.0.0.1", Forwarding::Dr)])];
        let error = plan(servers(), &["127.0.0.1", "10.0.0.9"], &[]).unwrap_err().to_string();
        assert!(error.contains("(10.0.0.9)") && error.contains("(10.0.0.1)"), "{error}");
        let error = plan(servers(), &["10.0.0.1"], &["10.0.0.7"]).unwrap_err().to_string();
        assert!(error.contains("10.0.0.7 is no real server"), "{error}");
        let nat = vec![server(service("10.0.0.100"), &[("10.0.0.1", Forwarding::Nat)])];
        assert_eq!(plan(nat, &["10.0.0.1"], &[]), Err(PlanError::NoServers));
        // What checks a director's own loopback address does not make every host its real server.
        let own = vec![server(service("10.0.0.100"), &[("127.0.0.1", Forwarding::Dr)])];
        assert!(matches!(plan(own, &["127.0.0.1"], &[]), Err(PlanError::NotThisHost { .. })));
    }

    #[test]
    fn addresses_of_a_firewall_mark_go_where_its_packets_come_out() {
        let gue = Forwarding::Tun(Tunnel::Gue { port: 6080, checksum: Default::default() });
        let mark = || VirtualServerKey::Service(ServiceKey::Fwmark { fwmark: 5, family: Family::Inet });
        let plan = |forwarding| {
            let servers = vec![
                server(mark(), &[("10.0.0.1", forwarding)]),
                server(service("10.0.0.200"), &[("10.0.0.1", Forwarding::Dr)]),
            ];
            let config = Config { virtual_servers: servers, ..Config::default() };
            let addresses = vec![ip("10.0.0.100"), ip("fd00::100")];
            let asked = Asked { servers: vec![ip("10.0.0.1")], addresses };
            let mut plan = Plan::of(&config, &BTreeSet::new(), &asked).unwrap();
            // Of no mark: that of the file's other service, and one of another family.
            for other in [ip("10.0.0.200"), ip("fd00::100")] {
                assert!(plan.addresses.remove(&(Device::Lo, other)), "{plan:?}");
            }
            (plan.addresses, plan.left_out)
        };
        let on = |device| [(device, ip("10.0.0.100"))].into();
        assert_eq!(plan(IPIP), (on(Device::Tunl0), vec![]));
        assert_eq!(plan(Forwarding::Dr), (on(Device::Lo), vec![]));
        assert_eq!(plan(Forwarding::Nat), (on(Device::Lo), vec![]));
        let (addresses, left_out) = plan(gue);
        assert!(addresses.is_empty() && left_out.len() == 1, "{addresses:?}");
        assert!(left_out[0].contains("10.0.0.100: for a GUE tunnel"), "{left_out:?}");
    }

    #[test]
    fn what_can_not_be_set_up_is_told() {
        let gue = Forwarding::Tun(Tunnel::Gue { port: 6080, checksum: Default::default() });
        for (key, forwarding, at, said) in [
            (service("10.0.0.100"), gue, "10.0.0.1", "GUE"),
            (service("10.0.0.100"), IPIP, "fd00::1", "IPv4 in IPv6"),
            (service("fd00::100"), IPIP, "fd00::1", "IPv6 in IPv6"),
            (service("fd00::100"), IPIP, "10.0.0.1", "IPv6 in IPv4"),
            (
                VirtualServerKey::Service(ServiceKey::Fwmark {
                    fwmark: 5,
                    family: keepwatch_model::Family::Inet,
                }),
                Forwarding::Dr,
                "10.0.0.1",
                "--address",
            ),
        ] {
            let alone = plan(vec![server(key.clone(), &[(at, forwarding)])], &[at], &[]).unwrap_err();
            assert!(alone.to_string().contains(said), "{alone}");
            let other = server(service("10.0.0.200"), &[(at, Forwarding::Dr)]);
            let plan = plan(vec![server(key, &[(at, forwarding)]), other], &[at], &[]).unwrap();
            assert!(plan.left_out.len() == 1 && plan.addresses.len() == 1, "{plan:?}");
        }
    }
}
