use keepwatch_bus::Fact;
use keepwatch_bus::FlatMap;
use keepwatch_bus::fact::{DaemonFact, ServiceFact, VrrpFact};
use keepwatch_bus::sample;

use keepwatch_bus::Configured;
use keepwatch_bus::subject::VrrpState;
use keepwatch_model::{Instance, Notify, RealServer, VirtualRouterId, VirtualServer};

use super::*;
use crate::occasions::Watched;

fn nobody() -> ScriptUser {
    ScriptUser { name: "nobody".into(), group: None, supplementary_groups: false }
}

fn script(path: &str) -> Option<Script> {
    Some(Script { argv: vec![path.into(), "own".into()], user: Some(nobody()) })
}

fn service() -> ServiceKey {
    real().service
}

fn real() -> RealKey {
    sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80))
}

fn watched() -> Arc<Watched> {
    Arc::new(Watched { services: [service()].into(), ..Watched::default() })
}

/// A roster that has been told of a virtual server with `omega` and one real server, both up.
fn with_services() -> Roster {
    let mut roster = Roster::new(Arc::new(settings()));
    let server = VirtualServer { omega: true, ..VirtualServer::new(service().into()) };
    let configured =
        ServiceFact::VirtualServerConfigured { service: service(), settings: Configured::new(0, server) };
    runs(&mut roster, configured);
    let settings = Configured::new(0, RealServer::new(real().real));
    runs(
        &mut roster,
        ServiceFact::RealServerConfigured { real: real(), starts_up: true, checked: true, settings },
    );
    let gained = ServiceFact::QuorumGained { service: service(), quorum: 1, hysteresis: 0, weight: 1 };
    assert_eq!(runs(&mut roster, gained), ["/quorum-up own"], "it begins with quorum");
    roster
}

fn settings() -> ScriptSettings {
    let router = RouterScripts {
        master: script("/master"),
        backup: script("/backup"),
        fault: script("/fault"),
        stop: script("/stop"),
        tell_deleted: false,
        deleted: None,
        any: script("/any"),
        master_rx_lower_priority: script("/lower"),
    };
    let service_scripts = ServiceScripts {
        up: script("/quorum-up"),
        down: script("/quorum-down"),
        reals: [(
            real().real,
            RealScripts { up: script("/up").map(Box::new), down: script("/down").map(Box::new) }.into(),
        )]
        .into(),
    };
    ScriptSettings {
        watched: watched(),
        instances: [("VI_1".into(), router.clone().into())].into(),
        groups: [("VG_1".into(), router.into())].into(),
        services: [(service(), service_scripts)].into(),
        ..ScriptSettings::default()
    }
}

/// What is run for each fact in turn, as command lines.
fn runs(roster: &mut Roster, fact: impl Into<Fact>) -> Vec<String> {
    let event = sample::event(9, None, fact);
    let orders = roster.note(&event);
    assert!(orders.iter().all(|order| order.event == EventId(9) && order.user.as_ref() == Some(&nobody())));
    orders.into_iter().map(|order| order.argv.join(" ")).collect()
}

fn state(to: VrrpState) -> VrrpFact {
    VrrpFact::StateChanged { instance: "VI_1".into(), from: VrrpState::Init, to, priority: 150 }
}

#[test]
fn each_state_runs_its_script_and_the_one_of_all_states() {
    let mut roster = Roster::new(Arc::new(settings()));
    let cases = [
        (VrrpState::Backup, vec!["/any own INSTANCE VI_1 BACKUP 150", "/backup own"]),
        (VrrpState::Master, vec!["/any own INSTANCE VI_1 MASTER 150", "/master own"]),
        (VrrpState::Master, vec![]),
        (VrrpState::Fault, vec!["/any own INSTANCE VI_1 FAULT 150", "/fault own"]),
        (VrrpState::Init, vec![]),
    ];
    for (to, expected) in cases {
        assert_eq!(runs(&mut roster, state(to)), expected, "{to}");
    }
}

#[test]
fn a_group_s_scripts_are_told_priority_0() {
    let mut roster = Roster::new(Arc::new(settings()));
    let fact =
        VrrpFact::GroupStateChanged { group: "VG_1".into(), from: VrrpState::Backup, to: VrrpState::Master };
    assert_eq!(runs(&mut roster, fact), ["/any own GROUP VG_1 MASTER 0", "/master own"]);
}

#[test]
fn a_clean_stop_runs_the_stop_scripts_and_what_has_omega() {
    let mut roster = with_services();
    runs(&mut roster, state(VrrpState::Master));
    let stopping = DaemonFact::DaemonStopping { reason: "SIGTERM".into() };
    assert_eq!(runs(&mut roster, stopping), ["/down own", "/quorum-down own"]);
    let expected = ["/any own INSTANCE VI_1 STOP 150", "/stop own"];
    assert_eq!(runs(&mut roster, state(VrrpState::Init)), expected);
}

#[test]
fn real_servers_and_quorum_run_scripts_when_they_change() {
    let mut roster = with_services();
    assert_eq!(runs(&mut roster, ServiceFact::RealServerUp { real: real() }), [""; 0]);
    assert_eq!(runs(&mut roster, ServiceFact::RealServerDown { real: real() }), ["/down own"]);
    assert_eq!(runs(&mut roster, ServiceFact::RealServerUp { real: real() }), ["/up own"]);
    let lost = || ServiceFact::QuorumLost { service: service(), quorum: 1, hysteresis: 0, weight: 0 };
    assert_eq!(runs(&mut roster, lost()), ["/quorum-down own"]);
    assert_eq!(runs(&mut roster, lost()), [""; 0]);
    let gained = ServiceFact::QuorumGained { service: service(), quorum: 1, hysteresis: 0, weight: 1 };
    assert_eq!(runs(&mut roster, gained), ["/quorum-up own"]);
}

#[test]
fn a_lower_priority_heard_runs_its_script() {
    let mut roster = Roster::new(Arc::new(settings()));
    let heard = || VrrpFact::LowerPriorityReceived {
        instance: "VI_1".into(),
        address: [10, 0, 0, 2].into(),
        priority: 50,
        own: 150,
    };
    runs(&mut roster, state(VrrpState::Backup));
    assert_eq!(runs(&mut roster, heard()), [""; 0], "only a master's");
    runs(&mut roster, state(VrrpState::Master));
    assert_eq!(runs(&mut roster, heard()), ["/lower own"]);
}

#[test]
fn an_instance_that_a_reload_takes_away_is_told_so() {
    let removed = || VrrpFact::InstanceUnconfigured { instance: "VI_1".into() };
    // Without `notify_deleted` as a fault, if it was not one already.
    let mut roster = Roster::new(Arc::new(settings()));
    runs(&mut roster, state(VrrpState::Backup));
    roster.change(Arc::new(ScriptSettings::default()));
    assert_eq!(runs(&mut roster, removed()), ["/any own INSTANCE VI_1 FAULT 150"]);
    assert_eq!(runs(&mut roster, removed()), [""; 0], "once");

    let mut with_deleted = settings();
    for scripts in with_deleted.instances.values_mut() {
        scripts.make_mut().deleted = script("/deleted");
    }
    let notify = Notify { tell_deleted: true, deleted: script("/deleted"), ..Notify::default() };
    let instance = Instance {
        notify: notify.into(),
        ..Instance::new("VI_1".into(), "eth0".into(), VirtualRouterId(51))
    };
    let mut roster = Roster::new(Arc::new(with_deleted));
    let settings = Configured::new(0, instance);
    runs(&mut roster, VrrpFact::InstanceConfigured { instance: "VI_1".into(), settings });
    runs(&mut roster, state(VrrpState::Fault));
    assert_eq!(runs(&mut roster, removed()), ["/any own INSTANCE VI_1 DELETED 150", "/deleted own"]);
}

#[test]
fn what_a_reload_takes_away_is_told_down_by_the_scripts_that_it_had() {
    let mut roster = with_services();
    let without_real = || {
        let mut all = settings();
        all.services.values_mut().for_each(|service| service.reals = FlatMap::default());
        all
    };
    roster.change(Arc::new(without_real()));
    assert_eq!(runs(&mut roster, ServiceFact::RealServerUnconfigured { real: real() }), ["/down own"]);
    roster.change(Arc::new(ScriptSettings { services: BTreeMap::new(), ..without_real() }));
    let gone = ServiceFact::VirtualServerUnconfigured { service: service() };
    assert_eq!(runs(&mut roster, gone), ["/quorum-down own"]);
}
