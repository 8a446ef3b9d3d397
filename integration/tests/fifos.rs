//! FIFOs: the same file and the same events on Debian's keepalived and on keepwatchd give the same lines in the same order,
//! and the same scripts with the same arguments. Where they differ on purpose, the table of steps says so.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, Process, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, wait, web::WebServer,
};
use nix::sys::signal::Signal;

#[path = "fifos/rows.rs"]
mod rows;

/// Reads a FIFO as a user's program would: opens it whenever it is there, until its end.
struct Follower {
    lines: Arc<Mutex<Vec<String>>>,
    /// How often the FIFO that was open has ended.
    ends: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    fn of(path: PathBuf) -> Self {
        let (lines, over) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let ends = Arc::new(AtomicU32::new(0));
        let (writes, is_over, counts) = (Arc::clone(&lines), Arc::clone(&over), Arc::clone(&ends));
        let thread = thread::spawn(move || follow(&path, &writes, &is_over, &counts));
        Self { lines, ends, over, thread: Some(thread) }
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    fn since(&self, seen: usize) -> Vec<String> {
        self.all().split_off(seen)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn follow(path: &Path, lines: &Mutex<Vec<String>>, over: &AtomicBool, ends: &AtomicU32) {
    while !over.load(Ordering::Relaxed) {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        if let Ok(mut fifo) = opened {
            read_to_the_end(&mut fifo, lines, over);
            ends.fetch_add(1, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(5));
    }
}

fn read_to_the_end(fifo: &mut File, lines: &Mutex<Vec<String>>, over: &AtomicBool) {
    let (mut rest, mut part) = (String::new(), [0; 4096]);
    while !over.load(Ordering::Relaxed) {
        match fifo.read(&mut part) {
            Ok(0) => return,
            Ok(read) => rest.push_str(&String::from_utf8_lossy(&part[..read])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(2)),
            Err(_) => return,
        }
        while let Some((line, after)) = rest.split_once('\n') {
            if let Ok(mut lines) = lines.lock() {
                lines.push(line.to_owned());
            }
            rest = after.to_owned();
        }
    }
}

/// One of the two daemons.
enum Daemon {
    Theirs(Keepalived),
    Ours(Keepwatchd),
}

impl Daemon {
    fn process(&self) -> &Process {
        match self {
            Self::Theirs(it) => it.process(),
            Self::Ours(it) => it.process(),
        }
    }

    fn process_mut(&mut self) -> &mut Process {
        match self {
            Self::Theirs(it) => it.process_mut(),
            Self::Ours(it) => it.process_mut(),
        }
    }

    fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }
}

/// How the lines of a step are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// All in this order.
    Given,
    /// Elections: who of independent routers is first is open.
    Open,
}

/// A host with three LANs, a daemon on it, and who reads its FIFO.
struct Scene {
    host: Host,
    peer: Host,
    daemon: Daemon,
    fifo: Follower,
    seen: usize,
    diary: PathBuf,
}

/// What of the configuration a step changes.
#[derive(Clone, Copy, Default)]
struct Variant {
    other_id: bool,
    deleted: bool,
    states: bool,
    ungrouped: bool,
}

impl Scene {
    fn new(ours: bool) -> Result<Self> {
        let lab = Lab::new(if ours { "fifo-ours" } else { "fifo-theirs" })?;
        let (_, mut hosts) = lab.routers(2)?;
        let (host, peer) = (hosts.remove(0), hosts.remove(0));
        for (number, interface) in [(1, "eth1"), (2, "eth2")] {
            let lan = lab.bridge(interface)?;
            host.plug(interface, &lan)?.address(interface, &format!("10.8{number}.0.1/16"))?;
            // What is tracked must have somebody at its other end.
            peer.plug(interface, &lan)?;
            host.down(interface)?;
        }
        let diary = host.directory().join("diary");
        fs::write(&diary, "")?;
        let script = host.file("note", &format!("#!/bin/sh\necho \"$*\" >> {}\n", diary.display()))?;
        fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
        let fifo = Follower::of(host.directory().join("fifo"));
        let config = Self::config(&host, Variant::default());
        let daemon = if ours {
            Daemon::Ours(Keepwatchd::on(&host).config(config).flag("--vrrp").start()?)
        } else {
            Daemon::Theirs(Keepalived::start(&host, &config, &[])?)
        };
        Ok(Self { host, peer, daemon, fifo, seen: 0, diary })
    }

    fn config(host: &Host, variant: Variant) -> String {
        let at = |name: &str| host.directory().join(name).display().to_string();
        let states = if variant.states { "fifo_write_vrrp_states_on_reload" } else { "" };
        let global = format!("vrrp_notify_fifo {}\nvrrp_notify_priority_changes\n{states}", at("fifo"));
        let instance = |name: &str, interface: &str, vrid: u8| {
            Instance::new(name)
                .interface(interface)
                .interval("0.3")
                .vrid(vrid)
                .vip(&format!("10.78.9.{vrid}/32"))
        };
        let script = at("note");
        let group = conf::sync_group("G1", &["VI_1", "VI_2"]).replacen(
            '{',
            &format!("{{\n notify \"{script} any\"\n notify_fault \"{script} group-fault\"\n"),
            1,
        );
        let group = if variant.ungrouped { "" } else { &group };
        let mut text = conf::global_defs(3, &global) + group;
        text += &instance("VI_1", "eth0", 51).to_string();
        text += &instance("VI_2", "eth1", 52).to_string();
        let third = instance("VI_3", "eth0", 53).line("track_interface {\n eth2 weight -30\n }");
        text += &third.to_string();
        if !variant.deleted {
            let fourth = instance("VI_4", "eth0", if variant.other_id { 64 } else { 54 })
                .line(&format!("notify \"{script} 'any one'\""))
                .line(&format!("notify_master \"{script} master\""))
                .line(&format!("notify_backup \"{script} backup\""))
                .line(&format!("notify_fault \"{script} fault\""))
                .line(&format!("notify_stop \"{script} stop\""))
                .line(&format!("notify_master_rx_lower_pri \"{script} lower\""));
            text += &fourth.to_string();
            let fifth = instance("VI_5", "eth0", 55).line(&format!("notify_deleted \"{script} deleted\""));
            text += &fifth.to_string();
        }
        text
    }

    fn reload(&mut self, variant: Variant) -> Result<()> {
        let name = if self.daemon.is_ours() { "keepwatch.conf" } else { "keepalived.conf" };
        let before = self.fifo.ends.load(Ordering::Relaxed);
        self.host.file(name, &Self::config(&self.host, variant))?;
        self.daemon.process().signal(Signal::SIGHUP)?;
        wait::until("the FIFO is made anew", wait::LONG, || {
            self.fifo.ends.load(Ordering::Relaxed) > before && self.host.directory().join("fifo").exists()
        })
        .with_context(|| self.daemon.process().log())
    }

    /// Waits for these lines, and takes them.
    fn expect(&mut self, what: &str, order: Order, lines: &[&str]) -> Result<()> {
        let mut found = Vec::new();
        let agree = |found: &[String]| match order {
            Order::Given => found == lines,
            Order::Open => {
                let (mut found, mut lines) = (found.to_vec(), lines.to_vec());
                found.sort();
                lines.sort_unstable();
                found == lines
            }
        };
        let waited = wait::until(what, wait::LONG, || {
            found = self.fifo.since(self.seen);
            if lines.len() < found.len() && order == Order::Given {
                found.truncate(lines.len());
            }
            // keepalived tells of every advertisement.
            found.dedup_by(|a, b| a == b && a.contains("MASTER_RX_LOWER_PRI"));
            agree(&found)
        });
        waited.with_context(|| {
            let log = self.daemon.process().log();
            format!("{what}: expected {lines:#?}, found {found:#?}\n{log}")
        })?;
        self.seen += if order == Order::Given && !lines.iter().any(|line| line.contains("LOWER")) {
            lines.len()
        } else {
            self.fifo.since(self.seen).len()
        };
        Ok(())
    }

    /// Nothing was said of it: the next step would find it.
    fn expect_nothing(&mut self, what: &str) -> Result<()> {
        sleep(Duration::from_millis(400));
        let found = self.fifo.since(self.seen);
        ensure!(found.is_empty(), "{what}: {found:?}");
        Ok(())
    }

    /// What scripts were run about a subject, in order.
    fn scripts(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.diary).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.dedup_by(|a, b| a == b && a == "lower");
        lines
    }
}

const GROUP_IS_MASTER: &[&str] =
    &[r#"INSTANCE "VI_1" MASTER 100"#, r#"INSTANCE "VI_2" MASTER 100"#, r#"GROUP "G1" MASTER 0"#];

fn go_through_it(ours: bool) -> Result<Vec<String>> {
    let mut scene = Scene::new(ours)?;
    scene.expect(
        "the start with a fault and a tracker that is down",
        Order::Given,
        &[
            r#"INSTANCE "VI_3" BACKUP_PRIORITY 70"#,
            r#"INSTANCE "VI_1" FAULT 100"#,
            r#"INSTANCE "VI_2" FAULT 100"#,
            r#"GROUP "G1" FAULT 0"#,
            r#"INSTANCE "VI_3" BACKUP 70"#,
            r#"INSTANCE "VI_4" BACKUP 100"#,
            r#"INSTANCE "VI_5" BACKUP 100"#,
        ],
    )?;
    let mode = scene.host.directory().join("fifo").metadata()?.mode();
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    let others =
        [r#"INSTANCE "VI_3" MASTER 70"#, r#"INSTANCE "VI_4" MASTER 100"#, r#"INSTANCE "VI_5" MASTER 100"#];
    scene.expect("the first election", Order::Open, &others)?;

    scene.host.up("eth1")?;
    let recovery =
        [r#"INSTANCE "VI_2" BACKUP 100"#, r#"INSTANCE "VI_1" BACKUP 100"#, r#"GROUP "G1" BACKUP 0"#];
    scene.expect("the group recovers", Order::Given, &recovery)?;
    scene.expect("the group is elected", Order::Open, GROUP_IS_MASTER)?;
    let last = scene.fifo.all().pop();
    ensure!(last.as_deref() == Some(r#"GROUP "G1" MASTER 0"#), "the group comes last: {last:?}");
    scene.host.up("eth2")?;
    scene.expect("a tracker recovers", Order::Given, &[r#"INSTANCE "VI_3" MASTER_PRIORITY 100"#])?;
    scene.host.down("eth1")?;
    let fault = [r#"INSTANCE "VI_2" FAULT 100"#, r#"INSTANCE "VI_1" FAULT 100"#, r#"GROUP "G1" FAULT 0"#];
    scene.expect("a fault", Order::Given, &fault)?;
    scene.host.up("eth1")?;
    scene.expect("the fault is over", Order::Given, &recovery)?;
    scene.expect("the group is elected again", Order::Open, GROUP_IS_MASTER)?;

    take_over(&mut scene)?;
    reloads(&mut scene)?;

    let began = Instant::now();
    scene.daemon.process_mut().stop(wait::LONG)?;
    ensure!(began.elapsed() < wait::SHORT, "the stop took {:?}", began.elapsed());
    scene.expect(
        "the stop",
        Order::Given,
        &[
            r#"INSTANCE "VI_1" STOP 100"#,
            r#"INSTANCE "VI_2" STOP 100"#,
            r#"INSTANCE "VI_3" STOP 100"#,
            r#"INSTANCE "VI_4" STOP 100"#,
            r#"INSTANCE "VI_5" STOP 100"#,
            r#"GROUP "G1" STOP 0"#,
        ],
    )?;
    ensure!(!scene.host.directory().join("fifo").exists(), "the FIFO goes with the daemon");
    Ok(scene.scripts())
}

/// A better router comes and goes; then one that is worse believes that it is master.
fn take_over(scene: &mut Scene) -> Result<()> {
    let peer = |priority: u8| {
        let instance = Instance::new("VI_4").interval("0.3").vrid(54).vip("10.78.9.54/32");
        instance.priority(priority).version_3("")
    };
    {
        let mut better = Keepalived::start(&scene.peer, &peer(200), &[])?;
        scene.expect("another takes over", Order::Given, &[r#"INSTANCE "VI_4" BACKUP 100"#])?;
        better.process_mut().stop(wait::LONG)?;
    }
    scene.expect("it is gone", Order::Given, &[r#"INSTANCE "VI_4" MASTER 100"#])?;
    // It hears nobody, and is heard.
    scene.peer.firewall(
        "table inet lab { chain in { type filter hook input priority -300; iif != lo drop; }\n}\n",
    )?;
    let worse = Keepalived::start(&scene.peer, &peer(50), &[])?;
    let heard = [r#"INSTANCE "VI_4" MASTER_RX_LOWER_PRI 100"#];
    scene.expect("a lower priority is heard", Order::Given, &heard)?;
    drop(worse);
    // keepalived tells of every advertisement; the last may be under way.
    let mut count = 0;
    wait::until("nothing more is heard", wait::LONG, || {
        sleep(Duration::from_millis(300));
        count == std::mem::replace(&mut count, scene.fifo.all().len())
    })?;
    scene.seen = count;
    Ok(())
}

fn reloads(scene: &mut Scene) -> Result<()> {
    let plain = Variant::default();
    scene.reload(plain)?;
    scene.expect_nothing("a reload that changes nothing")?;
    scene.reload(Variant { other_id: true, ..plain })?;
    scene.expect(
        "a reload with another virtual router id",
        Order::Given,
        &[r#"INSTANCE "VI_4" FAULT 100"#, r#"INSTANCE "VI_4" BACKUP 100"#, r#"INSTANCE "VI_4" MASTER 100"#],
    )?;
    scene.reload(Variant { deleted: true, ..plain })?;
    let deleted = [r#"INSTANCE "VI_4" FAULT 100"#, r#"INSTANCE "VI_5" DELETED 100"#];
    scene.expect("a reload that deletes instances", Order::Given, &deleted)?;
    scene.reload(plain)?;
    let added = [r#"INSTANCE "VI_4" BACKUP 100"#, r#"INSTANCE "VI_5" BACKUP 100"#];
    scene.expect("a reload that adds instances", Order::Given, &added)?;
    let elected = [r#"INSTANCE "VI_4" MASTER 100"#, r#"INSTANCE "VI_5" MASTER 100"#];
    scene.expect("their election", Order::Open, &elected)?;
    // keepalived leaves masters out.
    let all = [
        r#"GROUP "G1" MASTER 0"#,
        r#"INSTANCE "VI_1" MASTER 100"#,
        r#"INSTANCE "VI_2" MASTER 100"#,
        r#"INSTANCE "VI_3" MASTER 100"#,
        r#"INSTANCE "VI_4" MASTER 100"#,
        r#"INSTANCE "VI_5" MASTER 100"#,
    ];
    let told = if scene.daemon.is_ours() { &all[..] } else { &all[..1] };
    for round in ["a reload that tells all states", "the second such reload"] {
        scene.reload(Variant { states: true, ..plain })?;
        scene.expect(round, Order::Given, told)?;
    }
    scene.reload(Variant { ungrouped: true, ..plain })?;
    scene.expect_nothing("everything was told once, and the end of a group is not")?;
    scene.reload(plain)?;
    // keepalived does not say that it is master at once.
    let master = [r#"GROUP "G1" MASTER 0"#];
    let told = if scene.daemon.is_ours() { &master[..] } else { &[] };
    scene.expect("a group of those that are master", Order::Given, told)
}

#[test]
fn keepalived_and_keepwatch_write_the_same_lines_and_run_the_same_scripts() -> Result<()> {
    // Side by side: each has hosts of its own.
    let theirs = thread::spawn(|| go_through_it(false));
    let ours = go_through_it(true).context("keepwatchd")?;
    let theirs = theirs.join().map_err(|_| anyhow::anyhow!("the thread of keepalived ended badly"))?;
    let theirs = theirs.context("keepalived")?;
    // keepalived runs the scripts of different events at the same time: only what was run can be compared.
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let mut ours = sorted(ours);
    // Of a new group that is master at once only ours tells.
    let again = ours.iter().position(|line| line == "any GROUP G1 MASTER 0");
    again.map(|place| ours.remove(place));
    assert_eq!(ours, sorted(theirs));
    Ok(())
}

/// A reader that notes when it begins, what it reads and when it is to end.
fn noting_reader(host: &Host) -> Result<(String, PathBuf)> {
    let notes = host.directory().join("notes");
    fs::write(&notes, "")?;
    let text = format!(
        "#!/bin/bash\ntrap 'echo \"$$ asked\" >> {0}; sleep 0.3; echo \"$$ gone\" >> {0}; exit' TERM\n\
         echo \"$$ begins $*\" >> {0}\nwhile read -r line; do echo \"$$ $line\" >> {0}; done < \"${{!#}}\"\n\
         sleep 100 & wait\n",
        notes.display()
    );
    let script = host.file("reader", &text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok((script.display().to_string(), notes))
}

#[test]
fn a_reload_replaces_the_reader_and_the_last_one_reads_to_the_end() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("fifo-reader")?.routers(1)?;
    let host = hosts.remove(0);
    let (script, notes) = noting_reader(&host)?;
    let fifo = host.directory().join("fifo").display().to_string();
    let global = format!(
        "vrrp_notify_fifo {fifo}\nvrrp_notify_fifo_script \"{script} 'own words'\"\nfifo_write_vrrp_states_on_reload"
    );
    let config = Instance::new("VI_1").interval("0.1").version_3(&global);
    let mut director = Keepwatchd::on(&host).config(config).flag("--vrrp").start()?;
    // The notes of each reader, with its number replaced by its place.
    let read = || -> Vec<String> {
        let text = fs::read_to_string(&notes).unwrap_or_default();
        let mut readers: Vec<&str> = Vec::new();
        let lines = text.lines().filter_map(|line| {
            let (pid, rest) = line.split_once(' ')?;
            let place = readers.iter().position(|known| *known == pid).unwrap_or_else(|| {
                readers.push(pid);
                readers.len() - 1
            });
            Some(format!("{} {rest}", place + 1))
        });
        lines.collect()
    };
    let until = |line: &str| {
        wait::until(&format!("the notes say {line:?}"), wait::LONG, || read().iter().any(|note| note == line))
            .with_context(|| format!("{:#?}\n{}", read(), director.process().log()))
    };
    until(r#"1 INSTANCE "VI_1" MASTER 100"#)?;
    director.process().signal(Signal::SIGHUP)?;
    until(r#"2 INSTANCE "VI_1" MASTER 100"#)?;
    director.process().signal(Signal::SIGHUP)?;
    until(r#"3 INSTANCE "VI_1" MASTER 100"#)?;
    director.process_mut().stop(wait::LONG)?;
    let begins = |place: u8| format!("{place} begins own words {fifo}");
    let line = |place: u8, state: &str| format!("{place} INSTANCE \"VI_1\" {state} 100");
    let ends = |place: u8| [format!("{place} asked"), format!("{place} gone")];
    let mut expected = vec![begins(1), line(1, "BACKUP"), line(1, "MASTER")];
    expected.extend(ends(1));
    expected.extend([begins(2), line(2, "MASTER")]);
    expected.extend(ends(2));
    expected.extend([begins(3), line(3, "MASTER"), line(3, "STOP")]);
    expected.extend(ends(3));
    assert_eq!(read(), expected);
    Ok(())
}

/// A FIFO of servers has its script as well, and one of both may have one.
#[test]
fn the_scripts_of_the_other_fifos_get_their_paths_and_are_replaced_at_a_reload() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("fifo-lvs")?.routers(1)?;
    let host = hosts.remove(0);
    let (script, notes) = noting_reader(&host)?;
    let at = |name: &str| host.directory().join(name).display().to_string();
    let global = format!(
        "lvs_notify_fifo {}\nlvs_notify_fifo_script \"{script} lvs\"\nnotify_fifo {}\nnotify_fifo_script \"{script} both\"",
        at("lvs"),
        at("both")
    );
    let server = conf::virtual_server("real_server 127.0.0.1 8081 {\n }\n");
    let config = Instance::new("VI_1").interval("0.1").version_3(&global) + &server;
    let mut director = Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()?;
    let text = || fs::read_to_string(&notes).unwrap_or_default();
    // Who reads, by the first of its words: its number.
    let readers = |word: &str| -> Vec<String> {
        let begins = format!(" begins {word} {}", at(word));
        text().lines().filter_map(|line| line.strip_suffix(&begins)).map(str::to_owned).collect()
    };
    let has = |reader: &str, line: &str| text().lines().any(|noted| noted == format!("{reader} {line}"));
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        wait::until(what, wait::LONG, holds)
            .with_context(|| format!("{}\n{}", text(), director.process().log()))
    };
    let (up, master) = ("VS [10.78.9.9]:tcp:80 UP", r#"INSTANCE "VI_1" MASTER 100"#);
    let first = |word: &str| readers(word).first().cloned().unwrap_or_default();
    until("each has the lines that are its own", &|| {
        has(&first("lvs"), up) && has(&first("both"), up) && has(&first("both"), master)
    })?;
    ensure!(!has(&first("lvs"), master), "{}", text());
    director.process().signal(Signal::SIGHUP)?;
    until("both are replaced", &|| {
        ["lvs", "both"].iter().all(|word| readers(word).len() == 2 && has(&first(word), "asked"))
    })?;
    director.process_mut().stop(wait::LONG)?;
    let last = readers("both").pop().unwrap_or_default();
    ensure!(has(&last, r#"INSTANCE "VI_1" STOP 100"#) && has(&last, "asked"), "{}", text());
    Ok(())
}

/// As 2.4.3 writes them, without its NUL bytes: only that one begins with `rs_init_notifies`, and what a reload takes
/// away.
#[test]
fn servers_are_told_as_keepalived_tells_them() -> Result<()> {
    const WEB: &str = "127.0.0.1:8081";
    let (_lan, mut hosts) = Lab::new("fifo-servers")?.routers(1)?;
    let host = hosts.remove(0);
    let at = host.directory().join("lvs");
    let fifo = Follower::of(at.clone());
    let config = |server: &str| {
        let global = format!("rs_init_notifies\nlvs_notify_fifo {}", at.display());
        conf::global_defs(3, &global) + server
    };
    let real = conf::real_server(WEB, "") + &conf::real_server("127.0.0.1:8082", "");
    let server = conf::virtual_server(&real);
    let web = WebServer::start(&host, WEB.parse()?, "one")?;
    let other = server.replacen("80", "90", 1).replacen("delay_loop", "alpha\n delay_loop", 1);
    let mut director = Keepwatchd::on(&host)
        .config(config(&(server.clone() + &other)))
        .flags(&["--check", "--dataplane", "memory"])
        .start()?;
    let (one, two) = ("[10.78.9.9]:tcp:80", "[10.78.9.9]:tcp:90");
    let rs = |port: u16, of: &str, state: &str| format!("RS [127.0.0.1]:tcp:{port} {of} {state}");
    let vs = |of: &str, state: &str| format!("VS {of} {state}");
    let mut seen = 0;
    let mut expect = |what: &str, mut lines: Vec<String>| {
        let mut found = Vec::new();
        lines.sort();
        wait::until(what, wait::LONG, || {
            found = fifo.since(seen);
            found.sort();
            found == lines
        })
        .with_context(|| format!("{what}: expected {lines:#?}, found {found:#?}"))?;
        seen += lines.len();
        anyhow::Ok(())
    };
    let start = [rs(8081, one, "UP"), rs(8082, one, "UP"), vs(one, "UP"), rs(8082, one, "DOWN")];
    let alpha = [rs(8081, two, "UP"), vs(two, "UP"), rs(8082, two, "DOWN")];
    expect("the start", start.into_iter().chain(alpha).collect())?;
    ensure!(fifo.all()[..3] == [rs(8081, one, "UP"), rs(8082, one, "UP"), vs(one, "UP")], "{:?}", fifo.all());
    drop(web);
    let lost = |of: &str| [rs(8081, of, "DOWN"), vs(of, "DOWN")];
    expect("the server dies", lost(one).into_iter().chain(lost(two)).collect())?;
    let _web = WebServer::start(&host, WEB.parse()?, "one")?;
    let gained = |of: &str| [rs(8081, of, "UP"), vs(of, "UP")];
    expect("the server is back", gained(one).into_iter().chain(gained(two)).collect())?;
    host.file("keepwatch.conf", &config(&server))?;
    director.process().signal(Signal::SIGHUP)?;
    expect("a reload without the second", lost(two).into())?;
    director.process_mut().stop(wait::LONG)?;
    ensure!(fifo.since(seen).is_empty(), "without omega nothing is told at the stop: {:?}", fifo.all());
    ensure!(fifo.all().iter().all(|line| !line.contains('\0')));
    Ok(())
}
