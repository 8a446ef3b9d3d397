//! Virtual routers and the interfaces under them: interfaces that come late, go and come back, addresses that somebody
//! takes away, IPv6, unicast, other devices; with our daemon in a host of the lab.

use anyhow::{Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, capture, conf::VIP, keepalived::Keepalived, keepwatchd::Keepwatchd, wait,
};

/// A quick version 3 instance on eth0; `more` goes into its block.
fn instance(name: &str, vrid: u8, priority: u8, address: &str, more: &str) -> String {
    let instance = Instance::new(name).vrid(vrid).priority(priority).interval("0.1").vip(address);
    instance.line("version 3").line("garp_master_delay 1").line(more).to_string()
}

fn start(host: &Host, config: String) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn becomes_master(wire: &Capture, host: &Host, source: &str, address: &str) -> Result<()> {
    let since = capture::now();
    wait::until(&format!("{source} is master of {address}"), wait::LONG, || {
        host.has("eth0", address) && wire.is_master_since(source, since)
    })
}

#[test]
fn an_interface_that_comes_late_ends_the_fault() -> Result<()> {
    let lab = Lab::new("late")?;
    let lan = lab.bridge("lan")?;
    let host = lab.host("a")?;
    let config = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", instance("VI_1", 51, 100, VIP, ""));
    let daemon = start(&host, config)?;
    wait::until("it says that there is no such interface", wait::LONG, || {
        daemon.process().log().contains("FAULT STATE")
    })?;
    let wire = lan.capture()?;
    host.plug("eth0", &lan)?.address("eth0", "10.78.0.1/16")?;
    becomes_master(&wire, &host, "10.78.0.1", VIP)?;

    // It goes, and another of its name comes.
    host.remove_interface("eth0")?;
    wait::until("the fault is said again", wait::LONG, || {
        daemon.process().log().matches("FAULT STATE").count() >= 2
    })?;
    host.plug("eth0", &lan)?.address("eth0", "10.78.0.1/16")?;
    becomes_master(&wire, &host, "10.78.0.1", VIP)
}

#[test]
fn an_interface_that_comes_without_an_address_is_said_to_have_none() -> Result<()> {
    let lab = Lab::new("late-mute")?;
    let lan = lab.bridge("lan")?;
    let host = lab.host("a")?;
    let config = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", instance("VI_1", 51, 100, VIP, ""));
    let daemon = start(&host, config)?;
    daemon.wait_for_log("FAULT STATE")?;
    daemon.wait_for_control()?;
    host.plug("eth0", &lan)?;
    for question in [["status", ""], ["why", "VI_1"]] {
        let question: Vec<&str> = question.into_iter().filter(|word| !word.is_empty()).collect();
        wait::until(&format!("{question:?} says what is missing"), wait::LONG, || {
            daemon.answer(&question).is_ok_and(|answer| answer.contains("no address to send adverts from"))
        })
        .map_err(|error| anyhow::anyhow!("{error}: {:?}", daemon.answer(&question)))?;
    }
    Ok(())
}

#[test]
fn an_interface_that_is_gone_has_no_addresses() -> Result<()> {
    let lab = Lab::new("gone")?;
    let (_lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    let host = &hosts[0];
    host.plug("eth1", &other)?;
    let daemon = start(host, instance("VI_1", 51, 100, &format!("{VIP}\n 10.80.9.9/24 dev eth1"), ""))?;
    wait::until("both are there", wait::LONG, || host.has("eth0", VIP) && host.has("eth1", "10.80.9.9"))?;
    daemon.wait_for_control()?;
    let has = |address: &str| daemon.answer(&["status"]).is_ok_and(|status| status.contains(address));
    wait::until("status has it", wait::LONG, || has("10.80.9.9"))?;
    host.remove_interface("eth1")?;
    wait::until("status has it no longer", wait::LONG, || !has("10.80.9.9/24"))
        .map_err(|error| anyhow::anyhow!("{error}: {:?}", daemon.answer(&["status"])))
}

#[test]
fn an_interface_that_goes_for_a_moment_counts_as_up_where_delays_say_so() -> Result<()> {
    let lab = Lab::new("delays")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?;
    let delays = "interface_up_down_delays {\n eth1 1.5 1\n}\n";
    let block = instance("VI_1", 51, 100, VIP, "track_interface {\n eth1\n }");
    let daemon = start(&hosts[0], delays.to_owned() + &block)?;
    let wire = lan.capture()?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    hosts[0].down("eth1")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    hosts[0].up("eth1")?;
    wait::throughout("it is master", std::time::Duration::from_secs(2), || hosts[0].has("eth0", VIP))?;
    hosts[0].down("eth1")?;
    wait::until("the fault counts in the end", wait::LONG, || !hosts[0].has("eth0", VIP))?;
    daemon.wait_for_log("Netlink reports eth1 down")?;
    let downs = daemon.process().log().matches("Netlink reports eth1 down").count();
    ensure!(downs == 1, "{}", daemon.process().log());
    hosts[0].up("eth1")?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)
}

/// What it shows of `linkbeat_interfaces` is that an interface which is asked for its link, and has one, is up and comes up
/// again: one without a link that the kernel takes for running can't be had here, and is a unit test beside the code.
#[test]
fn interfaces_of_static_entries_decide_about_faults_also_if_they_are_asked_for_their_link() -> Result<()> {
    let lab = Lab::new("linkbeat")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?;
    let blocks = "linkbeat_interfaces {\n eth1 ETHTOOL\n}\n\
        track_group T {\n group {\n VI_1\n }\n}\n\
        static_ipaddress {\n 10.80.0.1/24 dev eth1 track_group T\n}\n";
    let daemon = start(&hosts[0], blocks.to_owned() + &instance("VI_1", 51, 100, VIP, ""))?;
    let wire = lan.capture()?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    hosts[0].down("eth1")?;
    wait::until("the interface of a static address is a fault", wait::LONG, || !hosts[0].has("eth0", VIP))?;
    wait::until("why says so", wait::LONG, || {
        daemon.answer(&["why", "VI_1"]).is_ok_and(|why| {
            why.contains("Netlink reports eth1 down")
                && why.contains("in FAULT: interface eth1 is down")
                && why.contains("which its track_group needs")
        })
    })?;
    hosts[0].up("eth1")?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)
}

#[test]
fn a_driver_that_does_not_know_the_way_in_which_it_is_to_be_asked_is_asked_in_another_as_by_keepalived()
-> Result<()> {
    const SAID: &str = "(eth0): Configured linkbeat type MII not supported, using ETHTOOL";
    let lab = Lab::new("linkbeat-mii")?;
    let (_lan, hosts) = lab.routers(1)?;
    let config = |way: &str| {
        format!("linkbeat_interfaces {{\n eth0 {way}\n}}\n{}", instance("VI_1", 51, 100, VIP, ""))
    };
    let daemon = start(&hosts[0], config("MII"))?;
    daemon.wait_for_log(SAID)?;
    wait::until("it is master", wait::LONG, || hosts[0].has("eth0", VIP))?;
    daemon.reload(&config("ETHTOOL"))?;
    daemon.wait_for_log("Reloaded")?;
    daemon.reload(&config("MII"))?;
    wait::until("it is said again", wait::LONG, || daemon.process().log().matches(SAID).count() == 2)
}

#[test]
fn a_virtual_address_that_somebody_takes_away_is_put_back() -> Result<()> {
    let lab = Lab::new("stolen")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let _daemon = start(&hosts[0], instance("VI_1", 51, 100, VIP, ""))?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    ensure!(hosts[0].remove_address(VIP)?, "it was not there");
    wait::until("it is back", wait::LONG, || hosts[0].has("eth0", VIP))
}

#[test]
fn an_interface_without_an_address_to_speak_from_is_a_fault() -> Result<()> {
    let lab = Lab::new("mute")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let daemon = start(&hosts[0], instance("VI_1", 51, 100, VIP, ""))?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    hosts[0].remove_address("10.78.0.1")?;
    wait::until("the virtual address is gone", wait::LONG, || !hosts[0].has("eth0", VIP))?;
    wait::until("status says why", wait::LONG, || {
        daemon
            .answer(&["status"])
            .is_ok_and(|status| status.contains("the interface has no address to send adverts from"))
    })?;
    hosts[0].address("eth0", "10.78.0.7/16")?;
    becomes_master(&wire, &hosts[0], "10.78.0.7", VIP)
}

/// The kernel takes an address of the same network along with the one before it (`promote_secondaries` 0).
#[test]
fn an_address_that_goes_with_the_primary_one_of_its_network_is_put_back() -> Result<()> {
    let lab = Lab::new("secondary")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let wire = lan.capture()?;
    let config = instance("VI_1", 51, 100, &format!("{VIP}/16"), "");
    let daemon = start(host, config)?;
    becomes_master(&wire, host, "10.78.0.1", VIP)?;
    let shown = || host.run("ip", &["-o", "addr", "show", "dev", "eth0"]).unwrap_or_default();
    ensure!(shown().lines().any(|line| line.contains(VIP) && line.contains("secondary")), "{}", shown());
    // Nothing is left to speak from: a fault; and everything is as before when there is.
    host.remove_address("10.78.0.1")?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    wait::until("it is gone", wait::LONG, || !host.has("eth0", VIP))?;
    host.address("eth0", "10.78.0.1/16")?;
    becomes_master(&wire, host, "10.78.0.1", VIP)?;
    // There is something else: it is master all the while.
    host.address("eth0", "10.79.0.1/16")?;
    let entered = daemon.process().log().matches("Entering").count();
    let since = capture::now();
    host.remove_address("10.78.0.1")?;
    wait::until("adverts come from the other address", wait::LONG, || {
        !wire.adverts_since("10.79.0.1", since).is_empty()
    })?;
    wait::until("it is back", wait::LONG, || host.has("eth0", VIP))?;
    ensure!(daemon.process().log().matches("Entering").count() == entered, "{}", daemon.process().log());
    Ok(())
}

#[test]
fn an_address_goes_on_the_interface_that_it_names() -> Result<()> {
    let lab = Lab::new("dev")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?.address("eth1", "10.80.0.1/16")?;
    let (wire, far) = (lan.capture()?, other.capture()?);
    let address = format!("{VIP}\n 10.80.9.9/16 dev eth1 label eth1:vip");
    let mut daemon = start(&hosts[0], instance("VI_1", 51, 100, &address, ""))?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    wait::until("the other address is on eth1", wait::LONG, || hosts[0].has("eth1", "10.80.9.9"))?;
    wait::until("it is announced there", wait::LONG, || !far.gratuitous_arps("10.80.9.9").is_empty())?;
    ensure!(wire.gratuitous_arps("10.80.9.9").is_empty(), "it was announced on the wrong LAN");
    let shown = hosts[0].run("ip", &["-o", "-4", "address", "show", "dev", "eth1"])?;
    ensure!(shown.contains("eth1:vip"), "no label: {shown}");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(!hosts[0].has("eth1", "10.80.9.9") && !hosts[0].has("eth0", VIP), "left behind");
    Ok(())
}

#[test]
fn over_ipv6_we_take_over_from_keepalived_and_yield_to_it() -> Result<()> {
    const VIP6: &str = "fd78::9";
    let lab = Lab::new("six")?;
    let (_lan, hosts) = lab.routers(2)?;
    let block = |priority| instance("VI_6", 61, priority, VIP6, "");
    let _ours = start(&hosts[0], block(100))?;
    wait::until("we are master", wait::LONG, || hosts[0].has("eth0", VIP6))?;
    let mut theirs = Keepalived::start(&hosts[1], &block(200), &[])?;
    wait::until("it has taken over", wait::LONG, || {
        hosts[1].has("eth0", VIP6) && !hosts[0].has("eth0", VIP6)
    })?;
    theirs.process_mut().kill();
    wait::until("we are master again", wait::LONG, || hosts[0].has("eth0", VIP6))
}

#[test]
fn where_ipv6_is_switched_off_ipv4_goes_on() -> Result<()> {
    let lab = Lab::new("four")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    hosts[0].run("sysctl", &["-q", "-w", "net.ipv6.conf.eth0.disable_ipv6=1"])?;
    let both = instance("VI_6", 61, 100, "fd78::9", "") + &instance("VI_4", 51, 100, VIP, "");
    let _daemon = start(&hosts[0], both)?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    ensure!(!hosts[0].has("eth0", "fd78::9"), "there is IPv6");
    Ok(())
}

#[test]
fn unicast_peers_elect_a_master_without_multicast() -> Result<()> {
    let lab = Lab::new("unicast")?;
    let (lan, hosts) = lab.routers(2)?;
    let wire = lan.capture()?;
    let block = |own: u8, peer: u8, priority| {
        let more = format!("unicast_src_ip 10.78.0.{own}\n unicast_peer {{\n 10.78.0.{peer}\n }}");
        instance("VI_1", 51, priority, VIP, &more)
    };
    let mut theirs = Keepalived::start(&hosts[1], &block(2, 1, 200), &[])?;
    becomes_master(&wire, &hosts[1], "10.78.0.2", VIP)?;
    let _ours = start(&hosts[0], block(1, 2, 100))?;
    wait::throughout("we stay backup", wait::SHORT / 4, || !hosts[0].has("eth0", VIP))?;
    theirs.process_mut().kill();
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    let astray = wire.adverts().into_iter().filter(|(_, advert)| advert.destination.is_multicast()).count();
    ensure!(astray == 0, "{astray} adverts were multicast");
    Ok(())
}

#[test]
fn two_hundred_routers_on_one_interface_stay_with_their_master() -> Result<()> {
    const COUNT: usize = 200;
    let lab = Lab::new("many")?;
    let (_lan, hosts) = lab.routers(2)?;
    let config = |priority| -> String {
        let all =
            (1..=COUNT).map(|i| instance(&format!("VI_{i}"), i as u8, priority, &format!("10.78.1.{i}"), ""));
        all.collect()
    };
    let count = |host: &Host| {
        let all = host.addresses("eth0").unwrap_or_default();
        all.iter().filter(|address| address.to_string().starts_with("10.78.1.")).count()
    };
    let mut ours = start(&hosts[0], config(200))?;
    let theirs = Keepalived::start(&hosts[1], &config(100), &[])?;
    wait::until("all are with us", wait::LONG, || count(&hosts[0]) == COUNT && count(&hosts[1]) == 0)?;
    wait::throughout("all stay with us", wait::SHORT / 2, || {
        count(&hosts[0]) == COUNT && count(&hosts[1]) == 0
    })?;
    ours.process_mut().stop(wait::LONG)?;
    wait::until("all are with it", wait::LONG, || count(&hosts[0]) == 0 && count(&hosts[1]) == COUNT)?;
    drop(theirs);
    Ok(())
}

/// Renames an interface. Before Linux 6.2 only one that is down can be.
fn rename(host: &Host, from: &str, to: &str) -> Result<()> {
    let rename = || host.run("ip", &["link", "set", from, "name", to]);
    if rename().is_err() {
        host.down(from)?;
        rename()?;
        host.up(to)?;
    }
    Ok(())
}

#[test]
fn a_renamed_interface_is_the_root_of_the_fault_and_the_master_resigns_by_it() -> Result<()> {
    let lab = Lab::new("renamed-why")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let daemon = start(&hosts[0], instance("VI_1", 51, 100, VIP, ""))?;
    becomes_master(&wire, &hosts[0], "10.78.0.1", VIP)?;
    if hosts[0].run("ip", &["link", "set", "eth0", "name", "lan0"]).is_err() {
        return Ok(());
    }
    daemon.wait_for_log("Interface name has changed from eth0 to lan0")?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    wait::until("it resigns", wait::LONG, || wire.adverts().iter().any(|(_, advert)| advert.priority == 0))?;
    wait::until("why names the root", wait::LONG, || {
        daemon.answer(&["why", "VI_1"]).is_ok_and(|why| {
            let events: Vec<&str> = why.lines().filter(|line| line.trim_start().starts_with('#')).collect();
            events.first().is_some_and(|root| root.contains("Interface name has changed from eth0 to lan0"))
                && events.iter().any(|event| event.contains("Entering FAULT STATE"))
        })
    })
    .map_err(|error| anyhow::anyhow!("{error}: {:?}", daemon.answer(&["why", "VI_1"])))?;
    wait::until("its address is off", wait::LONG, || !hosts[0].has("lan0", VIP))
}

#[test]
fn an_address_that_a_killed_run_left_where_it_does_not_belong_goes() -> Result<()> {
    let lab = Lab::new("stray")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let config = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", instance("VI_1", 51, 100, VIP, ""));
    let mut killed = start(host, config.clone())?;
    wait::until("its address is there", wait::LONG, || host.has("eth0", VIP))?;
    killed.process_mut().kill();
    rename(host, "eth0", "lan0")?;
    // One of nobody's stays.
    host.run("ip", &["address", "add", "10.78.7.7/32", "dev", "lan0", "proto", "18"])
        .or_else(|_| host.run("ip", &["address", "add", "10.78.7.7/32", "dev", "lan0"]))?;
    let daemon = start(host, config)?;
    daemon.wait_for_log("Removed what a program that was killed left where it does not belong: address")?;
    ensure!(!host.has("lan0", VIP), "it is there still");
    ensure!(host.has("lan0", "10.78.0.1") && host.has("lan0", "10.78.7.7"), "others went with it");
    Ok(())
}

#[test]
fn what_the_kernel_drops_with_an_interface_that_is_switched_off_is_told_to_be_gone() -> Result<()> {
    let lab = Lab::new("dropped")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let daemon = start(host, instance("VI_1", 51, 100, "fe80::9/64\n fd78::9/64", ""))?;
    wait::until("both are there", wait::LONG, || host.has("eth0", "fe80::9") && host.has("eth0", "fd78::9"))?;
    daemon.wait_for_log("(VI_1) Sending unsolicited Neighbour Adverts on becoming master: 2 addresses")?;
    daemon.wait_for_control()?;
    let has = |address: &str| daemon.answer(&["status"]).is_ok_and(|status| status.contains(address));
    wait::until("status has them", wait::LONG, || has("fe80::9") && has("fd78::9"))?;
    host.down("eth0")?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    wait::until("status has them no longer", wait::LONG, || !has("fe80::9") && !has("fd78::9"))
        .map_err(|error| anyhow::anyhow!("{error}: {:?}", daemon.answer(&["status"])))
}

#[test]
fn a_link_local_address_that_another_host_has_is_named_as_what_keeps_a_router_in_fault() -> Result<()> {
    let lab = Lab::new("duplicate")?;
    let (_lan, hosts) = lab.routers(2)?;
    let link_local = |host: &Host| {
        let all = host.addresses("eth0").unwrap_or_default();
        all.iter().map(ToString::to_string).find(|address| address.starts_with("fe80:"))
    };
    wait::until("it has a link-local address", wait::LONG, || link_local(&hosts[0]).is_some())?;
    let own = link_local(&hosts[0]).unwrap_or_default();
    let own = own.split('/').next().unwrap_or_default();
    let daemon = start(&hosts[0], instance("VI_1", 51, 100, "fe80::9/64", ""))?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    daemon.wait_for_control()?;
    for setting in ["accept_dad=1", "dad_transmits=1"] {
        hosts[0].run("sysctl", &["-q", "-w", &format!("net.ipv6.conf.eth0.{setting}")])?;
    }
    hosts[1].run("ip", &["address", "add", &format!("{own}/64"), "dev", "eth0", "nodad"])?;
    hosts[0].down("eth0")?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    hosts[0].up("eth0")?;
    daemon.wait_for_log(&format!("{own} of eth0 can't be used: another host on the link has it"))?;
    wait::until("status says so", wait::LONG, || {
        daemon
            .answer(&["status"])
            .is_ok_and(|status| status.contains(&format!("another host on the link has {own}")))
    })
    .map_err(|error| anyhow::anyhow!("{error}: {:?}", daemon.answer(&["status"])))
}
