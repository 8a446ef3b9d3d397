//! Virtual routers with a hardware address of their own (`use_vmac`): the interface, its settings, what is on the wire, and
//! what becomes of it when somebody reloads, kills, or takes it away. Beside Debian's keepalived.

use std::fs;
use std::net::UdpSocket;

use anyhow::{Result, ensure};
use integration::capture::{self, Capture, frame::Payload};
use integration::{
    Bridge, Host, Instance, Lab, conf::VIP, keepalived::Keepalived, keepwatchd::Keepwatchd, wait,
};
use nix::sys::signal::Signal;

#[path = "vrrp_vmac/hands.rs"]
mod hands;
#[path = "vrrp_vmac/shape.rs"]
mod shape;
#[path = "vrrp_vmac/wire.rs"]
mod wire;

const VIRTUAL: &str = "00:00:5e:00:01:33";

fn instance(priority: u8, more: &str) -> String {
    Instance::new("VI_1").priority(priority).interval("0.1").line("version 3").line(more).to_string()
}

fn start(host: &Host, config: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn reload(daemon: &Keepwatchd, config: &str) -> Result<()> {
    let before = daemon.process().log().matches("Reloaded").count();
    fs::write(daemon.config_path(), config)?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("it has reloaded", wait::LONG, || daemon.process().log().matches("Reloaded").count() > before)
}

/// What `ip` says of an interface; empty if there is none.
fn link(host: &Host, name: &str) -> String {
    host.run("ip", &["-d", "-o", "link", "show", "dev", name]).unwrap_or_default()
}

fn index(host: &Host, name: &str) -> String {
    link(host, name).split(':').next().unwrap_or_default().to_owned()
}

fn sysctl(host: &Host, name: &str) -> String {
    host.run("sysctl", &["-n", name]).unwrap_or_default().trim().to_owned()
}

fn macvlans(host: &Host) -> Result<Vec<String>> {
    let all = host.run("ip", &["-o", "link", "show", "type", "macvlan"])?;
    Ok(all
        .lines()
        .filter_map(|line| line.split([':', '@']).nth(1))
        .map(|name| name.trim().to_owned())
        .collect())
}

/// The hardware addresses that the adverts of one source left from.
fn hardware_of_adverts(wire: &Capture, source: &str) -> Vec<String> {
    wire.pick(|frame| match &frame.payload {
        Payload::Vrrp(advert) if advert.source.to_string() == source => {
            Some(frame.from.map(|byte| format!("{byte:02x}")).join(":"))
        }
        _ => None,
    })
}

/// Sends a datagram, for which the host must find out who has the address.
fn say_something(host: &Host, from: &str, to: &str) -> Result<()> {
    host.inside(|| {
        let socket = UdpSocket::bind((from, 0))?;
        socket.send_to(b"hello", (to, 9))?;
        Ok(())
    })
}

fn link_local(host: &Host, name: &str) -> Vec<String> {
    let all = host.addresses(name).unwrap_or_default();
    all.iter().map(ToString::to_string).filter(|address| address.starts_with("fe80")).collect()
}

const SETTINGS: [&str; 5] = [
    "net.ipv4.conf.eth0.arp_ignore",
    "net.ipv4.conf.eth0.arp_filter",
    "net.ipv4.conf.eth0.arp_announce",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.eth0.rp_filter",
];

#[test]
fn the_interface_is_that_which_keepalived_makes_and_goes_with_the_daemon() -> Result<()> {
    let lab = Lab::new("vmac")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (host, other) = (&hosts[0], &hosts[1]);
    host.run("sysctl", &["-q", "-w", "net.ipv4.conf.all.rp_filter=1"])?;
    let before: Vec<String> = SETTINGS.iter().map(|name| sysctl(host, name)).collect();
    let mut daemon = start(host, &instance(200, "use_vmac"))?;
    daemon.wait_for_log("(VI_1): Success creating VMAC interface vrrp.51")?;
    wait::until("its address is on it", wait::LONG, || host.has("vrrp.51", VIP))?;
    ensure!(!host.has("eth0", VIP));
    let log = daemon.process().log();
    ensure!(!log.contains("FAULT"), "it was in fault for a moment: {log}");
    let _theirs = Keepalived::start(other, &instance(100, "use_vmac"), &[])?;
    wait::until("keepalived has made its own", wait::LONG, || link(other, "vrrp.51").contains("state UP"))?;
    for part in ["vrrp.51@eth0", "macvlan mode private", VIRTUAL, "addrgenmode none"] {
        ensure!(link(host, "vrrp.51").contains(part), "no {part} in {}", link(host, "vrrp.51"));
    }
    for setting in ["arp_ignore", "accept_local", "rp_filter", "promote_secondaries"] {
        let name = format!("net.ipv4.conf.vrrp/51.{setting}");
        ensure!(sysctl(host, &name) == sysctl(other, &name), "{setting}: {}", sysctl(host, &name));
    }
    ensure!(sysctl(host, "net.ipv6.conf.vrrp/51.disable_ipv6") == "1");
    ensure!(
        sysctl(host, "net.ipv4.conf.all.rp_filter") == "0"
            && sysctl(host, "net.ipv4.conf.eth0.rp_filter") == "1"
    );
    ensure!(sysctl(host, "net.ipv4.conf.eth0.arp_ignore") == "1");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)?.is_empty(), "left behind: {:?}", macvlans(host)?);
    let after: Vec<String> = SETTINGS.iter().map(|name| sysctl(host, name)).collect();
    ensure!(before == after, "{before:?} {after:?}");
    Ok(())
}

#[test]
fn adverts_and_announcements_have_the_virtual_hardware_address_and_both_sides_hear_each_other() -> Result<()>
{
    let lab = Lab::new("vmac-wire")?;
    let (lan, hosts) = lab.routers(3)?;
    let wire = lan.capture()?;
    let mut theirs = Keepalived::start(&hosts[1], &instance(100, "use_vmac"), &[])?;
    theirs.process().wait_for_log("Entering MASTER STATE", wait::LONG)?;
    let mut ours = start(&hosts[0], &instance(200, "use_vmac"))?;
    ours.wait_for_log("Entering MASTER STATE")?;
    theirs.process().wait_for_log("Entering BACKUP STATE\n", wait::LONG)?;
    wait::until("it announces its address", wait::LONG, || !wire.gratuitous_arps(VIP).is_empty())?;
    say_something(&hosts[2], "10.78.0.3", VIP)?;
    let known = || hosts[2].run("ip", &["neigh", "show", VIP]).unwrap_or_default();
    wait::until("its address is asked for", wait::LONG, || known().contains("lladdr"))?;
    ensure!(known().contains(VIRTUAL), "{}", known());
    // The master itself talks from its address: that must not move it.
    hosts[0].run("ip", &["neigh", "flush", "all"])?;
    say_something(&hosts[0], VIP, "10.78.0.3")?;
    let met = || hosts[0].run("ip", &["neigh", "show", "10.78.0.3"]).unwrap_or_default();
    wait::until("it has asked for the other", wait::LONG, || met().contains("lladdr"))?;
    ensure!(known().contains(VIRTUAL), "it moved: {}", known());
    let macs = hardware_of_adverts(&wire, "10.78.0.1");
    ensure!(!macs.is_empty() && macs.iter().all(|mac| mac == VIRTUAL), "{macs:?}");
    ours.process_mut().stop(wait::LONG)?;
    theirs.process().wait_for_log("Entering MASTER STATE", wait::LONG)?;
    theirs.process_mut().stop(wait::LONG)?;
    Ok(())
}

#[test]
fn ipv6_has_a_vmac_too_and_its_link_local_address_stays_where_it_is() -> Result<()> {
    let lab = Lab::new("vmac-6")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let six = instance(100, "use_vmac").replace("10.78.9.9/32", "fe80::9/64\n fd78::9/64");
    let daemon = start(&hosts[0], &six)?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    wait::until("the addresses are there", wait::LONG, || {
        hosts[0].has("vrrp.51", "fd78::9") && hosts[0].has("vrrp.51", "fe80::9")
    })?;
    ensure!(link(&hosts[0], "vrrp.51").contains("00:00:5e:00:02:33"));
    wait::until("it advertises", wait::LONG, || wire.adverts().len() > 2)?;
    let source = wire.adverts().first().map(|(_, advert)| advert.source.to_string()).unwrap_or_default();
    ensure!(link_local(&hosts[0], "eth0").contains(&source), "{source}");
    let macs = hardware_of_adverts(&wire, &source);
    ensure!(macs.iter().all(|mac| mac == "00:00:5e:00:02:33"), "{macs:?}");
    let own = hosts[0].addresses("vrrp.51")?;
    ensure!(own.len() == 2, "{own:?}");
    Ok(())
}

#[test]
fn reloads_keep_it_rename_it_and_take_it_away() -> Result<()> {
    let lab = Lab::new("vmac-reload")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let daemon = start(host, &instance(100, "use_vmac"))?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
    let number = index(host, "vrrp.51");
    for priority in [110, 120, 130] {
        reload(&daemon, &instance(priority, "use_vmac"))?;
    }
    ensure!(index(host, "vrrp.51") == number && host.has("vrrp.51", VIP), "it was made anew");
    ensure!(daemon.process().log().matches("Entering").count() == 2, "{}", daemon.process().log());
    let (wire, since) = (lan.capture()?, capture::now());
    reload(&daemon, &instance(100, "use_vmac other0"))?;
    wait::until("its address is on the new one", wait::LONG, || host.has("other0", VIP))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
    wait::until("and announced", wait::LONG, || !wire.gratuitous_arps(VIP).is_empty())?;
    ensure!(wire.is_master_since("10.78.0.1", since));
    ensure!(macvlans(host)? == ["other0"], "{:?}", macvlans(host)?);
    reload(&daemon, &instance(100, ""))?;
    wait::until("its address is on eth0", wait::LONG, || host.has("eth0", VIP))?;
    ensure!(macvlans(host)?.is_empty(), "{:?}", macvlans(host)?);
    ensure!(sysctl(host, "net.ipv4.conf.eth0.arp_ignore") == "0");
    Ok(())
}

#[test]
fn what_a_killed_run_left_is_adopted_and_what_somebody_deletes_is_made_again() -> Result<()> {
    let lab = Lab::new("vmac-killed")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    // An interface of that name which is no VMAC is left alone.
    host.run("ip", &["link", "add", "vrrp.51", "type", "veth", "peer", "name", "far"])?;
    let mut killed = start(host, &instance(100, "use_vmac"))?;
    wait::until("it has another name", wait::LONG, || host.has("vrrp1.51", VIP))?;
    let number = index(host, "vrrp1.51");
    killed.process_mut().kill();
    ensure!(host.has("vrrp1.51", VIP), "nothing was left");
    let mut again = start(host, &instance(100, "use_vmac"))?;
    again.wait_for_log("(VI_1) Found matching interface vrrp1.51")?;
    again.wait_for_log("Entering MASTER STATE")?;
    ensure!(index(host, "vrrp1.51") == number && host.has("vrrp1.51", VIP), "{}", again.process().log());
    host.remove_interface("vrrp1.51")?;
    wait::until("it is made again", wait::LONG, || {
        index(host, "vrrp1.51") != number && host.has("vrrp1.51", VIP)
    })
    .map_err(|error| anyhow::anyhow!("{error}: {}", again.process().log()))?;
    again.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)?.is_empty() && !link(host, "vrrp.51").is_empty());
    Ok(())
}

#[test]
fn the_interface_below_may_come_later_and_go() -> Result<()> {
    let lab = Lab::new("vmac-later")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let config = instance(100, "use_vmac").replace("interface eth0", "interface eth5");
    let daemon = start(host, &format!("global_defs {{\n dynamic_interfaces\n}}\n{config}"))?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    for _ in 0..2 {
        host.plug("eth5", &lan)?.address("eth5", "10.78.0.5/16")?;
        wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))
            .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
        host.remove_interface("eth5")?;
        wait::until("the VMAC went along", wait::LONG, || link(host, "vrrp.51").is_empty())?;
    }
    Ok(())
}

/// Two LANs: `eth0` is 10.78.0.1, `eth1` is 10.80.0.1.
fn two_lans(name: &str) -> Result<(Lab, [Bridge; 2], Host)> {
    let lab = Lab::new(name)?;
    let (first, mut hosts) = lab.routers(1)?;
    let second = lab.bridge("second")?;
    let host = hosts.remove(0);
    host.plug("eth1", &second)?.address("eth1", "10.80.0.1/16")?;
    Ok((lab, [first, second], host))
}

/// Where addresses are: the interface, its hardware address, and the interface below it.
fn placement(host: &Host, addresses: &[&str]) -> Vec<[String; 4]> {
    let on = |address: &str| {
        let all = host.run("ip", &["-o", "addr", "show"]).unwrap_or_default();
        let found = all.lines().find(|line| line.contains(&format!(" {address}/")));
        found.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default().to_owned()
    };
    let place = |address: &&str| {
        let name = on(address);
        let link = link(host, &name);
        let after = |word: &str| link.split(word).nth(1).and_then(|rest| rest.split_whitespace().next());
        let below = link.split(&format!("{name}@")).nth(1).and_then(|rest| rest.split(':').next());
        let hardware = after("link/ether ").unwrap_or_default().to_owned();
        [(*address).to_owned(), name.clone(), hardware, below.unwrap_or_default().to_owned()]
    };
    addresses.iter().map(place).collect()
}

/// Starts each daemon on the same host with the same file, and says where each puts addresses.
fn placements(host: &Host, config: &str, addresses: &[&str]) -> Result<[Vec<[String; 4]>; 2]> {
    let there = || placement(host, addresses).iter().all(|[_, name, ..]| !name.is_empty());
    let mut theirs = Keepalived::start(host, config, &[])?;
    wait::until("keepalived has put them all on", wait::LONG, there)?;
    let placed = placement(host, addresses);
    theirs.process_mut().stop(wait::LONG)?;
    let mut ours = start(host, config)?;
    wait::until("keepwatchd has put them all on", wait::LONG, there)?;
    let ours_placed = placement(host, addresses);
    ours.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)?.is_empty(), "left behind: {:?}", macvlans(host)?);
    Ok([placed, ours_placed])
}

#[test]
fn addresses_elsewhere_go_on_vmacs_of_their_own_where_keepalived_puts_them() -> Result<()> {
    let (_lab, _lans, host) = two_lans("vmac-addr")?;
    let addresses = ["10.78.9.9", "10.80.9.9", "fd78::9"];
    for (lines, prefix) in [
        ("use_vmac\n use_vmac_addr", ""),
        ("use_vmac_addr", ""),
        ("use_vmac\n use_vmac_addr", "vmac_addr_prefix vip"),
        ("use_vmac", ""),
    ] {
        let global = format!("global_defs {{\n{prefix}\n}}\n");
        let more = format!("{lines}\n virtual_ipaddress_excluded {{\n fd78::9/64\n }}");
        let block =
            instance(100, &more).replace("10.78.9.9/32", "10.78.9.9/32 dev eth0\n 10.80.9.9/32 dev eth1");
        let [theirs, ours] = placements(&host, &(global + &block), &addresses)?;
        ensure!(theirs == ours, "{lines} {prefix}: keepalived {theirs:?}, keepwatchd {ours:?}");
    }
    Ok(())
}

#[test]
fn one_address_may_have_a_vmac_that_is_announced_remade_and_taken_away_by_a_reload() -> Result<()> {
    let (_lab, lans, host) = two_lans("vmac-one")?;
    let wire = lans[1].capture()?;
    let block = |more: &str| {
        let line = format!("10.78.9.9/32\n 10.80.9.9/32 dev eth1{more}");
        "global_defs {\n vmac_addr_prefix vip\n}\n".to_owned()
            + &instance(100, "").replace("10.78.9.9/32", &line)
    };
    let daemon = start(&host, &block(" use_vmac"))?;
    wait::until("the address is on its VMAC", wait::LONG, || host.has("vip.51", "10.80.9.9"))?;
    ensure!(host.has("eth0", VIP) && link(&host, "vip.51").contains(VIRTUAL), "{}", link(&host, "vip.51"));
    let announced = || {
        wire.pick(|frame| match &frame.payload {
            Payload::Arp(arp) if arp.target.to_string() == "10.80.9.9" => {
                Some(frame.from.map(|byte| format!("{byte:02x}")).join(":"))
            }
            _ => None,
        })
    };
    wait::until("it is announced", wait::LONG, || !announced().is_empty())?;
    ensure!(announced().iter().all(|hardware| hardware == VIRTUAL), "{:?}", announced());
    ensure!(sysctl(&host, "net.ipv4.conf.eth1.arp_ignore") == "1");

    host.run("ip", &["link", "delete", "vip.51"])?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    wait::until("it is back", wait::LONG, || host.has("vip.51", "10.80.9.9"))?;

    reload(&daemon, &block(""))?;
    wait::until("it goes", wait::LONG, || link(&host, "vip.51").is_empty())?;
    wait::until("the address is on the interface itself", wait::LONG, || host.has("eth1", "10.80.9.9"))?;
    ensure!(host.has("eth0", VIP));
    wait::until("the base is as before", wait::LONG, || {
        sysctl(&host, "net.ipv4.conf.eth1.arp_ignore") == "0"
    })?;
    Ok(())
}

#[test]
fn what_a_killed_run_left_goes_if_the_next_has_no_vmac_and_is_taken_over_whatever_its_name() -> Result<()> {
    let lab = Lab::new("vmac-left")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let mut daemon = start(host, &instance(100, "use_vmac"))?;
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
    daemon.process_mut().kill();
    let number = index(host, "vrrp.51");
    let mut daemon = start(host, &instance(100, "use_vmac other0"))?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    wait::until("its address is there again", wait::LONG, || host.has("vrrp.51", VIP))?;
    ensure!(index(host, "vrrp.51") == number && macvlans(host)? == ["vrrp.51"], "{:?}", macvlans(host)?);
    daemon.process_mut().kill();
    ensure!(host.has("vrrp.51", VIP));
    let _daemon = start(host, &instance(100, ""))?;
    wait::until("the old one is gone", wait::LONG, || macvlans(host).is_ok_and(|all| all.is_empty()))?;
    wait::until("its address is on the interface itself", wait::LONG, || host.has("eth0", VIP))?;
    Ok(())
}

#[test]
fn one_that_somebody_else_made_for_an_address_stays_whatever_its_hardware_address() -> Result<()> {
    let lab = Lab::new("vmac-other")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let made =
        ["link", "add", "hand0", "link", "eth0", "address", VIRTUAL, "type", "macvlan", "mode", "private"];
    host.run("ip", &made)?;
    host.up("hand0")?;
    let number = index(host, "hand0");
    let config = instance(100, "").replace("10.78.9.9/32", "10.78.9.9/32 dev hand0");
    let mut daemon = start(host, &config)?;
    wait::until("its address is on it", wait::LONG, || host.has("hand0", VIP))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(index(host, "hand0") == number && macvlans(host)? == ["hand0"], "{:?}", macvlans(host)?);
    // A VMAC of that hardware address can't be beside it.
    let mut daemon = start(host, &config.replace("version 3", "version 3\n use_vmac"))?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(index(host, "hand0") == number && macvlans(host)? == ["hand0"], "{:?}", macvlans(host)?);
    Ok(())
}

#[test]
fn whoever_listens_to_the_kernel_is_told_of_the_interface_below_if_that_is_wanted() -> Result<()> {
    let lab = Lab::new("vmac-notify")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    host.run("ip", &["link", "add", "br0", "type", "bridge"])?;
    host.run("ip", &["link", "set", "eth0", "master", "br0"])?;
    host.run("ip", &["addr", "add", "10.78.0.9/16", "dev", "br0"])?;
    host.up("br0")?;
    wait::until("the bridge runs", wait::LONG, || link(host, "br0").contains("LOWER_UP"))?;
    let mut told = Vec::new();
    for word in ["", "netlink_notify_msg"] {
        let monitor = host.spawn(&format!("monitor{word}"), "ip", &["-o", "monitor", "link"])?;
        // It listens a moment after it has started.
        wait::until("the monitor listens", wait::LONG, || {
            let _ = host.run("ip", &["link", "add", "early0", "type", "veth", "peer", "name", "early1"]);
            let _ = host.run("ip", &["link", "delete", "early0"]);
            monitor.log().contains("early0")
        })?;
        let block = instance(100, &format!("use_vmac {word}")).replace("eth0", "br0");
        let mut daemon = start(host, &block)?;
        wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
        daemon.process_mut().stop(wait::LONG)?;
        wait::until("the monitor saw it go", wait::LONG, || {
            monitor.log().lines().any(|line| line.contains("Deleted") && line.contains("vrrp.51"))
        })?;
        // What comes last is told after that.
        host.run("ip", &["link", "add", "probe0", "type", "veth", "peer", "name", "probe1"])?;
        wait::until("the monitor saw what came after", wait::LONG, || {
            monitor
                .log()
                .lines()
                .filter(|line| line.contains(": probe0@") && !line.contains("Deleted"))
                .count()
                > 0
        })?;
        host.run("ip", &["link", "delete", "probe0"])?;
        told.push(monitor.log().lines().filter(|line| line.contains(": br0: ")).count());
    }
    // One of each kind comes by itself, of what is above the bridge.
    ensure!(told[1] == told[0] + 2, "{told:?}");
    Ok(())
}
