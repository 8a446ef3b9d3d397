//! Debian's keepalived is the other router: who is master when one dies, stops, comes back or loses its interface,
//! and how long it takes, as seen on the wire.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Pair, capture,
    conf::VIP,
    pair::{OURS, THEIRS},
    wait,
};

/// What a router may add to a time, besides what the machine does, and what the rounding of timestamps may take from it.
const LATE: Duration = Duration::from_millis(300);
const EARLY: Duration = Duration::from_millis(5);

/// Master_Down_Interval (RFC 3768 6.1, RFC 5798 6.1) of a backup of this priority.
fn master_down(interval: Duration, priority: u8) -> Duration {
    3 * interval + skew(interval, priority)
}

/// Skew_Time; in version 2 the interval is one second.
fn skew(interval: Duration, priority: u8) -> Duration {
    interval * (256 - u32::from(priority)) / 256
}

fn assert_took(pair: &Pair, what: &str, dead: &str, expected: Duration) -> Result<()> {
    let (took, allowance) = (pair.outage(dead)?, pair.wire.machine().allowance());
    println!("{what}: {:.1} ms, {:.1} ms by the RFC", took.as_secs_f64() * 1e3, expected.as_secs_f64() * 1e3);
    ensure!(took + EARLY >= expected, "{what} came too early: {took:?}, expected {expected:?}");
    ensure!(
        took <= expected + LATE + allowance,
        "{what} came too late: {took:?}, expected {expected:?}, for the machine {allowance:?}"
    );
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);

#[test]
fn it_is_master_and_dies_and_we_take_over() -> Result<()> {
    let pair = Pair::new("they-die")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut it = pair.keepalived(instance.clone().priority(200).version_2(""))?;
    let we = pair.keepwatchd(instance.priority(100).version_2(""))?;
    pair.wait_for_master(THEIRS)?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;

    it.process_mut().kill();

    assert_took(&pair, "our takeover", THEIRS, master_down(SECOND, 100))?;
    wait::until("the VIP is ours", wait::SHORT, || pair.ours.has("eth0", VIP))?;
    we.wait_for_log("(VI_1) Entering MASTER STATE")
}

#[test]
fn we_are_master_and_die_and_it_takes_over() -> Result<()> {
    let pair = Pair::new("we-die")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut we = pair.keepwatchd(instance.clone().priority(200).version_2(""))?;
    let it = pair.keepalived(instance.priority(100).version_2(""))?;
    pair.wait_for_master(OURS)?;

    we.process_mut().kill();

    assert_took(&pair, "its takeover", OURS, master_down(SECOND, 100))?;
    it.process().wait_for_log("(VI_1) Entering MASTER STATE", wait::SHORT)
}

#[test]
fn it_comes_back_with_higher_priority_and_we_yield() -> Result<()> {
    let pair = Pair::new("they-return")?;
    let instance = Instance::new("VI_1").password("1111");
    let we = pair.keepwatchd(instance.clone().priority(100).version_2(""))?;
    pair.wait_for_master(OURS)?;

    let _it = pair.keepalived(instance.priority(200).version_2(""))?;
    pair.wait_for_master(THEIRS)?;

    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;
    let since = capture::now();
    wait::throughout("we keep silent", 3 * SECOND, || pair.wire.adverts_since(OURS, since).is_empty())?;
    assert!(!pair.ours.has("eth0", VIP));
    Ok(())
}

#[test]
fn we_come_back_with_higher_priority_and_it_yields() -> Result<()> {
    let pair = Pair::new("we-return")?;
    let instance = Instance::new("VI_1").password("1111");
    let it = pair.keepalived(instance.clone().priority(100).version_2(""))?;
    pair.wait_for_master(THEIRS)?;

    let _we = pair.keepwatchd(instance.priority(200).version_2(""))?;
    pair.wait_for_master(OURS)?;

    it.process().wait_for_log("(VI_1) Entering BACKUP STATE", wait::SHORT)?;
    let since = capture::now();
    wait::throughout("it keeps silent", 3 * SECOND, || pair.wire.adverts_since(THEIRS, since).is_empty())
}

#[test]
fn in_version_3_a_tenth_of_a_second_is_kept_both_ways() -> Result<()> {
    let pair = Pair::new("centiseconds")?;
    let instance = Instance::new("VI_1").interval("0.1");
    let mut it = pair.keepalived(instance.clone().priority(200).version_3(""))?;
    let mut we = pair.keepwatchd(instance.clone().priority(100).version_3(""))?;
    pair.wait_for_master(THEIRS)?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;

    it.process_mut().kill();
    assert_took(&pair, "our takeover", THEIRS, master_down(TENTH, 100))?;
    wait::until("we send adverts", wait::SHORT, || pair.wire.adverts_from(OURS).len() > 3)?;
    let (_, advert) = pair.wire.adverts_from(OURS).remove(0);
    assert_eq!((advert.version, advert.interval, advert.ttl), (3, 10, 255));

    pair.theirs.remove_address(VIP)?;
    let _it = pair.keepalived(instance.priority(50).version_3(""))?;
    std::thread::sleep(2 * SECOND);
    we.process_mut().kill();
    assert_took(&pair, "its takeover", OURS, master_down(TENTH, 50))
}

#[test]
fn when_we_stop_cleanly_priority_0_hands_over_at_once() -> Result<()> {
    let pair = Pair::new("we-stop")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut we = pair.keepwatchd(instance.clone().priority(200).version_2(""))?;
    let _it = pair.keepalived(instance.priority(100).version_2(""))?;
    pair.wait_for_master(OURS)?;
    // It must have heard us to know whom it replaces.
    std::thread::sleep(2 * SECOND);

    let ended = we.process_mut().stop(wait::SHORT)?;
    assert!(ended.success(), "{ended}; log:\n{}", we.process().log());

    let (_, last) = pair.wire.adverts_from(OURS).pop().context("no advert of ours")?;
    assert_eq!(last.priority, 0, "the last advert says that we stop");
    assert!(!pair.ours.has("eth0", VIP), "the VIP was taken off");
    assert_took(&pair, "its takeover", OURS, skew(SECOND, 100))
}

#[test]
fn when_it_stops_cleanly_we_take_over_at_once() -> Result<()> {
    let pair = Pair::new("they-stop")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut it = pair.keepalived(instance.clone().priority(200).version_2(""))?;
    let we = pair.keepwatchd(instance.priority(100).version_2(""))?;
    pair.wait_for_master(THEIRS)?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;
    std::thread::sleep(2 * SECOND);

    it.process_mut().stop(wait::SHORT)?;

    assert_took(&pair, "our takeover", THEIRS, skew(SECOND, 100))?;
    we.wait_for_log("(VI_1) Backup received priority 0 advertisement")
}

#[test]
fn our_interface_goes_down_and_we_are_in_fault_until_it_is_back() -> Result<()> {
    let pair = Pair::new("fault")?;
    let instance = Instance::new("VI_1").interval("0.1");
    let we = pair.keepwatchd(instance.clone().priority(200).version_3(""))?;
    let _it = pair.keepalived(instance.priority(100).version_3(""))?;
    pair.wait_for_master(OURS)?;

    pair.ours.down("eth0")?;
    we.wait_for_log("(VI_1) Entering FAULT STATE")?;
    wait::until("it takes over", wait::SHORT, || pair.theirs.has("eth0", VIP))?;

    pair.ours.up("eth0")?;
    pair.wait_for_master(OURS)
}

#[test]
fn addresses_that_a_crashed_run_left_are_adopted() -> Result<()> {
    let pair = Pair::new("adopt")?;
    let config = Instance::new("VI_1").interval("0.1").version_3("");
    let mut crashed = pair.keepwatchd(config.clone())?;
    pair.wait_for_master(OURS)?;
    crashed.process_mut().kill();
    assert!(pair.ours.has("eth0", VIP), "a crash leaves the VIP where it is");

    let we = pair.keepwatchd(config)?;
    we.wait_for_log("(VI_1) Entering MASTER STATE")?;
    pair.wait_for_master(OURS)?;
    let addresses = pair.ours.addresses("eth0")?;
    let vip = VIP.parse::<std::net::IpAddr>()?;
    assert_eq!(addresses.iter().filter(|&&a| a == vip).count(), 1, "{addresses:?}");

    // A backup must not keep what the crash left: two hosts would have the VIP.
    drop(we);
    assert!(pair.ours.has("eth0", VIP));
    let _it = pair.keepalived(Instance::new("VI_1").interval("0.1").priority(200).version_3(""))?;
    wait::until("it is master", wait::LONG, || pair.theirs.has("eth0", VIP))?;
    let _we = pair.keepwatchd(Instance::new("VI_1").interval("0.1").version_3(""))?;
    wait::until("the leftover VIP is taken off", wait::LONG, || !pair.ours.has("eth0", VIP))
}

#[test]
fn over_ipv6_each_takes_over_from_the_other() -> Result<()> {
    let pair = Pair::new("ipv6")?;
    let instance = Instance::new("VI_6").interval("0.1").vip("fe80::9:9/128");
    let mut it = pair.keepalived(instance.clone().priority(200).version_3(""))?;
    let we = pair.keepwatchd(instance.clone().priority(100).version_3(""))?;
    let vip = "fe80::9:9";
    wait::until("it is master", wait::LONG, || pair.theirs.has("eth0", vip) && !pair.ours.has("eth0", vip))?;
    we.wait_for_log("(VI_6) Entering BACKUP STATE")?;

    it.process_mut().kill();
    we.wait_for_log("(VI_6) Entering MASTER STATE")?;
    wait::until("the VIP is ours", wait::SHORT, || pair.ours.has("eth0", vip))?;
    let advert = wait::value("we send adverts", wait::SHORT, || {
        let link_local =
            |advert: &integration::capture::frame::Advert| advert.source.to_string().starts_with("fe80:");
        let ours = pair.wire.adverts().into_iter().map(|(_, advert)| advert);
        ours.rev().find(|advert| link_local(advert) && advert.priority == 100)
    })?;
    assert_eq!((advert.version, advert.interval, advert.ttl), (3, 10, 255));
    assert_eq!(advert.destination.to_string(), "ff02::12");

    pair.theirs.remove_address(vip)?;
    let _it = pair.keepalived(instance.priority(200).version_3(""))?;
    wait::until("it is master again", wait::LONG, || {
        pair.theirs.has("eth0", vip) && !pair.ours.has("eth0", vip)
    })?;
    we.wait_for_log("(VI_6) Master received advert")
}
