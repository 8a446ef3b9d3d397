//! Which hardware address is on which frame: of adverts, announcements, answers, and what the kernel itself says.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddrV6};

use integration::capture::frame::Arp;
use socket2::{Domain, Protocol, Socket, Type};

use super::*;

const VIRTUAL_6: &str = "00:00:5e:00:02:33";
const VIP_6: &str = "fd78::9";

fn six(priority: u8, more: &str) -> String {
    instance(priority, more).replace("10.78.9.9/32", "fe80::9/64\n fd78::9/64")
}

/// The hardware address of an interface.
fn hardware(host: &Host, name: &str) -> String {
    let link = link(host, name);
    let after = link.split("link/ether ").nth(1).unwrap_or_default();
    after.split_whitespace().next().unwrap_or_default().to_owned()
}

fn is_report(payload: &Payload) -> bool {
    matches!(payload, Payload::GroupReport { .. })
}

/// The kernel reports of the groups of addresses that come and go, on the macvlan and so with the virtual hardware address.
/// From a backup that would lead switches to it.
#[test]
fn what_the_kernel_reports_of_groups_leaves_by_the_interface_below() -> Result<()> {
    let lab = Lab::new("vmac-mld")?;
    let (lan, hosts) = lab.routers(2)?;
    let wire = lan.capture()?;
    let low = start(&hosts[0], &six(100, "use_vmac"))?;
    low.wait_for_log("Entering MASTER STATE")?;
    let of = |host: &Host, source: &str, since| {
        let (below, source) = (hardware(host, "eth0"), source.to_owned());
        let from = wire.senders(
            since,
            |payload| matches!(payload, Payload::GroupReport { source: it } if it.to_string() == source),
        );
        from.contains(&below)
    };
    wait::until("the groups of its addresses are reported", wait::LONG, || {
        of(&hosts[0], "fe80::9", capture::now() - wait::LONG)
    })?;
    let since = capture::now();
    let mut high = start(&hosts[1], &six(200, "use_vmac"))?;
    high.wait_for_log("Entering MASTER STATE")?;
    low.wait_for_log("Entering BACKUP STATE\n")?;
    wait::until("the groups of its addresses are reported", wait::LONG, || of(&hosts[1], "fe80::9", since))?;
    wait::until("the first reports that it left them", wait::LONG, || of(&hosts[0], "::", since))?;
    high.process_mut().stop(wait::LONG)?;
    wait::until("the first is master again", wait::LONG, || hosts[0].has("vrrp.51", VIP_6))?;
    let told = |payload: &Payload| is_report(payload) || matches!(payload, Payload::RouterSolicitation);
    let from = wire.senders(Default::default(), told);
    ensure!(!from.contains(&VIRTUAL_6.to_owned()), "with the virtual hardware address: {from:?}");
    // It is made again by hand, with another number.
    hosts[0].remove_interface("vrrp.51")?;
    let since = capture::now();
    wait::until("it is master with a new one", wait::LONG, || hosts[0].has("vrrp.51", VIP_6))?;
    wait::until("groups are reported", wait::LONG, || of(&hosts[0], "fe80::9", since))?;
    ensure!(!wire.senders(since, told).contains(&VIRTUAL_6.to_owned()));
    Ok(())
}

/// Of the group of adverts a macvlan says nothing: it is joined on the interface below.
#[test]
fn the_group_of_adverts_is_reported_by_the_interface_below_as_by_keepalived() -> Result<()> {
    let lab = Lab::new("vmac-igmp")?;
    let (lan, hosts) = lab.routers(2)?;
    let wire = lan.capture()?;
    let _ours = start(&hosts[0], &instance(200, "use_vmac"))?;
    let _theirs = Keepalived::start(&hosts[1], &instance(100, "use_vmac"), &[])?;
    for host in &hosts {
        let below = hardware(host, "eth0");
        let reported = || {
            let of_four =
                |payload: &Payload| matches!(payload, Payload::GroupReport { source } if source.is_ipv4());
            wire.senders(Default::default(), of_four).contains(&below)
        };
        wait::until("the group is reported from below", wait::LONG, reported)?;
    }
    wait::until("it is master", wait::LONG, || hosts[0].has("vrrp.51", VIP))?;
    let from = wire.senders(Default::default(), is_report);
    ensure!(!from.contains(&VIRTUAL.to_owned()), "with the virtual hardware address: {from:?}");
    Ok(())
}

/// A router of the LAN says which network it leads to: `fd79::/64`.
fn advertise_network(host: &Host) -> Result<()> {
    let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
    message.extend("fd79::".parse::<Ipv6Addr>()?.octets());
    let index: u32 = index(host, "eth0").parse()?;
    host.inside(|| {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_multicast_hops_v6(255)?;
        socket.set_multicast_if_v6(index)?;
        let all = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, index);
        socket.send_to(&message, &all.into())?;
        Ok(())
    })
}

/// What a router of the LAN says is for the interface below: else every router of the virtual one, backups too, would make
/// itself the same address of the virtual hardware address.
#[test]
fn no_address_of_the_lan_s_router_is_made_on_it() -> Result<()> {
    let lab = Lab::new("vmac-ra")?;
    let (_lan, hosts) = lab.routers(3)?;
    let _high = start(&hosts[0], &six(200, "use_vmac"))?;
    let _low = start(&hosts[1], &six(100, "use_vmac"))?;
    wait::until("one is master", wait::LONG, || hosts[0].has("vrrp.51", VIP_6))?;
    wait::until("the other has its own", wait::LONG, || link(&hosts[1], "vrrp.51").contains("state UP"))?;
    let made = |host: &Host, name: &str| {
        host.addresses(name)
            .unwrap_or_default()
            .iter()
            .any(|address| address.to_string().starts_with("fd79:"))
    };
    wait::until("they are told of a network", wait::LONG, || {
        advertise_network(&hosts[2]).is_ok() && hosts[..2].iter().all(|host| made(host, "eth0"))
    })?;
    for host in &hosts[..2] {
        ensure!(!made(host, "vrrp.51"), "{:?}", host.addresses("vrrp.51")?);
        let ways = host.run("ip", &["-6", "route", "show", "default"])?;
        ensure!(!ways.contains("vrrp.51"), "{ways}");
    }
    Ok(())
}

/// Where frames come from: `virtual`, `base`, or the address itself.
type Seen = BTreeSet<(&'static str, String)>;

/// Starts either daemon alone, and says where what it sends comes from, once it has sent all kinds.
fn seen(host: &Host, lan: &Bridge, config: &str, keepalived: bool, vip: &str) -> Result<Seen> {
    let wire = lan.capture()?;
    let base = hardware(host, "eth0");
    let who = |hardware: [u8; 6]| match hardware.map(|byte| format!("{byte:02x}")).join(":") {
        it if it == base => "base".to_owned(),
        it if it == VIRTUAL || it == VIRTUAL_6 => "virtual".to_owned(),
        it => it,
    };
    let own = |frame: &integration::Frame| -> Vec<(&'static str, String)> {
        match &frame.payload {
            Payload::Vrrp(_) => vec![("advert", who(frame.from))],
            Payload::Arp(Arp { operation, sender, target, sender_hardware })
                if sender == target && sender.to_string() == vip =>
            {
                let told = who(*sender_hardware);
                vec![("ARP from", who(frame.from)), ("ARP tells", format!("{told}, operation {operation}"))]
            }
            Payload::NeighbourAdvertisement { target, hardware: Some(told), flags }
                if target.to_string() == vip =>
            {
                vec![("NA from", who(frame.from)), ("NA tells", format!("{}, flags {flags:#x}", who(*told)))]
            }
            _ => Vec::new(),
        }
    };
    let all = || wire.pick(|frame| Some(own(frame))).into_iter().flatten().collect::<Seen>();
    let complete = || all().iter().map(|(kind, _)| kind).collect::<BTreeSet<_>>().len() == 3;
    // The second burst comes after the first advert by all means.
    let sent_much = || complete() && wire.adverts().len() > 5;
    if keepalived {
        let mut daemon = Keepalived::start(host, config, &[])?;
        wait::until("keepalived has sent all", wait::LONG, sent_much)?;
        daemon.process_mut().stop(wait::LONG)?;
    } else {
        let mut daemon = start(host, config)?;
        wait::until("keepwatchd has sent all", wait::LONG, sent_much)?;
        daemon.process_mut().stop(wait::LONG)?;
    }
    Ok(all())
}

#[test]
fn each_kind_of_frame_has_the_hardware_address_that_it_has_of_keepalived() -> Result<()> {
    let lab = Lab::new("vmac-kinds")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for (words, advert, tells) in [
        ("use_vmac", "virtual", "virtual"),
        ("use_vmac\n vmac_xmit_base", "base", "virtual"),
        ("use_vmac\n use_vmac_addr", "virtual", "virtual"),
        ("", "base", "base"),
    ] {
        let four = Seen::from([
            ("advert", advert.to_owned()),
            ("ARP from", tells.to_owned()),
            ("ARP tells", format!("{tells}, operation 1")),
        ]);
        let ours = seen(host, &lan, &instance(100, words), false, VIP)?;
        ensure!(ours == four, "{words}: {ours:?}");
        let theirs = seen(host, &lan, &instance(100, words), true, VIP)?;
        ensure!(theirs == four, "keepalived, {words}: {theirs:?}");
        // One of both kinds is enough for what is the same of all.
        let forwarding = if words.is_empty() { &[][..] } else { &[("0", "0x20"), ("1", "0xa0")][..] };
        for (forwarding, flags) in forwarding.iter().take(if words == "use_vmac" { 2 } else { 1 }) {
            for setting in ["all", "eth0"] {
                host.run(
                    "sysctl",
                    &["-q", "-w", &format!("net.ipv6.conf.{setting}.forwarding={forwarding}")],
                )?;
            }
            let six_seen = Seen::from([
                ("advert", advert.to_owned()),
                ("NA from", tells.to_owned()),
                ("NA tells", format!("{tells}, flags {flags}")),
            ]);
            let ours = seen(host, &lan, &six(100, words), false, VIP_6)?;
            ensure!(ours == six_seen, "{words}, forwarding {forwarding}: {ours:?}");
        }
    }
    Ok(())
}

#[test]
fn a_question_for_the_address_has_one_answer() -> Result<()> {
    let lab = Lab::new("vmac-answer")?;
    let (lan, hosts) = lab.routers(2)?;
    for words in ["use_vmac", "use_vmac\n vmac_xmit_base"] {
        let wire = lan.capture()?;
        let mut daemon = start(&hosts[0], &instance(100, words))?;
        daemon.wait_for_log("Entering MASTER STATE")?;
        wait::until("its address is there", wait::LONG, || hosts[0].has("vrrp.51", VIP))?;
        let asker = hardware(&hosts[1], "eth0");
        for _ in 0..3 {
            hosts[1].run("ip", &["neigh", "flush", "all"])?;
            say_something(&hosts[1], "10.78.0.2", VIP)?;
            let known = || hosts[1].run("ip", &["neigh", "show", VIP]).unwrap_or_default();
            wait::until("it is answered", wait::LONG, || known().contains(VIRTUAL))?;
        }
        let of = |operation, address: &str| -> Vec<String> {
            let is = |payload: &Payload| match payload {
                Payload::Arp(arp) => {
                    let said = if operation == 1 { arp.target } else { arp.sender };
                    arp.operation == operation && !arp.is_gratuitous() && said.to_string() == address
                }
                _ => false,
            };
            wire.senders(Default::default(), is)
        };
        let asked = of(1, VIP).into_iter().filter(|from| *from == asker).count();
        wait::until("each is answered once", wait::SHORT, || of(2, VIP).len() >= asked)?;
        let answers = of(2, VIP);
        ensure!(answers.len() == asked && answers.iter().all(|from| from == VIRTUAL), "{asked} {answers:?}");
        daemon.process_mut().stop(wait::LONG)?;
    }
    Ok(())
}

#[test]
fn with_vmac_xmit_base_adverts_leave_by_the_interface_below() -> Result<()> {
    let lab = Lab::new("vmac-base")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let daemon = start(&hosts[0], &instance(100, "use_vmac virtual0\n vmac_xmit_base"))?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    wait::until("the address is on the VMAC", wait::LONG, || hosts[0].has("virtual0", VIP))?;
    wait::until("it advertises", wait::LONG, || wire.adverts().len() > 2)?;
    let macs = hardware_of_adverts(&wire, "10.78.0.1");
    ensure!(macs.iter().all(|mac| link(&hosts[0], "eth0").contains(mac.as_str())), "{macs:?}");
    Ok(())
}
