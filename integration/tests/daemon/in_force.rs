//! A worker that dies while its file is another than the one in force.

use std::fs;

use anyhow::{Context, Result};
use integration::{Instance, conf::VIP, keepwatchd::Keepwatchd, wait};
use nix::sys::signal::{Signal, kill};

use crate::scene::{Scene, quick};

/// Kills the worker, and waits until another has taken the VIP over, which is there all the time.
fn replaced(scene: &Scene, daemon: &Keepwatchd) -> Result<()> {
    let first = scene.worker()?;
    let adopted = || daemon.process().log().matches("adopting VIP 10.78.9.9").count();
    let (before, mut always) = (adopted(), true);
    kill(first, Signal::SIGKILL)?;
    wait::until("another worker looks after the VIP", wait::LONG, || {
        always &= scene.host.has("eth0", VIP);
        scene.pid_in("keepwatchd-vrrp.pid").is_some_and(|pid| pid != first) && adopted() > before
    })
    .with_context(|| daemon.process().log())?;
    assert!(always, "the VIP was away");
    Ok(())
}

#[test]
fn another_worker_goes_on_with_what_was_in_force_whatever_has_become_of_the_file() -> Result<()> {
    let scene = Scene::new("in-force")?;
    // So long the addresses may stay without a worker, and the third in a row is waited for longest.
    let patient = |name: &str| Instance::new(name).interval("3");
    let text = patient("VI_1").version_3("");
    let mut daemon = scene.master(&text, &[])?;
    let file = daemon.config_path().to_owned();
    let other = patient("OTHER").vrid(77).vip("10.78.9.77").version_3("");
    for (on_disk, told) in [
        (Some(other.as_str()), true),
        (Some("vrrp_instance {{{\n"), true),
        (Some(""), true),
        (None, true),
        (Some(text.as_str()), false),
    ] {
        match on_disk {
            Some(text) => fs::write(&file, text)?,
            None => fs::remove_file(&file)?,
        }
        let warned = || daemon.process().log().matches("when it was last taken into use").count();
        let before = warned();
        replaced(&scene, &daemon)?;
        assert!(daemon.answer(&["status"])?.contains("VI_1"), "{}", daemon.process().log());
        if told {
            wait::until("that is said", wait::SHORT, || warned() == before + 1)?;
        }
    }
    // What is on the disk is the same as what runs: there is nothing to say, neither now nor to whoever asks.
    assert_eq!(daemon.process().log().matches("when it was last taken into use").count(), 4);
    assert!(!daemon.answer(&["why", "configuration"])?.contains("taken into use"));
    fs::write(&file, &other)?;
    replaced(&scene, &daemon)?;
    wait::until("why says so", wait::SHORT, || {
        daemon.answer(&["why", "configuration"]).is_ok_and(|said| said.contains("A reload takes it into use"))
    })?;
    // A reload does that, and then it is what the next one goes on with.
    daemon.answer(&["reload"])?;
    wait::until("the other has its VIP", wait::LONG, || {
        scene.host.has("eth0", "10.78.9.77") && !scene.host.has("eth0", VIP)
    })?;
    assert!(!daemon.answer(&["why", "configuration"])?.contains("A reload takes it into use"));
    fs::write(&file, &text)?;
    let first = scene.worker()?;
    kill(first, Signal::SIGKILL)?;
    // So many have died that a peer would have taken over before it came.
    wait::until("another one runs what was taken into use", 2 * wait::LONG, || {
        scene.pid_in("keepwatchd-vrrp.pid").is_some_and(|pid| pid != first)
            && daemon.answer(&["status"]).is_ok_and(|said| said.contains("OTHER") && !said.contains("VI_1"))
    })?;
    assert!(!scene.host.has("eth0", VIP));
    assert!(daemon.process_mut().stop(wait::LONG)?.success());
    assert!(!scene.host.has("eth0", "10.78.9.77"));
    Ok(())
}

#[test]
fn a_reload_that_was_refused_is_not_taken_into_use_by_a_worker_that_comes_after_it() -> Result<()> {
    let scene = Scene::new("in-force-refused")?;
    let text = quick().version_3("");
    let daemon = scene.master(&text, &[])?;
    fs::write(daemon.config_path(), text.replace("virtual_router_id", "virtual_rooter_id"))?;
    let said = daemon.ask(&["reload"])?;
    assert!(!said.status.success());
    daemon.wait_for_log("refused, the running configuration stays")?;
    replaced(&scene, &daemon)
}

#[test]
fn included_files_are_as_they_were_too() -> Result<()> {
    let scene = Scene::new("in-force-included")?;
    let directory = scene.host.directory().join("parts");
    fs::create_dir(&directory)?;
    let text = quick().version_3("");
    fs::write(directory.join("a.conf"), &text)?;
    let daemon = scene.master("include parts/*.conf\n", &[])?;
    let fresh = directory.join("b.conf");
    fs::write(&fresh, "# nothing\n")?;
    replaced(&scene, &daemon)?;
    let told = format!("{}: warning: what runs is without this file", fresh.display());
    wait::until("the file that has come is told of", wait::SHORT, || daemon.process().log().contains(&told))
        .with_context(|| daemon.process().log())?;
    assert!(
        !daemon.process().log().contains("when it was last taken into use"),
        "{}",
        daemon.process().log()
    );
    fs::remove_dir_all(&directory)?;
    replaced(&scene, &daemon)
}

/// The signal may come before or after the supervisor has seen that the worker is dead.
#[test]
fn a_reload_that_is_asked_for_while_there_is_no_worker_is_done_by_the_next_one() -> Result<()> {
    let scene = Scene::new("in-force-asked")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let other = Instance::new("OTHER").vrid(77).vip("10.78.9.77").interval("0.1").version_3("");
    kill(scene.worker()?, Signal::SIGKILL)?;
    daemon.reload(&other)?;
    wait::until("what was asked for is in force", wait::LONG, || {
        scene.host.has("eth0", "10.78.9.77") && !scene.host.has("eth0", VIP)
    })
    .with_context(|| daemon.process().log())
}
