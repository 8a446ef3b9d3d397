//! Virtual addresses that are not ours alone, that can't be set, or that move: on real interfaces, with our daemon.

use std::fs;

use anyhow::{Result, ensure};
use integration::{Host, Instance, Lab, capture, conf::VIP, keepwatchd::Keepwatchd, process::Process, wait};
use nix::sys::signal::Signal;

#[path = "vrrp_addresses/first.rs"]
mod first;
#[path = "vrrp_addresses/life.rs"]
mod life;

/// A quick version 3 instance on eth0 with these addresses; `more` goes into its block.
fn instance(name: &str, vrid: u8, priority: u8, addresses: &str, more: &str) -> String {
    let instance = Instance::new(name).vrid(vrid).priority(priority).interval("0.1").vip(addresses);
    instance.line("version 3").line("garp_master_delay 1").line(more).to_string()
}

fn start(host: &Host, config: String) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn reload(daemon: &Keepwatchd, config: String) -> Result<()> {
    let before = daemon.process().log().matches("Reloaded").count();
    fs::write(daemon.config_path(), config)?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("it has reloaded", wait::LONG, || daemon.process().log().matches("Reloaded").count() > before)
}

fn is_master(daemon: &Keepwatchd, name: &str) -> Result<()> {
    daemon.wait_for_log(&format!("({name}) Entering MASTER STATE"))
}

/// What happens to the addresses of a host from now on.
fn watch(host: &Host) -> Result<Process> {
    host.process("monitor", "ip").args(["-o", "monitor", "address"]).start()
}

fn deleted(monitor: &Process, address: &str) -> bool {
    monitor.log().lines().any(|line| line.contains("Deleted") && line.contains(address))
}

#[test]
fn an_address_that_is_the_host_s_own_stays_whatever_happens() -> Result<()> {
    const OWN6: &str = "fd78::1";
    let lab = Lab::new("own")?;
    let (_lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    let host = &hosts[0];
    host.plug("eth1", &other)?.address("eth1", "10.80.0.1/16")?;
    // The address, with the prefix that it has and with another; in which list; the instance's priority.
    let excluded = |address: &str| format!("virtual_ipaddress_excluded {{\n {address}\n }}");
    let cases = [
        (100, "10.78.0.1/16", String::new(), "10.78.0.1", "eth0"),
        (100, "10.78.0.1", String::new(), "10.78.0.1", "eth0"),
        (100, VIP, excluded("fd78::1/64"), OWN6, "eth0"),
        (100, "10.80.0.1/16 dev eth1", String::new(), "10.80.0.1", "eth1"),
        (255, "10.78.0.1/16", String::new(), "10.78.0.1", "eth0"),
        (255, "10.78.0.1/16", excluded("10.80.0.1/16 dev eth1"), "10.80.0.1", "eth1"),
    ];
    for (priority, address, more, own, device) in cases {
        let case = format!("{priority} {address} {more}");
        let monitor = watch(host)?;
        let mut daemon = start(host, instance("VI_1", 51, priority, address, &more))?;
        is_master(&daemon, "VI_1")?;
        daemon.wait_for_log(own)?;
        daemon.wait_for_control()?;
        let status = daemon.answer(&["status"])?;
        let told = status.contains("is this host's own address");
        ensure!(told == (priority != 255), "{case}: {status}");
        // Down and up again, out of the definition and back.
        host.down("eth1")?.up("eth1")?;
        reload(&daemon, instance("VI_1", 51, priority, "10.78.9.8", ""))?;
        reload(&daemon, instance("VI_1", 51, priority, address, &more))?;
        ensure!(daemon.process_mut().stop(wait::LONG)?.success(), "{case}: {}", daemon.process().log());
        ensure!(host.has(device, own), "{case}: it is gone\n{}", daemon.process().log());
        ensure!(!host.has("eth0", VIP) && !host.has("eth0", "10.78.9.8"), "{case}: left behind");
        let copies = host.addresses(device)?.iter().filter(|address| address.to_string() == own).count();
        ensure!(copies == 1, "{case}: it is there {copies} times");
        ensure!(!deleted(&monitor, own), "{case}: it was taken off\n{}", monitor.log());
    }
    Ok(())
}

#[test]
fn what_a_killed_run_left_goes_though_the_host_s_own_stays() -> Result<()> {
    let lab = Lab::new("left-over")?;
    let (_lan, hosts) = lab.routers(2)?;
    let addresses = format!("{VIP}/16\n 10.78.0.1/16");
    let mut killed = start(&hosts[0], instance("VI_1", 51, 100, &addresses, ""))?;
    wait::until("it is master", wait::LONG, || hosts[0].has("eth0", VIP))?;
    killed.process_mut().kill();
    ensure!(hosts[0].has("eth0", VIP), "nothing was left");
    let better = start(&hosts[1], instance("VI_1", 51, 200, &format!("{VIP}/16\n 10.78.0.1/16"), ""))?;
    is_master(&better, "VI_1")?;
    let _again = start(&hosts[0], instance("VI_1", 51, 100, &addresses, ""))?;
    wait::until("what was left is gone", wait::LONG, || !hosts[0].has("eth0", VIP))?;
    ensure!(hosts[0].has("eth0", "10.78.0.1"), "the host's own went with it");
    Ok(())
}

#[test]
fn an_address_of_two_instances_stays_while_one_of_them_is_master() -> Result<()> {
    let lab = Lab::new("shared")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (first, second) = (instance("VI_1", 51, 100, VIP, ""), instance("VI_2", 52, 100, VIP, ""));
    let mut daemon = start(&hosts[0], format!("{first}{second}"))?;
    is_master(&daemon, "VI_1")?;
    is_master(&daemon, "VI_2")?;
    wait::until("the address is there", wait::LONG, || hosts[0].has("eth0", VIP))?;
    let monitor = watch(&hosts[0])?;
    // Only the first has a better master.
    let better = start(&hosts[1], instance("VI_1", 51, 200, "10.78.9.7", ""))?;
    is_master(&better, "VI_1")?;
    daemon.wait_for_log("VI_2 is master with it")?;
    reload(&daemon, second.clone())?;
    reload(&daemon, format!("{first}{second}"))?;
    wait::throughout("it stays", wait::SHORT / 4, || hosts[0].has("eth0", VIP))?;
    ensure!(!deleted(&monitor, VIP), "it was away for a moment: {}", monitor.log());
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(!hosts[0].has("eth0", VIP), "left behind");
    Ok(())
}

#[test]
fn a_reload_moves_an_address_and_renames_an_instance_without_a_flash() -> Result<()> {
    let lab = Lab::new("moved")?;
    let (lan, hosts) = lab.routers(1)?;
    let with = |name: &str, vrid, addresses: &str| instance(name, vrid, 100, addresses, "");
    let daemon =
        start(&hosts[0], with("VI_1", 51, &format!("{VIP}\n 10.78.9.1")) + &with("VI_2", 52, "10.78.9.2"))?;
    is_master(&daemon, "VI_1")?;
    is_master(&daemon, "VI_2")?;
    wait::until("all are there", wait::LONG, || {
        [VIP, "10.78.9.1", "10.78.9.2"].iter().all(|address| hosts[0].has("eth0", address))
    })?;
    let (wire, monitor) = (lan.capture()?, watch(&hosts[0])?);
    let moved = format!("10.78.9.2\n {VIP}");
    reload(&daemon, with("VI_1", 51, "10.78.9.1") + &with("VI_2", 52, &moved))?;
    daemon.wait_for_log("VI_2 is master with it")?;
    reload(&daemon, with("VI_first", 51, "10.78.9.1") + &with("VI_2", 52, &moved))?;
    daemon.wait_for_log("(VI_first) was called VI_1")?;
    // VI_first goes, and its address to VI_2.
    reload(&daemon, with("VI_2", 52, &format!("{moved}\n 10.78.9.1")))?;
    wait::until("VI_first resigns", wait::LONG, || {
        wire.adverts().iter().any(|(_, advert)| (advert.vrid, advert.priority) == (51, 0))
    })?;
    wait::until("VI_2 announces it", wait::LONG, || !wire.gratuitous_arps("10.78.9.1").is_empty())?;
    for address in [VIP, "10.78.9.1", "10.78.9.2"] {
        ensure!(hosts[0].has("eth0", address), "{address} is gone");
        ensure!(!deleted(&monitor, address), "{address} was away for a moment: {}", monitor.log());
    }
    let log = daemon.process().log();
    ensure!(log.matches("Entering").count() == 4 + 1, "two elections and one stop: {log}");
    daemon.wait_for_control()?;
    let status = daemon.answer(&["status"])?;
    ensure!(status.contains("VI_2") && !status.contains("VI_first"), "{status}");
    Ok(())
}

#[test]
fn an_address_that_can_t_be_set_is_told_of_not_announced_and_set_when_it_can_be() -> Result<()> {
    let lab = Lab::new("missing")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    let host = &hosts[0];
    let wire = lan.capture()?;
    let ipv6 =
        |off: &str| host.run("sysctl", &["-q", "-w", &format!("net.ipv6.conf.eth0.disable_ipv6={off}")]);
    ipv6("1")?;
    let more = "virtual_ipaddress_excluded {\n fd78::9/64\n 10.80.9.9/16 dev eth7 no_track\n }";
    let daemon = start(
        host,
        format!("global_defs {{\n dynamic_interfaces\n}}\n{}", instance("VI_1", 51, 100, VIP, more)),
    )?;
    is_master(&daemon, "VI_1")?;
    daemon.wait_for_log("can't add VIP fd78::9/64 to eth0: Permission denied")?;
    daemon.wait_for_log("can't add VIP 10.80.9.9/16 to eth7: No such device")?;
    wait::until("it announces the other", wait::LONG, || !wire.gratuitous_arps(VIP).is_empty())?;
    daemon.wait_for_log("Sending gratuitous ARPs again: 1 addresses")?;
    daemon.wait_for_control()?;
    let missing = || daemon.metric("keepwatch_vrrp_missing_addresses", &[]);
    wait::until("the metric says so", wait::LONG, || missing() == Some(2.0))?;
    let status = daemon.answer(&["status"])?;
    ensure!(
        status.contains("VI_1: VIP fd78::9/64 is not on eth0 since ")
            && status.contains("): Permission denied"),
        "{status}"
    );
    let why = daemon.answer(&["why", "VI_1"])?;
    ensure!(why.contains("fd78::9/64 (Permission denied)"), "{why}");
    ensure!(why.contains("can't add VIP 10.80.9.9/16 to eth7"), "{why}");

    let far = other.capture()?;
    host.plug("eth7", &other)?;
    wait::until("it is set on the interface that came", wait::LONG, || host.has("eth7", "10.80.9.9"))?;
    wait::until("and announced there", wait::LONG, || !far.gratuitous_arps("10.80.9.9").is_empty())?;
    ipv6("0")?;
    wait::until("it is set where IPv6 is on again", wait::LONG, || host.has("eth0", "fd78::9"))?;
    wait::until("nothing is missing", wait::LONG, || missing() == Some(0.0))?;
    let log = daemon.process().log();
    ensure!(log.matches("can't add VIP").count() == 2, "told once each: {log}");
    Ok(())
}

#[test]
fn an_address_that_another_host_has_is_told_of_and_not_announced() -> Result<()> {
    let lab = Lab::new("duplicate")?;
    let (_lan, hosts) = lab.routers(2)?;
    let has = |host: &Host, on: &str| {
        host.run("sysctl", &["-q", "-w", &format!("net.ipv6.conf.eth0.accept_dad={on}")])
    };
    has(&hosts[0], "1")?;
    hosts[1].address("eth0", "fd78::9/64")?;
    let more = "virtual_ipaddress_excluded {\n fd78::9/64 -nodad\n }";
    let daemon = start(&hosts[0], instance("VI_1", 51, 100, VIP, more))?;
    is_master(&daemon, "VI_1")?;
    daemon.wait_for_log("VIP fd78::9/64 to eth0: another host on the link has it")?;
    daemon.wait_for_log("Sending gratuitous ARPs again: 1 addresses")?;
    let log = daemon.process().log();
    ensure!(!log.contains("2 addresses") && !log.contains("setting VIP fd78::9"), "{log}");
    // The other gives it up.
    hosts[1].remove_address("fd78::9")?;
    daemon.wait_for_log("setting VIP fd78::9/64 on eth0")
}

#[test]
fn a_master_whose_interface_gets_another_name_takes_its_address_off_there() -> Result<()> {
    let lab = Lab::new("renamed")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let daemon = start(&hosts[0], instance("VI_1", 51, 100, &format!("{VIP}/16"), ""))?;
    wait::until("it is master", wait::LONG, || hosts[0].has("eth0", VIP))?;
    is_master(&daemon, "VI_1")?;
    let rename = |from: &str, to: &str| hosts[0].run("ip", &["link", "set", from, "name", to]);
    if rename("eth0", "lan0").is_err() {
        // Before Linux 6.2 only an interface that is down can be renamed; the daemon may not have seen it down yet.
        hosts[0]
            .run("sh", &["-c", "ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up"])?;
    }
    wait::until("its address is taken off", wait::LONG, || !hosts[0].has("lan0", VIP))?;
    ensure!(hosts[0].has("lan0", "10.78.0.1"), "and only that");
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    let since = capture::now();
    if rename("lan0", "eth0").is_err() {
        hosts[0]
            .run("sh", &["-c", "ip link set lan0 down; ip link set lan0 name eth0; ip link set eth0 up"])?;
    }
    wait::until("it is master again under the old name", wait::LONG, || {
        hosts[0].has("eth0", VIP) && wire.is_master_since("10.78.0.1", since)
    })
}
