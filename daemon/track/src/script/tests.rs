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

fn run(status: i32) -> Run {
    Run { verdict: Verdict::Exited(status), last_line: String::new(), took: Duration::ZERO }
}

/// The levels that are told for these exit statuses in turn, `.` where nothing is.
fn told(rise: u32, fall: u32, init_fail: bool, statuses: &[i32]) -> String {
    let now = Instant::now();
    let mut machine = Machine::new(settings(rise, fall, init_fail), now);
    let letter = |change: Option<Change>| match change.map(|change| change.level) {
        None => '.',
        Some(Level::Up) => 'U',
        Some(Level::Down) => 'D',
        Some(Level::Unknown) => '?',
    };
    let mut said = String::from(letter(machine.start()));
    for (round, status) in (0..).zip(statuses) {
        assert_eq!(machine.tick(now + round * Duration::from_secs(2)), Some(Step::Run));
        said.push(match machine.ended(run(*status)) {
            Some(Step::Tell(change)) => letter(Some(change)),
            Some(Step::Run) => '!',
            None => '.',
        });
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
    assert_eq!(machine.tick(at(2)), None);
    assert_eq!((machine.skipped(), machine.due()), (1, at(4)));
    machine.ended(run(0));
    assert_eq!(machine.tick(at(4)), Some(Step::Run));
    // After a long pause of everything there is one run, not all that were missed.
    machine.ended(run(0));
    assert_eq!(machine.tick(at(100)), Some(Step::Run));
    assert_eq!((machine.skipped(), machine.due()), (1, at(102)));
}
