//! A worker that dies or hangs, and a supervisor that does.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use integration::{
    Host, Instance, Lab, capture, conf::VIP, http, keepwatchd::Keepwatchd, metronome::Metronome, pair::OURS,
    wait,
};
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
    // A peer would wait for 9 s: so long the addresses may stay without a worker.
    let patient = Instance::new("VI_1").interval("3");
    let mut daemon = scene.master(&patient.version_3(""), &[])?;
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
fn a_worker_that_hangs_is_found_before_a_peer_takes_over() -> Result<()> {
    let scene = Scene::new("hung-in-time")?;
    let daemon = scene.master(&Instance::new("VI_1").version_2(""), &[])?;
    kill(scene.worker()?, Signal::SIGSTOP)?;
    let began = std::time::Instant::now();
    daemon.wait_for_log("The worker hangs")?;
    let took = began.elapsed();
    // A peer of priority 200 waits for 3.2 s.
    let bound = Duration::from_millis(3200) + scene.machine.allowance();
    assert!(took < bound, "found after {took:?}");
    daemon.wait_for_log("Worker restarted: hung (")
}

/// Peers wait for 0.3 s; less than a second and a half is proof that it was looked for as often as that wants.
#[test]
fn the_shorter_the_intervals_the_sooner_a_worker_that_hangs_is_found() -> Result<()> {
    let scene = Scene::new("hung-short")?;
    let patient = Instance::new("VI_1").version_3("");
    let daemon = scene.master(&patient, &[])?;
    let reload = |config: &str| {
        fs::write(daemon.config_path(), config)?;
        daemon.answer(&["reload"])
    };
    reload(&quick().version_3(""))?;
    let hangs = |daemon: &Keepwatchd| daemon.process().log().matches("The worker hangs").count();
    // Nothing to do but to wait, be it as master or because of a fault.
    wait::throughout("it is left alone", Duration::from_secs(2), || hangs(&daemon) == 0)?;
    kill(scene.worker()?, Signal::SIGSTOP)?;
    let (since, began) = (capture::now(), std::time::Instant::now());
    daemon.wait_for_log("The worker hangs")?;
    let took = began.elapsed();
    assert!(
        took < Duration::from_millis(1000) + scene.machine.allowance_since(since),
        "found after {took:?}"
    );
    daemon.wait_for_log("Worker restarted: hung (")?;
    scene.host.down("eth0")?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    wait::throughout("it is left alone in FAULT", Duration::from_secs(2), || hangs(&daemon) == 1)?;
    reload(&patient)?;
    wait::throughout("it is left alone after a reload", Duration::from_secs(2), || hangs(&daemon) == 1)
}

#[test]
fn while_no_worker_comes_to_life_the_addresses_are_on_one_host_only() -> Result<()> {
    let lab = Lab::new("no-worker")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (left, right) = (&hosts[0], &hosts[1]);
    let start = |host: &Host, priority| {
        let more =
            "virtual_ipaddress_excluded {\n        fd78::99/64\n        10.78.9.20 peer 10.78.9.21\n    }";
        let config = Instance::new("VI_1").priority(priority).line(more).version_2("");
        Keepwatchd::on(host).config(config).flag("--vrrp").start()
    };
    let all = [VIP, "fd78::99", "10.78.9.20"];
    let has = |host: &Host| all.map(|address| host.has("eth0", address));
    let _backup = start(right, 100)?;
    let mut master = start(left, 200)?;
    wait::until("one is master, with every address", wait::LONG, || {
        has(left) == [true; 3] && has(right) == [false; 3]
    })
    .with_context(|| master.process().log())?;

    let machine = Metronome::start()?;
    // Each worker dies as soon as it is there, so that the supervisor waits longer each time.
    let file = left.directory().join("keepwatchd-vrrp.pid");
    let worker = || Some(Pid::from_raw(fs::read_to_string(&file).ok()?.trim().parse().ok()?));
    let (mut last, mut both) = (None, None);
    let mut longest = Duration::ZERO;
    wait::until("the other host has the addresses", wait::LONG, || {
        let now = worker();
        if now != last && now.is_some_and(|pid| kill(pid, Signal::SIGKILL).is_ok()) {
            last = now;
        }
        let on_both = left.has("eth0", VIP) && right.has("eth0", VIP);
        both = on_both.then(|| *both.get_or_insert_with(std::time::Instant::now));
        longest = longest.max(both.map_or(Duration::ZERO, |since| since.elapsed()));
        has(right) == [true; 3] && has(left) == [false; 3] || longest > Duration::from_secs(8)
    })
    .with_context(|| master.process().log())?;
    let log = master.process().log();
    // What the machine is late by, with every process, is not the supervisor's.
    let bound = Duration::from_millis(500) + machine.allowance();
    assert!(longest < bound, "the VIP was on both hosts for {longest:?} (bound {bound:?}): {log}");
    assert!(
        log.contains("Took 3 virtual addresses off: no worker for as long as a peer waits (2000 ms)"),
        "{log}"
    );

    // The next one that lives says so, and takes its part again.
    master.wait_for_log("; its 3 addresses were taken off meanwhile")?;
    wait::until("the first has its addresses back", wait::LONG, || {
        has(left) == [true; 3] && has(right) == [false; 3]
    })?;
    assert!(master.process_mut().stop(wait::SHORT)?.success());
    Ok(())
}

#[test]
fn addresses_come_off_though_their_interface_was_renamed_while_there_was_no_worker() -> Result<()> {
    let scene = Scene::new("renamed-alone")?;
    let daemon = scene.master(&quick().version_3(""), &["--dont-respawn"])?;
    let worker = scene.worker()?;
    kill(worker, Signal::SIGSTOP)?;
    if scene.host.run("ip", &["link", "set", "eth0", "name", "lan0"]).is_err() {
        // Before Linux 6.2 only an interface that is down can be renamed.
        let renames = "ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up";
        scene.host.run("sh", &["-c", renames])?;
    }
    kill(worker, Signal::SIGKILL)?;
    wait::until("its address is off", wait::LONG, || !scene.host.has("lan0", VIP))
        .with_context(|| daemon.process().log())?;
    daemon.wait_for_log("Took 1 virtual addresses off: the daemon ends without a worker")?;
    assert!(scene.host.has("lan0", "10.78.0.1"), "the host's own stays");
    Ok(())
}

#[test]
fn a_daemon_that_ends_with_its_worker_leaves_no_address() -> Result<()> {
    let scene = Scene::new("no-respawn-vip")?;
    let mut daemon = scene.master(&quick().version_3(""), &["--dont-respawn"])?;
    kill(scene.worker()?, Signal::SIGKILL)?;
    assert!(!daemon.process_mut().wait(wait::SHORT)?.success());
    assert!(!scene.host.has("eth0", VIP), "{}", daemon.process().log());
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
