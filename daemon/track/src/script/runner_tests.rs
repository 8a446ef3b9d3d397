use std::path::Path;

use keepwatch_bus::{BusSettings, Fact, Hub};
use keepwatch_model::Script;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::*;

/// Scripts, and what they say.
struct Scene {
    scripts: Scripts,
    told: UnboundedReceiver<(Name, Level)>,
    facts: keepwatch_bus::Deliveries,
    directory: TempDir,
    counters: Counters,
}

impl Scene {
    fn new() -> Self {
        let (bus, mut hub) = Hub::new(BusSettings::default()).unwrap();
        let facts = hub.deliver("test", |_| true);
        tokio::spawn(hub.run());
        let (sender, told) = unbounded_channel();
        let tell = move |key: TrackedKey, level, _| drop(sender.send((key.name, level)));
        let voice = Voice { bus, tell: Arc::new(tell) };
        let (directory, counters) = (TempDir::new().unwrap(), Counters::default());
        Self { scripts: Scripts::new(voice), told, facts, directory, counters }
    }

    fn apply(&mut self, wanted: &[&TrackScript]) {
        self.scripts.apply(wanted, Manner::default(), &self.counters, None);
    }

    /// What is told next that is not that nothing is known yet.
    async fn next(&mut self) -> (Name, Level) {
        loop {
            let told = timeout(Duration::from_secs(20), self.told.recv()).await.unwrap().unwrap();
            if told.1 != Level::Undecided {
                return told;
            }
        }
    }

    /// The run that changed the level of this one next, by its fact.
    async fn run(&mut self, name: &str) -> ScriptRun {
        loop {
            let event = timeout(Duration::from_secs(20), self.facts.recv()).await.unwrap().unwrap();
            if let Fact::Track(TrackFact::TrackerChanged { tracker, evidence: Evidence::Run(run), .. }) =
                &event.fact
                && &*tracker.name == name
            {
                return run.clone();
            }
        }
    }
}

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
    let mut scene = Scene::new();
    let text = "test -e good || { echo it is gone; exit 3; }";
    scene.apply(&[&script("chk", &scene.directory, text)]);
    assert_eq!(scene.next().await, ("chk".into(), Level::Down));
    let run = scene.run("chk").await;
    assert_eq!((run.verdict, &*run.last_line), (Verdict::Exited(3), "it is gone"));
    let good = scene.directory.path().join("good");
    std::fs::write(&good, "").unwrap();
    assert_eq!(scene.next().await.1, Level::Up);
    std::fs::remove_file(&good).unwrap();
    assert_eq!(scene.next().await.1, Level::Down);
    let counters = scene.counters.track_scripts.get(&"chk".into()).unwrap();
    assert!(counters.succeeded.get() >= 1 && counters.failed.get() >= 3);
}

#[tokio::test]
async fn a_run_that_is_too_slow_or_impossible_is_a_failure() {
    let mut scene = Scene::new();
    let slow = TrackScript {
        timeout: Duration::from_millis(200),
        ..script("slow", &scene.directory, "echo $$ >> runs; sleep 1000")
    };
    let mut gone = script("gone", &scene.directory, "");
    gone.script.argv = vec!["/kw/is/not/there".into()];
    scene.apply(&[&gone]);
    let missing = Verdict::NotRun("/kw/is/not/there: No such file or directory".into());
    assert_eq!(scene.run("gone").await.verdict, missing);
    scene.apply(&[&slow]);
    assert_eq!(scene.run("slow").await.verdict, Verdict::TimedOut);
    // One at a time, and none is left when nobody tracks it any more.
    scene.apply(&[]);
    let runs = std::fs::read_to_string(scene.directory.path().join("runs")).unwrap();
    let is_alive = |number: &str| {
        let stat = std::fs::read_to_string(Path::new("/proc").join(number).join("stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    until("no run is left", || !runs.lines().any(is_alive)).await;
}

#[tokio::test]
async fn a_reload_leaves_alone_what_did_not_change() {
    let mut scene = Scene::new();
    let kept = script("kept", &scene.directory, "echo $$ >> kept; exec sleep 2");
    scene.apply(&[&kept, &script("left", &scene.directory, "exit 0")]);
    assert_eq!(scene.next().await, ("left".into(), Level::Up));
    let added = script("added", &scene.directory, "exit 1");
    // In the midst of a run.
    scene.apply(&[&kept, &added]);
    assert_eq!(scene.next().await, ("added".into(), Level::Down));
    assert_eq!(scene.next().await, ("kept".into(), Level::Down), "it takes too long");
    assert_eq!(std::fs::read_to_string(scene.directory.path().join("kept")).unwrap().lines().count(), 1);
    // One that changed stands as it did until enough runs say otherwise.
    let changed = script("kept", &scene.directory, "exit 0");
    scene.apply(&[&changed, &added]);
    assert_eq!(scene.next().await, ("kept".into(), Level::Up));
}

#[tokio::test]
async fn a_deaf_script_is_gone_when_all_are_stopped() {
    let mut scene = Scene::new();
    let pid = scene.directory.path().join("pid");
    let text = "trap '' TERM; echo $$ > pid; while :; do sleep 1; done";
    let deaf = TrackScript { timeout: Duration::from_secs(60), ..script("deaf", &scene.directory, text) };
    scene.apply(&[&deaf]);
    let begun = Instant::now();
    let number = loop {
        match std::fs::read_to_string(&pid).ok().and_then(|text| text.trim().parse::<u32>().ok()) {
            Some(number) => break number,
            None => sleep(Duration::from_millis(5)).await,
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not begin");
    };
    scene.scripts.stop().await;
    assert!(!Path::new(&format!("/proc/{number}")).exists(), "it lives on");
}
