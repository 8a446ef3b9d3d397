//! What was measured of keepalived and belongs to no other story: an owner, a file that is a fault, an interface that is not
//! tracked, a script behind a symbolic link, a script that hangs at the stop, the death of the process. Both daemons go
//! through it, each on a host of its own.

use integration::Bridge;
use nix::{sys::signal::kill, unistd::Pid};

use super::*;

struct Rows {
    host: Host,
    /// What the interfaces are plugged into.
    _lans: [Bridge; 2],
    daemon: Daemon,
    fifo: Follower,
    seen: usize,
}

/// Of these it is not the same at what moment their lines come, or they are ours alone.
const APART: [&str; 3] = ["\"LINK\"", "\"SRC\"", "\"SRC2\""];

fn is_apart(line: &str) -> bool {
    APART.iter().any(|name| line.contains(name))
}

impl Rows {
    fn new(ours: bool) -> Result<Self> {
        let lab = Lab::new(if ours { "rows-ours" } else { "rows-theirs" })?;
        let lans = [lab.bridge("lan")?, lab.bridge("other")?];
        let host = lans[0].router(1)?;
        host.plug("eth1", &lans[1])?.address("eth1", "10.79.0.1/16")?;
        let at = |name: &str| host.directory().join(name);
        fs::write(at("diary"), "")?;
        fs::write(at("number"), "0")?;
        fs::create_dir(at("real"))?;
        std::os::unix::fs::symlink("real", at("linked"))?;
        let diary = at("diary").display().to_string();
        for (name, text) in [
            ("note", format!("echo \"$*\" >> {diary}")),
            ("slow", format!("echo \"slow $*\" >> {diary}\nsleep 20")),
            ("real/no", "exit 1".into()),
        ] {
            let script = host.file(name, &format!("#!/bin/sh\n{text}\n"))?;
            fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
        }
        let config = Self::config(&host, ours);
        let fifo = Follower::of(at("fifo"));
        let daemon = if ours {
            Daemon::Ours(Keepwatchd::on(&host).config(config).flag("--vrrp").start()?)
        } else {
            Daemon::Theirs(Keepalived::start(&host, &config, &[])?)
        };
        Ok(Self { host, _lans: lans, daemon, fifo, seen: 0 })
    }

    fn config(host: &Host, ours: bool) -> String {
        let at = |name: &str| host.directory().join(name).display().to_string();
        let instance = |name: &str, vrid: u8| {
            Instance::new(name).interval("0.3").vrid(vrid).vip(&format!("10.78.9.{vrid}/32"))
        };
        let global =
            format!("script_user root\nvrrp_notify_fifo {}\nvrrp_notify_priority_changes", at("fifo"));
        let mut text = conf::global_defs(3, &global);
        text += &format!("track_file number {{\n file {}\n weight 1\n}}\n", at("number"));
        text += &format!("vrrp_script no {{\n script {}\n interval 1\n weight -30\n}}\n", at("linked/no"));
        let note = at("note");
        let mut all = vec![
            instance("OWN", 61).priority(255),
            instance("FILE", 62)
                .line("track_file {\n number\n }")
                .line(&format!("notify \"{note} any\""))
                .line(&format!("notify_fault \"{note} fault\"")),
            instance("PRIM", 63).interface("eth1").line("dont_track_primary"),
            instance("SLOW", 64)
                .line(&format!("notify {}", at("slow")))
                .line(&format!("notify_stop \"{note} the stop of SLOW\"")),
            instance("LINK", 65).line("track_script {\n no\n }").line(&format!("notify \"{note} link\"")),
        ];
        if ours {
            // keepalived sends from an address that is not there.
            let source = |name, vrid| instance(name, vrid).line("mcast_src_ip 10.78.0.77");
            all.extend([source("SRC", 66).line("track_src_ip"), source("SRC2", 67)]);
        }
        // Without a state an owner begins as master.
        text + &all
            .iter()
            .map(|one| one.to_string().replacen("    state BACKUP\n", "", 1))
            .collect::<String>()
    }

    /// Waits for these lines and takes them; those of [`APART`] are not looked at.
    fn expect(&mut self, what: &str, order: Order, lines: &[&str]) -> Result<()> {
        let (mut found, mut wanted) = (Vec::new(), lines.to_vec());
        if order == Order::Open {
            wanted.sort_unstable();
        }
        wait::until(what, wait::LONG, || {
            found = self.fifo.since(self.seen);
            found.retain(|line| !is_apart(line));
            if order == Order::Open {
                found.sort();
            }
            found == wanted
        })
        .with_context(|| {
            format!("{what}: expected {lines:#?}, found {found:#?}\n{}", self.daemon.process().log())
        })?;
        self.seen = self.fifo.all().len();
        Ok(())
    }

    /// Waits until the last line of an instance says one of these.
    fn last(&self, instance: &str, words: &[&str]) -> Result<()> {
        let of = format!("INSTANCE \"{instance}\" ");
        wait::until(&format!("the last line of {instance} says {words:?}"), wait::LONG, || {
            let all = self.fifo.all();
            let last = all.iter().rev().find_map(|line| line.strip_prefix(&of));
            last.is_some_and(|last| words.contains(&last))
        })
        .with_context(|| format!("{:#?}\n{}", self.fifo.all(), self.daemon.process().log()))
    }

    fn diary(&self) -> Vec<String> {
        let text = fs::read_to_string(self.host.directory().join("diary")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn write_number(&self, number: &str) -> Result<()> {
        let new = self.host.file("number.new", number)?;
        fs::rename(new, self.host.directory().join("number")).context("replace the number")
    }
}

/// Whatever the daemon: an owner begins as master, and says nothing before.
const START: &[&str] = &[
    r#"INSTANCE "OWN" MASTER 255"#,
    r#"INSTANCE "FILE" BACKUP 100"#,
    r#"INSTANCE "PRIM" BACKUP 100"#,
    r#"INSTANCE "SLOW" BACKUP 100"#,
    r#"INSTANCE "FILE" MASTER 100"#,
    r#"INSTANCE "PRIM" MASTER 100"#,
    r#"INSTANCE "SLOW" MASTER 100"#,
];

fn go_through_the_rows(ours: bool) -> Result<Vec<String>> {
    let mut rows = Rows::new(ours)?;
    rows.expect("the start", Order::Open, START)?;
    // It was run, though the way to it leads over a link; and no script tells of a priority.
    rows.last("LINK", &["MASTER 70", "MASTER_PRIORITY 70"])?;

    rows.write_number("-254")?;
    rows.expect("a number that is a fault", Order::Given, &[r#"INSTANCE "FILE" FAULT 100"#])?;
    rows.write_number("0")?;
    let over = [r#"INSTANCE "FILE" BACKUP 100"#, r#"INSTANCE "FILE" MASTER 100"#];
    rows.expect("it is over", Order::Given, &over)?;

    rows.host.down("eth1")?;
    sleep(Duration::from_millis(400));
    rows.host.up("eth1")?;
    if ours {
        source_addresses(&rows)?;
    } else {
        sleep(Duration::from_millis(400));
    }
    rows.expect("an interface that is not tracked goes and comes", Order::Given, &[])?;

    let pid_file = if ours { "keepwatchd-vrrp.pid" } else { "keepalived-vrrp.pid" };
    let pid: i32 = fs::read_to_string(rows.host.directory().join(pid_file))?.trim().parse()?;
    let ends = rows.fifo.ends.load(Ordering::Relaxed);
    rows.seen = rows.fifo.all().len();
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    rows.expect("another process begins anew", Order::Open, START)?;
    // 2.4.3 makes it anew too; with 2.2.7 it goes on.
    ensure!(!ours || rows.fifo.ends.load(Ordering::Relaxed) > ends, "its reader has seen the end");

    let slow = |state: &str| format!("slow INSTANCE SLOW {state} 100");
    wait::until("a script hangs", wait::LONG, || {
        rows.diary().iter().filter(|line| **line == slow("BACKUP")).count() == 2
    })?;
    rows.daemon.process_mut().stop(wait::LONG)?;
    let stop = ["OWN", "FILE", "PRIM", "SLOW"]
        .map(|name| format!("INSTANCE \"{name}\" STOP {}", if name == "OWN" { 255 } else { 100 }));
    rows.expect("the stop", Order::Given, &stop.each_ref().map(String::as_str))?;
    wait::until("what is for the stop is run, whatever hangs", wait::SHORT, || {
        let has = |line: &str| rows.diary().iter().any(|written| written == line);
        has("the stop of SLOW") && has("any INSTANCE FILE STOP 100")
    })
    .with_context(|| format!("{:#?}\n{}", rows.diary(), rows.daemon.process().log()))?;
    let mut diary = rows.diary();
    diary.retain(|line| !line.starts_with("slow ") && !line.starts_with("link "));
    Ok(diary)
}

/// The source address is needed: anywhere on the host, and with `track_src_ip` on the own interface.
fn source_addresses(rows: &Rows) -> Result<()> {
    rows.last("SRC", &["FAULT 100"])?;
    rows.last("SRC2", &["FAULT 100"])?;
    rows.host.address("eth1", "10.78.0.77/32")?;
    rows.last("SRC2", &["MASTER 100"])?;
    rows.last("SRC", &["FAULT 100"])?;
    ensure!(rows.host.remove_address("10.78.0.77")?);
    rows.last("SRC2", &["FAULT 100"])?;
    rows.host.address("eth0", "10.78.0.77/16")?;
    rows.last("SRC", &["MASTER 100"])?;
    rows.last("SRC2", &["MASTER 100"])
}

#[test]
fn owners_files_interfaces_links_hung_scripts_and_a_process_that_dies_give_the_same_lines() -> Result<()> {
    let theirs = thread::spawn(|| go_through_the_rows(false));
    let ours = go_through_the_rows(true).context("keepwatchd")?;
    let theirs = theirs.join().map_err(|_| anyhow::anyhow!("the thread of keepalived ended badly"))?;
    let theirs = theirs.context("keepalived")?;
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(ours), sorted(theirs));
    Ok(())
}
