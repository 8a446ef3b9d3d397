//! A small world, told in facts, and the whole walk of it. What the VRRP part should say is what keepalived 2.4.3
//! says of the same configuration.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::details::{AddressOptions, InstanceDetails};
use keepwatch_bus::fact::{DaemonFact, LinkFact, ServiceFact, VrrpFact};
use keepwatch_bus::sample;
use keepwatch_bus::settings::{
    AuthKind, DaemonSettings, InstanceSettings, RealServerSettings, ServiceSettings,
};
use keepwatch_bus::subject::{Protocol, RealKey, ServiceKey, VirtualAddress, VrrpState};
use keepwatch_bus::{Counters, Event, Fact, World};
use keepwatch_config::model::{Forwarding, Notify, Script, Tracked, Tracking};
use snmp_agentx::{Tree, VarBindValue, oid, value};

use super::{Parts, index};
use crate::oids::{KEEPALIVED, below};
use crate::traps;

const ALL: Parts = Parts { vrrp: true, checker: true };

fn happen(world: &mut World, fact: impl Into<Fact>) -> Event {
    let event = sample::event(world.version + 1, None, fact);
    world.apply(&event);
    event
}

fn address(text: &str, interface: &str) -> VirtualAddress {
    let (ip, prefix) = text.split_once('/').unwrap();
    sample::virtual_address(ip.parse::<IpAddr>().unwrap(), prefix.parse().unwrap(), interface)
}

fn script(words: &[&str]) -> Script {
    Script { argv: words.iter().map(|word| (*word).into()).collect(), user: None }
}

fn instance(position: u32) -> InstanceSettings {
    InstanceSettings {
        position,
        initial_state: VrrpState::Master,
        priority: 150,
        preempt_delay: Duration::from_secs(3),
        auth: AuthKind::Pass,
        addresses: vec![address("10.78.9.9/32", "eth0"), address("10.78.9.10/24", "eth1")],
        excluded_addresses: vec![address("fd78::9/64", "eth0")],
        smtp_alert: true,
        accept: false,
        group: Some("G1".into()),
        details: InstanceDetails {
            multicast: Some(IpAddr::from([224, 0, 0, 18])),
            address_options: vec![AddressOptions {
                of: address("10.78.9.10/24", "eth1"),
                broadcast: Some(IpAddr::from([10, 78, 9, 255])),
                label: Some("eth1:vip".into()),
                scope: 253,
                peer: None,
            }],
            scripts: Notify { backup: Some(script(&["/usr/bin/it", "isn't"])), ..Notify::default() },
            tracked: Tracking {
                interfaces: vec![Tracked { name: "eth1".into(), weight: -10, reverse: false }],
                ..Tracking::default()
            },
            ..InstanceDetails::default()
        },
        ..sample::instance()
    }
}

fn vrrp_world() -> World {
    let mut world = World::default();
    let settings = DaemonSettings {
        version: "0.1.0".into(),
        router_id: "LVS_A".into(),
        smtp_server: Some(("127.0.0.1".into(), 25)),
        smtp_connect_timeout: Duration::from_secs(30),
        email_from: Some("kw@example.com".into()),
        email_to: vec!["root@localhost".into(), "ops@example.com".into()],
        traps: true,
        ..DaemonSettings::default()
    };
    happen(&mut world, DaemonFact::DaemonStarted { settings: Box::new(settings) });
    happen(&mut world, LinkFact::LinkUp { interface: "eth0".into(), index: 2 });
    happen(
        &mut world,
        VrrpFact::GroupConfigured {
            group: "G1".into(),
            settings: Box::new(sample::group(&["VI_1", "VI_2"])),
        },
    );
    // Facts come in any order; the position in the configuration is what counts.
    let second = InstanceSettings {
        version: 3,
        vrid: 52,
        auth: AuthKind::None,
        initial_state: VrrpState::Backup,
        advert_interval: Duration::from_millis(250),
        accept: true,
        addresses: vec![],
        excluded_addresses: vec![],
        details: InstanceDetails::default(),
        ..instance(2)
    };
    happen(&mut world, VrrpFact::InstanceConfigured { instance: "VI_2".into(), settings: Box::new(second) });
    happen(
        &mut world,
        VrrpFact::InstanceConfigured { instance: "VI_1".into(), settings: Box::new(instance(1)) },
    );
    world
}

/// Every name below `keepalived` and part, with its value, as a walk would find them.
pub(super) fn walk(world: &World, part: u32) -> Vec<(Vec<u32>, VarBindValue)> {
    let index = index(world, &Counters::default(), ALL);
    let root = below(&[part]);
    let (mut at, mut seen) = (oid(&root), Vec::new());
    while let Some((name, value)) = index.next(None, &at, false) {
        let Some(tail) = name.strip_prefix(root.as_slice()) else { break };
        seen.push((tail.to_vec(), value));
        at = name;
    }
    seen
}

fn column(world: &World, part: u32, table: u32, number: u32) -> Vec<VarBindValue> {
    let wanted = [table, 1, number];
    walk(world, part).into_iter().filter(|(name, _)| name.starts_with(&wanted)).map(|(_, v)| v).collect()
}

fn integers(numbers: &[i32]) -> Vec<VarBindValue> {
    numbers.iter().map(|n| value::integer(*n)).collect()
}

#[test]
fn the_global_part_tells_process_and_mail() {
    let seen = walk(&vrrp_world(), 1);
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_slice()).collect();
    let want: [&[u32]; 22] = [
        &[1, 0],
        &[2, 0],
        &[3, 1, 0],
        &[3, 2, 0],
        &[3, 3, 0],
        &[3, 4, 0],
        &[3, 5, 1, 2, 1],
        &[3, 5, 1, 2, 2],
        &[3, 6, 0],
        &[3, 7, 0],
        &[3, 8, 0],
        &[3, 9, 0],
        &[3, 10, 0],
        &[4, 0],
        &[5, 0],
        &[6, 0],
        &[7, 0],
        &[8, 0],
        &[9, 0],
        &[10, 0],
        &[11, 0],
        &[12, 0],
    ];
    assert_eq!(names, want);
    assert_eq!(seen[1].1, value::text("LVS_A"));
    assert_eq!(seen[3].1, value::octets(&[127, 0, 0, 1]));
    assert_eq!(seen[7].1, value::text("ops@example.com"));
    assert_eq!(seen[8].1, value::unsigned(25));
    assert_eq!(seen[10].1, value::integer(3), "smtp_alert is unset");
}

#[test]
fn rows_follow_the_order_of_the_configuration_and_unset_columns_are_absent() {
    let world = vrrp_world();
    assert_eq!(column(&world, 2, 3, 2), [value::text("VI_1"), value::text("VI_2")]);
    assert_eq!(column(&world, 2, 3, 12), [value::unsigned(1), value::unsigned(25)], "seconds; centiseconds");
    assert_eq!(column(&world, 2, 3, 15), integers(&[1, 0]));
    assert_eq!(column(&world, 2, 3, 27), integers(&[0, 1]), "version 2 has no accept mode");
    assert_eq!(column(&world, 2, 3, 22), [], "no notify_master anywhere");
    assert_eq!(column(&world, 2, 3, 23), [value::text(r"'/usr/bin/it' 'isn'\''t'")]);
    assert_eq!(column(&world, 2, 3, 35), [value::octets(&[224, 0, 0, 18])]);
    assert_eq!(column(&world, 2, 2, 2), [value::text("VI_1"), value::text("VI_2")]);
    assert_eq!(column(&world, 2, 4, 1), [value::text("eth1")]);
    assert_eq!(column(&world, 2, 4, 2), integers(&[-10]));
}

#[test]
fn addresses_are_numbered_through_the_excluded_ones() {
    let mut world = vrrp_world();
    let added = VrrpFact::AddressAdded {
        instance: "VI_1".into(),
        address: address("10.78.9.10/24", "eth1"),
        adopted: false,
    };
    happen(&mut world, added);
    let rows: Vec<_> = walk(&world, 2)
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&[6, 1, 3, 1])?.to_vec(), value)))
        .collect();
    let v6 = "fd78::9".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let want = [
        (vec![1], value::octets(&[10, 78, 9, 9])),
        (vec![2], value::octets(&[10, 78, 9, 10])),
        (vec![3], value::octets(&v6)),
    ];
    assert_eq!(rows, want);
    assert_eq!(column(&world, 2, 6, 4), [value::octets(&[0; 4]), value::octets(&[10, 78, 9, 255])]);
    assert_eq!(column(&world, 2, 6, 6), integers(&[14, 2, 14]));
    assert_eq!(column(&world, 2, 6, 7), integers(&[2, 0, 2]), "eth1 is not known yet");
    assert_eq!(column(&world, 2, 6, 9), [value::text("eth1:vip")]);
    assert_eq!(column(&world, 2, 6, 10), integers(&[2, 1, 2]));
    assert_eq!(column(&world, 2, 6, 11), integers(&[1, 1, 2]));
}

#[test]
fn states_priorities_and_what_is_wanted_follow_the_facts() {
    let mut world = vrrp_world();
    let change = |from, to| VrrpFact::StateChanged { instance: "VI_1".into(), from, to, priority: 140 };
    assert_eq!(column(&world, 2, 3, 4), integers(&[0, 0]));
    happen(&mut world, change(VrrpState::Init, VrrpState::Backup));
    assert_eq!(column(&world, 2, 3, 4), integers(&[1, 0]));
    assert_eq!(column(&world, 2, 3, 6), integers(&[1, 1]), "in a group nobody wants to be master at once");
    let silence =
        VrrpFact::AdvertTimedOut { instance: "VI_1".into(), master: None, waited: Duration::from_secs(3) };
    happen(&mut world, silence);
    assert_eq!(column(&world, 2, 3, 6), integers(&[2, 1]), "held back by its group only");
    happen(&mut world, change(VrrpState::Backup, VrrpState::Master));
    assert_eq!(column(&world, 2, 3, 8), integers(&[140, 150]));
    assert_eq!(column(&world, 2, 3, 9), integers(&[1, 2]));
    happen(&mut world, change(VrrpState::Master, VrrpState::Fault));
    assert_eq!(column(&world, 2, 3, 6), integers(&[3, 1]));
}

const VIRTUAL: ServiceKey = ServiceKey::Address {
    address: IpAddr::V4(std::net::Ipv4Addr::new(10, 78, 9, 9)),
    port: 80,
    protocol: Protocol::Tcp,
};

fn real(text: &str) -> RealKey {
    RealKey { service: VIRTUAL, real: text.parse().unwrap() }
}

pub(super) fn check_world() -> World {
    let mut world = vrrp_world();
    let service = ServiceSettings {
        scheduler: "wrr".into(),
        forwarding: Forwarding::Dr,
        persistence: Some(Duration::from_secs(50)),
        granularity: Some(24),
        delay_loop: Duration::from_millis(1500),
        sorry_server: Some("127.0.0.1:8080".parse().unwrap()),
        quorum_scripts: (Some(script(&["/bin/up", "x"])), None),
        ..sample::service()
    };
    happen(
        &mut world,
        ServiceFact::VirtualServerConfigured { service: VIRTUAL, settings: Box::new(service) },
    );
    for (position, text) in [(1, "10.0.0.1:80"), (2, "10.0.0.2:80")] {
        let settings = RealServerSettings {
            position,
            weight: 3,
            upper_threshold: 100,
            smtp_alert: true,
            ..sample::real_server()
        };
        happen(
            &mut world,
            ServiceFact::RealServerConfigured {
                real: real(text),
                starts_up: true,
                checked: true,
                settings: Box::new(settings),
            },
        );
    }
    world
}

#[test]
fn virtual_and_real_servers_with_the_sorry_server_first() {
    let mut world = check_world();
    happen(&mut world, ServiceFact::VirtualServerAdded { service: VIRTUAL, adopted: false });
    happen(&mut world, ServiceFact::RealServerDown { real: real("10.0.0.2:80") });
    assert_eq!(column(&world, 3, 3, 2), integers(&[2]));
    assert_eq!(column(&world, 3, 3, 6), [value::octets(&[10, 78, 9, 9])]);
    assert_eq!(column(&world, 3, 3, 9), integers(&[2]));
    assert_eq!(column(&world, 3, 3, 11), integers(&[1]));
    assert_eq!(column(&world, 3, 3, 15), [value::octets(&[255, 255, 255, 0])]);
    assert_eq!(column(&world, 3, 3, 21), [value::unsigned(1)]);
    assert_eq!(column(&world, 3, 3, 24), [value::text("'/bin/up' 'x'")]);
    assert_eq!(column(&world, 3, 3, 64), [value::unsigned(1_500_000)]);
    assert_eq!(column(&world, 3, 3, 72), [value::text("/bin/up")]);
    assert_eq!(column(&world, 3, 4, 2), integers(&[2, 1, 1]), "sorry, regular, regular");
    assert_eq!(column(&world, 3, 4, 5), [8080, 80, 80].map(value::unsigned));
    assert_eq!(column(&world, 3, 4, 6), integers(&[1, 2]), "a sorry server has no status");
    assert_eq!(column(&world, 3, 4, 40), integers(&[2, 1, 1]));
}

#[test]
fn traffic_is_read_when_it_is_asked_for() {
    let (world, counters) = (check_world(), Counters::default());
    let index = index(&world, &counters, ALL);
    let bytes = below(&[3, 3, 1, 30, 1]);
    assert_eq!(index.get(None, &bytes), value::counter64(0));
    counters.services.resolve(&VIRTUAL).bytes_in.set(1 << 40);
    assert_eq!(index.get(None, &bytes), value::counter64(1 << 40));
    let rate = counters.reals.resolve(&real("10.0.0.1:80"));
    rate.bytes_in_per_second.set((7 << 32) + 5);
    assert_eq!(index.get(None, &below(&[3, 4, 1, 36, 1, 2])), value::unsigned(5));
    assert_eq!(index.get(None, &below(&[3, 4, 1, 37, 1, 2])), value::unsigned(7));
    assert_eq!(index.get(None, &below(&[3, 4, 1, 25, 1, 2])), value::unsigned(u32::MAX), "a full gauge");
}

#[test]
fn parts_that_are_not_enabled_are_not_there() {
    let index = index(&check_world(), &Counters::default(), Parts::default());
    let (mut at, mut parts) = (oid(&KEEPALIVED), std::collections::BTreeSet::new());
    while let Some((name, _)) = index.next(None, &at, false) {
        parts.insert(name[KEEPALIVED.len()]);
        at = name;
    }
    assert_eq!(parts.into_iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn notifications_carry_what_the_mib_lists() {
    let mut world = check_world();
    let names = |event: &Event, world: &World| -> Vec<String> {
        let binds = traps::notification(event, world, ALL).unwrap();
        binds.iter().map(|bind| bind.name.to_string().replace("1.3.6.1.4.1.9586.100.5.", "")).collect()
    };
    let change = VrrpFact::StateChanged {
        instance: "VI_1".into(),
        from: VrrpState::Backup,
        to: VrrpState::Master,
        priority: 150,
    };
    let event = happen(&mut world, change);
    assert_eq!(names(&event, &world), ["1.3.6.1.6.3.1.1.4.1.0", "2.3.1.2", "2.3.1.4", "2.3.1.5", "1.2.0"]);
    let binds = traps::notification(&event, &world, ALL).unwrap();
    assert_eq!(binds[0].value, value::object(oid(&below(&[2, 10, 0, 2]))));
    assert_eq!(binds[2].value, value::integer(2));
    assert_eq!(traps::notification(&event, &world, Parts::default()), None);

    let mut stopping = world.clone();
    happen(&mut stopping, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    let (instance, from) = ("VI_1".into(), VrrpState::Master);
    let event =
        happen(&mut stopping, VrrpFact::StateChanged { instance, from, to: VrrpState::Init, priority: 150 });
    let binds = traps::notification(&event, &stopping, ALL).unwrap();
    assert_eq!(binds[2].value, value::integer(5), "shutdown");

    let event = happen(&mut world, ServiceFact::RealServerDown { real: real("10.0.0.1:80") });
    let want =
        ["4.1.3", "4.1.4", "4.1.5", "4.1.6", "3.1.2", "3.1.5", "3.1.6", "3.1.7", "3.1.8", "3.1.21", "3.1.20"];
    assert_eq!(names(&event, &world)[1..12], want.map(|tail| format!("3.{tail}")));
    let lost = ServiceFact::QuorumLost { service: VIRTUAL, quorum: 1, hysteresis: 0, weight: 0 };
    let event = happen(&mut world, lost);
    let binds = traps::notification(&event, &world, ALL).unwrap();
    assert_eq!(binds[0].value, value::object(oid(&below(&[3, 5, 0, 2]))));
    assert!(binds.iter().any(|b| b.name == oid(&below(&[3, 3, 1, 23])) && b.value == value::integer(2)));
}
