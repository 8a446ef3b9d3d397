//! What these tests have in common: one host on a LAN, a daemon on it, and the programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, binaries,
    conf::{self, VIP},
    keepwatchd::Keepwatchd,
    metronome::Metronome,
    pair::OURS,
    wait,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One host on a LAN that is recorded.
pub(crate) struct Scene {
    pub(crate) wire: Capture,
    pub(crate) host: Host,
    pub(crate) machine: Metronome,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let (lan, mut hosts) = Lab::new(name)?.routers(1)?;
        Ok(Self { wire: lan.capture()?, host: hosts.remove(0), machine: Metronome::start()? })
    }

    /// A daemon on this configuration that is master of the VIP.
    pub(crate) fn master(&self, config: &str, flags: &[&str]) -> Result<Keepwatchd> {
        let daemon = Keepwatchd::on(&self.host).config(config).flag("--vrrp").flags(flags).start()?;
        wait::until("the VIP is up", wait::LONG, || self.host.has("eth0", VIP))
            .with_context(|| daemon.process().log())?;
        daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
        wait::until("it answers questions", wait::LONG, || {
            // 3 is an answer too: something is wrong.
            daemon.ask(&["status"]).is_ok_and(|output| matches!(output.status.code(), Some(0 | 3)))
        })?;
        Ok(daemon)
    }

    pub(crate) fn pid_in(&self, file: &str) -> Option<Pid> {
        let text = fs::read_to_string(self.host.directory().join(file)).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    pub(crate) fn worker(&self) -> Result<Pid> {
        wait::value("the worker's pid is known", wait::SHORT, || self.pid_in("keepwatchd-vrrp.pid"))
    }
}

/// A second of patience for a master: nobody else is there.
pub(crate) fn quick() -> Instance {
    Instance::new("VI_1").interval("0.1")
}

/// Half a second between adverts, so that one that is missing is told from one that a busy machine delayed.
pub(crate) fn calm() -> Instance {
    Instance::new("VI_1").interval("0.5")
}

pub(crate) fn keepwatchd(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path("keepwatchd")?).args(arguments).output()?)
}

pub(crate) fn keepwatch(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path("keepwatch")?).args(arguments).output()?)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn file(directory: &Path, name: &str, text: &str) -> Result<String> {
    let path = directory.join(name);
    fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

/// No two adverts of virtual router 51 since then were further apart than one that got lost would make them.
pub(crate) fn no_gap(scene: &Scene, since: Duration) -> Result<()> {
    let times = || -> Vec<Duration> {
        let ours = scene.wire.adverts_since(OURS, since).into_iter();
        ours.filter(|(_, advert)| advert.vrid == 51).map(|(at, _)| at).collect()
    };
    wait::until("there are enough adverts to tell", wait::SHORT, || times().len() > 4)?;
    let gap = times().windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
    // Two intervals and a bit less; what the machine is late by itself, with every thread, is not the daemon's.
    let bound = Duration::from_millis(950) + scene.machine.allowance();
    ensure!(gap < bound, "an advert is missing: {gap:?} (bound {bound:?})");
    Ok(())
}

pub(crate) struct KillOnDrop(pub(crate) Pid);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGTERM);
    }
}

/// A virtual server with one real server on the host itself.
pub(crate) fn a_web_server() -> String {
    conf::virtual_server(&conf::real_server("127.0.0.1:8080", ""))
}
