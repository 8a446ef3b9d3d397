use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keepwatch_bus::fact::{ConsumerFact, DaemonFact, ScriptOutcome, VrrpFact};
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Bus, BusSettings, Hub, Reader};
use keepwatch_model::{Script, ScriptUser};
use keepwatch_process::Manner;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// A bus with the scripts' task on it, and an instance whose `notify_master` is the script under test.
struct Stage {
    bus: Bus,
    reader: Reader,
    task: JoinHandle<()>,
    directory: TempDir,
}

impl Stage {
    fn new(body: &str, secure: bool, bounds: Bounds) -> Self {
        let directory = TempDir::new().unwrap();
        let path = executable(&directory.path().join("notify"), body);
        // Where security matters nobody runs scripts but who is named.
        let root = || ScriptUser { name: "root".into(), group: None, supplementary_groups: false };
        let script =
            Script { argv: vec![path.to_str().unwrap().into(), "a b".into()], user: secure.then(root) };
        let scripts = RouterScripts { any: Some(script), ..RouterScripts::default() };
        let settings = ScriptSettings {
            instances: [("VI_1".into(), scripts.clone().into()), ("VI_2".into(), scripts.into())].into(),
            manner: Manner { secure, ..Manner::default() },
            ..ScriptSettings::default()
        };
        let (bus, mut hub) = Hub::new(BusSettings::default()).unwrap();
        let (queue, reader) = (hub.deliver("test", crate::occasions::concern), hub.reader());
        tokio::spawn(hub.run());
        let (_sender, receiver) = watch::channel(Arc::new(settings));
        let task = tokio::spawn(run(queue, receiver, bus.downgrade(), bounds));
        Self { bus, reader, task, directory }
    }

    fn change(&self, to: VrrpState) {
        self.change_of("VI_1", to);
    }

    fn change_of(&self, instance: &str, to: VrrpState) {
        let from = VrrpState::Init;
        let fact = VrrpFact::StateChanged { instance: instance.into(), from, to, priority: 100 };
        self.bus.publish(None, fact);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The facts about scripts, as soon as there are `count`.
    async fn told(&self, count: usize) -> Vec<Fact> {
        let search = async {
            loop {
                let found: Vec<_> = self
                    .reader
                    .history()
                    .iter()
                    .filter(|event| event.fact.kind().starts_with("script_"))
                    .map(|event| event.fact.clone())
                    .collect();
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), search).await.unwrap()
    }
}

fn executable(path: &Path, text: &str) -> PathBuf {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

fn outcome(fact: &Fact) -> ScriptOutcome {
    match fact {
        Fact::Consumer(ConsumerFact::ScriptExited { outcome, .. }) => *outcome,
        other => panic!("{other:?}"),
    }
}

fn about(fact: &Fact) -> &str {
    match fact {
        Fact::Consumer(
            ConsumerFact::ScriptExited { about, .. }
            | ConsumerFact::ScriptOverdue { about, .. }
            | ConsumerFact::ScriptNotRun { about, .. },
        ) => about,
        other => panic!("{other:?}"),
    }
}

/// Waits until the process whose number is in `file` is dead.
async fn death_of(file: &Path) {
    let child: u32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    let dead = async {
        // Somebody must still collect it before it is gone: a zombie counts as dead.
        while fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), dead).await.unwrap();
}

#[tokio::test]
async fn a_script_gets_its_arguments_and_its_status_is_told() {
    let body =
        "#!/bin/sh\nprintf '%s|' \"$@\" > \"$(dirname \"$0\")/arguments\"\necho no database >&2\nexit 3\n";
    let stage = Stage::new(body, false, Bounds::default());
    stage.change(VrrpState::Master);
    let told = stage.told(1).await;
    assert_eq!(outcome(&told[0]), ScriptOutcome::Exited { status: 3 });
    assert_eq!(about(&told[0]), "INSTANCE VI_1 MASTER");
    assert!(
        matches!(&told[0], Fact::Consumer(ConsumerFact::ScriptExited { output, .. }) if output == "no database"),
        "{told:?}"
    );
    let arguments = fs::read_to_string(stage.path("arguments")).unwrap();
    assert_eq!(arguments, "a b|INSTANCE|VI_1|MASTER|100|");
}

#[tokio::test]
async fn a_script_without_a_first_line_is_the_shell_s() {
    let stage = Stage::new("exit 4\n", false, Bounds::default());
    stage.change(VrrpState::Master);
    assert_eq!(outcome(&stage.told(1).await[0]), ScriptOutcome::Exited { status: 4 });
}

#[tokio::test]
async fn a_script_that_hangs_is_told_of_and_is_ended_with_its_children_before_the_next_of_its_subject() {
    let body = "#!/bin/sh\n[ \"$4\" = BACKUP ] && exit 0\nsleep 1000 &\necho $! > \"$(dirname \"$0\")/child\"\nwait\n";
    let (overdue, time) = (Duration::from_millis(500), Duration::from_secs(1));
    let stage = Stage::new(body, false, Bounds { overdue, time, ..Bounds::default() });
    stage.change(VrrpState::Master);
    stage.change(VrrpState::Backup);
    stage.change_of("VI_2", VrrpState::Backup);
    let told = stage.told(4).await;
    let in_order: Vec<_> = told.iter().map(|fact| (about(fact), fact.kind())).collect();
    let expected = [
        ("INSTANCE VI_2 BACKUP", "script_exited"),
        ("INSTANCE VI_1 MASTER", "script_overdue"),
        ("INSTANCE VI_1 MASTER", "script_exited"),
        ("INSTANCE VI_1 BACKUP", "script_exited"),
    ];
    assert_eq!(in_order, expected);
    assert_eq!(outcome(&told[2]), ScriptOutcome::TimedOut);
    assert_eq!(outcome(&told[3]), ScriptOutcome::Exited { status: 0 });
    death_of(&stage.path("child")).await;
}

#[tokio::test]
async fn a_script_that_is_missing_is_told() {
    let stage = Stage::new("", false, Bounds::default());
    fs::remove_file(stage.path("notify")).unwrap();
    stage.change(VrrpState::Master);
    let told = stage.told(1).await;
    assert!(
        matches!(&told[0], Fact::Consumer(ConsumerFact::ScriptNotRun { error, .. }) if error.contains("No such file")),
        "{told:?}"
    );
}

#[tokio::test]
async fn with_script_security_a_script_that_others_can_change_is_not_run_as_root() {
    if !nix::unistd::getuid().is_root() {
        // For anybody but root the rule does not apply: nothing runs as root.
        return;
    }
    let stage = Stage::new("#!/bin/sh\nexit 0\n", true, Bounds::default());
    fs::set_permissions(stage.path("notify"), fs::Permissions::from_mode(0o757)).unwrap();
    stage.change(VrrpState::Master);
    let told = stage.told(1).await;
    assert!(
        matches!(&told[0], Fact::Consumer(ConsumerFact::ScriptNotRun { error, .. }) if error.contains("written by others than root")),
        "{told:?}"
    );
    fs::set_permissions(stage.path("notify"), fs::Permissions::from_mode(0o755)).unwrap();
    stage.change(VrrpState::Backup);
    assert_eq!(outcome(&stage.told(2).await[1]), ScriptOutcome::Exited { status: 0 });
}

#[tokio::test]
async fn a_stop_runs_its_scripts_and_waits_only_so_long() {
    let body = "#!/bin/sh\ntouch \"$(dirname \"$0\")/$4\"\nsleep 1000 &\necho $! > \"$(dirname \"$0\")/child-$4\"\nwait\n";
    let bounds = Bounds { farewell: Duration::from_millis(500), ..Bounds::default() };
    let stage = Stage::new(body, false, bounds);
    stage.change(VrrpState::Master);
    stage.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    stage.change(VrrpState::Init);
    let begun = Instant::now();
    timeout(Duration::from_secs(20), stage.task).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(stage.directory.path().join("STOP").exists());
    for state in ["MASTER", "STOP"] {
        death_of(&stage.directory.path().join(format!("child-{state}"))).await;
    }
}

#[tokio::test]
async fn who_did_not_get_his_turn_before_the_end_is_told() {
    let body =
        "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! > \"$(dirname \"$0\")/child-$4\"\nwait\nwait\n";
    let bounds = Bounds { farewell: Duration::from_millis(400), ..Bounds::default() };
    let stage = Stage::new(body, false, bounds);
    for _ in 0..20 {
        stage.change(VrrpState::Master);
        stage.change(VrrpState::Backup);
    }
    stage.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    let told = stage.told(40).await;
    assert_eq!(told.len(), 40, "each of them is told of once");
    let given_up = |fact: &&Fact| matches!(fact, Fact::Consumer(ConsumerFact::ScriptNotRun { error, .. }) if error.contains("before its turn"));
    assert!(told.iter().any(|fact| given_up(&fact)), "{told:?}");
    timeout(Duration::from_secs(20), stage.task).await.unwrap().unwrap();
}
