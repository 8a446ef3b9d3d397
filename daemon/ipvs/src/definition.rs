//! What the configuration says of virtual servers, in the words of the engine.
//!
//! In goes the typed model; out come [`Definition`]s, one for each `virtual_server` block. A block that stands for a
//! `virtual_server_group` is one definition with an entry in the table for each line (and each address) of the group.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use keepwatch_bus::{
    Configured, FlatMap, Health,
    subject::{Family, ServiceKey},
};
use keepwatch_model::{self as model, Config, Followed, Levels, Tunnel, TunnelChecksum};

use crate::table::{Encapsulation, Forwarding, Granularity, Persistence, Service, ServiceFlags};

/// A virtual server.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its key: that by which its checkers know it; of a group, its first entry.
    pub key: ServiceKey,
    /// Its entries in the table: itself, or all of its group's.
    pub entries: Vec<ServiceKey>,
    /// How the entries treat what arrives.
    pub service: Service,
    /// Weight that must be up.
    pub quorum: u32,
    /// The quorum is gained this much above, and lost this much below.
    pub hysteresis: u32,
    /// Its real servers.
    pub servers: FlatMap<SocketAddr, Server>,
    /// Who serves while there is no quorum.
    pub sorry: Option<Sorry>,
    /// What the world is told of it.
    pub settings: Configured<model::VirtualServer>,
}

impl Definition {
    /// How one of its entries treats what arrives. In a group of both families each entry has a granularity of its own.
    pub(crate) fn service_of(&self, entry: &ServiceKey) -> Service {
        let mut service = self.service.clone();
        if let Some(persistence) = &mut service.persistence
            && self.key.family() != entry.family()
        {
            persistence.granularity = Granularity::single(entry.family());
        }
        service
    }
}

/// A real server.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Its share of new connections.
    pub weight: u32,
    /// How packets get there.
    pub forwarding: Forwarding,
    /// No new connections from this many on; 0 for no limit.
    pub upper_threshold: u32,
    /// New connections again below this many.
    pub lower_threshold: u32,
    /// While down it stays in the table, with weight 0.
    pub inhibit: bool,
    /// What it counts as before its checkers have said anything: up, unless one of them is `alpha` or a file that it
    /// follows says otherwise.
    pub starts: Health,
    /// Whether any checker watches it.
    pub checked: bool,
    /// What the world is told of it.
    pub settings: Configured<model::RealServer>,
}

/// A sorry server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorry {
    /// Its address and port.
    pub address: SocketAddr,
    /// How packets get there.
    pub forwarding: Forwarding,
    /// While it is not needed it stays in the table, with weight 0.
    pub inhibit: bool,
}

/// The definitions of a configuration's virtual servers, with the levels of what their real servers follow.
#[must_use]
pub fn definitions(config: &Config, levels: &Levels) -> Vec<Definition> {
    (1..)
        .zip(config.services())
        .filter_map(|(position, (server, entries))| define(position, server, entries, levels))
        .collect()
}

/// All their entries in the table.
pub(crate) fn entries(definitions: &[Definition]) -> BTreeSet<ServiceKey> {
    definitions.iter().flat_map(|definition| &definition.entries).copied().collect()
}

fn define(
    position: u32,
    server: &model::VirtualServer,
    entries: Vec<ServiceKey>,
    levels: &Levels,
) -> Option<Definition> {
    let key = *entries.first()?;
    let servers = (1..).zip(&server.real_servers);
    let servers = servers.map(|(n, real)| (real.address, define_server(n, real, levels)));
    Some(Definition {
        key,
        service: Service {
            scheduler: server.scheduler.to_string(),
            flags: flags(server.flags),
            persistence: persistence(server, key.family()),
        },
        quorum: server.quorum,
        hysteresis: server.hysteresis,
        servers: servers.collect(),
        sorry: server.sorry_server.as_ref().map(|sorry| Sorry {
            address: sorry.address,
            forwarding: forwarding(sorry.forwarding),
            inhibit: sorry.inhibit,
        }),
        settings: Configured::new(position, server.alone()),
        entries,
    })
}

fn define_server(position: u32, real: &model::RealServer, levels: &Levels) -> Server {
    let mut checkers = real.checkers.iter();
    let followed: Vec<Followed> = real.followed().map(|(_, followed)| followed).collect();
    let checked = checkers.clone().next().is_some() || !followed.is_empty();
    let followed = Followed::all_at(&followed, levels);
    let up = followed.is_some() && !checkers.any(|checker| checker.alpha);
    Server {
        weight: real.weight.0,
        forwarding: forwarding(real.forwarding),
        upper_threshold: real.upper_threshold,
        lower_threshold: real.lower_threshold,
        inhibit: real.inhibit_on_failure,
        starts: Health { up, weight: followed.unwrap_or(0), fixed: 0 },
        checked,
        settings: Configured::new(position, real.clone()),
    }
}

fn persistence(server: &model::VirtualServer, family: Family) -> Option<Persistence> {
    Some(Persistence {
        timeout: server.persistence_timeout?,
        granularity: match (family, server.persistence_granularity) {
            (_, None) => Granularity::single(family),
            (Family::Inet, Some(prefix)) => Granularity::Mask(Ipv4Addr::from(
                u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or_default(),
            )),
            (Family::Inet6, Some(prefix)) => Granularity::Prefix(prefix.clamp(1, 128)),
        },
        engine: server.persistence_engine.as_deref().map(str::to_owned),
    })
}

fn flags(flags: model::SchedulerFlags) -> ServiceFlags {
    // `hashed` is how every service of today's kernels is; it can't be asked for.
    let model::SchedulerFlags { one_packet, hashed: _, sched_1, sched_2, sched_3 } = flags;
    [
        (one_packet, ServiceFlags::ONE_PACKET),
        (sched_1, ServiceFlags::SCHEDULER_1),
        (sched_2, ServiceFlags::SCHEDULER_2),
        (sched_3, ServiceFlags::SCHEDULER_3),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(ServiceFlags::default(), |all, (_, flag)| all | flag)
}

fn forwarding(method: model::Forwarding) -> Forwarding {
    match method {
        model::Forwarding::Nat => Forwarding::Masquerade,
        model::Forwarding::Dr => Forwarding::DirectRouting,
        model::Forwarding::Tun(tunnel) => Forwarding::Tunnel(match tunnel {
            Tunnel::Ipip => Encapsulation::Ipip,
            Tunnel::Gue { port, checksum } => Encapsulation::Gue { port, flags: checksum_flag(checksum) },
            Tunnel::Gre { checksum } => Encapsulation::Gre { flags: checksum_flag(checksum) },
        }),
    }
}

/// `IP_VS_TUNNEL_ENCAP_FLAG_*`.
fn checksum_flag(checksum: TunnelChecksum) -> u16 {
    match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Full => 1,
        TunnelChecksum::Remote => 2,
    }
}

/// Where packets for a real server go. Only NAT can change the port, so with the other methods the server is asked on
/// the port of the service, whatever is written.
pub(crate) fn destination_address(
    service: &ServiceKey,
    server: SocketAddr,
    forwarding: Forwarding,
) -> SocketAddr {
    let port = match (forwarding, service) {
        (Forwarding::Masquerade, _) => server.port(),
        (_, ServiceKey::Address { port, .. }) => *port,
        (_, ServiceKey::Fwmark { .. }) => 0,
    };
    SocketAddr::new(server.ip(), port)
}

/// Whether a service can have this machine as a real server: NAT and DR can't change the address family.
pub(crate) fn reaches(service: &ServiceKey, address: IpAddr, forwarding: Forwarding) -> bool {
    service.family() == Family::of(address) || matches!(forwarding, Forwarding::Tunnel(_))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keepwatch_config::{Options, load_text};
    use keepwatch_model::{Level, TrackedKind, subject::TrackedKey};

    use super::*;

    fn of(text: &str) -> Vec<Definition> {
        let loaded = load_text(Path::new("t"), text.to_owned(), &Options::default());
        definitions(&loaded.config.expect("a configuration that can run"), &Levels::new())
    }

    #[test]
    fn tunnels_are_of_the_type_that_is_configured() {
        let cases = [
            ("", Encapsulation::Ipip),
            ("type gue port 4000 remcsum", Encapsulation::Gue { port: 4000, flags: 2 }),
            ("type gre csum", Encapsulation::Gre { flags: 1 }),
        ];
        for (options, expected) in cases {
            let text = format!(
                "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nprotocol TCP\nlvs_method TUN {options}\n\
                 real_server 10.2.0.1 80 {{\n}}\n}}\n"
            );
            let found: Vec<Forwarding> =
                of(&text).iter().flat_map(|d| d.servers.values().map(|server| server.forwarding)).collect();
            assert_eq!(found, [Forwarding::Tunnel(expected)], "{options}");
        }
    }

    #[test]
    fn what_two_virtual_servers_name_is_the_first_one_s() {
        let group = |name: &str, lines: &str| {
            format!(
                "virtual_server_group {name} {{\n{lines}\n}}\nvirtual_server group {name} {{\nlvs_sched rr\n\
                 protocol TCP\nlvs_method NAT\nreal_server 10.2.0.1 80 {{\n}}\n}}\n"
            )
        };
        let text = group("A", "10.0.0.1-3 80\n10.0.0.2 80")
            + &group("B", "10.0.0.2-4 80\n10.0.0.3 81")
            + &group("C", "10.0.0.1 80");
        let named: Vec<Vec<String>> =
            of(&text).iter().map(|d| d.entries.iter().map(ToString::to_string).collect()).collect();
        let first = ["[10.0.0.1]:tcp:80", "[10.0.0.2]:tcp:80", "[10.0.0.3]:tcp:80"];
        assert_eq!(named, [first.to_vec(), vec!["[10.0.0.4]:tcp:80", "[10.0.0.3]:tcp:81"]]);
    }

    #[test]
    fn a_group_of_both_families_is_persistent_in_each_by_its_own_measure() {
        let found = of("virtual_server_group G {\n10.0.0.1 80\n2001:db8::1 80\nfwmark 3 inet6\n}\n\
             virtual_server group G {\nlvs_sched rr\nprotocol TCP\nlvs_method TUN\npersistence_timeout 50\n\
             real_server 10.2.0.1 {\n}\n}\n");
        let granularities: Vec<(Family, Option<Granularity>)> = found
            .iter()
            .flat_map(|d| {
                d.entries
                    .iter()
                    .map(|entry| (entry.family(), d.service_of(entry).persistence.map(|p| p.granularity)))
            })
            .collect();
        let single = |family| (family, Some(Granularity::single(family)));
        assert_eq!(granularities, [single(Family::Inet), single(Family::Inet6), single(Family::Inet6)]);
    }

    #[test]
    fn groups_keep_their_marks_over_a_reload_and_take_none_that_is_written() {
        let config = |groups: &[&str]| {
            let mut text = "global_defs {\nnftables_ipvs\nnftables_ipvs_start_fwmark 1\n}\n\
                 virtual_server fwmark 2 {\nreal_server 10.2.0.1 80 {\n}\n}\n"
                .to_owned();
            for (n, name) in groups.iter().enumerate() {
                text += &format!(
                    "virtual_server_group {name} {{\n10.0.{n}.1-9 80\nfwmark {}\n}}\n\
                     virtual_server group {name} {{\nprotocol TCP\nreal_server 10.2.0.1 80 {{\n}}\n}}\n",
                    n + 50
                );
            }
            load_text(Path::new("t"), text, &Options::default()).config.expect("a configuration that can run")
        };
        let marks = |config: &Config| -> Vec<Vec<u32>> {
            let services = config.services().filter(|(server, _)| server.group().is_some());
            let mark = |key: &ServiceKey| match key {
                ServiceKey::Fwmark { fwmark, .. } => *fwmark,
                ServiceKey::Address { .. } => 0,
            };
            services.map(|(_, entries)| entries.iter().map(mark).collect()).collect()
        };
        let mut first = config(&["A", "B"]);
        first.give_marks(&model::Global::default());
        assert_eq!(marks(&first), [[1, 50], [3, 51]]);
        let mut second = config(&["NEW", "B", "A"]);
        second.give_marks(&first.global);
        assert_eq!(marks(&second), [[4, 50], [3, 51], [1, 52]]);
        let ranges: Vec<_> = second.marked_ranges().iter().map(|one| (one.range.count, one.mark.0)).collect();
        assert_eq!(ranges, [(9, 4), (9, 3), (9, 1)]);
        let mut third = config(&["B", "OTHER"]);
        third.give_marks(&second.global);
        assert_eq!(marks(&third), [[3, 50], [5, 51]], "packets have the marks 1 and 4 still");
        second.global.firewall.ipvs.table = None;
        second.give_marks(&first.global);
        assert_eq!(marks(&second)[0].len(), 10, "each address is an entry of its own");
    }

    #[test]
    fn a_server_that_nobody_checks_counts_as_up_and_unchecked_and_one_that_follows_a_file_waits_for_it() {
        let text = "track_file f {\nfile /run/f\n}\n\
             virtual_server 10.0.0.1 80 {\nlvs_sched rr\nprotocol TCP\nlvs_method NAT\nalpha\n\
             real_server 10.2.0.1 80 {\n}\n\
             real_server 10.2.0.2 80 {\nFILE_CHECK {\ntrack_file f\nweight 2\n}\n}\n\
             real_server 10.2.0.3 80 {\nPING_CHECK {\n}\n}\n}\n";
        let loaded = load_text(Path::new("t"), text.to_owned(), &Options::default());
        let config = loaded.config.expect("a configuration that can run");
        let starts = |levels: &Levels| -> Vec<(bool, i32, bool)> {
            let found = definitions(&config, levels);
            let servers = found.iter().flat_map(|d| d.servers.values());
            servers.map(|server| (server.starts.up, server.starts.weight, server.checked)).collect()
        };
        let pinged = (false, 0, true);
        assert_eq!(starts(&Levels::new()), [(true, 0, false), (false, 0, true), pinged]);
        let file = TrackedKey { kind: TrackedKind::File, name: "f".into() };
        let read = Levels::from([(file, Level::Number(3))]);
        assert_eq!(starts(&read), [(true, 0, false), (true, 6, true), pinged]);
    }

    #[test]
    fn a_group_of_both_families_has_no_servers_at_entries_that_they_can_t_serve() {
        let text = "virtual_server_group G {\n2001:db8::1 80\n10.0.0.1 80\n}\n\
             virtual_server group G {\nlvs_sched rr\nprotocol TCP\nlvs_method NAT\n\
             real_server 10.2.0.1 80 {\n}\n}\n";
        let defined = of(text);
        let (bus, _hub) = keepwatch_bus::Hub::new(keepwatch_bus::BusSettings::default()).unwrap();
        let mut director = crate::director::Director::new(bus);
        let crate::director::Defined { new, .. } = director.define(defined, None);
        director.begin(new, &crate::table::Table::default());
        let desired = director.desired();
        let servers: Vec<_> = desired
            .services
            .iter()
            .map(|(key, service)| (key.family(), service.destinations.len()))
            .collect();
        assert_eq!(servers, [(Family::Inet, 1), (Family::Inet6, 0)]);
    }
}
