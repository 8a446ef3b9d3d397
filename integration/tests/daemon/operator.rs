//! What `keepwatch` says: status, events, why.

use anyhow::{Context, Result};
use integration::{
    binaries,
    conf::{self, VIP},
    keepwatchd::Keepwatchd,
    wait,
    web::WebServer,
};

use crate::scene::{Scene, a_web_server, keepwatch, quick, text};

#[test]
fn the_operator_is_told_what_is_and_why() -> Result<()> {
    let scene = Scene::new("operator")?;
    let config = quick().version_3("") + &conf::sync_group("VG_1", &["VI_1"]);
    let daemon = scene.master(&config, &[])?;

    let status = daemon.answer(&["status"])?;
    assert!(status.contains("VI_1") && status.contains("MASTER") && status.contains(VIP), "{status}");
    assert!(!status.contains('\x1b'), "no colours but on a terminal");

    let status: serde_json::Value = serde_json::from_slice(&daemon.ask(&["status", "--json"])?.stdout)?;
    assert_eq!(status["world"]["instances"][0]["state"], "MASTER", "{status}");

    let why = daemon.answer(&["why", "VI_1"])?;
    let timeout = why.find("Receive advertisement timeout").context(why.clone())?;
    let change = why.find("Entering MASTER STATE").context(why.clone())?;
    let address = why.find("setting VIP 10.78.9.9").context(why.clone())?;
    assert!(timeout < change && change < address, "{why}");
    assert!(why.starts_with("instance VI_1: MASTER (priority 100), since "), "{why}");

    let events = daemon.answer(&["events", "-n", "3"])?;
    assert_eq!(events.lines().count(), 3, "{events}");
    let lines = text(&daemon.ask(&["events", "--json"])?.stdout);
    assert!(lines.lines().count() > 3);
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).context(line.to_owned())?;
    }

    for what in
        [&["why", "VI_9"][..], &["events", "--subject", "VI_9"], &["events", "--follow", "--subject", "VI_9"]]
    {
        let nothing = daemon.ask(what)?;
        assert_eq!(nothing.status.code(), Some(1), "{what:?}");
        assert!(text(&nothing.stderr).contains("did you mean VI_1?"), "{what:?}: {}", text(&nothing.stderr));
    }
    // Nothing happened to it of that kind: that is no mistake.
    let none = daemon.ask(&["events", "--subject", "VI_1", "--kind", "split_brain_began"])?;
    assert!(none.status.success() && none.stdout.is_empty(), "{}", text(&none.stderr));
    Ok(())
}

#[test]
fn a_dead_web_server_leaves_the_table_and_why_says_so() -> Result<()> {
    let scene = Scene::new("web")?;
    let at = "127.0.0.1:8080".parse()?;
    let web = WebServer::start(&scene.host, at, "hello")?;
    let daemon = Keepwatchd::on(&scene.host)
        .config(quick().version_3("") + &a_web_server())
        .flags(&["--dataplane", "memory"])
        .start()?;
    daemon.wait_for_log("Adding service [127.0.0.1]:tcp:8080 to VS [10.78.9.9]:tcp:80")?;
    daemon.wait_for_log("TCP connection to [127.0.0.1]:tcp:8080 success")?;
    drop(web);
    daemon.wait_for_log("Removing service [127.0.0.1]:tcp:8080 from VS [10.78.9.9]:tcp:80")?;
    let why = daemon.answer(&["why", "127.0.0.1:8080"])?;
    assert!(why.contains("connection refused") && why.contains("Removing service"), "{why}");
    assert!(daemon.answer(&["status"])?.contains("0 of 1 real servers up"));
    let _web = WebServer::start(&scene.host, at, "hello again")?;
    wait::until("it is back", wait::LONG, || {
        daemon.process().log().matches("Adding service [127.0.0.1]:tcp:8080").count() == 2
    })?;
    Ok(())
}

#[test]
fn events_are_followed_as_they_happen() -> Result<()> {
    let scene = Scene::new("follow")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let socket = daemon.control_path().to_string_lossy().into_owned();
    let follower = scene.host.spawn(
        "follower",
        binaries::path("keepwatch")?,
        &["--socket", &socket, "events", "--follow"],
    )?;
    follower.wait_for_log("(VI_1) Entering MASTER STATE", wait::SHORT)?;
    scene.host.down("eth0")?;
    follower.wait_for_log("(VI_1) Entering FAULT STATE", wait::SHORT)?;
    let why = daemon.answer(&["why", "VI_1"])?;
    assert!(why.contains("Netlink reports eth0 down"), "{why}");
    Ok(())
}

#[test]
fn without_a_daemon_the_command_says_so() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("control.sock").to_string_lossy().into_owned();
    let output = keepwatch(&["--socket", &socket, "status"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("Is keepwatchd running?"), "{}", text(&output.stderr));
    Ok(())
}
