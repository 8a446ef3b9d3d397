use keepwatch_bus::Configured;
use keepwatch_bus::fact::{DaemonFact, Failure, FailureReason, ServiceFact, VrrpFact};
use keepwatch_bus::subject::CheckerKey;
use keepwatch_bus::{Fact, sample};
use keepwatch_model::{Instance, Protocol, RealServer, SorryServer, VirtualServer, VirtualServerKey};

use super::*;

/// What is told of each fact in turn.
fn told(teller: &mut Teller, fact: impl Into<Fact>) -> Vec<String> {
    teller.note(&sample::event(9, None, fact)).iter().map(|occasion| occasion.about.to_string()).collect()
}

fn configured(change: impl FnOnce(&mut Instance)) -> VrrpFact {
    let mut instance = sample::instance();
    change(&mut instance);
    VrrpFact::InstanceConfigured { instance: "VI_1".into(), settings: Configured::new(0, instance) }
}

fn state(to: VrrpState) -> VrrpFact {
    VrrpFact::StateChanged { instance: "VI_1".into(), from: VrrpState::Init, to, priority: 100 }
}

fn stopping() -> DaemonFact {
    DaemonFact::DaemonStopping { reason: "SIGTERM".into() }
}

#[test]
fn an_instance_that_begins_anew_is_told_as_gone_first() {
    let mut teller = Teller::new(Arc::default());
    told(&mut teller, configured(|_| {}));
    told(&mut teller, state(VrrpState::Master));
    assert_eq!(told(&mut teller, configured(|i| i.nopreempt = true)), [""; 0], "it goes on");
    assert_eq!(told(&mut teller, state(VrrpState::Init)), [""; 0]);
    assert_eq!(told(&mut teller, configured(|i| i.vrid.0 = 52)), ["INSTANCE VI_1 FAULT"]);
    assert_eq!(told(&mut teller, state(VrrpState::Backup)), ["INSTANCE VI_1 BACKUP"]);
    told(&mut teller, stopping());
    assert_eq!(told(&mut teller, state(VrrpState::Init)), ["INSTANCE VI_1 STOP"]);
}

#[test]
fn priorities_are_told_where_that_is_wanted() {
    let mut teller = Teller::new(Arc::default());
    let changed = |to| VrrpFact::PriorityChanged { instance: "VI_1".into(), from: 100, to };
    told(&mut teller, configured(|_| {}));
    assert_eq!(told(&mut teller, changed(70)), [""; 0]);
    told(&mut teller, configured(|i| i.notify_priority_changes = true));
    assert_eq!(told(&mut teller, changed(80)), ["INSTANCE VI_1 BACKUP_PRIORITY 80"]);
    told(&mut teller, state(VrrpState::Master));
    assert_eq!(told(&mut teller, changed(90)), ["INSTANCE VI_1 MASTER_PRIORITY 90"]);
}

#[test]
fn states_are_those_of_what_stays_in_the_order_of_the_file() {
    let names = |names: &[&str]| names.iter().map(|name| Name::from(*name)).collect::<Vec<_>>();
    let watched =
        Watched { groups: names(&["G1"]), instances: names(&["VI_2", "VI_1"]), ..Watched::default() };
    let mut teller = Teller::new(Arc::new(watched.clone()));
    for instance in ["VI_1", "VI_2"] {
        let to = VrrpState::Master;
        let fact = VrrpFact::StateChanged { instance: instance.into(), from: to, to, priority: 100 };
        told(&mut teller, fact);
    }
    let (from, to) = (VrrpState::Init, VrrpState::Master);
    told(&mut teller, VrrpFact::GroupStateChanged { group: "G1".into(), from, to });
    let states = |teller: &Teller| teller.states().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(states(&teller), ["GROUP G1 MASTER", "INSTANCE VI_2 MASTER", "INSTANCE VI_1 MASTER"]);
    teller.change(Arc::new(Watched { instances: names(&["VI_1"]), ..watched }));
    assert_eq!(states(&teller), ["GROUP G1 MASTER", "INSTANCE VI_1 MASTER"]);
}

fn real() -> RealKey {
    sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80))
}

/// A virtual server with one real server, which begins up or down.
fn services(teller: &mut Teller, up: bool, change: impl FnOnce(&mut VirtualServer)) -> Vec<String> {
    let service = real().service;
    let mut server = VirtualServer::new(service.into());
    change(&mut server);
    let settings = Configured::new(0, server);
    let mut all = told(teller, ServiceFact::VirtualServerConfigured { service, settings });
    let settings = Configured::new(0, RealServer::new(real().real));
    let fact = ServiceFact::RealServerConfigured { real: real(), starts_up: up, checked: true, settings };
    all.extend(told(teller, fact));
    all.extend(told(teller, quorum(up)));
    all
}

fn quorum(up: bool) -> ServiceFact {
    let service = real().service;
    if up {
        ServiceFact::QuorumGained { service, quorum: 1, hysteresis: 0, weight: 1 }
    } else {
        ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 }
    }
}

fn watching(reals_at_start: bool) -> Teller {
    let services = [real().service].into();
    Teller::new(Arc::new(Watched { services, reals_at_start, ..Watched::default() }))
}

const RS: &str = "RS [10.0.1.1]:tcp:80 [10.0.0.1]:tcp:80";
const VS: &str = "VS [10.0.0.1]:tcp:80";

#[test]
fn servers_at_the_start() {
    let sorry = |server: &mut VirtualServer| {
        server.sorry_server = Some(SorryServer::new(([10, 0, 2, 1], 80).into()));
    };
    assert_eq!(services(&mut watching(false), true, |_| {}), [format!("{VS} UP")]);
    assert_eq!(services(&mut watching(true), true, |_| {}), [format!("{RS} UP"), format!("{VS} UP")]);
    assert_eq!(services(&mut watching(true), false, |_| {}), [""; 0]);
    assert_eq!(services(&mut watching(true), false, sorry), [format!("{VS} DOWN")]);
    assert_eq!(services(&mut Teller::new(Arc::default()), true, |_| {}), [""; 0], "not the key of the whole");
}

#[test]
fn one_that_begins_down_is_told_so_by_its_first_check() {
    let mut teller = watching(false);
    services(&mut teller, false, |_| {});
    let failed = |attempt| ServiceFact::CheckFailed {
        checker: CheckerKey::new(real(), "TCP_CHECK", 0),
        failure: Failure::new(FailureReason::Refused, "refused"),
        log_always: false,
        attempt,
        attempts: 2,
        took: std::time::Duration::ZERO,
    };
    assert_eq!(told(&mut teller, failed(1)), [""; 0]);
    assert_eq!(told(&mut teller, failed(2)), [format!("{RS} DOWN")]);
    assert_eq!(told(&mut teller, failed(2)), [""; 0]);
    assert_eq!(told(&mut teller, ServiceFact::RealServerUp { real: real() }), [format!("{RS} UP")]);
}

#[test]
fn what_is_up_and_goes_is_told_down() {
    let down = [format!("{RS} DOWN"), format!("{VS} DOWN")];
    let gone = || ServiceFact::VirtualServerUnconfigured { service: real().service };
    let mut teller = watching(false);
    services(&mut teller, true, |_| {});
    assert_eq!(told(&mut teller, stopping()), [""; 0], "without omega");
    assert_eq!(told(&mut teller, gone()), down);
    assert_eq!(told(&mut teller, gone()), [""; 0]);
    services(&mut teller, true, |server| server.omega = true);
    assert_eq!(told(&mut teller, stopping()), down);
}

#[test]
fn a_group_is_told_by_its_name_and_a_reload_that_has_it_known_by_another_entry_is_silent() {
    let group = |server: &mut VirtualServer| {
        server.key = VirtualServerKey::Group { name: "G".into(), protocol: Protocol::Tcp, family: None };
    };
    let mut teller = watching(true);
    assert_eq!(services(&mut teller, true, group), ["RS [10.0.1.1]:tcp:80 [G]:0 UP", "VS [G]:0 UP"]);
    let service = sample::service_key(([10, 0, 0, 2], 80));
    let renamed = ServiceFact::VirtualServerRenamed { service, from: real().service };
    assert_eq!(told(&mut teller, renamed), [""; 0]);
    let gone = ServiceFact::VirtualServerUnconfigured { service: real().service };
    assert_eq!(told(&mut teller, gone), [""; 0]);
    let down = ServiceFact::RealServerDown { real: RealKey { service, ..real() } };
    assert_eq!(told(&mut teller, down), ["RS [10.0.1.1]:tcp:80 [G]:0 DOWN"]);
}
