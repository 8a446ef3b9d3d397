//! Elections against Debian's keepalived where the configuration or an operator makes them other than the plain case:
//! unicast peers, no preemption, equal priorities, a reload, an address taken away by hand, a worker that dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Pair, capture,
    conf::VIP,
    keepalived::Keepalived,
    pair::{OURS, THEIRS},
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
    let gap = pair.wire.largest_gap(OURS, since).context("adverts")?;
    ensure!(gap < Duration::from_millis(290), "largest gap {gap:?}: an advert is missing");
    Ok(())
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
