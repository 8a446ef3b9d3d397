//! How lines of time come of events.

use keepwatch_bus::{Configured, EventId, sample};

use super::*;

fn event(seconds: i64, fact: impl Into<Fact>) -> Event {
    let at = Timestamp::from_second(seconds).unwrap();
    Event { id: EventId(1), at, mono: 0, cause: None, fact: fact.into() }
}

fn changed(seconds: i64, to: VrrpState) -> Event {
    let fact = VrrpFact::StateChanged { instance: "VI_1".into(), from: VrrpState::Backup, to, priority: 100 };
    event(seconds, fact)
}

fn router(lines: &Timelines) -> Vec<(i64, String)> {
    let turns = lines.turns(&Subject::Router("VI_1".into()));
    turns.map(|(at, stage)| (at / 1000, stage.to_string())).collect()
}

#[test]
fn a_day_is_remembered_and_no_more_than_so_many_changes() {
    let mut lines = Timelines::default();
    lines.apply(&changed(1000, VrrpState::Backup));
    lines.apply(&changed(2000, VrrpState::Master));
    lines.apply(&changed(2500, VrrpState::Master));
    assert_eq!(router(&lines), [(1000, "BACKUP".into()), (2000, "MASTER".into())]);
    // What began before the last day and reached into it stays.
    lines.apply(&changed(2000 + 86_401, VrrpState::Fault));
    assert_eq!(router(&lines), [(2000, "MASTER".into()), (88_401, "FAULT".into())]);
    for second in 0..1000 {
        let state = if second % 2 == 0 { VrrpState::Master } else { VrrpState::Fault };
        lines.apply(&changed(90_000 + second, state));
    }
    assert_eq!(router(&lines).len(), MOST);
}

#[test]
fn between_two_runs_nothing_is_known() {
    let mut lines = Timelines::default();
    lines.apply(&changed(10, VrrpState::Master));
    lines.apply(&event(20, DaemonFact::DaemonStopping { reason: "SIGTERM".into() }));
    lines.apply(&event(30, DaemonFact::DaemonStarted { settings: Box::default() }));
    let configured = VrrpFact::InstanceConfigured {
        instance: "VI_1".into(),
        settings: Configured::new(1, sample::instance()),
    };
    lines.apply(&event(31, configured));
    let expected = [(10, "MASTER"), (20, "not known"), (31, "INIT")];
    assert_eq!(router(&lines), expected.map(|(at, stage)| (at, stage.to_owned())));
}

#[test]
fn a_real_server_that_rests_is_unchecked_and_comes_back_as_it_was() {
    let key = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80));
    let settings = Configured::new(1, sample::real_server());
    let mut lines = Timelines::default();
    let configured =
        ServiceFact::RealServerConfigured { real: key, starts_up: true, checked: true, settings };
    lines.apply(&event(1, configured));
    lines.apply(&event(2, ServiceFact::ChecksSuspended { service: key.service }));
    lines.apply(&event(3, ServiceFact::ChecksResumed { service: key.service, address: None }));
    lines.apply(&event(4, ServiceFact::RealServerDown { real: key }));
    let stages: Vec<_> = lines.turns(&Subject::Real(key)).map(|(_, stage)| stage.to_string()).collect();
    assert_eq!(stages, ["up", "unchecked", "up", "down"]);
}

#[test]
fn a_sorry_server_that_a_reload_replaces_goes_when_the_other_one_serves() {
    let service = sample::service_key(([10, 0, 0, 1], 80));
    let settings = Configured::new(1, sample::service());
    let sorry = |n: u8| SocketAddr::from(([10, 0, 1, n], 80));
    let mut lines = Timelines::default();
    lines.apply(&event(1, ServiceFact::VirtualServerConfigured { service, settings }));
    let lost = ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 };
    lines.apply(&event(2, lost));
    lines.apply(&event(2, ServiceFact::SorryServerAdded { service, sorry: sorry(1) }));
    lines.apply(&event(3, ServiceFact::SorryServerAdded { service, sorry: sorry(2) }));
    lines.apply(&event(3, ServiceFact::SorryServerRemoved { service, sorry: sorry(1) }));
    let last = |lines: &Timelines| {
        lines.turns(&Subject::Service(service)).last().map(|(_, stage)| stage.to_string())
    };
    assert_eq!(last(&lines).as_deref(), Some("sorry server"));
    lines.apply(&event(4, ServiceFact::SorryServerRemoved { service, sorry: sorry(2) }));
    assert_eq!(last(&lines).as_deref(), Some("no quorum"));
}

#[test]
fn a_real_server_whose_check_can_t_be_made_is_unchecked_until_one_could() {
    let key = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80));
    let checker = CheckerKey::new(key, "SSL_GET", 0);
    let settings = Configured::new(1, sample::real_server());
    let mut lines = Timelines::default();
    let configured =
        ServiceFact::RealServerConfigured { real: key, starts_up: true, checked: true, settings };
    lines.apply(&event(1, configured));
    let not_run = ServiceFact::CheckNotRun { checker: checker.clone(), error: "no key".into() };
    lines.apply(&event(2, not_run));
    lines.apply(&event(3, ServiceFact::CheckSucceeded { checker, took: Default::default() }));
    let stages: Vec<_> = lines.turns(&Subject::Real(key)).map(|(_, stage)| stage.to_string()).collect();
    assert_eq!(stages, ["up", "unchecked", "up"]);
}
