//! Elections against Debian's keepalived where the configuration or an operator makes them other than the plain case:
//! unicast peers, no preemption, equal priorities, a reload, an address taken away by hand, a worker that dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Pair, capture,
    conf::VIP,
    frr::Frr,
    keepalived::Keepalived,
    pair::{OURS, THEIRS, counted},
    wait,
};
use nix::sys::signal::Signal;

/// We are master and it follows: it has heard us for a while.
fn settle_on_ours(pair: &Pair) -> Result<()> {
    wait::until("we are master", wait::LONG, || pair.ours_alone())?;
    wait::throughout("we stay master", Duration::from_secs(1), || pair.ours_alone())
}

fn fast(priority: u8) -> Instance {
    Instance::new("VI_1").interval("0.1").priority(priority)
}

fn unicast(priority: u8, from: &str, to: &str) -> Instance {
    fast(priority).unicast(from, to).line("check_unicast_src")
}

#[test]
fn unicast_peers_elect_as_multicast_ones_do() -> Result<()> {
    let pair = Pair::new("unicast")?;
    let mut it = pair.keepalived(unicast(200, THEIRS, OURS).version_3(""))?;
    let we = pair.keepwatchd(unicast(100, OURS, THEIRS).version_3(""))?;
    wait::until("it is master", wait::LONG, || pair.theirs_alone())?;
    we.wait_for_log("(VI_1) Entering BACKUP STATE")?;

    it.process_mut().kill();
    pair.theirs.remove_address(VIP)?;
    wait::until("we are master", wait::LONG, || pair.ours_alone())?;
    let (_, advert) = pair.wire.adverts_from(OURS).pop().context("no advert of ours")?;
    assert_eq!(advert.destination.to_string(), THEIRS);

    let _it = pair.keepalived(unicast(200, THEIRS, OURS).version_3(""))?;
    wait::until("it is master again", wait::LONG, || pair.theirs_alone())?;
    we.wait_for_log("(VI_1) Master received advert")
}

#[test]
fn with_nopreempt_we_leave_a_lower_master_alone_until_it_dies() -> Result<()> {
    let pair = Pair::new("nopreempt")?;
    let mut it = pair.keepalived(fast(100).version_3(""))?;
    wait::until("it is master", wait::LONG, || pair.theirs_alone())?;
    let _we = pair.keepwatchd(fast(200).line("nopreempt").version_3(""))?;
    wait::throughout("it stays master", Duration::from_secs(3), || pair.theirs_alone())?;

    it.process_mut().kill();
    pair.theirs.remove_address(VIP)?;
    wait::until("we are master", wait::LONG, || pair.ours_alone())
}

#[test]
fn with_nopreempt_it_leaves_us_alone_until_we_die() -> Result<()> {
    let pair = Pair::new("their-nopreempt")?;
    let mut we = pair.keepwatchd(fast(100).version_3(""))?;
    wait::until("we are master", wait::LONG, || pair.ours_alone())?;
    let _it = pair.keepalived(fast(200).line("nopreempt").version_3(""))?;
    wait::throughout("we stay master", Duration::from_secs(3), || pair.ours_alone())?;

    we.process_mut().kill();
    pair.ours.remove_address(VIP)?;
    wait::until("it is master", wait::LONG, || pair.theirs_alone())
}

/// It is master and dies, we take over, it comes back, we yield; and the other way round.
fn each_way(name: &str, config: impl Fn(u8, bool) -> String) -> Result<()> {
    let pair = Pair::new(name)?;
    let mut it = pair.keepalived(config(200, false))?;
    let mut we = pair.keepwatchd(config(100, true))?;
    wait::until("it is master", wait::LONG, || pair.theirs_alone())?;
    it.process_mut().kill();
    pair.theirs.remove_address(VIP)?;
    wait::until("we take over", wait::LONG, || pair.ours_alone())?;
    let _it = pair.keepalived(config(200, false))?;
    wait::until("it is master again", wait::LONG, || pair.theirs_alone())?;

    we.process_mut().stop(wait::SHORT)?;
    let mut we = pair.keepwatchd(config(220, true))?;
    wait::until("we preempt", wait::LONG, || pair.ours_alone())?;
    we.process_mut().kill();
    pair.ours.remove_address(VIP)?;
    wait::until("it takes over", wait::LONG, || pair.theirs_alone())
}

#[test]
fn in_version_2_without_authentication_each_takes_over_from_the_other() -> Result<()> {
    each_way("plain-2", |priority, _| Instance::new("VI_1").priority(priority).version_2(""))
}

#[test]
fn in_version_2_between_unicast_peers_each_takes_over_from_the_other() -> Result<()> {
    each_way("unicast-2", |priority, ours| {
        let (from, to) = if ours { (OURS, THEIRS) } else { (THEIRS, OURS) };
        Instance::new("VI_1").priority(priority).password("1111").unicast(from, to).version_2("")
    })
}

#[test]
fn between_ipv6_unicast_peers_each_takes_over_from_the_other() -> Result<()> {
    each_way("unicast-6", |priority, ours| {
        let (from, to) = if ours { ("fd78::1", "fd78::2") } else { ("fd78::2", "fd78::1") };
        let instance = fast(priority).vip("fd78::9:9/128").unicast(from, to);
        // The address that the test looks at goes along.
        instance.line(&format!("virtual_ipaddress_excluded {{\n        {VIP}/32\n    }}")).version_3("")
    })
}

#[test]
fn with_preempt_delay_we_wait_before_we_take_over() -> Result<()> {
    let pair = Pair::new("preempt-delay")?;
    let _it = pair.keepalived(fast(100).version_3(""))?;
    wait::until("it is master", wait::LONG, || pair.theirs_alone())?;
    let _we = pair.keepwatchd(fast(200).line("preempt_delay 3").version_3(""))?;
    wait::throughout("it stays master", Duration::from_millis(2_500), || pair.theirs_alone())?;
    wait::until("we are master", wait::LONG, || pair.ours_alone())
}

#[test]
fn of_equal_priorities_the_higher_address_wins_after_a_partition() -> Result<()> {
    let pair = Pair::new("tie")?;
    pair.theirs.isolate()?;
    let _we = pair.keepwatchd(fast(100).version_3(""))?;
    let _it = pair.keepalived(fast(100).version_3(""))?;
    wait::until("both are master", wait::LONG, || pair.both())?;
    pair.theirs.open_firewall()?;
    wait::until("the higher address is master", wait::LONG, || pair.theirs_alone())?;
    wait::throughout("it stays so", Duration::from_secs(2), || pair.theirs_alone())
}

#[test]
fn a_reload_that_adds_an_address_costs_no_advert() -> Result<()> {
    let pair = Pair::new("reload")?;
    let we = pair.keepwatchd(fast(200).version_3(""))?;
    let it = pair.keepalived(fast(100).version_3(""))?;
    settle_on_ours(&pair)?;
    let since = capture::now();
    let elections = elections_of(&it);

    // An excluded one: keepalived 2.2.7 refuses adverts with another number of addresses than its own.
    let more = fast(200).line("virtual_ipaddress_excluded {\n        10.78.9.10\n    }");
    std::fs::write(we.config_path(), more.version_3(""))?;
    we.process().signal(Signal::SIGHUP)?;
    wait::until("the other address is there", wait::SHORT, || pair.ours.has("eth0", "10.78.9.10"))?;
    std::thread::sleep(Duration::from_secs(1));

    ensure!(pair.ours_alone(), "{}\n{}", we.process().log(), it.process().log());
    assert_eq!(elections_of(&it), elections);
    pair.wire.is_in_time(OURS, since, Duration::from_millis(290))
}

#[test]
fn an_address_taken_off_the_master_by_hand_is_put_back() -> Result<()> {
    let pair = Pair::new("by-hand")?;
    let we = pair.keepwatchd(fast(200).version_3(""))?;
    let it = pair.keepalived(fast(100).version_3(""))?;
    settle_on_ours(&pair)?;
    let (elections, yielded) = (elections_of(&it), we.process().log().matches(BACKUP).count());
    pair.ours.remove_address(VIP)?;
    wait::until("it is back", wait::SHORT, || pair.ours.has("eth0", VIP))?;
    wait::throughout("we stay master", Duration::from_secs(1), || pair.ours_alone())?;
    assert_eq!(elections_of(&it), elections);
    assert_eq!(we.process().log().matches(BACKUP).count(), yielded);
    Ok(())
}

const BACKUP: &str = "(VI_1) Entering BACKUP STATE";

/// How often it has become master.
fn elections_of(it: &Keepalived) -> usize {
    it.process().log().matches("(VI_1) Entering MASTER STATE").count()
}

#[test]
fn frr_is_master_and_dies_and_we_take_over_and_it_yields_to_us() -> Result<()> {
    let pair = Pair::new("frr")?;
    let mut frr = Frr::start(&pair.theirs, 200)?;
    let is_master = || pair.wire.is_master_since(THEIRS, capture::now() - Duration::from_secs(1));
    wait::until("FRR is master", wait::LONG, is_master)?;
    let mut we = pair.keepwatchd(fast(100).version_3(""))?;
    wait::until("we hear it", wait::LONG, || {
        counted(&we, "keepalived_advertisements_received_total") >= 10.0
    })?;
    ensure!(!pair.ours.has("eth0", VIP), "{}", we.process().log());
    for metric in ["keepwatch_vrrp_checksum_errors_total", "keepalived_address_list_errors_total"] {
        assert_eq!(counted(&we, metric), 0.0, "{metric}");
    }

    frr.vrrpd().kill();
    wait::until("we take over", wait::LONG, || pair.ours.has("eth0", VIP))?;
    drop(frr);
    pair.theirs.run("ip", &["link", "delete", "vrrp4"])?;

    // The other role: it finds us there, and is content; without us it is master.
    let _ = std::fs::remove_dir_all(pair.theirs.directory().join("frr"));
    let _frr = Frr::start(&pair.theirs, 50)?;
    wait::throughout("it leaves us alone", Duration::from_secs(3), || {
        pair.wire.is_master_since(OURS, capture::now() - Duration::from_secs(2))
    })?;
    we.process_mut().stop(wait::SHORT)?;
    wait::until("FRR takes over", wait::LONG, is_master)?;
    let _we = pair.keepwatchd(fast(220).version_3(""))?;
    wait::until("it yields", wait::LONG, || pair.ours.has("eth0", VIP) && !is_master())
}
