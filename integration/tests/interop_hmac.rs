//! Signed adverts (`auth_hmac`): two of ours between themselves, through a change of keys; and beside Debian's
//! keepalived, which knows no signatures: what a migration meets.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Pair, capture,
    conf::VIP,
    keepwatchd::Keepwatchd,
    pair::{OURS, THEIRS, counted},
    wait,
};
use nix::sys::signal::Signal;

const FIRST: &str = "key 1 abcdefghijklmnopqrstuvwxyz012345";
const SECOND: &str = "key 2 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const MISSING: &str = "keepwatch_vrrp_auth_ext_missing_total";
const REFUSALS: [&str; 6] = [
    MISSING,
    "keepwatch_vrrp_auth_ext_malformed_total",
    "keepwatch_vrrp_auth_ext_stale_total",
    "keepwatch_vrrp_auth_ext_unknown_key_total",
    "keepwatch_vrrp_auth_ext_invalid_hmac_total",
    "keepwatch_vrrp_auth_ext_replay_total",
];

fn signed(priority: u8, lines: &[&str]) -> Instance {
    Instance::new("VI_1")
        .priority(priority)
        .line(&format!("auth_hmac sha256 {{\n{}\n    }}", lines.join("\n")))
}

fn start(host: &Host, config: String) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

/// The key of the last advert that this address signed.
fn last_key(pair: &Pair, address: &str) -> Option<u8> {
    let (_, advert) = pair.wire.adverts_from(address).pop()?;
    (advert.trailer.len() == 28 && advert.trailer[0] == 1).then(|| advert.trailer[1])
}

#[test]
fn signed_adverts_are_believed_and_keys_are_changed_without_an_election() -> Result<()> {
    let pair = Pair::new("hmac")?;
    let mut master = start(&pair.ours, signed(200, &[FIRST, "active_key 1"]).version_2(""))?;
    let backup = start(&pair.theirs, signed(100, &[FIRST, "active_key 1"]).version_2(""))?;
    pair.wait_for_master(OURS)?;
    ensure!(last_key(&pair, OURS) == Some(1), "{:?}", pair.wire.adverts_from(OURS).last());

    // First both learn the new key, then both use it.
    for active in ["active_key 1", "active_key 2"] {
        for (daemon, priority) in [(&backup, 100), (&master, 200)] {
            let config = signed(priority, &[FIRST, SECOND, active]).version_2("");
            std::fs::write(daemon.config_path(), config)?;
            daemon.process().signal(Signal::SIGHUP)?;
        }
        let key = if active.ends_with('2') { Some(2) } else { Some(1) };
        let since = capture::now();
        wait::until(&format!("{active} is used"), wait::LONG, || {
            pair.wire.adverts_since(OURS, since).len() >= 2 && last_key(&pair, OURS) == key
        })?;
    }
    let since = capture::now();
    std::thread::sleep(Duration::from_secs(3));
    assert!(pair.wire.adverts_since(THEIRS, since).is_empty() && pair.ours_alone());
    for metric in REFUSALS {
        assert_eq!((counted(&master, metric), counted(&backup, metric)), (0.0, 0.0), "{metric}");
    }
    assert!(counted(&backup, "keepalived_advertisements_received_total") >= 4.0);

    // The resignation is signed too, or the backup would wait for its whole time.
    master.process_mut().stop(wait::SHORT)?;
    pair.wait_for_master(THEIRS)?;
    let (_, last) = pair.wire.adverts_from(OURS).pop().context("an advert")?;
    ensure!(last.trailer.len() == 28);
    Ok(())
}

#[test]
fn over_ipv6_and_unicast_they_are_believed_too() -> Result<()> {
    let pair = Pair::new("hmac-6")?;
    let config = |priority, from: &str, to: &str| {
        let instance = signed(priority, &[SECOND, "active_key 2"]).interval("0.1");
        instance.vip("fd78::9:9/128").unicast(from, to).version_3("")
    };
    let master = start(&pair.ours, config(200, "fd78::1", "fd78::2"))?;
    let backup = start(&pair.theirs, config(100, "fd78::2", "fd78::1"))?;
    wait::until("the master is heard", wait::LONG, || {
        counted(&backup, "keepalived_advertisements_received_total") >= 10.0
    })?;
    for metric in REFUSALS {
        assert_eq!((counted(&master, metric), counted(&backup, metric)), (0.0, 0.0), "{metric}");
    }
    ensure!(last_key(&pair, "fd78::1") == Some(2));
    Ok(())
}

#[test]
fn who_only_receives_signatures_gets_on_with_one_who_knows_none() -> Result<()> {
    let pair = Pair::new("hmac-migrate")?;
    let mut it = pair.keepalived(Instance::new("VI_1").priority(200).version_2(""))?;
    let we = pair.keepwatchd(signed(100, &[FIRST, "active_key 1", "mode receive-only"]).version_2(""))?;
    pair.wait_for_master(THEIRS)?;
    wait::until("we hear it", wait::LONG, || {
        counted(&we, "keepalived_advertisements_received_total") >= 3.0
    })?;
    assert_eq!(counted(&we, MISSING), 0.0);
    it.process_mut().stop(wait::SHORT)?;
    pair.wait_for_master(OURS)?;
    let (_, advert) = pair.wire.adverts_from(OURS).pop().context("an advert")?;
    ensure!(advert.trailer.is_empty(), "ours are not signed yet");
    Ok(())
}

#[test]
fn unsigned_adverts_are_refused_and_do_not_disturb_the_rhythm_of_ours() -> Result<()> {
    let pair = Pair::new("hmac-none")?;
    let it = pair.keepalived(Instance::new("VI_1").priority(100).version_2(""))?;
    let we = pair.keepwatchd(signed(200, &[FIRST, "active_key 1"]).version_2(""))?;
    wait::until("both believe to be alone", wait::LONG, || pair.both())?;
    Pair::wait_for_refusals(&we, &it, MISSING, "Packet Errors/Length")?;
    we.wait_for_log("(VI_1) missing authentication trailer from 10.78.0.2")?;
    // keepalived's own adverts nearly stop when it hears only what it refuses.
    let since = capture::now();
    std::thread::sleep(Duration::from_secs(5));
    pair.wire.keeps_its_rhythm(OURS, since, Duration::from_secs(1))?;
    assert_eq!(counted(&we, "keepalived_advertisements_received_total"), 0.0);
    Ok(())
}

#[test]
fn without_its_active_key_an_instance_is_in_fault_rather_than_unsigned() -> Result<()> {
    let pair = Pair::new("hmac-no-key")?;
    let we = pair.keepwatchd(signed(200, &[FIRST, "active_key 2"]).version_2(""))?;
    we.wait_for_log("(VI_1) stays in FAULT: its auth_hmac has no active_key to sign adverts with")?;
    wait::throughout("nothing is sent", Duration::from_secs(5), || pair.wire.adverts_from(OURS).is_empty())?;
    assert!(!pair.ours.has("eth0", VIP));
    Ok(())
}
