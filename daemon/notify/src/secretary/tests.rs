use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::fact::{DaemonFact, Failure, FailureReason, ServiceFact, VrrpFact};
use keepwatch_bus::{Configured, sample};
use keepwatch_model::{Instance, Protocol, RealServer, SyncGroup, VirtualServer, VirtualServerKey};

use super::*;

/// A secretary at a desk: events published in order, letters collected.
struct Desk {
    secretary: Secretary,
    history: History,
    next: u64,
}

impl Desk {
    fn new() -> Self {
        Self { secretary: Secretary::default(), history: History::new(100), next: 1 }
    }

    fn event(&mut self, cause: Option<EventId>, fact: impl Into<Fact>) -> (EventId, Vec<Letter>) {
        let id = EventId(self.next);
        self.next += 1;
        let event = Arc::new(sample::event(id.0, cause, fact));
        self.history.push(Arc::clone(&event));
        (id, self.secretary.note(&event, &self.history))
    }

    fn subjects(&mut self, fact: impl Into<Fact>) -> Vec<String> {
        self.event(None, fact).1.into_iter().map(|letter| letter.subject).collect()
    }
}

fn instance(alert: bool) -> VrrpFact {
    let settings = Instance { smtp_alert: alert, ..sample::instance() };
    VrrpFact::InstanceConfigured { instance: "VI_1".into(), settings: Configured::new(1, settings) }
}

fn state(to: VrrpState) -> VrrpFact {
    VrrpFact::StateChanged { instance: "VI_1".into(), from: VrrpState::Init, to, priority: 100 }
}

fn service() -> ServiceKey {
    real().service
}

fn real() -> RealKey {
    sample::real_key(([10, 10, 10, 2], 1358), ([192, 168, 200, 2], 1358))
}

fn configure_service(desk: &mut Desk, alpha: bool) {
    let settings = VirtualServer { quorum: 2, hysteresis: 1, alpha, smtp_alert: true, ..sample::service() };
    let fact =
        ServiceFact::VirtualServerConfigured { service: service(), settings: Configured::new(1, settings) };
    assert_eq!(desk.subjects(fact), [""; 0]);
    let settings = RealServer { smtp_alert: true, ..sample::real_server() };
    let fact = ServiceFact::RealServerConfigured {
        real: real(),
        starts_up: true,
        checked: true,
        settings: Configured::new(1, settings),
    };
    assert_eq!(desk.subjects(fact), [""; 0]);
}

#[test]
fn each_new_state_of_an_instance_is_mailed_once() {
    let mut desk = Desk::new();
    desk.event(None, instance(true));
    let cases = [
        (VrrpState::Backup, Some("VRRP Instance VI_1 - Entering BACKUP state")),
        (VrrpState::Master, Some("VRRP Instance VI_1 - Entering MASTER state")),
        (VrrpState::Master, None),
        (VrrpState::Fault, Some("VRRP Instance VI_1 - Entering FAULT state")),
        (VrrpState::Init, None),
        (VrrpState::Fault, None),
        (VrrpState::Backup, Some("VRRP Instance VI_1 - Entering BACKUP state")),
    ];
    for (to, subject) in cases {
        assert_eq!(desk.subjects(state(to)), Vec::from_iter(subject), "{to}");
    }
}

#[test]
fn without_smtp_alert_nothing_is_mailed() {
    let mut desk = Desk::new();
    desk.event(None, instance(false));
    for to in VrrpState::ALL {
        assert_eq!(desk.subjects(state(to)), [""; 0]);
    }
    let stopping = DaemonFact::DaemonStopping { reason: "SIGTERM".into() };
    assert_eq!(desk.subjects(stopping), [""; 0]);
}

#[test]
fn faults_are_not_mailed_where_that_is_not_wanted() {
    let mut desk = Desk::new();
    desk.secretary.heed(Wishes { no_faults: true, ..Wishes::default() });
    desk.event(None, instance(true));
    assert_eq!(desk.subjects(state(VrrpState::Fault)), [""; 0]);
    assert_eq!(desk.subjects(state(VrrpState::Master)).len(), 1);
}

#[test]
fn groups_stops_and_removals_have_their_subjects() {
    let mut desk = Desk::new();
    desk.event(None, instance(true));
    let settings = SyncGroup { smtp_alert: true, ..sample::group(&["VI_1"]) };
    desk.event(
        None,
        VrrpFact::GroupConfigured { group: "VG_1".into(), settings: Configured::new(1, settings) },
    );
    let fact =
        VrrpFact::GroupStateChanged { group: "VG_1".into(), from: VrrpState::Backup, to: VrrpState::Master };
    let letters = desk.event(None, fact).1;
    assert_eq!(letters[0].subject, "VRRP Group VG_1 - Entering MASTER state");
    assert!(letters[0].body.starts_with("=> All VRRP group instances are now in MASTER state <=\n"));
    let stopping = desk.subjects(DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    assert_eq!(stopping, ["VRRP Group VG_1 - Stopping", "VRRP Instance VI_1 - Stopping"]);
    let removed = desk.subjects(VrrpFact::InstanceUnconfigured { instance: "VI_1".into() });
    assert_eq!(removed, ["VRRP Instance VI_1 - Deleted"]);
}

#[test]
fn a_real_server_is_mailed_when_it_changes_with_the_check_that_did_it() {
    let mut desk = Desk::new();
    configure_service(&mut desk, false);
    assert_eq!(
        desk.subjects(ServiceFact::RealServerUp { real: real() }),
        [""; 0],
        "it was thought up already"
    );
    let checker = CheckerKey::new(real(), "TCP_CHECK", 0);
    let failed = ServiceFact::CheckFailed {
        checker,
        failure: Failure::new(FailureReason::Refused, "connection refused"),
        log_always: false,
        attempt: 3,
        attempts: 3,
        took: Duration::ZERO,
    };
    let (cause, _) = desk.event(None, failed);
    let letters = desk.event(Some(cause), ServiceFact::RealServerDown { real: real() }).1;
    assert_eq!(
        letters[0].subject,
        "Realserver [192.168.200.2]:tcp:1358 of virtual server [10.10.10.2]:tcp:1358 - DOWN"
    );
    assert!(letters[0].body.starts_with("=> TCP CHECK failed on service <=\n"), "{}", letters[0].body);
    assert!(letters[0].body.contains("connection refused"), "why is missing: {}", letters[0].body);
    let up = desk.subjects(ServiceFact::RealServerUp { real: real() });
    assert_eq!(up, ["Realserver [192.168.200.2]:tcp:1358 of virtual server [10.10.10.2]:tcp:1358 - UP"]);
}

fn check(index: u16, up: bool) -> ServiceFact {
    let checker = CheckerKey::new(real(), "TCP_CHECK", index);
    let took = Duration::ZERO;
    if up {
        return ServiceFact::CheckSucceeded { checker, took };
    }
    let failure = Failure::new(FailureReason::Refused, "connection refused");
    ServiceFact::CheckFailed { checker, failure, log_always: false, attempt: 3, attempts: 3, took }
}

#[test]
fn a_checker_that_changes_while_its_server_does_not_is_mailed_unless_that_is_not_wanted() {
    let subject = |state| {
        format!("Realserver [192.168.200.2]:tcp:1358 of virtual server [10.10.10.2]:tcp:1358 - {state}")
    };
    for no_checkers in [false, true] {
        let mut desk = Desk::new();
        desk.secretary.heed(Wishes { no_checkers, ..Wishes::default() });
        configure_service(&mut desk, false);
        let checkers = vec![sample::tcp_check(([192, 168, 200, 2], 1358).into()).into(); 2];
        let settings = RealServer { smtp_alert: true, checkers, ..sample::real_server() };
        let settings = Configured::new(1, settings);
        let fact =
            ServiceFact::RealServerConfigured { real: real(), starts_up: true, checked: true, settings };
        assert_eq!(desk.subjects(fact), [""; 0]);
        let wanted = |state| if no_checkers { vec![] } else { vec![subject(state)] };
        assert_eq!(desk.subjects(check(0, true)), [""; 0], "it was thought up");
        assert_eq!(desk.subjects(check(0, false)), [""; 0], "the server goes down, and that is mailed");
        assert_eq!(desk.subjects(ServiceFact::RealServerDown { real: real() }), [subject("DOWN")]);
        assert_eq!(desk.subjects(check(1, false)), wanted("DOWN"));
        assert_eq!(desk.subjects(check(1, false)), [""; 0], "it says that again");
        assert_eq!(desk.subjects(check(0, true)), wanted("DOWN"), "the server is down still");
        assert_eq!(desk.subjects(check(1, true)), [""; 0], "the server comes back, and that is mailed");
        assert_eq!(desk.subjects(ServiceFact::RealServerUp { real: real() }), [subject("UP")]);
    }
}

#[test]
fn with_alpha_the_first_success_is_news() {
    let mut desk = Desk::new();
    configure_service(&mut desk, true);
    assert_eq!(desk.subjects(ServiceFact::RealServerUp { real: real() }).len(), 1);
}

#[test]
fn quorum_is_mailed_with_its_sum() {
    let mut desk = Desk::new();
    configure_service(&mut desk, false);
    let gained = ServiceFact::QuorumGained { service: service(), quorum: 2, hysteresis: 1, weight: 3 };
    let letters = desk.event(None, gained).1;
    assert!(letters[0].body.starts_with("=> Starting with quorum up 2+1=3 <= 3 <=\n"));
    let lost = ServiceFact::QuorumLost { service: service(), quorum: 2, hysteresis: 1, weight: 0 };
    let letters = desk.event(None, lost).1;
    assert_eq!(letters[0].subject, "Virtualserver [10.10.10.2]:tcp:1358 - DOWN");
    assert!(letters[0].body.starts_with("=> Lost quorum 2+1=1 <= 0 <=\n"));
    let gained = ServiceFact::QuorumGained { service: service(), quorum: 2, hysteresis: 1, weight: 3 };
    let letters = desk.event(None, gained).1;
    assert!(letters[0].body.starts_with("=> Gained quorum 2+1=3 <= 3 <=\n"));
}

#[test]
fn an_address_that_a_master_does_not_get_is_mailed_once_in_each_mastership() {
    let mut desk = Desk::new();
    desk.subjects(instance(true));
    let failed = || VrrpFact::AddressFailed {
        instance: "VI_1".into(),
        address: VirtualAddress { address: [10, 0, 0, 9].into(), prefix: 24, interface: "eth0".into() },
        adding: true,
        error: "Permission denied".into(),
    };
    for _ in 0..2 {
        desk.subjects(state(VrrpState::Master));
        let (_, letters) = desk.event(None, failed());
        assert_eq!(letters[0].subject, "VRRP Instance VI_1 - VIP missing");
        assert!(letters[0].body.contains("VIP 10.0.0.9/24 is not on eth0: Permission denied"));
        assert_eq!(desk.subjects(failed()), [""; 0]);
        desk.subjects(state(VrrpState::Backup));
    }
    desk.subjects(instance(false));
    assert_eq!(desk.subjects(failed()), [""; 0]);
}

#[test]
fn a_renamed_instance_is_not_mailed_as_deleted_nor_its_state_again() {
    let mut desk = Desk::new();
    desk.subjects(instance(true));
    desk.subjects(state(VrrpState::Master));
    assert_eq!(
        desk.subjects(VrrpFact::InstanceRenamed { instance: "VI_2".into(), from: "VI_1".into() }),
        [""; 0]
    );
    let again = VrrpFact::StateChanged {
        instance: "VI_2".into(),
        from: VrrpState::Backup,
        to: VrrpState::Master,
        priority: 100,
    };
    assert_eq!(desk.subjects(again), [""; 0]);
}

#[test]
fn a_group_is_mailed_once_by_its_name_whatever_entry_it_is_known_by() {
    let mut desk = Desk::new();
    let [one, other] = [2, 3].map(|n| sample::service_key(([10, 10, 10, n], 1358)));
    let key = VirtualServerKey::Group { name: "G".into(), protocol: Protocol::Tcp, family: None };
    let settings = VirtualServer { key, smtp_alert: true, ..sample::service() };
    let real = |service| RealKey { service, ..real() };
    for service in [one, other] {
        let settings = Configured::new(1, settings.clone());
        assert_eq!(desk.subjects(ServiceFact::VirtualServerConfigured { service, settings }), [""; 0]);
        let settings = Configured::new(1, RealServer { smtp_alert: true, ..sample::real_server() });
        let (starts_up, checked) = (true, true);
        let fact = ServiceFact::RealServerConfigured { real: real(service), starts_up, checked, settings };
        assert_eq!(desk.subjects(fact), [""; 0]);
    }
    let lost = |service| ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 };
    let down = ["Realserver [192.168.200.2]:tcp:1358 of virtual server [G]:0 - DOWN"];
    assert_eq!(desk.subjects(ServiceFact::RealServerDown { real: real(one) }), down);
    assert_eq!(desk.subjects(ServiceFact::RealServerDown { real: real(other) }), [""; 0]);
    assert_eq!(desk.subjects(lost(one)), ["Virtualserver [G]:0 - DOWN"]);
    assert_eq!(desk.subjects(lost(other)), [""; 0]);
    desk.subjects(ServiceFact::VirtualServerRenamed { service: other, from: one });
    desk.subjects(ServiceFact::VirtualServerUnconfigured { service: one });
    assert_eq!(desk.subjects(lost(other)), ["Virtualserver [G]:0 - DOWN"]);
}

#[test]
fn a_name_that_another_group_has_now_is_mailed_for_that_one() {
    let mut desk = Desk::new();
    let [one, other] = [2, 3].map(|n| sample::service_key(([10, 10, 10, n], 1358)));
    let named = |name: &str| {
        let key = VirtualServerKey::Group { name: name.into(), protocol: Protocol::Tcp, family: None };
        Configured::new(1, VirtualServer { key, smtp_alert: true, ..sample::service() })
    };
    for (service, name) in [(one, "A"), (one, "B"), (other, "A")] {
        let settings = named(name);
        assert_eq!(desk.subjects(ServiceFact::VirtualServerConfigured { service, settings }), [""; 0]);
    }
    let lost = |service| ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 };
    assert_eq!(desk.subjects(lost(one)), ["Virtualserver [B]:0 - DOWN"]);
    assert_eq!(desk.subjects(lost(other)), ["Virtualserver [A]:0 - DOWN"]);
}
