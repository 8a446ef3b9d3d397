//! Debian's keepalived is the other router: who is master when one dies, stops, comes back or loses its interface,
//! and how long it takes, as seen on the wire.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Bridge, Capture, Host, Instance, Lab, capture, keepalived::Keepalived, keepwatchd::Keepwatchd, wait,
};

const VIP: &str = "10.78.9.9";
/// Our host's address and theirs.
const OURS: &str = "10.78.0.1";
const THEIRS: &str = "10.78.0.2";

/// What a busy machine may add to a time, and what the rounding of timestamps may take from it.
const LATE: Duration = Duration::from_millis(300);
const EARLY: Duration = Duration::from_millis(5);

/// Two hosts on a LAN that is recorded: ours and theirs.
struct Scene {
    _lab: Lab,
    _lan: Bridge,
    wire: Capture,
    ours: Host,
    theirs: Host,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (lan, mut hosts) = lab.routers(2)?;
        let wire = lan.capture()?;
        let (theirs, ours) = (hosts.remove(1), hosts.remove(0));
        Ok(Self { _lab: lab, _lan: lan, wire, ours, theirs })
    }

    fn keepwatchd(&self, config: String) -> Result<Keepwatchd> {
        Keepwatchd::on(&self.ours).config(config).flag("--vrrp").start()
    }

    fn keepalived(&self, config: &str) -> Result<Keepalived> {
        Keepalived::start(&self.theirs, config, &[])
    }

    /// Waits until the host of `address` sends adverts and has the VIP, and the other one has not.
    fn wait_for_master(&self, address: &str) -> Result<()> {
        let (master, other) =
            if address == OURS { (&self.ours, &self.theirs) } else { (&self.theirs, &self.ours) };
        let since = capture::now();
        wait::until(&format!("{address} alone is master"), wait::LONG, || {
            self.wire
                .adverts_from(address)
                .last()
                .is_some_and(|(at, advert)| *at > since && advert.priority > 0)
                && master.has("eth0", VIP)
                && !other.has("eth0", VIP)
        })
    }

    /// How long the VIP was nobody's after `dead` fell silent, on the wire.
    fn outage(&self, dead: &str) -> Result<Duration> {
        wait::value("the VIP is announced by the other", wait::LONG, || self.wire.outage(dead, VIP))
    }

    /// How many adverts `address` sent after `since`.
    fn adverts_of_after(&self, address: &str, since: Duration) -> usize {
        self.wire.adverts_from(address).iter().filter(|(at, _)| *at > since).count()
    }
}

/// Master_Down_Interval (RFC 3768 6.1, RFC 5798 6.1) of a backup of this priority.
fn master_down(interval: Duration, priority: u8) -> Duration {
    3 * interval + skew(interval, priority)
}

/// Skew_Time; in version 2 the interval is one second.
fn skew(interval: Duration, priority: u8) -> Duration {
    interval * (256 - u32::from(priority)) / 256
}

fn assert_took(what: &str, took: Duration, expected: Duration) -> Result<()> {
    println!("{what}: {:.1} ms, {:.1} ms by the RFC", took.as_secs_f64() * 1e3, expected.as_secs_f64() * 1e3);
    ensure!(took + EARLY >= expected, "{what} came too early: {took:?}, expected {expected:?}");
    ensure!(took <= expected + LATE, "{what} came too late: {took:?}, expected {expected:?}");
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);

#[test]
fn it_is_master_and_dies_and_we_take_over() -> Result<()> {
    let scene = Scene::new("they-die")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut it = scene.keepalived(&instance.clone().priority(200).version_2(""))?;
    let we = scene.keepwatchd(instance.priority(100).version_2(""))?;
    scene.wait_for_master(THEIRS)?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;

    it.process_mut().kill();

    assert_took("our takeover", scene.outage(THEIRS)?, master_down(SECOND, 100))?;
    wait::until("the VIP is ours", wait::SHORT, || scene.ours.has("eth0", VIP))?;
    we.wait_for_log("(VI_1) Entering MASTER STATE")
}

#[test]
fn we_are_master_and_die_and_it_takes_over() -> Result<()> {
    let scene = Scene::new("we-die")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut we = scene.keepwatchd(instance.clone().priority(200).version_2(""))?;
    let it = scene.keepalived(&instance.priority(100).version_2(""))?;
    scene.wait_for_master(OURS)?;

    we.process_mut().kill();

    assert_took("its takeover", scene.outage(OURS)?, master_down(SECOND, 100))?;
    it.process().wait_for_log("(VI_1) Entering MASTER STATE", wait::SHORT)
}

#[test]
fn it_comes_back_with_higher_priority_and_we_yield() -> Result<()> {
    let scene = Scene::new("they-return")?;
    let instance = Instance::new("VI_1").password("1111");
    let we = scene.keepwatchd(instance.clone().priority(100).version_2(""))?;
    scene.wait_for_master(OURS)?;

    let _it = scene.keepalived(&instance.priority(200).version_2(""))?;
    scene.wait_for_master(THEIRS)?;

    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;
    let since = capture::now();
    wait::throughout("we keep silent", 3 * SECOND, || scene.adverts_of_after(OURS, since) == 0)?;
    assert!(!scene.ours.has("eth0", VIP));
    Ok(())
}

#[test]
fn we_come_back_with_higher_priority_and_it_yields() -> Result<()> {
    let scene = Scene::new("we-return")?;
    let instance = Instance::new("VI_1").password("1111");
    let it = scene.keepalived(&instance.clone().priority(100).version_2(""))?;
    scene.wait_for_master(THEIRS)?;

    let _we = scene.keepwatchd(instance.priority(200).version_2(""))?;
    scene.wait_for_master(OURS)?;

    it.process().wait_for_log("(VI_1) Entering BACKUP STATE", wait::SHORT)?;
    let since = capture::now();
    wait::throughout("it keeps silent", 3 * SECOND, || scene.adverts_of_after(THEIRS, since) == 0)
}

#[test]
fn in_version_3_a_tenth_of_a_second_is_kept_both_ways() -> Result<()> {
    let scene = Scene::new("centiseconds")?;
    let instance = Instance::new("VI_1").interval("0.1");
    let mut it = scene.keepalived(&instance.clone().priority(200).version_3(""))?;
    let mut we = scene.keepwatchd(instance.clone().priority(100).version_3(""))?;
    scene.wait_for_master(THEIRS)?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;

    it.process_mut().kill();
    assert_took("our takeover", scene.outage(THEIRS)?, master_down(TENTH, 100))?;
    wait::until("we send adverts", wait::SHORT, || scene.wire.adverts_from(OURS).len() > 3)?;
    let (_, advert) = scene.wire.adverts_from(OURS).remove(0);
    assert_eq!((advert.version, advert.interval, advert.ttl), (3, 10, 255));

    scene.theirs.remove_address(VIP)?;
    let _it = scene.keepalived(&instance.priority(50).version_3(""))?;
    std::thread::sleep(2 * SECOND);
    we.process_mut().kill();
    assert_took("its takeover", scene.outage(OURS)?, master_down(TENTH, 50))
}

#[test]
fn when_we_stop_cleanly_priority_0_hands_over_at_once() -> Result<()> {
    let scene = Scene::new("we-stop")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut we = scene.keepwatchd(instance.clone().priority(200).version_2(""))?;
    let _it = scene.keepalived(&instance.priority(100).version_2(""))?;
    scene.wait_for_master(OURS)?;
    // It must have heard us to know whom it replaces.
    std::thread::sleep(2 * SECOND);

    let ended = we.process_mut().stop(wait::SHORT)?;
    assert!(ended.success(), "{ended}; log:\n{}", we.process().log());

    let (_, last) = scene.wire.adverts_from(OURS).pop().context("no advert of ours")?;
    assert_eq!(last.priority, 0, "the last advert says that we stop");
    assert!(!scene.ours.has("eth0", VIP), "the VIP was taken off");
    assert_took("its takeover", scene.outage(OURS)?, skew(SECOND, 100))
}

#[test]
fn when_it_stops_cleanly_we_take_over_at_once() -> Result<()> {
    let scene = Scene::new("they-stop")?;
    let instance = Instance::new("VI_1").password("1111");
    let mut it = scene.keepalived(&instance.clone().priority(200).version_2(""))?;
    let we = scene.keepwatchd(instance.priority(100).version_2(""))?;
    scene.wait_for_master(THEIRS)?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;
    std::thread::sleep(2 * SECOND);

    it.process_mut().stop(wait::SHORT)?;

    assert_took("our takeover", scene.outage(THEIRS)?, skew(SECOND, 100))?;
    we.wait_for_log("(VI_1) Backup received priority 0 advertisement")
}

#[test]
fn our_interface_goes_down_and_we_are_in_fault_until_it_is_back() -> Result<()> {
    let scene = Scene::new("fault")?;
    let instance = Instance::new("VI_1").interval("0.1");
    let we = scene.keepwatchd(instance.clone().priority(200).version_3(""))?;
    let _it = scene.keepalived(&instance.priority(100).version_3(""))?;
    scene.wait_for_master(OURS)?;

    scene.ours.down("eth0")?;
    we.wait_for_log("(VI_1) Entering FAULT STATE")?;
    wait::until("it takes over", wait::SHORT, || scene.theirs.has("eth0", VIP))?;

    scene.ours.up("eth0")?;
    scene.wait_for_master(OURS)
}

#[test]
fn addresses_that_a_crashed_run_left_are_adopted() -> Result<()> {
    let scene = Scene::new("adopt")?;
    let config = Instance::new("VI_1").interval("0.1").version_3("");
    let mut crashed = scene.keepwatchd(config.clone())?;
    scene.wait_for_master(OURS)?;
    crashed.process_mut().kill();
    assert!(scene.ours.has("eth0", VIP), "a crash leaves the VIP where it is");

    let we = scene.keepwatchd(config)?;
    we.wait_for_log("(VI_1) Entering MASTER STATE")?;
    scene.wait_for_master(OURS)?;
    let addresses = scene.ours.addresses("eth0")?;
    let vip = VIP.parse::<std::net::IpAddr>()?;
    assert_eq!(addresses.iter().filter(|&&a| a == vip).count(), 1, "{addresses:?}");

    // A backup must not keep what the crash left: two hosts would have the VIP.
    drop(we);
    assert!(scene.ours.has("eth0", VIP));
    let _it = scene.keepalived(&Instance::new("VI_1").interval("0.1").priority(200).version_3(""))?;
    wait::until("it is master", wait::LONG, || scene.theirs.has("eth0", VIP))?;
    let _we = scene.keepwatchd(Instance::new("VI_1").interval("0.1").version_3(""))?;
    wait::until("the leftover VIP is taken off", wait::LONG, || !scene.ours.has("eth0", VIP))
}

#[test]
fn over_ipv6_each_takes_over_from_the_other() -> Result<()> {
    let scene = Scene::new("ipv6")?;
    let instance = Instance::new("VI_6").interval("0.1").vip("fe80::9:9/128");
    let mut it = scene.keepalived(&instance.clone().priority(200).version_3(""))?;
    let we = scene.keepwatchd(instance.clone().priority(100).version_3(""))?;
    let vip = "fe80::9:9";
    wait::until("it is master", wait::LONG, || {
        scene.theirs.has("eth0", vip) && !scene.ours.has("eth0", vip)
    })?;
    we.wait_for_log("(VI_6) Entering BACKUP STATE")?;

    it.process_mut().kill();
    we.wait_for_log("(VI_6) Entering MASTER STATE")?;
    wait::until("the VIP is ours", wait::SHORT, || scene.ours.has("eth0", vip))?;
    let advert = wait::value("we send adverts", wait::SHORT, || {
        let link_local =
            |advert: &integration::capture::frame::Advert| advert.source.to_string().starts_with("fe80:");
        let ours = scene.wire.adverts().into_iter().map(|(_, advert)| advert);
        ours.rev().find(|advert| link_local(advert) && advert.priority == 100)
    })?;
    assert_eq!((advert.version, advert.interval, advert.ttl), (3, 10, 255));
    assert_eq!(advert.destination.to_string(), "ff02::12");

    scene.theirs.remove_address(vip)?;
    let _it = scene.keepalived(&instance.priority(200).version_3(""))?;
    wait::until("it is master again", wait::LONG, || {
        scene.theirs.has("eth0", vip) && !scene.ours.has("eth0", vip)
    })?;
    we.wait_for_log("(VI_6) Master received advert")
}
