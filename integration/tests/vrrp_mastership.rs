//! Who is master when somebody interferes: a reload during the start, forged resignations, another owner.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration::{Host, Instance, Lab, conf::VIP, hostile, keepwatchd::Keepwatchd, wait};
use nix::sys::signal::Signal;

/// A quick version 3 instance on eth0.
fn instance(priority: u8) -> String {
    Instance::new("VI_1").priority(priority).interval("0.1").line("version 3").to_string()
}

fn start(host: &Host, config: String) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn is_master(daemon: &Keepwatchd) -> Result<()> {
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")
}

#[test]
fn a_reload_changes_the_startup_delay_of_those_that_still_wait() -> Result<()> {
    let lab = Lab::new("delay")?;
    let (lan, hosts) = lab.routers(1)?;
    let config = |delay| format!("global_defs {{\n vrrp_startup_delay {delay}\n}}\n{}", instance(100));
    // Without the reload nothing would happen within the patience of the test.
    let daemon = start(&hosts[0], config(600))?;
    daemon.wait_for_log("(VI_1) Entering BACKUP STATE (init)")?;
    let (wire, began) = (lan.capture()?, Instant::now());
    fs::write(daemon.config_path(), config(4))?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Reloaded")?;
    wait::throughout("it waits", Duration::from_secs(2), || wire.adverts().is_empty())?;
    is_master(&daemon)?;
    ensure!(began.elapsed() > Duration::from_secs(2), "after {:?}", began.elapsed());
    Ok(())
}

/// Stopped for longer than a master may be silent, as by a debugger, or frozen with its container: the adverts that came
/// meanwhile wait in the socket, and are heard before the master is declared dead.
#[test]
fn a_backup_that_was_stopped_for_a_while_does_not_take_over() -> Result<()> {
    let lab = Lab::new("stopped")?;
    let (_lan, hosts) = lab.routers(2)?;
    let master = start(&hosts[0], instance(200))?;
    is_master(&master)?;
    let backup = start(&hosts[1], instance(100))?;
    backup.wait_for_log("(VI_1) Entering BACKUP STATE (init)")?;
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..3 {
        backup.process().signal_all(Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(700));
        backup.process().signal_all(Signal::SIGCONT);
        std::thread::sleep(Duration::from_millis(500));
    }
    let log = backup.process().log();
    ensure!(!log.contains("Entering MASTER STATE"), "{log}");
    Ok(())
}

#[test]
fn forged_resignations_do_not_make_the_backup_flip() -> Result<()> {
    const SPAN: Duration = Duration::from_secs(3);
    let lab = Lab::new("forged")?;
    let (_lan, hosts) = lab.routers(3)?;
    let address = |last| Ipv4Addr::new(10, 78, 0, last);
    let master = start(&hosts[0], instance(200))?;
    is_master(&master)?;
    let backup = start(&hosts[1], instance(100))?;
    backup.wait_for_log("(VI_1) Entering BACKUP STATE (init)")?;
    wait::until("the master has its address", wait::LONG, || hosts[0].has("eth0", VIP))?;
    // They come from the master, it seems: its own kernel does not even show them to it.
    hostile::resign(&hosts[2], address(3), address(1), (51, VIP.parse()?), 200, SPAN)?;
    let log = backup.process().log();
    ensure!(log.contains("Backup received priority 0"), "none was believed: {log}");
    let flips = log.matches("Entering MASTER STATE").count();
    // One for each time that whoever floods was off the processor for longer than the skew of 61 ms.
    ensure!(flips < 6, "master {flips} times in {SPAN:?}: {log}");
    let told = log.matches("Backup received priority 0").count();
    ensure!(told < 30, "told {told} times");
    Ok(())
}

#[test]
fn two_owners_are_told_of_each_other_and_settle_on_one() -> Result<()> {
    let lab = Lab::new("owners")?;
    let (_lan, hosts) = lab.routers(2)?;
    let owner = instance(255).replace("state BACKUP", "state MASTER");
    let first = start(&hosts[0], owner.clone())?;
    is_master(&first)?;
    let second = start(&hosts[1], owner)?;
    is_master(&second)?;
    first.wait_for_log("10.78.0.2 claims to be the owner of the addresses too")?;
    wait::until("one gives way", wait::LONG, || !hosts[0].has("eth0", VIP) && hosts[1].has("eth0", VIP))?;
    wait::throughout("and stays away", wait::SHORT / 2, || !hosts[0].has("eth0", VIP))?;
    let told = first.process().log().matches("claims to be the owner").count();
    ensure!(told == 1, "told {told} times");
    first.wait_for_control()?;
    let why = first.answer(&["why", "VI_1"])?;
    ensure!(why.contains("claims to be the owner"), "{why}");
    Ok(())
}
