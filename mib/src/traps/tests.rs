//! What of a virtual server is told depends on what it stands for: an address, a mark or a group.

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::subject::{Family, Protocol, RealKey, ServiceKey};
use keepwatch_bus::{Configured, Counters, World, sample};
use keepwatch_model::{VirtualServer, VirtualServerKey};

use super::*;
use crate::rfc::Order;

/// The objects of the checker part that tell of this virtual server's real server, and of its quorum: name and value.
fn told(key: ServiceKey, model: VirtualServer) -> [Vec<(String, String)>; 2] {
    let mut world = World::default();
    let real = RealKey { service: key, real: "192.168.0.2:80".parse().unwrap() };
    let configured =
        ServiceFact::VirtualServerConfigured { service: key, settings: Configured::new(1, model) };
    let settings = Configured::new(1, sample::real_server());
    let server = ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings };
    let lost = ServiceFact::QuorumLost { service: key, quorum: 1, hysteresis: 0, weight: 0 };
    let facts = [configured, server, ServiceFact::RealServerDown { real }, lost];
    let (counters, mut known) = (Counters::default(), Known::default());
    let mut all = (1..).zip(facts).flat_map(|(id, fact)| {
        let event = sample::event(id, None, fact);
        world.apply(&event);
        let order = Order::of(&world);
        let view = View { world: &world, counters: &counters, order: &order };
        known.notifications(&event, view, Parts::KEEPALIVED)
    });
    let shown = |binds: Vec<VarBind>| {
        let of_service = binds.into_iter().filter_map(|bind| {
            let name = bind.name.to_string();
            let column = name.strip_prefix("1.3.6.1.4.1.9586.100.5.3.3.1.")?.to_owned();
            Some((column, format!("{:?}", bind.value)))
        });
        of_service.collect::<Vec<_>>()
    };
    let both = [all.next().unwrap(), all.next().unwrap()].map(shown);
    assert!(all.next().is_none());
    both
}

fn columns(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(column, _)| column.as_str()).collect()
}

fn value_of<'t>(told: &'t [(String, String)], column: &str) -> &'t str {
    told.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value)
}

#[test]
fn an_address_a_mark_and_a_group_are_told_by_what_they_have() {
    let address = |protocol| ServiceKey::Address { protocol, address: "10.0.0.1".parse().unwrap(), port: 80 };
    let (tcp, sctp) = (address(Protocol::Tcp), address(Protocol::Sctp));
    let mark = ServiceKey::Fwmark { fwmark: 7, family: Family::Inet };
    let group =
        |protocol| VirtualServerKey::Group { name: "SG".into(), protocol, family: Some(Family::Inet) };
    for (key, model, of_service, protocol) in [
        (tcp, tcp.into(), &["2", "5", "6", "7", "8"][..], 1),
        (sctp, sctp.into(), &["2", "5", "6", "7", "8"], 3),
        // As in keepalived's, although a mark has no protocol.
        (mark, mark.into(), &["2", "4", "8"], 2),
        (tcp, group(Protocol::Tcp), &["2", "3", "8"], 1),
        // The group's, and not that of a mark in it.
        (mark, group(Protocol::Sctp), &["2", "3", "8"], 3),
    ] {
        let [server, quorum] = told(key, VirtualServer::new(model));
        assert_eq!(columns(&server), [of_service, &["21", "20"]].concat());
        assert_eq!(columns(&quorum), [of_service, &["23", "22", "21", "20"]].concat());
        for told in [&server, &quorum] {
            assert_eq!(value_of(told, "8"), format!("{:?}", value::integer(protocol)), "{key} {told:?}");
        }
    }
}

/// What is told of servers and quorums while facts come, in short: which server is up or down, the quorum's number, and of how
/// many real servers how many are up.
struct Story {
    world: World,
    known: Known,
    told: Vec<String>,
}

impl Story {
    fn new() -> Self {
        Self { world: World::default(), known: Known::default(), told: Vec::new() }
    }

    fn happens(&mut self, fact: impl Into<Fact>) {
        let event = sample::event(self.world.version + 1, None, fact);
        self.world.apply(&event);
        let (counters, order) = (Counters::default(), Order::of(&self.world));
        let view = View { world: &self.world, counters: &counters, order: &order };
        for binds in self.known.notifications(&event, view, Parts::KEEPALIVED) {
            let part = |name: &str| {
                let name = format!("1.3.6.1.4.1.9586.100.5.3.{name}");
                let bind = binds.iter().find(|bind| bind.name.to_string() == name)?;
                let text = format!("{:?}", bind.value);
                Some(text.chars().filter(char::is_ascii_digit).collect::<String>())
            };
            let port = |name| part(name).unwrap_or_default();
            let servers = format!("{} of {}", port("3.1.21"), port("3.1.20"));
            self.told.push(match part("4.1.6") {
                Some(status) => format!("{} is {status}, {servers}", port("4.1.5")),
                None => format!("quorum {}, {servers}", port("3.1.23")),
            });
        }
    }

    /// A virtual server with these entries and real servers, all of which are up.
    fn serves(&mut self, key: &VirtualServerKey, place: u32, entries: &[ServiceKey], reals: &[u16]) {
        let settings = Configured::new(place, VirtualServer::new(key.clone()));
        for service in entries.iter().copied() {
            self.happens(ServiceFact::VirtualServerConfigured { service, settings: settings.clone() });
            for (place, port) in (1..).zip(reals) {
                let settings = Configured::new(place, sample::real_server());
                let real = real(service, *port);
                self.happens(ServiceFact::RealServerConfigured {
                    real,
                    starts_up: true,
                    checked: true,
                    settings,
                });
            }
        }
        for service in entries.iter().copied() {
            self.happens(ServiceFact::QuorumGained { service, quorum: 1, hysteresis: 0, weight: 2 });
        }
    }

    fn tells(&mut self, told: &[&str]) {
        assert_eq!(std::mem::take(&mut self.told), told);
    }
}

fn real(service: ServiceKey, port: u16) -> RealKey {
    RealKey { service, real: ([10, 0, 0, 2], port).into() }
}

fn entry(last: u8) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, last].into(), port: 80 }
}

#[test]
fn of_a_group_each_event_is_told_once() {
    let key = VirtualServerKey::Group { name: "SG".into(), protocol: Protocol::Tcp, family: None };
    let entries = [entry(9), entry(1), ServiceKey::Fwmark { fwmark: 7, family: Family::Inet }];
    let mut story = Story::new();
    story.serves(&key, 1, &entries, &[81, 82]);
    story.tells(&["quorum 1, 2 of 2"]);
    for port in [82, 81] {
        for service in entries {
            story.happens(ServiceFact::RealServerDown { real: real(service, port) });
        }
    }
    for service in entries {
        story.happens(ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 });
    }
    story.tells(&["82 is 2, 1 of 2", "81 is 2, 0 of 2", "quorum 2, 0 of 2"]);
    // An entry goes, and then all do, and come again with another first one.
    story.happens(ServiceFact::VirtualServerUnconfigured { service: entry(1) });
    for service in [entry(9), entries[2]] {
        story.happens(ServiceFact::VirtualServerUnconfigured { service });
    }
    story.tells(&[]);
    story.serves(&key, 1, &[entry(1), entry(9)], &[81]);
    story.tells(&["quorum 1, 1 of 1"]);
    // One of its entries is a virtual server by itself now.
    for service in [entry(1), entry(9)] {
        story.happens(ServiceFact::VirtualServerUnconfigured { service });
    }
    story.tells(&["81 is 2, 0 of 1", "quorum 2, 0 of 1"]);
    story.serves(&VirtualServerKey::Service(entry(9)), 1, &[entry(9)], &[81]);
    story.serves(&key, 2, &[entry(1)], &[81]);
    story.tells(&["quorum 1, 1 of 1", "quorum 1, 1 of 1"]);
}

#[test]
fn of_a_group_that_loses_its_first_entry_another_one_is_told() {
    let key = VirtualServerKey::Group { name: "SG".into(), protocol: Protocol::Tcp, family: None };
    let mut story = Story::new();
    story.serves(&key, 1, &[entry(9), entry(1)], &[81, 82]);
    story.tells(&["quorum 1, 2 of 2"]);
    story.happens(ServiceFact::VirtualServerUnconfigured { service: entry(9) });
    story.tells(&[]);
    story.happens(ServiceFact::RealServerDown { real: real(entry(1), 81) });
    story.tells(&["81 is 2, 1 of 2"]);
    story.happens(ServiceFact::VirtualServerUnconfigured { service: entry(1) });
    story.tells(&["82 is 2, 0 of 2", "quorum 2, 0 of 2"]);
}

#[test]
fn what_a_reload_takes_away_goes_down_if_it_was_up() {
    let key = VirtualServerKey::Service(entry(9));
    let mut story = Story::new();
    story.serves(&key, 1, &[entry(9)], &[81, 82, 83]);
    story.tells(&["quorum 1, 3 of 3"]);
    story.happens(ServiceFact::RealServerDown { real: real(entry(9), 82) });
    story.tells(&["82 is 2, 2 of 3"]);
    for port in [83, 82] {
        story.happens(ServiceFact::RealServerUnconfigured { real: real(entry(9), port) });
    }
    story.tells(&["83 is 2, 1 of 3"]);
    story.happens(ServiceFact::VirtualServerUnconfigured { service: entry(9) });
    story.tells(&["81 is 2, 0 of 1", "quorum 2, 0 of 1"]);
    // Without its quorum it goes without a word, but for who is up.
    story.serves(&key, 1, &[entry(9)], &[81, 82]);
    story.happens(ServiceFact::RealServerDown { real: real(entry(9), 81) });
    story.happens(ServiceFact::QuorumLost { service: entry(9), quorum: 2, hysteresis: 0, weight: 1 });
    story.tells(&["quorum 1, 2 of 2", "81 is 2, 1 of 2", "quorum 2, 1 of 2"]);
    story.happens(ServiceFact::VirtualServerUnconfigured { service: entry(9) });
    story.tells(&["82 is 2, 0 of 2"]);
}

#[test]
fn a_stop_is_told_in_the_order_of_the_configuration() {
    let mut story = Story::new();
    for (place, last) in [(1, 9), (2, 1), (3, 5)] {
        story.serves(
            &VirtualServerKey::Service(entry(last)),
            place,
            &[entry(last)],
            &[80 + u16::from(last), 99],
        );
    }
    story.happens(ServiceFact::RealServerDown { real: real(entry(1), 99) });
    story.happens(ServiceFact::QuorumLost { service: entry(1), quorum: 2, hysteresis: 0, weight: 1 });
    story.told.clear();
    story.happens(keepwatch_bus::fact::DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    // The table is emptied in another order.
    for last in [1, 5, 9] {
        story.happens(ServiceFact::VirtualServerRemoved { service: entry(last) });
    }
    story.tells(&[
        "89 is 2, 1 of 2",
        "99 is 2, 0 of 2",
        "quorum 3, 0 of 2",
        "81 is 2, 0 of 2",
        "quorum 3, 0 of 2",
        "85 is 2, 1 of 2",
        "99 is 2, 0 of 2",
        "quorum 3, 0 of 2",
    ]);
}

#[test]
fn of_thousands_of_servers_that_go_down_one_by_one_each_costs_the_same() {
    let now = || {
        let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
        std::time::Duration::from(nix::time::clock_gettime(clock).unwrap())
    };
    // The processor's time of the last ones that go down of so many, whatever else the machine does.
    let cost = |servers: u16| {
        let mut known = Known::default();
        let (counters, world) = (Counters::default(), World::default());
        let order = Order::of(&world);
        let view = View { world: &world, counters: &counters, order: &order };
        let service = entry(9);
        let settings = Configured::new(1, VirtualServer::new(VirtualServerKey::Service(service)));
        let mut tell = |fact| {
            let told = known.notifications(&sample::event(1, None, fact), view, Parts::KEEPALIVED);
            assert!(told.len() < 2);
        };
        tell(ServiceFact::VirtualServerConfigured { service, settings });
        let server = sample::real_server();
        for port in 1..=servers {
            let settings = Configured::new(port.into(), server.clone());
            let real = real(service, port);
            tell(ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings });
        }
        let before = now();
        for port in (1..=servers).rev().take(1000) {
            tell(ServiceFact::RealServerDown { real: real(service, port) });
        }
        let took = now() - before;
        assert_eq!(known.up[&service], usize::from(servers) - 1000);
        took
    };
    let (few, many) = (cost(1000), cost(40_000));
    // Counted anew for each, it would be some fifty times as much.
    assert!(many < few * 5, "{few:?} for 1000 of 1000, {many:?} for 1000 of 40,000");
}

#[test]
fn an_entry_that_another_group_has_now_stands_for_the_old_one_no_more() {
    let group =
        |name: &str| VirtualServerKey::Group { name: name.into(), protocol: Protocol::Tcp, family: None };
    let mut story = Story::new();
    story.serves(&group("SG"), 1, &[entry(9), entry(1)], &[81]);
    // The group has another name: both of its entries are configured anew.
    for service in [entry(9), entry(1)] {
        let settings = Configured::new(1, VirtualServer::new(group("OTHER")));
        story.happens(ServiceFact::VirtualServerConfigured { service, settings });
    }
    story.serves(&group("SG"), 2, &[entry(5)], &[82]);
    story.told.clear();
    for service in [entry(9), entry(1)] {
        story.happens(ServiceFact::RealServerDown { real: real(service, 81) });
    }
    story.happens(ServiceFact::RealServerDown { real: real(entry(5), 82) });
    story.tells(&["81 is 2, 0 of 1", "82 is 2, 0 of 1"]);
}

/// A reload that takes the entry away by which a group was known says nothing of its servers, which are as they were.
#[test]
fn a_group_that_is_known_by_another_entry_is_told_of_once_and_as_before() {
    let group = VirtualServerKey::Group { name: "SG".into(), protocol: Protocol::Tcp, family: None };
    let mut story = Story::new();
    story.serves(&group, 1, &[entry(9), entry(1)], &[81, 82]);
    story.happens(ServiceFact::RealServerDown { real: real(entry(9), 82) });
    story.happens(ServiceFact::RealServerDown { real: real(entry(1), 82) });
    story.told.clear();
    // By one that it had, then by one that is new.
    for (from, service) in [(9, 1), (1, 5)] {
        story.happens(ServiceFact::VirtualServerRenamed { service: entry(service), from: entry(from) });
        story.happens(ServiceFact::VirtualServerUnconfigured { service: entry(from) });
        let settings = Configured::new(1, VirtualServer::new(group.clone()));
        story.happens(ServiceFact::VirtualServerConfigured { service: entry(service), settings });
    }
    story.tells(&[]);
    story.happens(ServiceFact::RealServerUp { real: real(entry(5), 82) });
    story.happens(ServiceFact::RealServerDown { real: real(entry(5), 81) });
    story.happens(ServiceFact::RealServerDown { real: real(entry(5), 82) });
    story.tells(&["82 is 1, 2 of 2", "81 is 2, 1 of 2", "82 is 2, 0 of 2"]);
}
