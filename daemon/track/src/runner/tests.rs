use std::path::Path;

use keepwatch_model::Script;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::*;
use crate::Level;

const UMASK: u32 = 0o177;

/// A shell that runs `text` in this directory, ten times a second.
fn script(name: &str, directory: &TempDir, text: &str) -> TrackScript {
    let text = format!("cd {}; {text}", directory.path().display());
    let argv = ["/bin/sh", "-c", &text].map(Name::from).into();
    TrackScript {
        name: name.into(),
        script: Script { argv, user: None },
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(1000),
        weight: 0,
        reverse: false,
        rise: 1,
        fall: 2,
        init_fail: false,
    }
}

async fn next(told: &mut UnboundedReceiver<Change>) -> Change {
    timeout(Duration::from_secs(20), told.recv()).await.unwrap().unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let come_true = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), come_true).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

#[tokio::test]
async fn levels_follow_what_scripts_find() {
    let directory = TempDir::new().unwrap();
    let (tell, mut told) = unbounded_channel();
    let mut scripts = Scripts::new(tell);
    scripts.apply(&[script("chk", &directory, "test -e good || { echo it is gone; exit 3; }")], false, UMASK);
    let first = next(&mut told).await;
    assert_eq!((&*first.subject, first.level), ("chk", Level::Down));
    let run = first.run.unwrap();
    assert_eq!((run.verdict, &*run.last_line), (Verdict::Exited(3), "it is gone"));
    std::fs::write(directory.path().join("good"), "").unwrap();
    assert_eq!(next(&mut told).await.level, Level::Up);
    std::fs::remove_file(directory.path().join("good")).unwrap();
    assert_eq!(next(&mut told).await.level, Level::Down);
}

#[tokio::test]
async fn a_run_that_is_too_slow_or_impossible_is_a_failure() {
    let directory = TempDir::new().unwrap();
    let (tell, mut told) = unbounded_channel();
    let mut scripts = Scripts::new(tell);
    let slow = TrackScript {
        timeout: Duration::from_millis(200),
        ..script("slow", &directory, "echo $$ >> runs; sleep 1000")
    };
    let mut gone = script("gone", &directory, "");
    gone.script.argv = vec!["/kw/is/not/there".into()];
    scripts.apply(&[slow, gone], false, UMASK);
    let (first, second) = (next(&mut told).await, next(&mut told).await);
    let of = |name: &str| {
        let change = [&first, &second].into_iter().find(|change| &*change.subject == name).unwrap();
        (change.level, change.run.clone().unwrap().verdict)
    };
    let missing = Verdict::NotRun("/kw/is/not/there: No such file or directory".into());
    assert_eq!(of("gone"), (Level::Down, missing));
    assert_eq!(of("slow"), (Level::Down, Verdict::TimedOut));
    // One at a time, and none is left when nobody tracks it any more.
    drop(scripts);
    let runs = std::fs::read_to_string(directory.path().join("runs")).unwrap();
    let is_alive = |number: &str| {
        let stat = std::fs::read_to_string(Path::new("/proc").join(number).join("stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    until("no run is left", || !runs.lines().any(is_alive)).await;
}

#[tokio::test]
async fn a_reload_leaves_alone_what_did_not_change() {
    let directory = TempDir::new().unwrap();
    let (tell, mut told) = unbounded_channel();
    let mut scripts = Scripts::new(tell);
    let kept = script("kept", &directory, "exit 0");
    scripts.apply(&[kept.clone(), script("left", &directory, "exit 0")], false, UMASK);
    for _ in 0..2 {
        assert_eq!(next(&mut told).await.level, Level::Up);
    }
    let added = script("added", &directory, "exit 1");
    scripts.apply(&[kept.clone(), added.clone()], false, UMASK);
    let change = next(&mut told).await;
    assert_eq!((&*change.subject, change.level), ("added", Level::Down));
    // One that changed begins anew: its first result decides alone.
    scripts.apply(&[TrackScript { fall: 5, ..kept }, added], false, UMASK);
    let change = next(&mut told).await;
    assert_eq!((&*change.subject, change.level), ("kept", Level::Up));
}
