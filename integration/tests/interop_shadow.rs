//! Beside a keepalived, on the same host and configuration, with `--dataplane shadow`: we tell what we would do, and
//! do nothing.

use std::{thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Pair, capture,
    conf::VIP,
    keepalived::Keepalived,
    keepwatchd::Keepwatchd,
    pair::{OURS, THEIRS},
    process::tree,
    wait,
};
use nix::sys::signal::{Signal, kill};

#[test]
fn a_shadow_follows_and_touches_nothing() -> Result<()> {
    let pair = Pair::new("shadow")?;
    let (wire, hosts) = (&pair.wire, [&pair.ours, &pair.theirs]);
    let config = |priority| Instance::new("VI_1").interval("0.1").priority(priority).version_3("");
    let _active = Keepalived::start(hosts[0], &config(200), &[])?;
    let _other = Keepalived::start(hosts[1], &config(100), &[])?;
    wait::until("keepalived is master", wait::LONG, || hosts[0].has("eth0", VIP))?;
    // keepalived runs the scripts of this configuration already.
    let trace = hosts[0].directory().join("notified");
    let shadow = |i: usize, priority| {
        let script = format!("notify_master \"/usr/bin/touch {}\"", trace.display());
        let config = Instance::new("VI_1").interval("0.1").priority(priority).line(&script);
        Keepwatchd::on(hosts[i])
            .config(config.version_3("    script_user root"))
            .flags(&["--dataplane", "shadow", "--vrrp"])
            .start()
    };
    let mut beside_master = shadow(0, 200)?;
    let beside_backup = shadow(1, 100)?;
    beside_master.wait_for_log("(VI_1) Entering MASTER STATE")?;

    let began = capture::now();
    sleep(Duration::from_secs(3));
    let span = (capture::now() - began).as_secs_f64();
    let sent = wire.adverts_since(OURS, began).len();
    let own_rate = sent as f64 / span;
    ensure!(own_rate < 15.0, "the shadow sends too: {own_rate} adverts a second at 0.1 s");
    ensure!(wire.adverts_from(THEIRS).is_empty(), "the shadow of the backup sends");
    assert!(beside_backup.process().log().contains("(VI_1) Entering BACKUP STATE"));
    assert!(!beside_backup.process().log().contains("(VI_1) Entering MASTER STATE"));

    assert!(!trace.exists(), "the shadow ran a script");

    let ended = beside_master.process_mut().stop(wait::SHORT)?;
    assert!(ended.success(), "{ended}");
    sleep(Duration::from_millis(500));
    assert!(hosts[0].has("eth0", VIP), "its end took the address that keepalived holds");
    assert!(
        wire.adverts().iter().all(|(_, advert)| advert.priority > 0),
        "its end said that the master stops"
    );
    Ok(())
}

#[test]
fn a_shadow_whose_worker_is_killed_takes_nothing_off() -> Result<()> {
    let pair = Pair::new("shadowkill")?;
    let host = &pair.ours;
    let config = || Instance::new("VI_1").interval("0.1").priority(200).version_3("");
    let _active = Keepalived::start(host, &config(), &[])?;
    wait::until("keepalived is master", wait::LONG, || host.has("eth0", VIP))?;
    let flags = ["--dataplane", "shadow", "--vrrp", "--dont-respawn"];
    let mut shadow = Keepwatchd::on(host).config(config()).flags(&flags).start()?;
    shadow.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let worker = tree::below(shadow.process().pid());
    let worker = worker.first().context("it has no worker")?;
    kill(*worker, Signal::SIGKILL)?;
    let ended = shadow.process_mut().wait(wait::LONG)?;
    assert!(!ended.success(), "{ended}");
    assert!(host.has("eth0", VIP), "its end took the address that keepalived holds");
    Ok(())
}
