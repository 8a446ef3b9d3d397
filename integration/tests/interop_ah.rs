//! Authentication by an IP authentication header (`auth_type AH`) against Debian's keepalived: both believe each other
//! through every change of master, as each goes on with the other's sequence numbers; who has another key, or another
//! authentication, is refused, and that is counted.

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Pair, capture,
    conf::VIP,
    pair::{OURS, THEIRS, counted},
    wait,
};
use nix::sys::signal::Signal;

const FAILURES: &str = "keepalived_authentication_failure_total";
const MISMATCHES: &str = "keepalived_authentication_mismatch_total";
const RECEIVED: &str = "keepalived_advertisements_received_total";

/// The whole file of a router with this key.
fn config(priority: u8, key: &str) -> String {
    Instance::new("VI_1").priority(priority).header_key(key).version_2("")
}

/// Waits until the host of `address` alone is master, and makes sure that its adverts are authenticated.
fn wait_for_master(pair: &Pair, address: &str) -> Result<()> {
    pair.wait_for_master(address)?;
    let (_, last) = pair.wire.adverts_from(address).pop().context("no advert")?;
    ensure!(last.authentication == 2, "authentication {} of {address}", last.authentication);
    Ok(())
}

/// Lets some adverts pass, and makes sure that nobody else sent any meanwhile.
fn nobody_but(pair: &Pair, address: &str) -> Result<()> {
    let since = capture::now();
    let other = if address == OURS { THEIRS } else { OURS };
    let adverts = |of| pair.wire.adverts_since(of, since).len();
    // Who refused them would be master after less than four intervals.
    wait::until(&format!("{address} goes on"), wait::LONG, || adverts(address) >= 5)?;
    ensure!(adverts(other) == 0, "{other} was not content");
    Ok(())
}

#[test]
fn it_is_master_and_dies_and_we_take_over_and_it_comes_back() -> Result<()> {
    let pair = Pair::new("ah-they-die")?;
    let mut it = pair.keepalived(config(200, "1111"))?;
    let we = pair.keepwatchd(config(100, "1111"))?;
    wait_for_master(&pair, THEIRS)?;
    nobody_but(&pair, THEIRS)?;
    assert!(counted(&we, RECEIVED) >= 3.0, "its adverts count");
    assert_eq!((counted(&we, FAILURES), counted(&we, MISMATCHES)), (0.0, 0.0));

    it.process_mut().kill();
    pair.theirs.remove_address(VIP)?;
    wait_for_master(&pair, OURS)?;

    // It begins anew at no sequence number, hears ours, and outranks us with the next: we must believe it.
    let it = pair.keepalived(config(200, "1111"))?;
    wait_for_master(&pair, THEIRS)?;
    nobody_but(&pair, THEIRS)?;
    assert_eq!(it.statistics("VI_1")?.get("Authentication Errors/Failure"), Some(&0));
    assert_eq!(counted(&we, FAILURES), 0.0);
    Ok(())
}

#[test]
fn we_are_master_and_stop_and_it_takes_over_and_we_come_back() -> Result<()> {
    let pair = Pair::new("ah-we-stop")?;
    // A password of eight bytes fills the key.
    let mut we = pair.keepwatchd(config(200, "12345678"))?;
    let it = pair.keepalived(config(100, "12345678"))?;
    wait_for_master(&pair, OURS)?;
    nobody_but(&pair, OURS)?;
    let theirs = it.statistics("VI_1")?;
    assert_eq!(theirs.get("Authentication Errors/Failure"), Some(&0), "{theirs:?}");

    we.process_mut().kill();
    pair.ours.remove_address(VIP)?;
    wait_for_master(&pair, THEIRS)?;

    let we = pair.keepwatchd(config(200, "12345678"))?;
    wait_for_master(&pair, OURS)?;
    nobody_but(&pair, OURS)?;
    assert_eq!(counted(&we, FAILURES), 0.0);
    assert_eq!(it.statistics("VI_1")?.get("Authentication Errors/Failure"), Some(&0));
    Ok(())
}

#[test]
fn between_unicast_peers_the_time_to_live_is_not_covered() -> Result<()> {
    let pair = Pair::new("ah-unicast")?;
    let config = |priority, from: &str, to: &str| {
        Instance::new("VI_1").priority(priority).header_key("1111").unicast(from, to).version_2("")
    };
    let mut it = pair.keepalived(config(200, THEIRS, OURS))?;
    let we = pair.keepwatchd(config(100, OURS, THEIRS))?;
    wait_for_master(&pair, THEIRS)?;
    nobody_but(&pair, THEIRS)?;
    assert_eq!(counted(&we, FAILURES), 0.0);

    it.process_mut().kill();
    pair.theirs.remove_address(VIP)?;
    wait_for_master(&pair, OURS)?;
    let it = pair.keepalived(config(50, THEIRS, OURS))?;
    nobody_but(&pair, OURS)?;
    assert_eq!(it.statistics("VI_1")?.get("Authentication Errors/Failure"), Some(&0));
    Ok(())
}

#[test]
fn a_reload_from_a_password_to_a_header_and_back_costs_no_election() -> Result<()> {
    let pair = Pair::new("ah-reload")?;
    let password = |priority| Instance::new("VI_1").priority(priority).password("1111").version_2("");
    let we = pair.keepwatchd(password(200))?;
    let it = pair.keepalived(password(100))?;
    pair.wait_for_master(OURS)?;
    nobody_but(&pair, OURS)?;
    for (kind, ours, theirs) in
        [(2, config(200, "1111"), config(100, "1111")), (1, password(200), password(100))]
    {
        std::fs::write(we.config_path(), ours)?;
        pair.theirs.file("keepalived.conf", &theirs)?;
        for router in [we.process(), it.process()] {
            router.signal(Signal::SIGHUP)?;
        }
        wait::until(&format!("we send authentication {kind}"), wait::LONG, || {
            pair.wire.adverts_from(OURS).last().is_some_and(|(_, advert)| advert.authentication == kind)
        })?;
        nobody_but(&pair, OURS)?;
        assert!(pair.ours_alone());
    }
    assert_eq!(counted(&we, "keepalived_become_master_total"), 1.0);
    Ok(())
}

#[test]
fn another_key_is_refused_and_counted_on_both_sides() -> Result<()> {
    let pair = Pair::new("ah-key")?;
    let it = pair.keepalived(config(200, "2222"))?;
    let we = pair.keepwatchd(config(100, "1111"))?;
    wait::until("both believe to be alone", wait::LONG, || pair.both())?;
    Pair::wait_for_refusals(&we, &it, FAILURES, "Authentication Errors/Failure")?;
    assert_eq!(counted(&we, RECEIVED), 0.0, "none of them was believed");
    we.wait_for_log("integrity check value")
}

#[test]
fn a_password_is_no_authentication_header() -> Result<()> {
    let pair = Pair::new("ah-or-pass")?;
    let _it = pair.keepalived(Instance::new("VI_1").priority(200).password("1111").version_2(""))?;
    let we = pair.keepwatchd(config(100, "1111"))?;
    // An authenticated keepalived does not listen to others at all. We do, so that somebody notices.
    wait::until("we count the wrong kind", wait::LONG, || counted(&we, MISMATCHES) >= 1.0)?;
    assert_eq!(counted(&we, FAILURES), 0.0);
    we.wait_for_log("no authentication header")
}
