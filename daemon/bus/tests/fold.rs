//! Property: whatever happens, the world that the hub keeps live is the world that the recorded events give when
//! they are read back from JSON and folded; and folding never panics, in whatever order facts come.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_bus::fact::{
    AdvertError, AnnounceOccasion, Certificate, ConsumerFact, DaemonFact, Drift, Evidence, Failure,
    FailureReason, IpvsFact, LinkDownReason, LinkFact, ScriptOutcome, ScriptRun, ServiceFact, TableChange,
    TrackFact, Verdict, VrrpFact,
};
use keepwatch_bus::subject::*;
use keepwatch_bus::world::{Ordered, Placed};
use keepwatch_bus::{BusSettings, Configured, Event, EventId, Fact, Hub, World, sample};
use keepwatch_model::{
    Authentication, FileCheck, InitialState, Instance, InterfaceAddress, Level, LinkTarget, Priority,
    RealServer, Script, Secret, SorryServer, SyncGroup, TrackScript, Tracked, Tracker, Tracking,
    VirtualRouterId, VirtualServer, VrrpVersion, Weight,
};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Name> {
    // Hostile names too: they must survive JSON, and must not forge a line of the log.
    prop::sample::select(vec!["VI_1", "VI_2", "VG_1", "eth0", "a \"b\"\n{c}", ""]).prop_map(Name::from)
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![(1u8..4).prop_map(|n| Ipv4Addr::new(10, 0, 0, n).into()), Just("fe80::1".parse().unwrap())]
}

fn socket() -> impl Strategy<Value = SocketAddr> {
    (ip(), 80u16..82).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn service() -> impl Strategy<Value = ServiceKey> {
    prop_oneof![
        (ip(), 80u16..82).prop_map(|(address, port)| ServiceKey::Address {
            address,
            port,
            protocol: Protocol::Tcp
        }),
        (1u32..3).prop_map(|fwmark| ServiceKey::Fwmark { fwmark, family: Family::Inet }),
    ]
}

fn real() -> impl Strategy<Value = RealKey> {
    (service(), socket()).prop_map(|(service, real)| RealKey { service, real })
}

fn checker() -> impl Strategy<Value = CheckerKey> {
    (real(), 0u16..2).prop_map(|(real, index)| CheckerKey::new(real, "TCP_CHECK", index))
}

fn address() -> impl Strategy<Value = VirtualAddress> {
    (ip(), name()).prop_map(|(address, interface)| VirtualAddress { address, prefix: 32, interface })
}

fn state() -> impl Strategy<Value = VrrpState> {
    prop::sample::select(VrrpState::ALL.to_vec())
}

fn interface_address() -> impl Strategy<Value = InterfaceAddress> {
    (ip(), prop::option::of(name())).prop_map(|(address, dev)| InterfaceAddress {
        link: dev.map_or(LinkTarget::Instance, LinkTarget::Named),
        ..InterfaceAddress::host(address)
    })
}

fn instance_settings() -> impl Strategy<Value = Configured<Instance>> {
    let addresses = prop::collection::vec(interface_address(), 0..3);
    (1u32..9, name(), any::<u8>(), any::<u64>(), addresses).prop_map(
        |(position, interface, number, interval, addresses)| {
            let instance = Instance {
                interface: Some(interface.clone()),
                vrid: VirtualRouterId(number),
                version: VrrpVersion::V3,
                state: InitialState::Master,
                priority: Priority(number),
                advert_int: Duration::from_micros(interval),
                // A secret is not recorded, so only one that is absent can be the same when it is read back.
                authentication: Authentication::Pass(Secret::default()),
                tracking: Tracking {
                    interfaces: vec![Tracked { name: interface, weight: -1, reverse: true }],
                    ..Tracking::default()
                }
                .into(),
                excluded_addresses: addresses.clone(),
                addresses,
                ..sample::instance()
            };
            Configured::new(position, instance)
        },
    )
}

fn service_settings() -> impl Strategy<Value = Configured<VirtualServer>> {
    (1u32..9, any::<bool>(), prop::option::of(socket())).prop_map(|(position, alpha, sorry)| {
        let sorry_server = sorry.map(SorryServer::new);
        let quorum_up = Some(Script { argv: vec!["/bin/up".into(), "a \"b\"".into()], user: None });
        Configured::new(position, VirtualServer { alpha, sorry_server, quorum_up, ..sample::service() })
    })
}

fn real_settings() -> impl Strategy<Value = Configured<RealServer>> {
    (1u32..9, any::<u32>(), prop::collection::vec(socket(), 0..2)).prop_map(|(position, weight, checked)| {
        let checkers = checked.into_iter().map(|real| sample::tcp_check(real).into()).collect();
        Configured::new(position, RealServer { weight: Weight(weight), checkers, ..sample::real_server() })
    })
}

fn vrrp() -> impl Strategy<Value = VrrpFact> {
    let took = Duration::from_millis(3600);
    prop_oneof![
        (name(), instance_settings())
            .prop_map(|(instance, settings)| VrrpFact::InstanceConfigured { instance, settings }),
        name().prop_map(|instance| VrrpFact::InstanceUnconfigured { instance }),
        (name(), prop::collection::vec(name(), 0..3)).prop_map(|(group, members)| {
            let settings = Configured::new(1, SyncGroup { members, ..sample::group(&[]) });
            VrrpFact::GroupConfigured { group, settings }
        }),
        (name(), state(), state(), any::<u8>()).prop_map(|(instance, from, to, priority)| {
            VrrpFact::StateChanged { instance, from, to, priority }
        }),
        (name(), state(), state()).prop_map(|(group, from, to)| VrrpFact::GroupStateChanged {
            group,
            from,
            to
        }),
        (name(), address(), any::<bool>()).prop_map(|(instance, address, adopted)| VrrpFact::AddressAdded {
            instance,
            address,
            adopted
        }),
        (name(), address()).prop_map(|(instance, address)| VrrpFact::AddressRemoved { instance, address }),
        (name(), ip(), any::<u8>()).prop_map(|(instance, address, priority)| VrrpFact::MasterHeard {
            instance,
            address,
            priority
        }),
        (name(), prop::option::of(ip())).prop_map(move |(instance, master)| VrrpFact::AdvertTimedOut {
            instance,
            master,
            waited: took,
            evidence: None
        }),
        (name(), ip()).prop_map(|(instance, address)| VrrpFact::AdvertRejected {
            instance,
            address,
            error: AdvertError::AuthFailure,
            detail: "x".into()
        }),
        name().prop_map(|instance| VrrpFact::AddressesAnnounced {
            instance,
            addresses: 1,
            neighbours: 0,
            repeat: 5,
            occasion: AnnounceOccasion::Delayed
        }),
    ]
}

fn service_facts() -> impl Strategy<Value = ServiceFact> {
    let took = Duration::from_micros(417);
    prop_oneof![
        (service(), service_settings())
            .prop_map(|(service, settings)| ServiceFact::VirtualServerConfigured { service, settings }),
        (real(), real_settings(), any::<bool>(), any::<bool>()).prop_map(
            |(real, settings, starts_up, checked)| ServiceFact::RealServerConfigured {
                real,
                starts_up,
                checked,
                settings
            }
        ),
        (service(), service())
            .prop_map(|(service, from)| ServiceFact::VirtualServerRenamed { service, from }),
        real().prop_map(|real| ServiceFact::RealServerUnconfigured { real }),
        checker().prop_map(move |checker| ServiceFact::CheckSucceeded { checker, took }),
        checker().prop_map(|checker| ServiceFact::CheckNotRun { checker, error: "no such address".into() }),
        (checker(), 1u32..4).prop_map(move |(checker, attempt)| ServiceFact::CheckFailed {
            checker,
            failure: Failure::new(FailureReason::Refused, "connection refused"),
            attempt,
            attempts: 4,
            log_always: false,
            took
        }),
        real().prop_map(|real| ServiceFact::RealServerUp { real }),
        real().prop_map(|real| ServiceFact::RealServerDown { real }),
        (real(), any::<i32>()).prop_map(|(real, weight)| ServiceFact::RealServerAdded {
            real,
            weight,
            adopted: false
        }),
        real().prop_map(|real| ServiceFact::RealServerRemoved { real }),
        (service(), any::<i64>()).prop_map(|(service, weight)| ServiceFact::QuorumLost {
            service,
            quorum: 1,
            hysteresis: 0,
            weight
        }),
        (service(), any::<i64>()).prop_map(|(service, weight)| ServiceFact::QuorumAwaited {
            service,
            quorum: 1,
            hysteresis: 0,
            weight
        }),
        service().prop_map(|service| ServiceFact::ChecksSuspended { service }),
        service().prop_map(|service| ServiceFact::ChecksResumed { service, address: None }),
        (service(), socket()).prop_map(|(service, sorry)| ServiceFact::SorryServerAdded { service, sorry }),
    ]
}

/// A tracked script of this name at this place.
fn tracked_script(name: Name, position: u32) -> (TrackedKey, Configured<Tracker>) {
    let script = TrackScript {
        name: name.clone(),
        script: Script { argv: vec!["/bin/true".into()], user: None },
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        weight: -5,
        reverse: false,
        rise: 1,
        fall: 1,
        init_fail: false,
    };
    (TrackedKey { kind: TrackedKind::Script, name }, Configured::new(position, Tracker::Script(script)))
}

fn track() -> impl Strategy<Value = TrackFact> {
    let run =
        |status| ScriptRun { verdict: Verdict::Exited(status), last_line: "l".into(), took: Duration::ZERO };
    let key = |name| TrackedKey { kind: TrackedKind::Script, name };
    prop_oneof![
        (name(), 1u32..9).prop_map(|(name, position)| {
            let (tracker, settings) = tracked_script(name, position);
            TrackFact::TrackerConfigured { tracker, settings }
        }),
        name().prop_map(move |name| TrackFact::TrackerUnconfigured { tracker: key(name) }),
        name().prop_map(move |name| TrackFact::TrackerLeftOut {
            tracker: key(name),
            why: "w".into(),
            followers: vec!["VI_1".into()],
        }),
        (name(), 0i32..2).prop_map(move |(name, status)| TrackFact::TrackerChanged {
            tracker: key(name),
            level: if status == 0 { Level::Up } else { Level::Down },
            evidence: Evidence::Run(run(status)),
        }),
        (name(), 0i32..3)
            .prop_map(move |(script, status)| TrackFact::TrackScriptReturned { script, run: run(status) }),
    ]
}

fn other() -> impl Strategy<Value = Fact> {
    let told = [
        DaemonFact::DaemonStarted { settings: Box::default() }.into(),
        IpvsFact::IpvsWithheld { operation: "add service".into() }.into(),
        IpvsFact::IpvsRecovered {}.into(),
        DaemonFact::PartHung { part: "ipvs".into(), doing: "read".into(), since: Timestamp::UNIX_EPOCH }
            .into(),
        DaemonFact::PartMoves { part: "ipvs".into(), stood: Duration::from_secs(9) }.into(),
        ConsumerFact::ScriptExited {
            script: "/bin/true x".into(),
            about: "INSTANCE VI_1 MASTER".into(),
            outcome: ScriptOutcome::Killed { signal: 15 },
            took: Duration::from_secs(1),
            output: "no such database".into(),
        }
        .into(),
        ConsumerFact::ScriptOverdue {
            script: "/bin/true x".into(),
            about: "INSTANCE VI_1 MASTER".into(),
            running: Duration::from_secs(10),
            waiting: 1,
        }
        .into(),
        ConsumerFact::MailDelayed {
            subject: "s".into(),
            error: "e".into(),
            waiting: 1,
            retry_in: Duration::from_secs(1),
        }
        .into(),
        ConsumerFact::MailFailed { subject: "s\n".into(), error: "e".into() }.into(),
        ConsumerFact::MasterAgentConnected { socket: "/var/agentx/master".into(), behind: Vec::new() }.into(),
    ];
    prop_oneof![
        prop::sample::select(told.to_vec()),
        (name(), any::<u32>()).prop_map(|(interface, index)| LinkFact::LinkUp { interface, index }.into()),
        name().prop_map(|interface| LinkFact::LinkDown { interface, reason: LinkDownReason::Missing }.into()),
        (service(), prop::option::of(socket())).prop_map(|(service, real)| IpvsFact::DriftRepaired {
            service,
            real,
            drift: Drift::Altered
        }
        .into()),
        (service(), prop::option::of(socket())).prop_map(|(service, real)| IpvsFact::IpvsRefused {
            service,
            real,
            change: TableChange::Add,
            error: "no memory".into(),
        }
        .into()),
        (service(), prop::option::of(socket())).prop_map(|(service, real)| IpvsFact::IpvsAccepted {
            service,
            real
        }
        .into()),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        vrrp().prop_map(Fact::from),
        track().prop_map(Fact::from),
        service_facts().prop_map(Fact::from),
        other()
    ]
}

/// Whatever has a place in the configuration lies in that order, and is found by its place.
fn is_in_order(world: &World) -> bool {
    fn sorted<K: Clone + Eq + Hash, V: Placed + PartialEq>(map: &Ordered<K, V>) -> bool {
        map.values().is_sorted_by_key(Placed::position)
            && map
                .values()
                .all(|v| map.from_position(v.position()).is_some_and(|f| f.position() == v.position()))
            && map
                .values()
                .enumerate()
                .all(|(at, v)| map.nth(at).is_some_and(|f| f.position() == v.position()))
    }
    sorted(&world.instances)
        && sorted(&world.groups)
        && sorted(&world.services)
        && sorted(&world.trackers.scripts)
        && world.services.values().all(|service| sorted(&service.reals))
}

proptest! {
    #[test]
    fn the_recorded_events_give_the_live_world(
        facts in prop::collection::vec((fact(), prop::option::of(0u64..200)), 0..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (bus, mut hub) = Hub::new(BusSettings::default()).unwrap();
        let (reader, mut recorded) = (hub.reader(), hub.deliver("test", |_| true));
        for (fact, cause) in facts {
            bus.publish(cause.map(EventId), fact);
        }
        drop(bus);
        runtime.block_on(hub.run());

        let mut world = World::default();
        while let Ok(event) = recorded.try_recv() {
            let line = serde_json::to_string(&*event).unwrap();
            let again: Event = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&again, &*event);
            let tag = serde_json::from_str::<serde_json::Value>(&line).unwrap()["kind"].clone();
            prop_assert_eq!(tag, event.fact.kind());
            if let Some(log) = event.line() {
                prop_assert!(!log.text.contains('\n'));
            }
            world.apply(&again);
            prop_assert!(is_in_order(&world), "after {:?}", event.fact);
        }
        prop_assert_eq!(&world, &*reader.world());
        let json = serde_json::to_string(&world).unwrap();
        prop_assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
    }
}

/// What is known of a checker goes with what it checks, wherever a reload puts that; of what is gone or edited nothing
/// is known any more.
#[test]
fn checkers_that_a_reload_takes_away_or_edits_are_forgotten_and_those_that_move_are_not() {
    let service = sample::service_key((Ipv4Addr::new(10, 0, 0, 100), 80));
    let real = RealKey { service, real: SocketAddr::from(([10, 0, 1, 1], 8080)) };
    let configured = |ports: &[u16], files: &[&str]| {
        let check = |port: &u16| sample::tcp_check(SocketAddr::from(([10, 0, 1, 1], *port))).into();
        let follow = |file: &&str| FileCheck { track_file: (*file).into(), weight: 0, reverse: false };
        let file_checks = files.iter().map(follow).collect::<Vec<_>>().into();
        let checkers = ports.iter().map(check).collect();
        let settings = RealServer { checkers, file_checks, ..sample::real_server() };
        let settings = Configured::new(1, settings);
        ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings }
    };
    let key = |kind: &str, index| CheckerKey::new(real, kind, index);
    let good = |checker| ServiceFact::CheckSucceeded { checker, took: Duration::ZERO };
    let seen = |url: u16, of| ServiceFact::PageDigestSeen { checker: of, url, digest: "d".into() };
    let (tcp, file) = ("TCP_CHECK", FileCheck::KEYWORD);
    let facts = [
        ServiceFact::VirtualServerConfigured { service, settings: Configured::new(1, sample::service()) },
        configured(&[1, 2, 3], &["f", "g"]),
        good(key(tcp, 0)),
        good(key(tcp, 1)),
        good(key(tcp, 2)),
        good(key(file, 0)),
        good(key(file, 1)),
        seen(7, key(tcp, 0)),
        seen(8, key(tcp, 1)),
        seen(9, key(tcp, 2)),
        // The first is gone, the third is another one.
        configured(&[2, 4], &["g"]),
    ];
    let mut world = World::default();
    for (id, fact) in (1..).zip(facts) {
        world.apply(&sample::event(id, None, fact));
    }
    let checkers = &world.services.get(&service).unwrap().reals.get(&real.real).unwrap().checkers;
    let known: Vec<_> = checkers
        .iter()
        .map(|checker| {
            (&*checker.key.kind, checker.key.index, checker.seen.pages.first().map(|page| page.url))
        })
        .collect();
    assert_eq!(known, [(tcp, 0, Some(8)), (file, 0, None)]);
}

/// A check that fails and is tried again is no result; what it saw of the server on the way is known all the same.
#[test]
fn what_a_checker_sees_before_its_first_result_is_known() {
    let service = sample::service_key((Ipv4Addr::new(10, 0, 0, 100), 80));
    let real = RealKey { service, real: SocketAddr::from(([10, 0, 1, 1], 443)) };
    let settings =
        RealServer { checkers: vec![sample::tcp_check(real.real).into()], ..sample::real_server() };
    let settings = Configured::new(1, settings);
    let checker = CheckerKey::new(real, "SSL_GET", 0);
    let failed = |attempt| ServiceFact::CheckFailed {
        checker: checker.clone(),
        failure: Failure::new(FailureReason::Status, "status 503"),
        attempt,
        attempts: 2,
        log_always: false,
        took: Duration::ZERO,
    };
    let certificate = Certificate {
        subject: "CN=old".into(),
        issuer: "CN=old".into(),
        not_after: Timestamp::UNIX_EPOCH,
        distrust: None,
    };
    let facts = [
        ServiceFact::VirtualServerConfigured { service, settings: Configured::new(1, sample::service()) },
        ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings },
        failed(1),
        ServiceFact::PageDigestSeen { checker: checker.clone(), url: 0, digest: "d".into() },
        ServiceFact::CertificateSeen { checker: checker.clone(), certificate },
    ];
    let mut world = World::default();
    for (id, fact) in (1..).zip(facts) {
        world.apply(&sample::event(id, None, fact));
    }
    let seen = |world: &World| world.real(&real).unwrap().checkers.clone();
    let known = seen(&world);
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].ok, known[0].failure.clone(), known[0].seen.pages.len()), (None, None, 1));
    let trouble = world.trouble();
    assert!(trouble.iter().any(|trouble| trouble.what.contains("is no good")), "{trouble:?}");
    world.apply(&sample::event(6, None, failed(2)));
    let known = seen(&world);
    assert_eq!((known[0].ok, known[0].seen.pages.len()), (Some(false), 1));
    assert!(known[0].seen.certificate.is_some());
}

/// Whatever a reload takes away, moves or puts before all others, each costs the logarithm of how many there are: shifting
/// all that stand behind takes time with the square of their number.
#[test]
fn a_reload_of_very_many_is_folded_without_moving_all_of_them_each_time() {
    const MANY: u32 = 20_000;
    let key = |n: u32| ServiceKey::Fwmark { fwmark: n, family: keepwatch_model::Family::Inet };
    let mut world = World::default();
    let mut told = 0;
    let mut tell = |world: &mut World, fact: ServiceFact| {
        told += 1;
        world.apply(&Event {
            id: EventId(told),
            at: Timestamp::UNIX_EPOCH,
            mono: told,
            cause: None,
            fact: fact.into(),
        });
    };
    let configured = |n: u32, position: u32| ServiceFact::VirtualServerConfigured {
        service: key(n),
        settings: Configured::new(position, VirtualServer::new(key(n).into())),
    };
    let begun = std::time::Instant::now();
    (1..=MANY).for_each(|n| tell(&mut world, configured(n, n)));
    (1..=MANY)
        .step_by(2)
        .for_each(|n| tell(&mut world, ServiceFact::VirtualServerUnconfigured { service: key(n) }));
    // New ones before all that stayed, which are told of their new places.
    (1..=MANY).for_each(|n| tell(&mut world, configured(MANY + n, n)));
    (2..=MANY).step_by(2).for_each(|n| tell(&mut world, configured(n, MANY + n / 2)));
    let took = begun.elapsed();
    assert!(is_in_order(&world));
    let first = world.services.values().next().map(|service| service.key);
    assert_eq!((world.services.len(), first), (MANY as usize * 3 / 2, Some(key(MANY + 1))));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

fn folded(facts: impl IntoIterator<Item = ServiceFact>) -> World {
    let mut world = World::default();
    for (id, fact) in (1..).zip(facts) {
        world.apply(&sample::event(id, None, fact));
    }
    world
}

/// The one of before goes when the new one is there.
#[test]
fn a_sorry_server_that_a_reload_names_in_place_of_one_that_serves_is_known_to_serve() {
    let service = sample::service_key((Ipv4Addr::new(10, 0, 0, 100), 80));
    let [before, after] = [80, 81].map(|port| SocketAddr::from(([10, 0, 1, 9], port)));
    let configured = |sorry: Option<SocketAddr>| {
        let settings = VirtualServer { sorry_server: sorry.map(SorryServer::new), ..sample::service() };
        ServiceFact::VirtualServerConfigured { service, settings: Configured::new(1, settings) }
    };
    let serves = |facts: &[ServiceFact]| folded(facts.to_vec()).services.get(&service).unwrap().sorry;
    let mut facts = vec![
        configured(Some(before)),
        ServiceFact::SorryServerAdded { service, sorry: before },
        configured(Some(after)),
        ServiceFact::SorryServerAdded { service, sorry: after },
        ServiceFact::SorryServerRemoved { service, sorry: before },
    ];
    assert!(serves(&facts));
    facts.push(ServiceFact::SorryServerRemoved { service, sorry: after });
    assert!(!serves(&facts));
    let gone = [
        configured(Some(before)),
        ServiceFact::SorryServerAdded { service, sorry: before },
        configured(None),
        ServiceFact::SorryServerRemoved { service, sorry: before },
    ];
    assert!(!serves(&gone));
}

#[test]
fn what_is_known_of_a_group_goes_with_the_entry_that_it_is_known_by() {
    let [one, other] = [100, 101].map(|n| sample::service_key((Ipv4Addr::new(10, 0, 0, n), 80)));
    let address = SocketAddr::from(([10, 0, 1, 1], 8080));
    let real = |service| RealKey { service, real: address };
    let configured = |service| {
        let checkers = vec![sample::tcp_check(address).into()];
        let settings = Configured::new(1, RealServer { checkers, ..sample::real_server() });
        [
            ServiceFact::VirtualServerConfigured { service, settings: Configured::new(1, sample::service()) },
            ServiceFact::RealServerConfigured {
                real: real(service),
                starts_up: true,
                checked: true,
                settings,
            },
        ]
    };
    let fails = [
        ServiceFact::CheckFailed {
            checker: CheckerKey::new(real(one), "TCP_CHECK", 0),
            failure: Failure::new(FailureReason::Refused, "connection refused"),
            attempt: 1,
            attempts: 1,
            log_always: false,
            took: Duration::ZERO,
        },
        ServiceFact::RealServerDown { real: real(one) },
    ];
    let renamed = ServiceFact::VirtualServerRenamed { service: other, from: one };
    // The other one is there already, or comes by that.
    for both in [true, false] {
        let mut facts = configured(one).to_vec();
        facts.extend(both.then(|| configured(other)).into_iter().flatten());
        facts.extend(fails.clone());
        facts.push(renamed.clone());
        let world = folded(facts);
        assert_eq!(world.services.len(), 2);
        let known = world.real(&real(other)).unwrap();
        assert_eq!(known.up, both, "what entries were told stays as it was");
        let checkers: Vec<_> = known.checkers.iter().map(|one| (one.key.real, one.ok)).collect();
        assert_eq!(checkers, [(real(other), Some(false))]);
        assert_eq!(world.real(&real(one)).unwrap().checkers, []);
    }
}
