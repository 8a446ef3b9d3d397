//! What an operator may do to the daemon's processes, one after the other, and what is left afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, conf::VIP, keepwatchd::Keepwatchd, metronome::Metronome, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scene::{Scene, quick};

/// How often the worker of the master is killed.
const KILLS: u64 = 8;

#[test]
fn however_often_the_master_s_worker_is_killed_there_is_one_master() -> Result<()> {
    let lab = Lab::new("kills")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (left, right) = (&hosts[0], &hosts[1]);
    let start = |host: &Host, priority| {
        let config = Instance::new("VI_1").priority(priority).version_2("");
        Keepwatchd::on(host).config(config).flag("--vrrp").start()
    };
    let mut backup = start(right, 100)?;
    let mut master = start(left, 200)?;
    wait::until("one is master", wait::LONG, || left.has("eth0", VIP) && !right.has("eth0", VIP))
        .with_context(|| master.process().log())?;
    let machine = Metronome::start()?;
    let worker = || -> Option<Pid> {
        let text = std::fs::read_to_string(left.directory().join("keepwatchd-vrrp.pid")).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    };
    let (mut both, mut longest) = (None::<Instant>, Duration::ZERO);
    let mut look = || {
        let on_both = left.has("eth0", VIP) && right.has("eth0", VIP);
        both = on_both.then(|| both.unwrap_or_else(Instant::now));
        longest = longest.max(both.map_or(Duration::ZERO, |since| since.elapsed()));
    };
    for round in 0..KILLS {
        // At other moments of its life each time: while it starts, while it takes over, while it is master.
        let until = Instant::now() + Duration::from_millis(round * 137 % 400);
        while Instant::now() < until {
            look();
        }
        if let Some(pid) = worker() {
            // One that is dead already is another moment, too.
            let _ = kill(pid, Signal::SIGKILL);
        }
        look();
        // They die faster than they may: the supervisor waits ever longer, and takes the addresses off meanwhile.
        if round % 3 == 2 {
            wait::until("somebody is master again", wait::LONG, || {
                look();
                left.has("eth0", VIP) || right.has("eth0", VIP)
            })?;
        }
    }
    wait::until("the first is master again", wait::LONG, || {
        look();
        left.has("eth0", VIP) && !right.has("eth0", VIP)
    })
    .with_context(|| master.process().log())?;
    // An interval, and what the machine is late by itself.
    let bound = Duration::from_secs(1) + machine.worst();
    ensure!(longest < bound, "on both hosts for {longest:?} (bound {bound:?}): {}", master.process().log());
    ensure!(master.process_mut().stop(wait::LONG)?.success(), "{}", master.process().log());
    ensure!(!left.has("eth0", VIP), "an address is left: {}", master.process().log());
    ensure!(backup.process_mut().stop(wait::LONG)?.success());
    ensure!(!right.has("eth0", VIP), "an address is left: {}", backup.process().log());
    Ok(())
}

#[test]
fn a_supervisor_that_was_stopped_for_a_while_blames_nobody() -> Result<()> {
    let scene = Scene::new("stopped-supervisor")?;
    let mut daemon = scene.master(&quick().version_3(""), &[])?;
    let worker = scene.worker()?;
    daemon.process().signal(Signal::SIGSTOP)?;
    // Longer than any worker may be silent.
    wait::throughout("the master stays", Duration::from_secs(7), || scene.host.has("eth0", VIP))?;
    daemon.process().signal(Signal::SIGCONT)?;
    wait::throughout("nobody is killed", Duration::from_secs(2), || {
        scene.worker().is_ok_and(|now| now == worker)
    })?;
    ensure!(!daemon.process().log().contains("hangs"), "{}", daemon.process().log());
    ensure!(daemon.process_mut().stop(wait::LONG)?.success());
    ensure!(!scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn what_was_killed_whole_is_taken_over_by_the_next() -> Result<()> {
    let scene = Scene::new("killed-whole")?;
    let config = quick().version_3("");
    let daemon = scene.master(&config, &[])?;
    let worker = scene.worker()?;
    // The worker first: its supervisor would see it, and the other way round it would stop cleanly.
    daemon.process().signal(Signal::SIGSTOP)?;
    kill(worker, Signal::SIGKILL)?;
    daemon.process().signal(Signal::SIGKILL)?;
    ensure!(scene.host.has("eth0", VIP), "nobody could take it off");
    drop(daemon);
    let mut next = scene.master(&config, &[])?;
    next.wait_for_log("adopting VIP 10.78.9.9")?;
    ensure!(next.process_mut().stop(wait::LONG)?.success());
    ensure!(!scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn where_its_files_can_t_be_made_it_says_so_and_does_not_run() -> Result<()> {
    let scene = Scene::new("no-place")?;
    // A file stands where the directory would have to be.
    let blocked = scene.host.directory().join("blocked");
    std::fs::write(&blocked, "")?;
    let pid = blocked.join("d.pid");
    let config = crate::scene::file(scene.host.directory(), "c.conf", &quick().version_3(""))?;
    let refused = scene.host.output(
        integration::binaries::path("keepwatchd")?,
        &["-n", "-G", "-P", "-f", &config, "-p", &pid.to_string_lossy()],
    )?;
    let said = crate::scene::text(&refused.stderr);
    ensure!(refused.status.code() == Some(1), "{}: {said}", refused.status);
    ensure!(said.contains(&format!("the pid file {} can't be used: ", pid.display())), "{said}");
    ensure!(!scene.host.has("eth0", VIP));
    Ok(())
}
