//! Elections against Debian's keepalived where the configuration or an operator makes them other than the plain case:
//! unicast peers, no preemption, equal priorities, a reload, an address taken away by hand, a worker that dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Bridge, Capture, Host, Instance, Lab, capture, keepalived::Keepalived, keepwatchd::Keepwatchd, wait,
};
use nix::sys::signal::Signal;

const VIP: &str = "10.78.9.9";
const OURS: &str = "10.78.0.1";
const THEIRS: &str = "10.78.0.2";

/// Two hosts on a LAN that is recorded.
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

    fn keepwatchd(&self, instance: &Instance) -> Result<Keepwatchd> {
        Keepwatchd::on(&self.ours).config(instance.version_3("")).flag("--vrrp").start()
    }

    fn keepalived(&self, instance: &Instance) -> Result<Keepalived> {
        Keepalived::start(&self.theirs, &instance.version_3(""), &[])
    }

    /// We are master and it follows: it has heard us for a while.
    fn settle_on_ours(&self) -> Result<()> {
        wait::until("we are master", wait::LONG, || self.ours_alone())?;
        wait::throughout("we stay master", Duration::from_secs(1), || self.ours_alone())
    }

    fn ours_alone(&self) -> bool {
        self.ours.has("eth0", VIP) && !self.theirs.has("eth0", VIP)
    }

    fn theirs_alone(&self) -> bool {
        self.theirs.has("eth0", VIP) && !self.ours.has("eth0", VIP)
    }
}

fn fast(priority: u8) -> Instance {
    Instance::new("VI_1").interval("0.1").priority(priority)
}

fn unicast(priority: u8, from: &str, to: &str) -> Instance {
    fast(priority)
        .line(&format!("unicast_src_ip {from}"))
        .line(&format!("unicast_peer {{\n        {to}\n    }}"))
        .line("check_unicast_src")
}

#[test]
fn unicast_peers_elect_as_multicast_ones_do() -> Result<()> {
    let scene = Scene::new("unicast")?;
    let mut it = scene.keepalived(&unicast(200, THEIRS, OURS))?;
    let we = scene.keepwatchd(&unicast(100, OURS, THEIRS))?;
    wait::until("it is master", wait::LONG, || scene.theirs_alone())?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;

    it.process_mut().kill();
    scene.theirs.remove_address(VIP)?;
    wait::until("we are master", wait::LONG, || scene.ours_alone())?;
    let (_, advert) = scene.wire.adverts_from(OURS).pop().context("no advert of ours")?;
    assert_eq!(advert.destination.to_string(), THEIRS);

    let _it = scene.keepalived(&unicast(200, THEIRS, OURS))?;
    wait::until("it is master again", wait::LONG, || scene.theirs_alone())?;
    we.wait_for_log("(VI_1) Master received advert")
}

#[test]
fn with_nopreempt_we_leave_a_lower_master_alone_until_it_dies() -> Result<()> {
    let scene = Scene::new("nopreempt")?;
    let mut it = scene.keepalived(&fast(100))?;
    wait::until("it is master", wait::LONG, || scene.theirs_alone())?;
    let _we = scene.keepwatchd(&fast(200).line("nopreempt"))?;
    wait::throughout("it stays master", Duration::from_secs(3), || scene.theirs_alone())?;

    it.process_mut().kill();
    scene.theirs.remove_address(VIP)?;
    wait::until("we are master", wait::LONG, || scene.ours_alone())
}

#[test]
fn with_preempt_delay_we_wait_before_we_take_over() -> Result<()> {
    let scene = Scene::new("preempt-delay")?;
    let _it = scene.keepalived(&fast(100))?;
    wait::until("it is master", wait::LONG, || scene.theirs_alone())?;
    let _we = scene.keepwatchd(&fast(200).line("preempt_delay 3"))?;
    wait::throughout("it stays master", Duration::from_millis(2_500), || scene.theirs_alone())?;
    wait::until("we are master", wait::LONG, || scene.ours_alone())
}

#[test]
fn of_equal_priorities_the_higher_address_wins_after_a_partition() -> Result<()> {
    let scene = Scene::new("tie")?;
    scene.theirs.isolate()?;
    let _we = scene.keepwatchd(&fast(100))?;
    let _it = scene.keepalived(&fast(100))?;
    wait::until("both are master", wait::LONG, || {
        scene.ours.has("eth0", VIP) && scene.theirs.has("eth0", VIP)
    })?;
    scene.theirs.open_firewall()?;
    wait::until("the higher address is master", wait::LONG, || scene.theirs_alone())?;
    wait::throughout("it stays so", Duration::from_secs(2), || scene.theirs_alone())
}

#[test]
fn a_reload_that_adds_an_address_costs_no_advert() -> Result<()> {
    let scene = Scene::new("reload")?;
    let we = scene.keepwatchd(&fast(200))?;
    let it = scene.keepalived(&fast(100))?;
    scene.settle_on_ours()?;
    let since = capture::now();
    let elections = elections_of(&it);

    // An excluded one: keepalived 2.2.7 refuses adverts with another number of addresses than its own.
    let more = fast(200).line("virtual_ipaddress_excluded {\n        10.78.9.10\n    }");
    std::fs::write(we.config_path(), more.version_3(""))?;
    we.process().signal(Signal::SIGHUP)?;
    wait::until("the other address is there", wait::SHORT, || scene.ours.has("eth0", "10.78.9.10"))?;
    std::thread::sleep(Duration::from_secs(1));

    ensure!(scene.ours_alone(), "{}\n{}", we.process().log(), it.process().log());
    assert_eq!(elections_of(&it), elections);
    let adverts = scene.wire.adverts_from(OURS);
    let times: Vec<Duration> = adverts.iter().map(|(at, _)| *at).filter(|at| *at > since).collect();
    let gap = times.windows(2).map(|w| w[1].saturating_sub(w[0])).max().context("adverts")?;
    ensure!(gap < Duration::from_millis(290), "largest gap {gap:?}: an advert is missing");
    Ok(())
}

#[test]
fn an_address_taken_off_the_master_by_hand_is_put_back() -> Result<()> {
    let scene = Scene::new("by-hand")?;
    let we = scene.keepwatchd(&fast(200))?;
    let it = scene.keepalived(&fast(100))?;
    scene.settle_on_ours()?;
    let (elections, yielded) = (elections_of(&it), we.process().log().matches(BACKUP).count());
    scene.ours.remove_address(VIP)?;
    wait::until("it is back", wait::SHORT, || scene.ours.has("eth0", VIP))?;
    wait::throughout("we stay master", Duration::from_secs(1), || scene.ours_alone())?;
    assert_eq!(elections_of(&it), elections);
    assert_eq!(we.process().log().matches(BACKUP).count(), yielded);
    Ok(())
}

const BACKUP: &str = "(VI_1) Entering BACKUP STATE";

/// How often it has become master.
fn elections_of(it: &Keepalived) -> usize {
    it.process().log().matches("(VI_1) Entering MASTER STATE").count()
}
