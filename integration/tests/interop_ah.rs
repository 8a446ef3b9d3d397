//! Authentication by an IP authentication header (`auth_type AH`) against Debian's keepalived: both believe each other
//! through every change of master, as each goes on with the other's sequence numbers; who has another key, or another
//! authentication, is refused, and that is counted.

use std::time::Duration;

use anyhow::Result;
use integration::{
    Bridge, Capture, Host, Instance, Lab, capture, keepalived::Keepalived, keepwatchd::Keepwatchd, wait,
};

const VIP: &str = "10.78.9.9";
/// Our host's address and theirs.
const OURS: &str = "10.78.0.1";
const THEIRS: &str = "10.78.0.2";

const FAILURES: &str = "keepalived_authentication_failure_total";
const MISMATCHES: &str = "keepalived_authentication_mismatch_total";
const RECEIVED: &str = "keepalived_advertisements_received_total";

/// Two hosts on a LAN that is recorded: ours and theirs.
struct Scene {
    _lab: Lab,
    _lan: Bridge,
    wire: Capture,
    ours: Host,
    theirs: Host,
}

fn instance(priority: u8, key: &str) -> Instance {
    let block = format!("authentication {{\n        auth_type AH\n        auth_pass {key}\n    }}");
    Instance::new("VI_1").priority(priority).line(&block)
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (lan, mut hosts) = lab.routers(2)?;
        let wire = lan.capture()?;
        let (theirs, ours) = (hosts.remove(1), hosts.remove(0));
        Ok(Self { _lab: lab, _lan: lan, wire, ours, theirs })
    }

    fn keepwatchd(&self, instance: &Instance) -> Result<Keepwatchd> {
        Keepwatchd::on(&self.ours).config(instance.version_2("")).flag("--vrrp").start()
    }

    fn keepalived(&self, instance: &Instance) -> Result<Keepalived> {
        Keepalived::start(&self.theirs, &instance.version_2(""), &[])
    }

    /// Waits until the host of `address` sends authenticated adverts and has the VIP, and the other has not.
    fn wait_for_master(&self, address: &str) -> Result<()> {
        let (master, other) =
            if address == OURS { (&self.ours, &self.theirs) } else { (&self.theirs, &self.ours) };
        let since = capture::now();
        wait::until(&format!("{address} alone is master"), wait::LONG, || {
            let last = self.wire.adverts_from(address).pop();
            last.is_some_and(|(at, advert)| at > since && advert.priority > 0 && advert.authentication == 2)
                && master.has("eth0", VIP)
                && !other.has("eth0", VIP)
        })
    }

    /// Lets some adverts pass, and makes sure that nobody else sent any meanwhile.
    fn nobody_but(&self, address: &str) {
        let since = capture::now();
        std::thread::sleep(Duration::from_secs(5));
        let other = if address == OURS { THEIRS } else { OURS };
        let adverts = |of| self.wire.adverts_from(of).iter().filter(|(at, _)| *at > since).count();
        assert!(adverts(address) >= 3, "{address} went on");
        assert_eq!(adverts(other), 0, "{other} was content");
    }
}

fn counted(we: &Keepwatchd, metric: &str) -> f64 {
    we.metric(metric, &["iname=\"VI_1\""]).unwrap_or(0.0)
}

/// Waits until each refused the other's adverts: `metric` counts it on our side, `statistic` on theirs.
fn both_count(we: &Keepwatchd, it: &Keepalived, metric: &str, statistic: &str) -> Result<()> {
    wait::until(&format!("we count {metric}"), wait::LONG, || counted(we, metric) >= 1.0)?;
    wait::until(&format!("it counts {statistic}"), wait::LONG, || {
        it.statistics("VI_1").is_ok_and(|all| all.get(statistic).is_some_and(|&count| count >= 1))
    })
}

#[test]
fn it_is_master_and_dies_and_we_take_over_and_it_comes_back() -> Result<()> {
    let scene = Scene::new("ah-they-die")?;
    let mut it = scene.keepalived(&instance(200, "1111"))?;
    let we = scene.keepwatchd(&instance(100, "1111"))?;
    scene.wait_for_master(THEIRS)?;
    scene.nobody_but(THEIRS);
    assert!(counted(&we, RECEIVED) >= 3.0, "its adverts count");
    assert_eq!((counted(&we, FAILURES), counted(&we, MISMATCHES)), (0.0, 0.0));

    it.process_mut().kill();
    scene.theirs.remove_address(VIP)?;
    scene.wait_for_master(OURS)?;

    // It begins anew at no sequence number, hears ours, and outranks us with the next: we must believe it.
    let it = scene.keepalived(&instance(200, "1111"))?;
    scene.wait_for_master(THEIRS)?;
    scene.nobody_but(THEIRS);
    assert_eq!(it.statistics("VI_1")?.get("Authentication Errors/Failure"), Some(&0));
    assert_eq!(counted(&we, FAILURES), 0.0);
    Ok(())
}

#[test]
fn we_are_master_and_stop_and_it_takes_over_and_we_come_back() -> Result<()> {
    let scene = Scene::new("ah-we-stop")?;
    // A password of eight bytes fills the key.
    let mut we = scene.keepwatchd(&instance(200, "12345678"))?;
    let it = scene.keepalived(&instance(100, "12345678"))?;
    scene.wait_for_master(OURS)?;
    scene.nobody_but(OURS);
    let theirs = it.statistics("VI_1")?;
    assert_eq!(theirs.get("Authentication Errors/Failure"), Some(&0), "{theirs:?}");

    we.process_mut().kill();
    scene.ours.remove_address(VIP)?;
    scene.wait_for_master(THEIRS)?;

    let we = scene.keepwatchd(&instance(200, "12345678"))?;
    scene.wait_for_master(OURS)?;
    scene.nobody_but(OURS);
    assert_eq!(counted(&we, FAILURES), 0.0);
    assert_eq!(it.statistics("VI_1")?.get("Authentication Errors/Failure"), Some(&0));
    Ok(())
}

#[test]
fn between_unicast_peers_the_time_to_live_is_not_covered() -> Result<()> {
    let scene = Scene::new("ah-unicast")?;
    let peer = |instance: Instance, ours: &str, theirs: &str| {
        instance
            .line(&format!("unicast_src_ip {ours}"))
            .line(&format!("unicast_peer {{\n        {theirs}\n    }}"))
    };
    let mut it = scene.keepalived(&peer(instance(200, "1111"), THEIRS, OURS))?;
    let we = scene.keepwatchd(&peer(instance(100, "1111"), OURS, THEIRS))?;
    scene.wait_for_master(THEIRS)?;
    scene.nobody_but(THEIRS);
    assert_eq!(counted(&we, FAILURES), 0.0);

    it.process_mut().kill();
    scene.theirs.remove_address(VIP)?;
    scene.wait_for_master(OURS)?;
    let it = scene.keepalived(&peer(instance(50, "1111"), THEIRS, OURS))?;
    scene.nobody_but(OURS);
    assert_eq!(it.statistics("VI_1")?.get("Authentication Errors/Failure"), Some(&0));
    Ok(())
}

#[test]
fn another_key_is_refused_and_counted_on_both_sides() -> Result<()> {
    let scene = Scene::new("ah-key")?;
    let it = scene.keepalived(&instance(200, "2222"))?;
    let we = scene.keepwatchd(&instance(100, "1111"))?;
    wait::until("both believe to be alone", wait::LONG, || {
        scene.ours.has("eth0", VIP) && scene.theirs.has("eth0", VIP)
    })?;
    both_count(&we, &it, FAILURES, "Authentication Errors/Failure")?;
    assert_eq!(counted(&we, RECEIVED), 0.0, "none of them was believed");
    we.wait_for_log("integrity check value")
}

#[test]
fn a_password_is_no_authentication_header() -> Result<()> {
    let scene = Scene::new("ah-or-pass")?;
    let _it = scene.keepalived(&Instance::new("VI_1").priority(200).password("1111"))?;
    let we = scene.keepwatchd(&instance(100, "1111"))?;
    // An authenticated keepalived does not listen to others at all. We do, so that somebody notices.
    wait::until("we count the wrong kind", wait::LONG, || counted(&we, MISMATCHES) >= 1.0)?;
    assert_eq!(counted(&we, FAILURES), 0.0);
    we.wait_for_log("no authentication header")
}
