//! A worker that dies or hangs, and a supervisor that does.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use integration::{Host, Instance, Lab, conf::VIP, http, keepwatchd::Keepwatchd, pair::OURS, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scene::{Scene, quick};

#[test]
fn a_killed_worker_is_replaced_and_its_addresses_stay() -> Result<()> {
    let scene = Scene::new("kill-worker")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let first = scene.worker()?;
    kill(first, Signal::SIGKILL)?;
    let mut always = true;
    wait::until("another worker runs", wait::LONG, || {
        always &= scene.host.has("eth0", VIP);
        scene.pid_in("keepwatchd-vrrp.pid").is_some_and(|pid| pid != first)
            && daemon.process().log().contains("adopting VIP 10.78.9.9")
    })
    .with_context(|| daemon.process().log())?;
    assert!(always, "the VIP was away");
    daemon.wait_for_log("Worker restarted: was killed by SIGKILL")?;
    assert!(daemon.answer(&["events"])?.contains("Worker restarted: was killed by SIGKILL"));
    Ok(())
}

#[test]
fn a_stop_between_two_workers_takes_the_addresses_off_too() -> Result<()> {
    let scene = Scene::new("stop-between")?;
    let mut daemon = scene.master(&quick().version_3(""), &[])?;
    // The third worker in a row is waited for longest.
    for round in 1..=4 {
        kill(scene.worker()?, Signal::SIGKILL)?;
        wait::until("that was seen", wait::LONG, || {
            daemon.process().log().matches("The worker was killed by SIGKILL: starting another").count()
                == round
        })?;
        if round < 4 {
            wait::until("the next one runs", wait::LONG, || {
                daemon.process().log().matches("Worker restarted").count() == round
            })?;
        }
    }
    assert!(scene.host.has("eth0", VIP));
    assert!(daemon.process_mut().stop(wait::LONG)?.success(), "{}", daemon.process().log());
    assert!(!scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn a_killed_worker_costs_no_election() -> Result<()> {
    let lab = Lab::new("kill-quietly")?;
    let (_lan, hosts) = lab.routers(2)?;
    let start = |host: &Host, priority| {
        let config = Instance::new("VI_1").priority(priority).version_2("");
        Keepwatchd::on(host).config(config).flag("--vrrp").start()
    };
    let (left, right) = (&hosts[0], &hosts[1]);
    let backup = start(right, 100)?;
    let master = start(left, 200)?;
    master.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let elections = || backup.process().log().matches("(VI_1) Entering MASTER STATE").count();
    wait::until("the other is backup", wait::LONG, || left.has("eth0", VIP) && !right.has("eth0", VIP))?;
    let before = elections();
    let worker: i32 = fs::read_to_string(left.directory().join("keepwatchd-vrrp.pid"))?.trim().parse()?;
    kill(Pid::from_raw(worker), Signal::SIGKILL)?;
    wait::throughout("the VIP stays", Duration::from_secs(6), || left.has("eth0", VIP))?;
    master.wait_for_log("Worker restarted")?;
    assert_eq!(elections(), before, "{}", backup.process().log());
    assert_eq!(master.process().log().matches("(VI_1) Entering MASTER STATE").count(), 2);
    Ok(())
}

#[test]
fn a_worker_that_hangs_is_replaced() -> Result<()> {
    let scene = Scene::new("hung-worker")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let first = scene.worker()?;
    kill(first, Signal::SIGSTOP)?;
    daemon.wait_for_log("The worker hangs")?;
    daemon.wait_for_log("adopting VIP 10.78.9.9")?;
    assert_ne!(scene.worker()?, first);
    assert!(scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn without_respawn_a_dead_worker_ends_the_daemon() -> Result<()> {
    let scene = Scene::new("no-respawn")?;
    let mut daemon = scene.master(&quick().version_3(""), &["--dont-respawn"])?;
    kill(scene.worker()?, Signal::SIGKILL)?;
    assert!(!daemon.process_mut().wait(wait::SHORT)?.success());
    assert!(scene.pid_in("keepwatchd.pid").is_none());
    Ok(())
}

#[test]
fn a_worker_does_not_outlive_its_supervisor() -> Result<()> {
    let scene = Scene::new("orphan")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let worker = scene.worker()?;
    daemon.process().signal(Signal::SIGKILL)?;
    wait::until("the worker has stopped, and taken its address off", wait::LONG, || {
        kill(worker, None).is_err() || !scene.host.has("eth0", VIP)
    })?;
    let last = wait::value("it has resigned", wait::SHORT, || {
        scene.wire.adverts_from(OURS).pop().filter(|(_, advert)| advert.priority == 0)
    });
    assert!(last.is_ok());
    Ok(())
}

#[test]
fn a_listener_that_was_handed_in_outlives_a_worker() -> Result<()> {
    let scene = Scene::new("activation")?;
    let at = "127.0.0.1:9999".parse()?;
    let daemon = Keepwatchd::on(&scene.host)
        .config(quick().version_3(""))
        .flag("-P")
        .listen_fd(scene.host.listen(at)?)
        .start()?;
    let served = || {
        http::get(&scene.host, at, "/metrics", wait::SHORT)
            .is_ok_and(|page| page.body.contains("keepalived_up"))
    };
    wait::until("it serves on the listener", wait::LONG, served)?;
    assert!(http::get(&scene.host, Keepwatchd::METRICS.parse()?, "/metrics", wait::SHORT).is_err());
    kill(scene.worker()?, Signal::SIGKILL)?;
    daemon.wait_for_log("Worker restarted")?;
    wait::until("it serves on it again", wait::LONG, served)
}
