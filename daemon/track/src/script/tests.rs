use std::time::Duration;

use keepwatch_model::Script;

use super::*;

fn settings(rise: u32, fall: u32, init_fail: bool) -> TrackScript {
    TrackScript {
        name: "chk".into(),
        script: Script { argv: vec!["/bin/true".into()], user: None },
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(1),
        weight: 0,
        reverse: false,
        rise,
        fall,
        init_fail,
    }
}

fn run(status: i32) -> ScriptRun {
    ScriptRun { verdict: Verdict::Exited(status), last_line: String::new(), took: Duration::ZERO }
}

/// The levels that are told for these exit statuses in turn, `.` where nothing is.
fn told(rise: u32, fall: u32, init_fail: bool, statuses: &[i32]) -> String {
    let now = Instant::now();
    let mut machine = Machine::new(settings(rise, fall, init_fail), now);
    let letter = |change: Option<Change>| match change.map(|change| change.level) {
        None => '.',
        Some(Level::Up) => 'U',
        Some(Level::Down) => 'D',
        Some(Level::Undecided | Level::Number(_)) => '?',
    };
    let mut said = String::from(letter(machine.start()));
    for (round, status) in (0..).zip(statuses) {
        assert_eq!(machine.tick(now + round * Duration::from_secs(2)), Some(Step::Run));
        said.push(letter(machine.ended(&run(*status)).change));
    }
    said
}

#[test]
fn the_first_result_decides_alone_and_later_ones_in_a_row() {
    for (rise, fall, init_fail, statuses, expected) in [
        (1, 1, false, &[0, 0, 1, 1, 0][..], ".U.D.U"),
        (3, 2, false, &[0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0], ".U...D.....U"),
        (3, 3, false, &[1, 0, 0, 0], ".D..U"),
        (3, 3, true, &[0, 1, 1, 1], "DU..D"),
        (3, 3, true, &[1, 0, 0, 0], "D...U"),
    ] {
        assert_eq!(told(rise, fall, init_fail, statuses), expected, "rise {rise}, fall {fall}, {statuses:?}");
    }
}

#[test]
fn only_status_0_in_time_is_success() {
    let verdicts =
        [Verdict::Exited(1), Verdict::Killed(15), Verdict::TimedOut, Verdict::NotRun("gone".into())];
    assert!(verdicts.iter().all(|verdict| !verdict.is_success()));
    assert!(Verdict::Exited(0).is_success());
}

#[test]
fn a_run_that_lasts_is_not_joined_by_another() {
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut machine = Machine::new(settings(1, 1, false), now);
    assert_eq!(machine.tick(at(0)), Some(Step::Run));
    assert_eq!(machine.due(), at(2));
    assert_eq!(machine.tick(at(1)), None);
    assert_eq!(machine.tick(at(2)), Some(Step::Skip));
    assert_eq!((machine.running(), machine.due()), (Some(at(0)), at(4)));
    machine.ended(&run(0));
    assert_eq!(machine.tick(at(4)), Some(Step::Run));
    // After a long pause of everything there is one run, not all that were missed.
    machine.ended(&run(0));
    assert_eq!(machine.tick(at(100)), Some(Step::Run));
    assert_eq!(machine.due(), at(102));
}

#[test]
fn another_exit_status_is_news_and_a_first_success_is_none() {
    let mut machine = Machine::new(settings(1, 3, false), Instant::now());
    let news: Vec<bool> = [0, 1, 1, 2, 0].map(|status| machine.ended(&run(status)).news).into();
    assert_eq!(news, [false, true, false, true, true]);
}

#[test]
fn what_a_reload_changed_stands_as_it_did_until_it_has_run_often_enough() {
    let now = Instant::now();
    let mut before = Machine::new(settings(1, 1, false), now);
    before.ended(&run(1));
    let mut after = Machine::after(&mut before, settings(2, 1, true), now);
    assert_eq!(before.ended(&run(0)).change, None, "a run of before says nothing any more");
    assert_eq!((after.start(), after.level(), after.due()), (None, Level::Down, now));
    assert_eq!(after.ended(&run(0)).change, None, "rise is 2");
    assert_eq!(after.ended(&run(0)).change.map(|change| change.level), Some(Level::Up));
    let mut young = Machine::new(settings(1, 1, false), now);
    assert_eq!(Machine::after(&mut young, settings(1, 1, false), now).level(), Level::Undecided);
    // What `init_fail` assumed goes with it.
    for (still, level) in [(true, Level::Down), (false, Level::Undecided)] {
        let mut assumed = Machine::new(settings(1, 1, true), now);
        assumed.start();
        assert_eq!(Machine::after(&mut assumed, settings(1, 1, still), now).level(), level);
    }
}
