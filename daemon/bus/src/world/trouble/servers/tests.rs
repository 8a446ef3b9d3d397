//! What is said of servers, after facts.

use std::net::SocketAddr;
use std::time::Duration;

use keepwatch_model::{Protocol, RealServer, VirtualServer, VirtualServerKey};

use crate::fact::{Failure, FailureReason, ServiceFact};
use crate::subject::{CheckerKey, RealKey, ServiceKey};
use crate::world::RealState;
use crate::{Configured, World, sample};

/// Of a server whose check can't be made nobody knows how it is: it is not told as up, and what is in the way is trouble,
/// until a check could be made.
#[test]
fn a_server_whose_check_can_t_be_made_is_unchecked_until_one_could() {
    let real = sample::real_key(([10, 0, 0, 1], 80), ([192, 0, 2, 1], 80));
    let service = real.service;
    let settings =
        RealServer { checkers: vec![sample::tcp_check(real.real).into()], ..sample::real_server() };
    let settings = Configured::new(1, settings);
    let checker = CheckerKey::new(real, "SSL_GET", 0);
    let took = Duration::ZERO;
    let not_run =
        |error: &str| ServiceFact::CheckNotRun { checker: checker.clone(), error: error.to_owned() };
    let succeeded = ServiceFact::CheckSucceeded { checker: checker.clone(), took };
    let failed = |attempt| ServiceFact::CheckFailed {
        checker: checker.clone(),
        failure: Failure::new(FailureReason::Refused, "connection refused"),
        attempt,
        attempts: 2,
        log_always: false,
        took,
    };
    let mut world = World::default();
    let mut id = 0;
    let mut then = |fact: ServiceFact| {
        id += 1;
        world.apply(&sample::event(id, None, fact));
        let known = world.real(&real).map(|real| (real.state(), real.hindrances().count()));
        let trouble = world.trouble();
        let trouble = trouble.iter().find(|trouble| trouble.what.contains("checks can't be made"));
        (known, trouble.map(|trouble| trouble.error.clone()))
    };
    then(ServiceFact::VirtualServerConfigured { service, settings: Configured::new(1, sample::service()) });
    then(ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings });
    assert_eq!(then(succeeded.clone()), (Some((RealState::Up, 0)), None));
    let unchecked = Some((RealState::Unchecked, 1));
    then(not_run("no key"));
    let trouble = Some("SSL_GET: the password is wrong (192.0.2.1:80)".to_owned());
    assert_eq!(then(not_run("the password is wrong")), (unchecked, trouble));
    // A try that is followed by another was made.
    assert_eq!(then(failed(1)), (Some((RealState::Up, 0)), None));
    then(not_run("no key"));
    assert_eq!(then(succeeded), (Some((RealState::Up, 0)), None));
}

/// All entries of a group have the same real servers, which are checked once: what is wrong with all is told once, with the
/// reason, and none of them says that a server is up of which nobody knows.
#[test]
fn a_group_is_in_one_trouble_whatever_entries_it_has() {
    let entries = [100, 101, 102].map(|n| ServiceKey::Address {
        address: [10, 9, 0, n].into(),
        port: 80,
        protocol: Protocol::Tcp,
    });
    let group = VirtualServerKey::Group { name: "G".into(), protocol: Protocol::Tcp, family: None };
    let at = SocketAddr::from(([192, 0, 2, 1], 80));
    let key = |service: &ServiceKey| RealKey { service: *service, real: at };
    let mut world = World::default();
    let mut id = 0;
    let mut tell = |world: &mut World, fact: ServiceFact| {
        id += 1;
        world.apply(&sample::event(id, None, fact));
    };
    for service in entries {
        let settings = VirtualServer { key: group.clone(), ..sample::service() };
        let settings = Configured::new(1, settings);
        tell(&mut world, ServiceFact::VirtualServerConfigured { service, settings });
        let settings = RealServer { checkers: vec![sample::tcp_check(at).into()], ..sample::real_server() };
        let (real, settings) = (key(&service), Configured::new(1, settings));
        tell(
            &mut world,
            ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings },
        );
    }
    let checker = CheckerKey::new(key(&entries[0]), "TCP_CHECK", 0);
    let states = |world: &World| entries.each_ref().map(|service| world.real(&key(service)).unwrap().state());
    let not_run = ServiceFact::CheckNotRun { checker: checker.clone(), error: "no address".into() };
    tell(&mut world, not_run);
    assert_eq!(states(&world), [RealState::Unchecked; 3]);
    // By a reload nothing becomes known, neither at those entries nor at a new one.
    let new = ServiceKey::Address { address: [10, 9, 0, 99].into(), port: 80, protocol: Protocol::Tcp };
    let settings = Configured::new(1, VirtualServer { key: group.clone(), ..sample::service() });
    tell(&mut world, ServiceFact::VirtualServerConfigured { service: new, settings });
    for service in entries.iter().chain([&new]) {
        let settings = RealServer { checkers: vec![sample::tcp_check(at).into()], ..sample::real_server() };
        let (real, settings) = (key(service), Configured::new(1, settings));
        tell(
            &mut world,
            ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings },
        );
    }
    assert_eq!(states(&world), [RealState::Unchecked; 3]);
    assert_eq!(world.real(&key(&new)).unwrap().state(), RealState::Unchecked);
    // One that has come before the others stands behind them, and is the one that is checked.
    tell(&mut world, ServiceFact::VirtualServerRenamed { service: new, from: entries[0] });
    assert_eq!(world.first_of(world.services.get(&entries[1]).unwrap()).key, new);
    tell(&mut world, ServiceFact::VirtualServerRenamed { service: entries[0], from: new });
    tell(&mut world, ServiceFact::VirtualServerUnconfigured { service: new });
    let failed = ServiceFact::CheckFailed {
        checker,
        failure: Failure::new(FailureReason::Refused, "connection refused"),
        attempt: 1,
        attempts: 1,
        log_always: false,
        took: Duration::ZERO,
    };
    tell(&mut world, failed);
    for service in &entries {
        tell(&mut world, ServiceFact::RealServerDown { real: key(service) });
        let (service, quorum, hysteresis, weight) = (*service, 1, 0, 0);
        tell(&mut world, ServiceFact::QuorumLost { service, quorum, hysteresis, weight });
    }
    assert_eq!(states(&world), [RealState::Down; 3]);
    let said = |world: &World| -> Vec<String> {
        world.trouble().into_iter().map(|trouble| format!("{}: {}", trouble.what, trouble.error)).collect()
    };
    let whole = "VS [G]:0 has lost its quorum: 192.0.2.1:80: connection refused".to_owned();
    assert_eq!(said(&world), std::slice::from_ref(&whole));
    // One that is otherwise is told of by itself, with the reason that all have.
    let sorry = ServiceFact::SorryServerAdded { service: entries[2], sorry: ([192, 0, 2, 9], 80).into() };
    tell(&mut world, sorry);
    let alone = "VS [10.9.0.102]:tcp:80 has lost its quorum, the sorry server serves: 192.0.2.1:80: connection refused";
    assert_eq!(said(&world), [whole, alone.to_owned()]);
}
