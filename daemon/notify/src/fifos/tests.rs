use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Bus, BusSettings, Hub};
use keepwatch_model::Script;
use tempfile::TempDir;

use super::*;

/// A bus with the task of FIFOs on it, and one FIFO.
struct Stage {
    bus: Bus,
    world: World,
    task: JoinHandle<()>,
    directory: TempDir,
}

impl Stage {
    fn new(script: Option<&str>) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("fifo");
        let script = script.map(|body| {
            let path = directory.path().join("script");
            fs::write(&path, body).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            Script { argv: vec![path.to_str().unwrap().into(), "own".into()], user: None }
        });
        let pipe = PipeSettings { path, owned_by: None, script, vrrp: true, lvs: false };
        let settings = FifoSettings { pipes: vec![pipe], ..FifoSettings::default() };
        let (bus, mut hub) = Hub::new(BusSettings { history: 1 << 14, ..BusSettings::default() }).unwrap();
        let (queue, world) = (hub.deliver("test", crate::occasions::concern), hub.reader());
        tokio::spawn(hub.run());
        let (_sender, receiver) = watch::channel(Arc::new(settings));
        let task = tokio::spawn(run(queue, receiver, world.clone(), bus.downgrade(), Memory::none()));
        Self { bus, world, task, directory }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("fifo")
    }

    fn change(&self, to: VrrpState) {
        let instance = "VI_1".into();
        self.bus.publish(None, VrrpFact::StateChanged { instance, from: VrrpState::Init, to, priority: 100 });
    }

    fn counted(&self) -> (u64, u64) {
        let name = self.path().to_str().unwrap().into();
        let counters = self.world.counters().fifos.resolve(&name);
        (counters.lines.get(), counters.lost.get())
    }

    fn trouble(&self) -> Vec<String> {
        self.world.world().trouble().into_iter().map(|trouble| trouble.error).collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.world
            .history()
            .iter()
            .map(|event| event.fact.kind())
            .filter(|kind| kind.starts_with("fifo_"))
            .collect()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

fn read_all(path: &Path) -> String {
    let mut file = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).unwrap();
    let (mut all, mut part) = (Vec::new(), [0; 65536]);
    while let Ok(read @ 1..) = file.read(&mut part) {
        all.extend_from_slice(&part[..read]);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_fifo_that_nobody_reads_loses_whole_lines_says_so_once_and_goes_on_when_somebody_does() {
    let stage = Stage::new(None);
    until("it is there", || stage.path().exists()).await;
    let found = stage.path().metadata().unwrap();
    assert!(found.file_type().is_fifo());
    assert_eq!(found.mode() & 0o777, 0o600);
    for round in 0..6000 {
        stage.change(if round % 2 == 0 { VrrpState::Master } else { VrrpState::Backup });
    }
    until("all are written or lost", || stage.counted().0 + stage.counted().1 == 6000).await;
    let (_, lost) = stage.counted();
    assert!(lost > 0);
    let waiting = read_all(&stage.path());
    assert!(waiting.ends_with('\n'));
    for (round, line) in waiting.lines().enumerate() {
        let state = if round % 2 == 0 { "MASTER" } else { "BACKUP" };
        assert_eq!(line, format!("INSTANCE \"VI_1\" {state} 100"));
    }
    stage.change(VrrpState::Fault);
    until("the end is told", || stage.kinds().len() == 3).await;
    assert_eq!(stage.kinds(), ["fifo_opened", "fifo_loses_lines", "fifo_flows"]);
    assert_eq!(read_all(&stage.path()), "INSTANCE \"VI_1\" FAULT 100\n");
    assert_eq!(stage.counted().1, lost);
}

#[tokio::test]
async fn a_reader_gets_every_line_to_the_last_and_ends_with_the_fifo() {
    let body = "#!/bin/sh\necho \"$*\" > \"$0.arguments\"\ntrap '' TERM\ncat \"$2\" >> \"$0.read\"\necho end >> \"$0.read\"\n";
    let stage = Stage::new(Some(body));
    stage.change(VrrpState::Backup);
    stage.change(VrrpState::Master);
    let read = stage.directory.path().join("script.read");
    until("it reads", || fs::read_to_string(&read).is_ok_and(|read| read.contains("MASTER"))).await;
    stage.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    stage.change(VrrpState::Init);
    stage.bus.publish(None, DaemonFact::DaemonStopped { took: Duration::ZERO });
    timeout(Duration::from_secs(10), stage.task).await.unwrap().unwrap();
    let lines = ["BACKUP", "MASTER", "STOP"].map(|state| format!("INSTANCE \"VI_1\" {state} 100\n"));
    assert_eq!(fs::read_to_string(read).unwrap(), lines.concat() + "end\n");
    let arguments = fs::read_to_string(stage.directory.path().join("script.arguments")).unwrap();
    let path = stage.directory.path().join("fifo");
    assert_eq!(arguments, format!("own {}\n", path.display()));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_reader_that_fails_is_told_and_started_again() {
    let body = "#!/bin/sh\nread line < \"$2\"\necho \"$line\" >> \"$0.read\"\necho oh >&2\nexit 3\n";
    let stage = Stage::new(Some(body));
    stage.change(VrrpState::Backup);
    until("its end is told", || stage.kinds().contains(&"fifo_reader_ended")).await;
    let line =
        stage.world.history().iter().filter_map(|event| event.line()).find(|l| l.text.contains("terminated"));
    let line = line.unwrap().text;
    assert!(line.contains("exited with 3") && line.contains(": oh; started again in 1 s"), "{line}");
    stage.change(VrrpState::Master);
    let read = stage.directory.path().join("script.read");
    until("the next one reads on", || fs::read_to_string(&read).is_ok_and(|read| read.contains("MASTER")))
        .await;
}

#[tokio::test]
async fn a_reader_that_lives_after_it_had_failed_is_told() {
    let body = "#!/bin/sh\n[ -e \"$0.failed\" ] || { touch \"$0.failed\"; exit 3; }\ncat \"$2\"\n";
    let stage = Stage::new(Some(body));
    until("its failure is trouble", || stage.trouble().iter().any(|error| error.contains("exited with 3")))
        .await;
    until("its life is told", || stage.kinds().contains(&"fifo_reader_works")).await;
    assert_eq!(stage.kinds(), ["fifo_opened", "fifo_reader_ended", "fifo_reader_works"]);
    assert_eq!(stage.trouble(), [""; 0]);
}

#[tokio::test]
async fn one_that_somebody_removes_is_told_once_and_written_for_who_has_it_open() {
    let stage = Stage::new(None);
    until("it is there", || stage.kinds() == ["fifo_opened"]).await;
    let mut reader =
        fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(stage.path()).unwrap();
    fs::remove_file(stage.path()).unwrap();
    until("it is told", || stage.kinds() == ["fifo_opened", "fifo_failed"]).await;
    assert!(stage.trouble()[0].contains("somebody removed it"), "{:?}", stage.trouble());
    stage.change(VrrpState::Master);
    until("it is written", || stage.counted() == (1, 0)).await;
    let mut line = [0; 64];
    let read = reader.read(&mut line).unwrap();
    assert_eq!(&line[..read], b"INSTANCE \"VI_1\" MASTER 100\n");
    assert_eq!(stage.kinds().len(), 2);
}

#[tokio::test]
async fn something_else_of_that_name_is_left_alone_and_told() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fifo");
    fs::write(&path, "precious").unwrap();
    let settings = PipeSettings { path: path.clone(), owned_by: None, script: None, vrrp: true, lvs: false };
    let error = Pipe::open(&settings, 0o600, None).unwrap_err();
    assert!(error.to_string().contains("no FIFO"), "{error}");
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
    let nowhere = PipeSettings { path: directory.path().join("none/fifo"), ..settings };
    let error = Pipe::open(&nowhere, 0o600, None).unwrap_err();
    assert_eq!(error.to_string(), "it can't be made: No such file or directory");
}

#[test]
fn a_pipe_that_a_killed_process_made_is_ours_and_one_of_anybody_else_is_not() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fifo");
    let settings = PipeSettings { path: path.clone(), owned_by: None, script: None, vrrp: true, lvs: false };
    let (first, _) = Pipe::open(&settings, 0o600, None).unwrap();
    let made = first.made().cloned();
    assert!(made.is_some());
    // As a kill would: nothing is removed.
    std::mem::forget(first);
    let (other, _) = Pipe::open(&settings, 0o600, None).unwrap();
    drop(other);
    assert!(path.exists(), "somebody else's");
    let (next, _) = Pipe::open(&settings, 0o600, made.clone()).unwrap();
    drop(next);
    assert!(!path.exists());

    // Another one of that name is not it.
    let elsewhere = directory.path().join("other");
    for at in [&path, &elsewhere] {
        nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    fs::rename(&elsewhere, &path).unwrap();
    let stranger = MadePipe { inode: made.clone().unwrap().inode + 1_000_000, ..made.unwrap() };
    let (pipe, _) = Pipe::open(&settings, 0o600, Some(stranger)).unwrap();
    drop(pipe);
    assert!(path.exists());
}
