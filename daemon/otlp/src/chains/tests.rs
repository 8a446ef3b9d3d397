use keepwatch_bus::fact::{Failure, FailureReason, VrrpFact};
use keepwatch_bus::subject::{CheckerKey, VrrpState};
use keepwatch_bus::{Configured, History, sample};

use super::*;

fn event(id: u64, cause: Option<u64>, fact: impl Into<Fact>) -> Arc<Event> {
    let at = Timestamp::from_second(1_000 + i64::try_from(id).unwrap()).unwrap();
    Arc::new(Event { id: EventId(id), at, mono: id, cause: cause.map(EventId), fact: fact.into() })
}

fn state(to: VrrpState) -> VrrpFact {
    VrrpFact::StateChanged { instance: "VI_1".into(), from: VrrpState::Backup, to, priority: 100 }
}

fn checker() -> CheckerKey {
    let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 80));
    CheckerKey::new(real, "TCP_CHECK", 0)
}

fn failed() -> ServiceFact {
    ServiceFact::CheckFailed {
        checker: checker(),
        failure: Failure::new(FailureReason::Refused, String::new()),
        attempt: 1,
        attempts: 1,
        log_always: false,
        took: std::time::Duration::from_millis(3),
    }
}

struct Scene {
    chains: Chains,
    history: History,
}

impl Scene {
    fn new(sampler: Sampler, one_check_in: u32) -> Self {
        Self { chains: Chains::new("director", sampler, one_check_in), history: History::new(100) }
    }

    fn note(&mut self, event: &Arc<Event>) -> (Place, Vec<Told>) {
        self.history.push(event.clone());
        let mut told = Vec::new();
        let has_line = event.line().is_some();
        let place = self.chains.note(event, has_line, &self.history, &mut told);
        (place, told)
    }
}

#[test]
fn a_chain_is_one_trace_and_each_event_hangs_at_its_cause() {
    let mut scene = Scene::new(Sampler::AlwaysOn, 100);
    let (_, root) = scene.note(&event(1, None, state(VrrpState::Master)));
    let (_, child) = scene.note(&event(2, Some(1), state(VrrpState::Backup)));
    let (_, grandchild) = scene.note(&event(3, Some(2), state(VrrpState::Fault)));
    let (_, other) = scene.note(&event(4, None, state(VrrpState::Master)));
    let [root, child, grandchild, other] = [root, child, grandchild, other].map(|mut told| told.remove(0));
    assert_eq!((root.trace, child.trace), (child.trace, grandchild.trace));
    assert_eq!(root.parent, None);
    assert_eq!((child.parent, grandchild.parent), (Some(root.span), Some(child.span)));
    assert_eq!(child.caused, Some(root.event.at));
    assert_ne!(other.trace, root.trace);
}

#[test]
fn what_another_run_told_of_a_chain_has_the_same_ids() {
    let mut scene = Scene::new(Sampler::AlwaysOn, 100);
    let (first, second) =
        (event(1, None, state(VrrpState::Master)), event(2, Some(1), state(VrrpState::Backup)));
    scene.note(&first);
    let (_, told) = scene.note(&second);
    // One that began later, and finds the cause in the history.
    let mut later = Scene::new(Sampler::AlwaysOn, 100);
    later.history.push(first);
    assert_eq!(later.note(&second).1, told);
}

#[test]
fn events_without_a_line_are_no_spans_and_break_no_chain() {
    let mut scene = Scene::new(Sampler::AlwaysOn, 100);
    let (_, root) = scene.note(&event(1, None, state(VrrpState::Master)));
    let settings = Configured::new(0, sample::instance());
    let quiet = VrrpFact::InstanceConfigured { instance: "VI_1".into(), settings };
    let (place, told) = scene.note(&event(2, Some(1), quiet));
    assert_eq!((place.span, told), (Some(root[0].span), Vec::new()));
    let (_, told) = scene.note(&event(3, Some(2), state(VrrpState::Fault)));
    assert_eq!((told[0].trace, told[0].parent), (root[0].trace, Some(root[0].span)));
}

#[test]
fn checks_are_told_when_something_follows_from_them() {
    let mut scene = Scene::new(Sampler::AlwaysOn, 0);
    assert_eq!(scene.note(&event(1, None, failed())).1, []);
    assert_eq!(scene.note(&event(2, Some(1), failed())).1, []);
    // This one has no line in the log, and is no span.
    let down = ServiceFact::RealServerDown { real: checker().real };
    assert_eq!(scene.note(&event(3, Some(2), down)).1, []);
    let (_, told) = scene.note(&event(4, Some(3), state(VrrpState::Fault)));
    let ids: Vec<_> = told.iter().map(|told| told.event.id.0).collect();
    assert_eq!(ids, [1, 2, 4]);
    assert_eq!((told[1].parent, told[2].parent), (Some(told[0].span), Some(told[1].span)));
    // Once.
    let (_, told) = scene.note(&event(5, Some(2), state(VrrpState::Backup)));
    assert_eq!(told.len(), 1);
}

#[test]
fn one_chain_of_checks_in_so_many_is_told_whole() {
    let mut scene = Scene::new(Sampler::AlwaysOn, 10);
    let mut told = 0;
    for id in (1..10_000).step_by(2) {
        let first = scene.note(&event(id, None, failed())).1.len();
        let second = scene.note(&event(id + 1, Some(id), failed())).1.len();
        assert_eq!(first, second);
        told += first;
    }
    assert!((400..600).contains(&told), "{told} of 5000");
    assert!(scene.chains.held.len() <= HELD && scene.chains.known.len() <= REMEMBERED);
    assert_eq!(scene.chains.held.len(), scene.chains.held_order.len());
}

#[test]
fn a_ratio_takes_whole_traces() {
    let mut scene = Scene::new(Sampler::Ratio(0.25), 0);
    let mut taken = 0;
    for id in (1..8_000).step_by(2) {
        let root = scene.note(&event(id, None, state(VrrpState::Master))).1.len();
        let child = scene.note(&event(id + 1, Some(id), state(VrrpState::Backup))).1.len();
        assert_eq!(root, child);
        taken += root;
    }
    assert!((850..1150).contains(&taken), "{taken} of 4000");
    let mut never = Scene::new(Sampler::AlwaysOff, 1);
    assert_eq!(never.note(&event(1, None, state(VrrpState::Master))).1, []);
}
