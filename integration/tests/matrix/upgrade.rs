//! Another version is installed over the running one, or in the place of keepalived, on the master of a pair: what its peer
//! and the network see of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, Process, binaries, capture, conf::VIP, keepalived::Keepalived,
    keepwatchd::Keepwatchd, metronome::Metronome, wait,
};
use nix::sys::signal::{Signal, kill};

use crate::play::{children, is_gone};
use crate::side_by_side::{self, Row};

/// After what a peer of priority 100 takes over that hears nothing: three intervals and its skew.
const MASTER_DOWN: Duration = Duration::from_millis(3610);

fn config(priority: u8) -> String {
    Instance::new("VI_1").priority(priority).version_2("")
}

/// One row.
type Step = fn() -> Result<()>;

struct Pair {
    wire: Capture,
    left: Host,
    right: Host,
    peer: Keepwatchd,
    machine: Metronome,
}

impl Pair {
    fn new() -> Result<Self> {
        let (lan, mut hosts) = Lab::new("upgrade")?.routers(2)?;
        let (left, right) = (hosts.remove(0), hosts.remove(0));
        let peer =
            Keepwatchd::on(&right).config(config(100)).flags(&["--vrrp", "--listen", "none"]).start()?;
        Ok(Self { wire: lan.capture()?, left, right, peer, machine: Metronome::start()? })
    }

    /// The programs of a version, as a package installs them; over those that are there, if any are.
    fn install(&self) -> Result<PathBuf> {
        let directory = self.left.directory().join("programs");
        fs::create_dir_all(&directory)?;
        for name in ["keepwatchd", "keepwatch-worker"] {
            let new = directory.join(format!("{name}.new"));
            // By another process: a program that this one has open for writing can't be run, nor while a child has that from
            // it that was forked for another row and has not executed its own program yet.
            let copied = Command::new("cp").arg(binaries::path(name)?).arg(&new).status()?;
            ensure!(copied.success(), "{}: {copied}", new.display());
            fs::rename(new, directory.join(name))?;
        }
        Ok(directory.join("keepwatchd"))
    }

    fn start(&self, program: &Path, flags: &[&str]) -> Result<Process> {
        let config = self.left.file("c.conf", &config(200))?;
        let at = |name: &str| self.left.directory().join(name);
        let daemon =
            self.left.process("keepwatchd", program).args(["-n", "-l", "-D", "-G", "-P", "--listen", "none"]);
        daemon
            .args(flags)
            .arg("-f")
            .arg(config)
            .arg("-p")
            .arg(at("pid"))
            .arg("--history-file")
            .arg(at("h"))
            .start()
    }

    fn is_master(&self) -> bool {
        self.left.has("eth0", VIP) && !self.right.has("eth0", VIP)
    }

    fn becomes_master(&self, daemon: &Process) -> Result<()> {
        wait::until("it is master, alone", wait::LONG, || self.is_master()).with_context(|| daemon.log())
    }

    /// How often the peer has become master.
    fn elections(&self) -> usize {
        self.peer.process().log().matches("(VI_1) Entering MASTER STATE").count()
    }

    /// From then on the network was never without a master for longer than a peer waits.
    fn no_gap(&self, since: Duration) -> Result<()> {
        let heard = |count| self.wire.adverts().iter().filter(|(at, _)| *at > since).count() > count;
        wait::until("there are adverts to tell by", wait::LONG, || heard(3))?;
        let times: Vec<_> = self.wire.adverts().into_iter().map(|(at, _)| at).collect();
        let later = times.windows(2).filter(|pair| pair[1] > since);
        let gap = later.map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
        let bound = MASTER_DOWN + self.machine.allowance();
        ensure!(gap < bound, "no advert for {gap:?} (bound {bound:?})");
        Ok(())
    }

    fn end(&mut self, mut daemon: Process) -> Result<()> {
        ensure!(daemon.stop(wait::LONG)?.success(), "{}", daemon.log());
        ensure!(!self.left.has("eth0", VIP), "the address is left: {}", daemon.log());
        ensure!(self.peer.process_mut().stop(wait::LONG)?.success());
        ensure!(!self.right.has("eth0", VIP), "the address is left at the peer");
        Ok(())
    }
}

/// The new one is there; the old one goes on, also with another worker.
fn installed_over() -> Result<()> {
    let mut pair = Pair::new()?;
    let program = pair.install()?;
    let daemon = pair.start(&program, &[])?;
    pair.becomes_master(&daemon)?;
    let (since, elections) = (capture::now(), pair.elections());
    pair.install()?;
    let worker = *children(daemon.pid()).first().context("there is no worker")?;
    kill(worker, Signal::SIGKILL)?;
    daemon.wait_for_log("Worker restarted: ", wait::LONG)?;
    pair.no_gap(since)?;
    ensure!(pair.elections() == elections, "{}", pair.peer.process().log());
    pair.end(daemon)
}

/// As a service manager restarts it: the peer has the address meanwhile.
fn restarted() -> Result<()> {
    let mut pair = Pair::new()?;
    let program = pair.install()?;
    let mut daemon = pair.start(&program, &[])?;
    pair.becomes_master(&daemon)?;
    let since = capture::now();
    pair.install()?;
    ensure!(daemon.stop(wait::LONG)?.success(), "{}", daemon.log());
    let daemon = pair.start(&program, &[])?;
    pair.becomes_master(&daemon)?;
    pair.no_gap(since)?;
    pair.end(daemon)
}

/// The old one leaves its addresses, the new one adopts them: the peer notices nothing.
fn adopts(leave: fn(&Pair, &mut Process) -> Result<()>, flags: &'static [&'static str]) -> Result<()> {
    let mut pair = Pair::new()?;
    let program = pair.install()?;
    let mut daemon = pair.start(&program, flags)?;
    pair.becomes_master(&daemon)?;
    let (since, elections) = (capture::now(), pair.elections());
    pair.install()?;
    leave(&pair, &mut daemon)?;
    ensure!(pair.left.has("eth0", VIP), "it took its address off: {}", daemon.log());
    let next = pair.start(&program, &[])?;
    next.wait_for_log("(VI_1) Entering MASTER STATE", wait::LONG)?;
    next.wait_for_log("adopting VIP", wait::LONG)?;
    pair.no_gap(since)?;
    ensure!(pair.elections() == elections, "{}", pair.peer.process().log());
    pair.end(next)
}

fn killed_whole(_: &Pair, daemon: &mut Process) -> Result<()> {
    let worker = *children(daemon.pid()).first().context("there is no worker")?;
    daemon.signal(Signal::SIGSTOP)?;
    kill(worker, Signal::SIGKILL)?;
    wait::until("the worker is dead", wait::SHORT, || is_gone(worker))?;
    daemon.kill();
    Ok(())
}

fn stopped(_: &Pair, daemon: &mut Process) -> Result<()> {
    ensure!(daemon.stop(wait::LONG)?.success(), "{}", daemon.log());
    Ok(())
}

/// Debian's keepalived is stopped, ours is started.
fn instead_of_keepalived() -> Result<()> {
    let mut pair = Pair::new()?;
    let mut old = Keepalived::start(&pair.left, &config(200), &["--no-syslog"])?;
    pair.becomes_master(old.process())?;
    let since = capture::now();
    ensure!(old.process_mut().stop(wait::LONG)?.success(), "{}", old.process().log());
    let program = pair.install()?;
    let daemon = pair.start(&program, &[])?;
    pair.becomes_master(&daemon)?;
    pair.no_gap(since)?;
    pair.end(daemon)
}

/// And back.
fn keepalived_again() -> Result<()> {
    let mut pair = Pair::new()?;
    let program = pair.install()?;
    let mut daemon = pair.start(&program, &[])?;
    pair.becomes_master(&daemon)?;
    let since = capture::now();
    ensure!(daemon.stop(wait::LONG)?.success(), "{}", daemon.log());
    let mut old = Keepalived::start(&pair.left, &config(200), &["--no-syslog"])?;
    pair.becomes_master(old.process())?;
    pair.no_gap(since)?;
    ensure!(old.process_mut().stop(wait::LONG)?.success(), "{}", old.process().log());
    ensure!(!pair.left.has("eth0", VIP), "{}", old.process().log());
    ensure!(pair.peer.process_mut().stop(wait::LONG)?.success());
    Ok(())
}

#[test]
fn an_upgrade_leaves_the_network_a_master() -> Result<()> {
    let rows: [(&str, Step); 6] = [
        ("installed over the running one", installed_over),
        ("restarted by the service manager", restarted),
        ("the old one killed whole", || adopts(killed_whole, &[])),
        ("the old one leaves its addresses (-V)", || adopts(stopped, &["-V"])),
        ("instead of keepalived", instead_of_keepalived),
        ("keepalived again", keepalived_again),
    ];
    let row = |(name, row): (&str, Step)| -> Row { (format!("upgrade: {name}"), Box::new(row)) };
    side_by_side::run(&rows.into_iter().map(row).collect::<Vec<_>>())
}
