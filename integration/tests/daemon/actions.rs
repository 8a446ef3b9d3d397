//! What an operator may do to the daemon's processes, one after the other, and what is left afterwards.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{conf::VIP, keepwatchd::Keepwatchd, wait};
use nix::sys::signal::{Signal, kill};

use crate::scene::{Scene, quick};

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

/// What a worker has changed and made on the host: the pattern of cores, a setting of its network, a FIFO. Whether all is as
/// it was before.
fn is_put_back(scene: &Scene, pattern: &Path, fifo: &Path) -> bool {
    let igmp = scene.host.run("cat", &["/proc/sys/net/ipv4/igmp_link_local_mcast_reports"]);
    fs::read_to_string(pattern).is_ok_and(|is| is.trim() == "|/bin/handler %p")
        && igmp.is_ok_and(|is| is.trim() == "1")
        && !fifo.exists()
}

#[test]
fn what_a_killed_worker_has_changed_on_the_host_is_taken_back() -> Result<()> {
    // By the next one; by the supervisor, which may start none; and by the supervisor, which must kill one.
    for (respawns, kills) in [(true, 1), (true, 3), (false, 1)] {
        let scene = Scene::new("taken-back")?;
        let at = |name: &str| scene.host.directory().join(name);
        let (pattern, fifo) = (at("core_pattern"), at("fifo"));
        fs::write(&pattern, "|/bin/handler %p\n")?;
        let global = format!("disable_local_igmp\nvrrp_notify_fifo {}", fifo.display());
        let mut daemon = Keepwatchd::on(&scene.host)
            .config(quick().version_3(&global))
            .flags(&["--vrrp", "--core-dump-pattern=core.%p"])
            .flags(if respawns { &[] } else { &["--dont-respawn"] })
            .shows(&pattern, "/proc/sys/kernel/core_pattern")
            .start()?;
        for kills in 1..=kills {
            let masters = || daemon.process().log().matches("(VI_1) Entering MASTER STATE").count();
            wait::until("it is master", wait::LONG, || masters() == kills && fifo.exists())
                .with_context(|| daemon.process().log())?;
            ensure!(fs::read_to_string(&pattern)?.trim() == "core.%p");
            ensure!(!is_put_back(&scene, &pattern, &fifo));
            kill(scene.worker()?, Signal::SIGKILL)?;
        }
        if respawns {
            let masters = || daemon.process().log().matches("(VI_1) Entering MASTER STATE").count();
            wait::until("the next one is master", wait::LONG, || masters() > kills)?;
            ensure!(daemon.process_mut().stop(wait::LONG)?.success(), "{}", daemon.process().log());
        } else {
            ensure!(!daemon.process_mut().wait(wait::LONG)?.success());
        }
        ensure!(is_put_back(&scene, &pattern, &fifo), "{}", daemon.process().log());
    }
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
