//! A small world, told in facts, and the whole walk of it. What the VRRP part should say is what keepalived 2.4.3
//! says of the same configuration.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::fact::{DaemonFact, LinkFact, ServiceFact, VrrpFact};
use keepwatch_bus::sample;
use keepwatch_bus::subject::{Protocol, RealKey, ServiceKey, VirtualAddress, VrrpState};
use keepwatch_bus::{Configured, Counters, Event, Fact, Process, World};
use keepwatch_model::{
    AddressScope, Authentication, Forwarding, Global, InitialState, Instance, InterfaceAddress, LinkTarget,
    MailServer, Notify, Priority, Rare, RealServer, Script, Secret, Snmp, SorryServer, Tracked, Tracking,
    UnicastPeer, VirtualRouterId, VirtualServer, VrrpVersion, Weight,
};
use snmp_agentx::{Tree, VarBindValue, oid, value};

use super::{Parts, ROOT, mib, objects};
use crate::rfc::Order;
use crate::source::View;
use crate::traps;

const ALL: Parts = Parts::KEEPALIVED;

fn happen(world: &mut World, fact: impl Into<Fact>) -> Event {
    let event = sample::event(world.version + 1, None, fact);
    world.apply(&event);
    event
}

/// As facts tell of an address that is put on an interface.
fn put(text: &str, interface: &str) -> VirtualAddress {
    address(text).beside(interface)
}

fn address(text: &str) -> InterfaceAddress {
    let (ip, prefix) = text.split_once('/').unwrap();
    InterfaceAddress { prefix_len: prefix.parse().unwrap(), ..InterfaceAddress::host(ip.parse().unwrap()) }
}

fn script(words: &[&str]) -> Script {
    Script { argv: words.iter().map(|word| (*word).into()).collect(), user: None }
}

fn instance() -> Instance {
    Instance {
        state: InitialState::Master,
        priority: Priority(150),
        preempt_delay: Duration::from_secs(3),
        authentication: Authentication::Pass(Secret::default()),
        addresses: vec![
            address("10.78.9.9/32"),
            InterfaceAddress {
                link: LinkTarget::Named("eth1".into()),
                broadcast: Some(IpAddr::from([10, 78, 9, 255])),
                label: Some("eth1:vip".into()),
                scope: AddressScope::Link,
                ..address("10.78.9.10/24")
            },
        ],
        excluded_addresses: vec![address("fd78::9/64")],
        smtp_alert: true,
        accept: false,
        group: Some("G1".into()),
        notify: Notify { backup: Some(script(&["/usr/bin/it", "isn't"])), ..Notify::default() }.into(),
        tracking: Tracking {
            interfaces: vec![Tracked { name: "eth1".into(), weight: -10, reverse: false }],
            ..Tracking::default()
        }
        .into(),
        ..sample::instance()
    }
}

fn vrrp_world() -> World {
    let mut world = World::default();
    let global = Global {
        router_id: "LVS_A".into(),
        smtp_server: Some(MailServer::Address("127.0.0.1:25".parse().unwrap())),
        notification_email_from: Some("kw@example.com".into()),
        notification_email: vec!["root@localhost".into(), "ops@example.com".into()],
        snmp: Snmp { traps: true, ..Snmp::default() },
        ..Global::default()
    };
    let settings = Process { version: "0.1.0".into(), global: global.into(), ..Process::default() };
    happen(&mut world, DaemonFact::DaemonStarted { settings: Box::new(settings) });
    happen(&mut world, LinkFact::LinkUp { interface: "eth0".into(), index: 2 });
    happen(
        &mut world,
        VrrpFact::GroupConfigured {
            group: "G1".into(),
            settings: Configured::new(1, sample::group(&["VI_1", "VI_2"])),
        },
    );
    // Facts come in any order; the position in the configuration is what counts.
    let second = Instance {
        version: VrrpVersion::V3,
        vrid: VirtualRouterId(52),
        authentication: Authentication::None,
        state: InitialState::Backup,
        advert_int: Duration::from_millis(250),
        accept: true,
        addresses: vec![],
        excluded_addresses: vec![],
        notify: Rare::default(),
        tracking: Rare::default(),
        unicast_peers: vec![UnicastPeer {
            address: IpAddr::from([10, 78, 9, 3]),
            min_ttl: None,
            max_ttl: None,
        }],
        ..instance()
    };
    for (instance, position, model) in [("VI_2", 2, second), ("VI_1", 1, instance())] {
        let settings = Configured::new(position, model);
        happen(&mut world, VrrpFact::InstanceConfigured { instance: instance.into(), settings });
    }
    world
}

fn below(tail: &[u32]) -> Vec<u32> {
    [ROOT.as_slice(), tail].concat()
}

/// Where an object is below `keepalived`, by its descriptor.
fn place_of(name: &str) -> Vec<u32> {
    let found = objects(ALL).find(|object| object.name == name);
    found.unwrap_or_else(|| panic!("{name} is not served")).place
}

/// Every name below `keepalived` with its value, as a walk finds them.
pub(crate) fn walk(world: &World, parts: Parts) -> Vec<(Vec<u32>, VarBindValue)> {
    let (mib, counters) = (mib(parts), Counters::default());
    let order = Order::of(world);
    let tree = mib.over(View { world, counters: &counters, order: &order });
    let (mut at, mut seen) = (oid(&ROOT), Vec::new());
    while let Some((name, value)) = tree.next(None, &at, false) {
        assert!(name > at, "{name} after {at}");
        seen.push((name.strip_prefix(ROOT.as_slice()).unwrap().to_vec(), value));
        at = name;
    }
    seen
}

/// The rows of one object.
fn rows(world: &World, name: &str) -> Vec<(Vec<u32>, VarBindValue)> {
    let place = place_of(name);
    let seen = walk(world, ALL).into_iter();
    seen.filter_map(|(name, value)| Some((name.strip_prefix(place.as_slice())?.to_vec(), value))).collect()
}

fn column(world: &World, name: &str) -> Vec<VarBindValue> {
    rows(world, name).into_iter().map(|(_, value)| value).collect()
}

fn integers(numbers: &[i32]) -> Vec<VarBindValue> {
    numbers.iter().map(|n| value::integer(*n)).collect()
}

#[test]
fn the_global_part_tells_process_and_mail() {
    let mut seen = walk(&vrrp_world(), ALL);
    seen.retain(|(name, _)| name[0] == 1);
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_slice()).collect();
    let want: [&[u32]; 22] = [
        &[1, 1, 0],
        &[1, 2, 0],
        &[1, 3, 1, 0],
        &[1, 3, 2, 0],
        &[1, 3, 3, 0],
        &[1, 3, 4, 0],
        &[1, 3, 5, 1, 2, 1],
        &[1, 3, 5, 1, 2, 2],
        &[1, 3, 6, 0],
        &[1, 3, 7, 0],
        &[1, 3, 8, 0],
        &[1, 3, 9, 0],
        &[1, 3, 10, 0],
        &[1, 4, 0],
        &[1, 5, 0],
        &[1, 6, 0],
        &[1, 7, 0],
        &[1, 8, 0],
        &[1, 9, 0],
        &[1, 10, 0],
        &[1, 11, 0],
        &[1, 12, 0],
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
    assert_eq!(column(&world, "vrrpInstanceName"), [value::text("VI_1"), value::text("VI_2")]);
    assert_eq!(
        column(&world, "vrrpInstanceAdvertisementsInt"),
        [value::unsigned(1), value::unsigned(25)],
        "seconds; centiseconds"
    );
    assert_eq!(column(&world, "vrrpInstanceAuthType"), integers(&[1, 0]));
    assert_eq!(column(&world, "vrrpInstanceAccept"), integers(&[0, 1]), "version 2 has no accept mode");
    assert_eq!(column(&world, "vrrpInstanceScriptMaster"), [], "no notify_master anywhere");
    assert_eq!(column(&world, "vrrpInstanceScriptBackup"), [value::text(r"'/usr/bin/it' 'isn'\''t'")]);
    assert_eq!(column(&world, "vrrpInstanceMulticastAddress"), [value::octets(&[224, 0, 0, 18])]);
    assert_eq!(column(&world, "vrrpSyncGroupMemberName"), [value::text("VI_1"), value::text("VI_2")]);
    assert_eq!(column(&world, "vrrpTrackedInterfaceName"), [value::text("eth1")]);
    assert_eq!(column(&world, "vrrpTrackedInterfaceWeight"), integers(&[-10]));
}

#[test]
fn addresses_are_numbered_through_the_excluded_ones() {
    let mut world = vrrp_world();
    let added = VrrpFact::AddressAdded {
        instance: "VI_1".into(),
        address: put("10.78.9.10/24", "eth1"),
        adopted: false,
    };
    happen(&mut world, added);
    let v6 = "fd78::9".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let want = [
        (vec![1, 1], value::octets(&[10, 78, 9, 9])),
        (vec![1, 2], value::octets(&[10, 78, 9, 10])),
        (vec![1, 3], value::octets(&v6)),
    ];
    assert_eq!(rows(&world, "vrrpAddressValue"), want);
    assert_eq!(
        column(&world, "vrrpAddressBroadcast"),
        [value::octets(&[0; 4]), value::octets(&[10, 78, 9, 255])]
    );
    assert_eq!(column(&world, "vrrpAddressScope"), integers(&[14, 2, 14]));
    assert_eq!(column(&world, "vrrpAddressIfIndex"), integers(&[2, 0, 2]), "eth1 is not known yet");
    assert_eq!(column(&world, "vrrpAddressIfAlias"), [value::text("eth1:vip")]);
    assert_eq!(column(&world, "vrrpAddressStatus"), integers(&[2, 1, 2]));
    assert_eq!(column(&world, "vrrpAddressAdvertising"), integers(&[1, 1, 2]));
}

#[test]
fn states_priorities_and_what_is_wanted_follow_the_facts() {
    let mut world = vrrp_world();
    let change = |from, to| VrrpFact::StateChanged { instance: "VI_1".into(), from, to, priority: 140 };
    assert_eq!(column(&world, "vrrpInstanceState"), integers(&[0, 0]));
    happen(&mut world, change(VrrpState::Init, VrrpState::Backup));
    assert_eq!(column(&world, "vrrpInstanceState"), integers(&[1, 0]));
    assert_eq!(
        column(&world, "vrrpInstanceWantedState"),
        integers(&[1, 1]),
        "in a group nobody wants to be master at once"
    );
    let silence = VrrpFact::AdvertTimedOut {
        instance: "VI_1".into(),
        master: None,
        waited: Duration::from_secs(3),
        evidence: None,
    };
    happen(&mut world, silence);
    assert_eq!(column(&world, "vrrpInstanceWantedState"), integers(&[2, 1]), "held back by its group only");
    happen(&mut world, change(VrrpState::Backup, VrrpState::Master));
    assert_eq!(column(&world, "vrrpInstanceEffectivePriority"), integers(&[140, 150]));
    assert_eq!(column(&world, "vrrpInstanceVipsStatus"), integers(&[1, 2]));
    happen(&mut world, change(VrrpState::Master, VrrpState::Fault));
    assert_eq!(column(&world, "vrrpInstanceWantedState"), integers(&[3, 1]));
}

const VIRTUAL: ServiceKey = ServiceKey::Address {
    address: IpAddr::V4(std::net::Ipv4Addr::new(10, 78, 9, 9)),
    port: 80,
    protocol: Protocol::Tcp,
};

fn real(text: &str) -> RealKey {
    RealKey { service: VIRTUAL, real: text.parse().unwrap() }
}

pub(crate) fn check_world() -> World {
    let mut world = vrrp_world();
    let service = VirtualServer {
        scheduler: "wrr".into(),
        forwarding: Forwarding::Dr,
        persistence_timeout: Some(Duration::from_secs(50)),
        persistence_granularity: Some(24),
        delay_loop: Duration::from_millis(1500),
        sorry_server: Some(SorryServer::new("127.0.0.1:8080".parse().unwrap())),
        quorum_up: Some(script(&["/bin/up", "x"])),
        ..VirtualServer::new(VIRTUAL.into())
    };
    happen(
        &mut world,
        ServiceFact::VirtualServerConfigured { service: VIRTUAL, settings: Configured::new(1, service) },
    );
    for (position, text) in [(1, "10.0.0.1:80"), (2, "10.0.0.2:80")] {
        let settings =
            RealServer { weight: Weight(3), upper_threshold: 100, smtp_alert: true, ..sample::real_server() };
        happen(
            &mut world,
            ServiceFact::RealServerConfigured {
                real: real(text),
                starts_up: true,
                checked: true,
                settings: Configured::new(position, settings),
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
    assert_eq!(column(&world, "virtualServerType"), integers(&[2]));
    assert_eq!(column(&world, "virtualServerAddress"), [value::octets(&[10, 78, 9, 9])]);
    assert_eq!(column(&world, "virtualServerLoadBalancingAlgo"), integers(&[2]));
    assert_eq!(column(&world, "virtualServerStatus"), integers(&[1]));
    assert_eq!(column(&world, "virtualServerPersistGranularity"), [value::octets(&[255, 255, 255, 0])]);
    assert_eq!(column(&world, "virtualServerRealServersUp"), [value::unsigned(1)]);
    assert_eq!(column(&world, "virtualServerQuorumUp"), [value::text("'/bin/up' 'x'")]);
    assert_eq!(column(&world, "virtualServerDelayLoopUsec"), [value::unsigned(1_500_000)]);
    assert_eq!(column(&world, "virtualServerQuorumUpPath"), [value::text("/bin/up")]);
    assert_eq!(column(&world, "realServerType"), integers(&[2, 1, 1]), "sorry, regular, regular");
    assert_eq!(column(&world, "realServerPort"), [8080, 80, 80].map(value::unsigned));
    assert_eq!(column(&world, "realServerStatus"), integers(&[1, 2]), "a sorry server has no status");
    assert_eq!(column(&world, "realServerForwardingMethod"), integers(&[2, 1, 1]));
}

#[test]
fn traffic_is_read_when_it_is_asked_for() {
    let (world, counters, mib) = (check_world(), Counters::default(), mib(ALL));
    let get = |name: &str, index: &[u32]| {
        let order = Order::of(&world);
        let tree = mib.over(View { world: &world, counters: &counters, order: &order });
        tree.get(None, &below(&[&place_of(name), index].concat()))
    };
    assert_eq!(get("virtualServerStatsInBytes", &[1]), value::counter64(0));
    counters.services.resolve(&VIRTUAL).bytes_in.set(1 << 40);
    assert_eq!(get("virtualServerStatsInBytes", &[1]), value::counter64(1 << 40));
    let rate = counters.reals.resolve(&real("10.0.0.1:80"));
    rate.bytes_in_per_second.set((7 << 32) + 5);
    assert_eq!(get("realServerRateInBPSLow", &[1, 2]), value::unsigned(5));
    assert_eq!(get("realServerRateInBPSHigh", &[1, 2]), value::unsigned(7));
    assert_eq!(get("realServerRateInBPS", &[1, 2]), value::unsigned(u32::MAX), "a full gauge");
}

#[test]
fn parts_that_are_not_enabled_are_not_there() {
    let parts = |parts| {
        let seen = walk(&check_world(), parts);
        seen.iter().map(|(name, _)| name[0]).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(parts(Parts::default()), [].into());
    assert_eq!(parts(Parts { checker: false, ..ALL }), [1, 2].into());
    assert_eq!(parts(ALL), [1, 2, 3].into());
}

/// What is not there now is told from what there never is by the MIB, whether a table has rows or not.
#[test]
fn a_row_that_is_not_there_is_an_instance_and_a_container_is_no_object() {
    let (mib, counters) = (mib(ALL), Counters::default());
    for world in [World::default(), check_world()] {
        let order = Order::of(&world);
        let tree = mib.over(View { world: &world, counters: &counters, order: &order });
        let get = |place: &[u32]| tree.get(None, &below(place));
        for object in objects(ALL) {
            for index in [&[][..], &[4_000_000_000], &[4_000_000_000, 1], &[0, 0, 0]] {
                let name = [&object.place, index].concat();
                assert_eq!(get(&name), VarBindValue::NoSuchInstance, "{} {index:?}", object.name);
            }
            for length in 1..object.place.len() {
                let container = &object.place[..length];
                assert_eq!(get(container), VarBindValue::NoSuchObject, "{container:?}");
                let strange = [container, &[255, 1]].concat();
                assert_eq!(get(&strange), VarBindValue::NoSuchObject, "{strange:?}");
            }
        }
    }
}

#[test]
fn notifications_carry_what_the_mib_lists() {
    let mut world = check_world();
    let counters = Counters::default();
    let notification = |event: &Event, world: &World, parts| {
        let order = Order::of(world);
        let view = View { world, counters: &counters, order: &order };
        traps::Known::of(world, parts).notifications(event, view, parts).into_iter().next()
    };
    let names = |event: &Event, world: &World| -> Vec<String> {
        let binds = notification(event, world, ALL).unwrap();
        binds.iter().map(|bind| bind.name.to_string().replace("1.3.6.1.4.1.9586.100.5.", "")).collect()
    };
    let change = VrrpFact::StateChanged {
        instance: "VI_1".into(),
        from: VrrpState::Backup,
        to: VrrpState::Master,
        priority: 150,
    };
    let event = happen(&mut world, change);
    assert_eq!(
        names(&event, &world),
        ["1.3.6.1.6.3.1.1.4.1.0", "2.3.1.2", "2.3.1.4", "2.3.1.5", "1.2.0", "100.1.2.0", "100.1.1.0"]
    );
    let binds = notification(&event, &world, ALL).unwrap();
    assert_eq!(binds[0].value, value::object(oid(&below(&[2, 10, 0, 2]))));
    assert_eq!(binds[2].value, value::integer(2));
    assert_eq!(notification(&event, &world, Parts::default()), None);

    let mut stopping = world.clone();
    happen(&mut stopping, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    let (instance, from) = ("VI_1".into(), VrrpState::Master);
    let event =
        happen(&mut stopping, VrrpFact::StateChanged { instance, from, to: VrrpState::Init, priority: 150 });
    let binds = notification(&event, &stopping, ALL).unwrap();
    assert_eq!(binds[2].value, value::integer(5), "shutdown");

    let event = happen(&mut world, ServiceFact::RealServerDown { real: real("10.0.0.1:80") });
    let want =
        ["4.1.3", "4.1.4", "4.1.5", "4.1.6", "3.1.2", "3.1.5", "3.1.6", "3.1.7", "3.1.8", "3.1.21", "3.1.20"];
    assert_eq!(names(&event, &world)[1..12], want.map(|tail| format!("3.{tail}")));
    let lost = ServiceFact::QuorumLost { service: VIRTUAL, quorum: 1, hysteresis: 0, weight: 0 };
    let event = happen(&mut world, lost);
    let binds = notification(&event, &world, ALL).unwrap();
    assert_eq!(binds[0].value, value::object(oid(&below(&[3, 5, 0, 2]))));
    assert!(binds.iter().any(|b| b.name == oid(&below(&[3, 3, 1, 23])) && b.value == value::integer(2)));
}
