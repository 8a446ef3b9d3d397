//! Stories of real servers, played against the roster with a clock of their own.

use std::sync::Arc;

use keepwatch_bus::{
    BusSettings, Fact, Hub,
    fact::FailureReason,
    subject::{CheckerKey, Protocol, ServiceKey, TrackedKind},
};
use keepwatch_model::{BfdCheck, Checker, CheckerKind, Connection, FileCheck};
use keepwatch_process::Manner;
use proptest::prelude::*;

use super::*;
use crate::tries::tests::tcp_checker;

const TOOK: Duration = Duration::from_millis(1);

fn real(n: u8) -> RealKey {
    RealKey {
        service: ServiceKey::Address { address: [10, 0, 0, 1].into(), port: 80, protocol: Protocol::Tcp },
        real: ([192, 168, 0, n], 80).into(),
    }
}

fn definition(n: u8, index: u16, checker: Checker) -> Definition {
    let key = CheckerKey::new(real(n), "TCP_CHECK", index);
    Definition {
        key,
        checker: checker.into(),
        weight: 1,
        ssl: None,
        manner: Manner::default(),
        counters: Arc::default(),
        latency: Arc::default(),
    }
}

fn failed() -> Outcome {
    Outcome::failed(FailureReason::Refused, "connection refused")
}

/// A roster with a clock: every check that is due gets the outcome that the story holds for it.
struct Story {
    roster: Roster,
    hub: Hub,
    now: Instant,
}

impl Story {
    fn new(definitions: Vec<Definition>) -> Self {
        let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
        let mut roster = Roster::new(bus, 1);
        let now = Instant::now();
        assert_eq!(roster.apply(now, definitions, Vec::new(), None), []);
        Self { roster, hub, now }
    }

    /// Lets the clock run to the next check that is due, and gives all that are due then.
    fn next(&mut self) -> Vec<Due> {
        loop {
            self.now = self.roster.deadline().expect("nobody is waiting for a turn").max(self.now);
            self.roster.say_first_words(self.now);
            let due = self.roster.due(self.now);
            if !due.is_empty() {
                return due;
            }
        }
    }

    /// What follows when this number stands in a file.
    fn number(&mut self, name: &str, number: i32) -> Vec<HealthChange> {
        let tracked = TrackedKey { kind: TrackedKind::File, name: name.into() };
        self.roster.level(&tracked, Level::Number(number), None)
    }

    /// One round of checks with the same outcome for all.
    fn round(&mut self, outcome: &Outcome) -> Vec<(RealKey, bool)> {
        let due = self.next();
        due.into_iter().filter_map(|due| self.conclude(&due, outcome.clone())).collect()
    }

    fn conclude(&mut self, due: &Due, outcome: Outcome) -> Option<(RealKey, bool)> {
        self.roster
            .conclude(self.now, due.id, outcome.into(), TOOK)
            .map(|change| (change.real, change.health.up))
    }

    fn apply(&mut self, definitions: Vec<Definition>) -> Vec<(RealKey, bool)> {
        let changes = self.roster.apply(self.now, definitions, Vec::new(), None);
        changes.into_iter().map(|change| (change.real, change.health.up)).collect()
    }

    /// All that was published, as pairs of cause and fact.
    async fn facts(mut self) -> Vec<(Option<Fact>, Fact)> {
        let mut queue = self.hub.deliver("test", |_| true);
        drop(self.roster);
        self.hub.run().await;
        let mut events = Vec::new();
        while let Some(event) = queue.recv().await {
            events.push(event);
        }
        let find = |id| events.iter().find(|event| event.id == id).map(|event| event.fact.clone());
        events.iter().map(|event| (event.cause.and_then(find), event.fact.clone())).collect()
    }
}

#[tokio::test]
async fn a_server_that_dies_is_reported_after_its_retries_and_each_try_is_told_with_the_one_before() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(1, false))]);
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)], "what was thought is sure now");
    assert_eq!(story.round(&Outcome::GOOD), []);
    assert_eq!(story.round(&failed()), []);
    assert_eq!(story.round(&failed()), [(real(2), false)]);
    assert_eq!(story.round(&failed()), []);
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)]);
    let kinds: Vec<_> = story.facts().await;
    let kinds: Vec<_> =
        kinds.iter().map(|(cause, fact)| (cause.as_ref().map(Fact::kind), fact.kind())).collect();
    assert_eq!(
        kinds,
        [
            (None, "check_succeeded"),
            (None, "check_failed"),
            (Some("check_failed"), "check_failed"),
            (None, "check_succeeded"),
        ]
    );
}

#[tokio::test]
async fn a_server_that_is_down_for_another_reason_than_before_is_told_of_again() {
    let timed_out = |after: &str| Outcome::failed(FailureReason::Timeout, format!("timed out after {after}"));
    let noisy = Checker { log_all_failures: true, ..tcp_checker(1, false) };
    let mut story = Story::new(vec![definition(2, 0, noisy)]);
    let outcomes = [
        Outcome::GOOD,
        failed(),
        failed(),
        failed(),
        timed_out("1s"),
        failed(),
        timed_out("1s"),
        timed_out("2s"),
        failed(),
        failed(),
    ];
    for outcome in outcomes {
        story.round(&outcome);
    }
    let told: Vec<_> = story
        .facts()
        .await
        .into_iter()
        .filter_map(|(cause, fact)| match fact {
            Fact::Service(ServiceFact::CheckFailed { failure, attempt, log_always, .. }) => {
                Some((cause.is_some(), failure.reason, attempt, log_always))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            (false, FailureReason::Refused, 1, true),
            (true, FailureReason::Refused, 2, true),
            (true, FailureReason::Timeout, 1, true),
            (true, FailureReason::Refused, 1, true),
        ]
    );
}

#[test]
fn a_server_is_up_only_while_all_of_its_checkers_are() {
    let mut story =
        Story::new(vec![definition(2, 0, tcp_checker(0, false)), definition(2, 1, tcp_checker(0, true))]);
    let due = story.next();
    let [plain, alpha] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!(story.conclude(plain, Outcome::GOOD), None, "the alpha checker has not succeeded yet");
    assert_eq!(story.conclude(alpha, Outcome::GOOD), Some((real(2), true)));
    story.next();
    assert_eq!(story.conclude(plain, failed()), Some((real(2), false)), "one failure takes it down");
    assert_eq!(story.conclude(alpha, failed()), None, "the other one changes nothing");
    story.next();
    assert_eq!(story.conclude(alpha, Outcome::GOOD), None, "one is not enough");
    assert_eq!(story.conclude(plain, Outcome::GOOD), Some((real(2), true)));
}

#[test]
fn first_checks_come_after_a_second_and_are_spread_over_the_warmup() {
    let spread = Checker { warmup: Duration::from_secs(60), ..tcp_checker(0, false) };
    let definitions = (0..100u16).map(|n| definition(1, n, spread.clone())).collect();
    let story = Story::new(definitions);
    let first_turns: Vec<_> = story.roster.planned().iter().map(|(at, _)| *at - story.now).collect();
    let ten_seconds = Duration::from_secs(10);
    assert!(first_turns.iter().all(|turn| (BOOTSTRAP..BOOTSTRAP + spread.warmup).contains(turn)));
    for part in 0..6u32 {
        let within = ten_seconds * part..ten_seconds * (part + 1);
        assert!(first_turns.iter().any(|turn| within.contains(&(*turn - BOOTSTRAP))), "nobody in {within:?}");
    }
}

#[test]
fn without_warmup_the_first_check_comes_after_a_second_sharp() {
    let sharp = Checker { warmup: Duration::ZERO, ..tcp_checker(0, false) };
    let story = Story::new((0..20).map(|n| definition(n, 0, sharp.clone())).collect());
    assert!(story.roster.planned().iter().all(|(at, _)| *at - story.now == BOOTSTRAP));
}

#[test]
fn a_round_begins_after_the_end_of_the_last_one_and_a_try_after_the_end_of_the_failed_one() {
    let (delay_loop, delay_before_retry) = (Duration::from_secs(10), Duration::from_secs(3));
    let checker = Checker { delay_loop, delay_before_retry, ..tcp_checker(2, false) };
    let mut story = Story::new(vec![definition(2, 0, checker)]);
    let steps = [
        (Outcome::GOOD, delay_loop),
        (failed(), delay_before_retry),
        (failed(), delay_before_retry),
        // The last of three tries.
        (failed(), delay_loop),
        // While it is down nobody is in a hurry.
        (failed(), delay_loop),
        (Outcome::GOOD, delay_loop),
        (failed(), delay_before_retry),
        (Outcome::GOOD, delay_loop),
    ];
    for (step, (outcome, pause)) in steps.into_iter().enumerate() {
        let due = story.next();
        // Each check takes its time.
        story.now += Duration::from_secs(5);
        story.conclude(&due[0], outcome);
        assert_eq!(story.roster.deadline(), Some(story.now + pause), "after step {step}");
    }
}

#[test]
fn a_check_that_could_not_be_made_condemns_nobody_and_is_said_once() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
    let no_address = Outcome::NotRun("no such address".to_owned());
    for _ in 0..3 {
        assert_eq!(story.round(&no_address), []);
    }
    assert_eq!(story.round(&failed()), [(real(2), false)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let facts = runtime.block_on(story.facts());
    let said = facts.into_iter().filter_map(|(_, fact)| match fact {
        Fact::Service(ServiceFact::CheckNotRun { error, .. }) => Some(error),
        _ => None,
    });
    assert_eq!(said.collect::<Vec<_>>(), ["no such address (at 192.0.2.1:80)"], "with where it looked");
}

/// While a check can't be made nobody knows how the server is: that it could be made again is told, whatever it says.
#[test]
fn the_first_check_that_could_be_made_again_is_told_whatever_it_says() {
    for (outcome, kind) in [(Outcome::GOOD, "check_succeeded"), (failed(), "check_failed")] {
        let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
        story.round(&outcome);
        story.round(&Outcome::NotRun("no such address".to_owned()));
        for _ in 0..2 {
            assert_eq!(story.round(&outcome), [], "it is as it was");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(story.facts()).into_iter().map(|(_, fact)| fact.kind().to_string());
        let told: Vec<_> = told.filter(|kind| kind.starts_with("check_")).collect();
        assert_eq!(told, [kind, "check_not_run", kind]);
    }
}

#[test]
fn a_reload_without_changes_touches_nothing() {
    let definitions =
        || vec![definition(2, 0, tcp_checker(1, false)), definition(3, 0, tcp_checker(1, false))];
    let mut story = Story::new(definitions());
    story.round(&Outcome::GOOD);
    story.round(&failed());
    let flying = story.next();
    let planned = story.roster.planned();
    assert_eq!(story.apply(definitions()), []);
    assert_eq!(story.roster.planned(), planned);
    assert!(story.conclude(&flying[0], failed()).is_some(), "a check under way at the reload still counts");
}

#[test]
fn a_server_that_is_down_stays_down_over_a_reload_that_changes_its_timing() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
    assert_eq!(story.round(&failed()), [(real(2), false)]);
    let sooner = Checker { delay_loop: Duration::from_secs(5), retry: 3, ..tcp_checker(0, false) };
    assert_eq!(story.apply(vec![definition(2, 0, sooner)]), []);
    assert!(story.roster.deadline().unwrap() <= story.now + Duration::from_secs(5));
    assert_eq!(story.round(&failed()), []);
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)]);
}

#[test]
fn a_down_server_whose_checker_asks_for_something_else_stays_down_until_that_is_good() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
    assert_eq!(story.round(&failed()), [(real(2), false)]);
    let template = tcp_checker(1, false);
    let CheckerKind::Tcp(connection) = template.kind.clone() else { panic!("not a TCP_CHECK") };
    let elsewhere = Connection { connect_to: ([192, 0, 2, 1], 8080).into(), ..connection };
    let other = Checker { kind: CheckerKind::Tcp(elsewhere), ..template };
    assert_eq!(story.apply(vec![definition(2, 0, other)]), [], "nobody has looked yet");
    assert_eq!(story.round(&failed()), []);
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)]);
}

#[test]
fn the_last_failed_checker_takes_its_verdict_with_it() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
    assert_eq!(story.round(&failed()), [(real(2), false)]);
    assert_eq!(story.apply(vec![]), [(real(2), true)]);
    assert_eq!(story.roster.deadline(), None);
}

#[test]
fn the_result_of_a_check_whose_checker_is_gone_is_dropped() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
    let flying = story.next();
    story.apply(vec![definition(3, 0, tcp_checker(0, false))]);
    assert_eq!(story.conclude(&flying[0], failed()), None);
}

#[test]
fn weights_of_a_servers_checkers_are_added_up_and_reported_when_they_change() {
    let mut story =
        Story::new(vec![definition(2, 0, tcp_checker(0, false)), definition(2, 1, tcp_checker(0, false))]);
    let due = story.next();
    let mut say = |due: &Due, outcome: Outcome| {
        story.roster.conclude(story.now, due.id, outcome.into(), TOOK).map(|change| change.health)
    };
    // Both say the weight itself; what counts is what that is above the configured one, 1.
    let weighs = |weight| Outcome::Succeeded { weight: WeightSaid::Exactly(weight) };
    assert_eq!(say(&due[0], weighs(6)), Some(Health { up: true, weight: 5, fixed: 1 }));
    assert_eq!(say(&due[1], weighs(-1)), Some(Health { up: true, weight: 3, fixed: 2 }));
    assert_eq!(say(&due[0], weighs(6)), None);
    assert_eq!(say(&due[0], Outcome::GOOD), Some(Health { up: true, weight: -2, fixed: 1 }));
    assert_eq!(say(&due[1], failed()), Some(Health { up: false, weight: 0, fixed: 0 }));
}

proptest! {
    #[test]
    fn reports_alternate_and_reloads_never_bring_a_server_up(
        steps in proptest::collection::vec(
            prop_oneof![(1..3u64).prop_map(Err), any::<bool>().prop_map(Ok)],
            1..60,
        ),
        retry in 0..3u32,
    ) {
        // One of the checkers becomes another one by a reload that gives it another time limit.
        let definitions = |seconds| {
            let mut edited = tcp_checker(retry, false);
            if let CheckerKind::Tcp(connection) = &mut edited.kind {
                connection.connect_timeout = Duration::from_secs(seconds);
            }
            vec![definition(2, 0, edited), definition(2, 1, tcp_checker(0, false))]
        };
        let mut limit = 1;
        let mut story = Story::new(definitions(limit));
        let (mut up, mut sure) = (true, false);
        for step in steps {
            let reports = match step {
                Ok(true) => story.round(&Outcome::GOOD),
                Ok(false) => story.round(&failed()),
                Err(seconds) => {
                    prop_assert!(story.apply(definitions(seconds)).is_empty());
                    sure &= std::mem::replace(&mut limit, seconds) == seconds;
                    continue;
                }
            };
            for (_, now_up) in reports {
                // The first word may only confirm what was thought.
                prop_assert!(now_up != up || (now_up && !std::mem::replace(&mut sure, true)));
                up = now_up;
            }
        }
    }
}

#[test]
fn a_server_with_two_checkers_is_sure_only_when_both_have_run() {
    let mut story =
        Story::new(vec![definition(2, 0, tcp_checker(0, false)), definition(2, 1, tcp_checker(0, false))]);
    let due = story.next();
    assert_eq!(story.conclude(&due[0], Outcome::GOOD), None);
    assert_eq!(story.conclude(&due[1], Outcome::GOOD), Some((real(2), true)));
    assert_eq!(story.round(&Outcome::GOOD), []);
}

#[test]
fn one_that_has_to_succeed_first_and_fails_is_reported_once() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, true))]);
    assert_eq!(story.round(&failed()), [(real(2), false)]);
    assert_eq!(story.round(&failed()), []);
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)]);
}

#[test]
fn a_weight_ends_with_the_health_of_who_said_it() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(1, false))]);
    let mut says = |outcome: Outcome| {
        let due = story.next();
        let change = story.roster.conclude(story.now, due[0].id, outcome.into(), TOOK);
        change.map(|change| (change.health.up, change.health.weight))
    };
    let weighs = |weight| Outcome::Succeeded { weight: WeightSaid::Exactly(weight) };
    assert_eq!(says(weighs(10)), Some((true, 9)), "1 is configured");
    assert_eq!(says(failed()), None, "it has another try");
    assert_eq!(says(failed()), Some((false, 0)));
    for _ in 0..5 {
        assert_eq!(says(failed()), None);
    }
    assert_eq!(says(Outcome::GOOD), Some((true, 0)));
    assert_eq!(says(weighs(0)), Some((true, -1)));
}

fn follower(n: u8, weight: i32) -> Follower {
    let followed = Followed::File(FileCheck { track_file: "f".into(), weight, reverse: false });
    Follower { key: CheckerKey::new(real(n), followed.keyword(), 0), followed }
}

#[tokio::test]
async fn a_server_follows_its_file_and_is_down_before_that_was_read() {
    let mut story = Story::new(Vec::new());
    let followers = || vec![follower(2, 2), follower(3, 0)];
    assert_eq!(story.roster.apply(story.now, Vec::new(), followers(), None), []);
    let mut says = |number| {
        let changes = story.number("f", number);
        let told: Vec<_> =
            changes.iter().map(|change| (change.real, change.health.up, change.health.weight)).collect();
        told
    };
    assert_eq!(says(0), [(real(2), true, 0), (real(3), true, 0)]);
    assert_eq!(says(0), []);
    assert_eq!(says(-3), [(real(2), true, -6), (real(3), false, 0)]);
    assert_eq!(says(i32::MIN), [(real(2), false, 0)]);
    // Down before a reload, down after it.
    assert_eq!(story.roster.apply(story.now, Vec::new(), followers(), None), []);
    assert_eq!(story.number("f", 0).len(), 2);
    assert_eq!(story.number("other", 1), []);
    let facts = story.facts().await;
    let kinds: Vec<_> = facts.iter().map(|(_, fact)| fact.kind()).collect();
    let (good, bad) = ("check_succeeded", "check_failed");
    assert_eq!(kinds, [good, good, bad, bad, good, good]);
}

#[test]
fn a_weight_that_is_set_counts_for_checkers_that_say_the_weight_themselves() {
    let mut story =
        Story::new(vec![definition(2, 0, tcp_checker(0, false)), definition(3, 0, tcp_checker(0, false))]);
    for due in story.next() {
        let weight = if due.id == CheckerId(1) { WeightSaid::Exactly(6) } else { WeightSaid::Nothing };
        story.conclude(&due, Outcome::Succeeded { weight });
    }
    let mut set = |n, weight| story.roster.weigh(real(n), weight, None).map(|change| change.health);
    assert_eq!(set(2, 10), Some(Health { up: true, weight: -4, fixed: 1 }), "it is 6 still");
    assert_eq!(set(2, 10), None);
    assert_eq!(set(3, 10), None, "its checker says nothing of the weight");
    assert_eq!(set(4, 10), None, "there is none");
    let changes = story.apply(vec![definition(2, 0, tcp_checker(0, false))]);
    assert_eq!(changes, [(real(2), true)], "the configured weight holds again");
}

#[test]
fn a_server_that_follows_a_session_which_is_down_is_reported_though_it_was_thought_so() {
    let mut story = Story::new(Vec::new());
    let session = Followed::Session(BfdCheck { session: "b1".into(), alpha: false });
    let key = CheckerKey::new(real(2), session.keyword(), 0);
    let followers = vec![Follower { key, followed: session.clone() }];
    story.roster.level(&session.tracked(), Level::Down, None);
    assert_eq!(story.roster.apply(story.now, Vec::new(), followers, None), []);
    story.now = story.roster.deadline().expect("there is a first word");
    let said = story.roster.say_first_words(story.now);
    assert_eq!(said.iter().map(|change| change.health).collect::<Vec<_>>(), [Health::DOWN]);
}

#[tokio::test]
async fn what_a_server_follows_is_told_once_a_while_after_it_began_and_not_again_after_a_reload() {
    let mut story = Story::new(Vec::new());
    let session = Followed::Session(BfdCheck { session: "b1".into(), alpha: false });
    let tracked = session.tracked();
    let key = CheckerKey::new(real(2), session.keyword(), 0);
    let followers = || vec![follower(2, 0), Follower { key: key.clone(), followed: session.clone() }];
    story.number("f", 0);
    story.roster.level(&tracked, Level::Down, None);
    assert_eq!(story.roster.apply(story.now, Vec::new(), followers(), None), []);
    story.now = story.roster.deadline().expect("there is a first word");
    story.roster.say_first_words(story.now);
    assert_eq!(story.roster.apply(story.now, Vec::new(), followers(), None), []);
    assert_eq!(story.roster.deadline(), None);
    let up = story.roster.level(&tracked, Level::Up, None);
    assert_eq!(up.iter().map(|change| change.health).collect::<Vec<_>>(), [Health::UP]);
    let kinds: Vec<_> = story.facts().await.iter().map(|(_, fact)| fact.kind()).collect();
    assert_eq!(kinds, ["check_succeeded", "check_failed", "check_succeeded"]);
}

#[test]
fn a_file_that_others_follow_is_known_to_servers_that_a_reload_has_follow_it() {
    let mut story = Story::new(vec![definition(2, 0, tcp_checker(0, false))]);
    story.round(&Outcome::GOOD);
    assert_eq!(story.number("f", 0), [], "no server follows it");
    let definitions = || vec![definition(2, 0, tcp_checker(0, false))];
    assert_eq!(story.apply(definitions()), []);
    let changes = story.roster.apply(story.now, definitions(), vec![follower(2, 0)], None);
    assert_eq!(changes, [], "the number is good");
    assert_eq!(story.apply(definitions()), []);
    assert_eq!(story.number("f", 1), []);
    let changes = story.roster.apply(story.now, definitions(), vec![follower(2, 0)], None);
    assert_eq!(changes.first().map(|change| change.health), Some(Health::DOWN));
}

#[test]
fn a_server_that_is_checked_and_follows_a_file_is_up_while_both_say_so() {
    let mut story = Story::new(Vec::new());
    let definitions = || vec![definition(2, 0, tcp_checker(0, false))];
    story.roster.apply(story.now, definitions(), vec![follower(2, 0)], None);
    assert_eq!(story.number("f", 0).len(), 1, "down until it was read");
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)]);
    assert_eq!(story.number("f", 1)[0].health, Health::DOWN);
    assert_eq!(story.round(&failed()), []);
    assert_eq!(story.number("f", 0), []);
    assert_eq!(story.round(&Outcome::GOOD), [(real(2), true)]);
}

#[test]
fn checkers_that_rest_are_not_due_and_begin_soon_when_they_work_again() {
    let other = ServiceKey::Address { address: [10, 0, 0, 9].into(), port: 80, protocol: Protocol::Tcp };
    let mut elsewhere = definition(3, 0, tcp_checker(0, false));
    elsewhere.key = CheckerKey::new(RealKey { service: other, ..real(3) }, "TCP_CHECK", 0);
    let definitions = || vec![definition(2, 0, tcp_checker(0, false)), elsewhere.clone()];
    let mut story = Story::new(definitions());
    let both: BTreeSet<ServiceKey> = [real(2).service, other].into();
    let flying = story.next();
    story.roster.rest(story.now, both.clone());
    for due in &flying {
        story.conclude(due, failed());
    }
    assert_eq!(story.roster.deadline(), None);
    story.apply(definitions());
    story.roster.rest(story.now, both);
    assert_eq!(story.roster.deadline(), None, "a reload wakes nobody");
    story.roster.rest(story.now, [other].into());
    assert!(story.roster.deadline().unwrap() <= story.now + BOOTSTRAP);
    assert_eq!(story.next().len(), 1);
    story.roster.rest(story.now, BTreeSet::new());
    assert_eq!(story.roster.planned().len(), 1, "one is under way, the other is waiting");
}

#[tokio::test]
async fn a_server_whose_virtual_server_has_another_key_is_known_as_before() {
    let mut story =
        Story::new(vec![definition(2, 0, tcp_checker(0, false)), definition(3, 0, tcp_checker(0, false))]);
    while !story.roster.reals[&real(2)].health.up.eq(&false) {
        story.round(&failed());
    }
    let renamed = |key: RealKey| {
        let service =
            ServiceKey::Address { address: [10, 0, 0, 9].into(), port: 80, protocol: Protocol::Tcp };
        RealKey { service, ..key }
    };
    let before = story.roster.planned();
    story.roster.rename(&[(real(2).service, renamed(real(2)).service)].into());
    let anew = [2, 3].map(|n| {
        let key = CheckerKey::new(renamed(real(n)), "TCP_CHECK", 0);
        Definition { key, ..definition(n, 0, tcp_checker(0, false)) }
    });
    assert_eq!(story.apply(anew.into()), [], "nothing is said of them");
    assert_eq!(story.roster.planned(), before, "each has its turn as before");
    assert!(!story.roster.reals[&renamed(real(2))].health.up);
    let mut said = Vec::new();
    while said.iter().all(|(key, _)| *key != renamed(real(2))) {
        said.extend(story.round(&Outcome::GOOD));
    }
    assert!(said.contains(&(renamed(real(2)), true)), "{said:?}");
}

#[tokio::test]
async fn a_failure_says_where_it_was_looked_if_that_is_not_the_server() {
    let elsewhere = |kind: fn(Connection) -> CheckerKind, place: ([u8; 4], u16)| {
        let CheckerKind::Tcp(connection) = tcp_checker(0, false).kind else { panic!("another kind") };
        Checker { kind: kind(Connection { connect_to: place.into(), ..connection }), ..tcp_checker(0, false) }
    };
    let here = ([192, 168, 0, 2], 80);
    let cases = [
        (elsewhere(CheckerKind::Tcp, here), "connection refused"),
        (elsewhere(CheckerKind::Tcp, ([192, 168, 0, 2], 9001)), "connection refused (at 192.168.0.2:9001)"),
        (elsewhere(CheckerKind::Tcp, ([10, 9, 0, 9], 80)), "connection refused (at 10.9.0.9:80)"),
        (elsewhere(CheckerKind::Ping, ([192, 168, 0, 2], 0)), "connection refused"),
        (elsewhere(CheckerKind::Ping, ([10, 9, 0, 99], 0)), "connection refused (at 10.9.0.99)"),
    ];
    for (checker, expected) in cases {
        let mut story = Story::new(vec![definition(2, 0, checker)]);
        story.round(&failed());
        let facts = story.facts().await;
        let (_, Fact::Service(ServiceFact::CheckFailed { failure, .. })) = &facts[0] else {
            panic!("{facts:?}")
        };
        assert_eq!(&*failure.error, expected);
    }
}
