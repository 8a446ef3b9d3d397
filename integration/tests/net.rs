//! keepwatch-net against a real kernel: what its sockets receive, send and change, in hosts of the lab.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use integration::{Lab, wait};
use keepwatch_net::address::{AddressOperation, AddressSpec, PROTOCOL_KEEPALIVED};
use keepwatch_net::link::{Change, LinkIndex, LinkTable};
use keepwatch_net::netlink::{AddressSocket, Monitor, Neighbour, Neighbours, Outcome};
use keepwatch_net::socket::{
    Announcer, Arrival, Carrier, Destination, Family, Packet, ReceiveBatch, SendBatch, VrrpReceiver,
    VrrpSender,
};
use keepwatch_net::wire::{arp, ndisc};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The interfaces of the namespace that this is called in.
fn table() -> Result<(Monitor, LinkTable)> {
    let mut monitor = Monitor::open()?;
    let mut table = LinkTable::default();
    monitor.dump(|notification| table.apply(notification, |_| {}))?;
    Ok((monitor, table))
}

fn index(table: &LinkTable, name: &str) -> Result<LinkIndex> {
    Ok(table.by_name(name).context("no such interface")?.report.index)
}

/// A link-local address of eth0 that can be used.
fn link_local(table: &LinkTable) -> Option<Ipv6Addr> {
    let usable = table.by_name("eth0")?.addresses.iter().filter(|address| !address.tentative);
    usable.map(|address| address.address).find_map(|address| match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    })
}

/// A VRRPv2 packet of router `vrid` from `source`, IPv4 header first.
fn advert(source: Ipv4Addr, vrid: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0xc0, 0, 40, 0, 0, 0, 0, 255, 112, 0, 0];
    packet.extend(source.octets());
    packet.extend(GROUP.octets());
    packet.extend([0x21, vrid, 100, 1, 0, 1, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    packet
}

/// A socket on eth0 that has joined the group.
fn listener(family: Family, group: IpAddr) -> Result<VrrpReceiver> {
    let (_, table) = table()?;
    let socket = VrrpReceiver::open(family, Carrier::Plain, Some((index(&table, "eth0")?, "eth0")))?;
    socket.join(group)?;
    Ok(socket)
}

/// Sends them all and returns the places of those that the kernel refused.
fn send(family: Family, batch: &mut SendBatch) -> Result<Vec<usize>> {
    let mut refused = Vec::new();
    VrrpSender::open(family)?.send(batch, usize::MAX, |refusal| refused.push(refusal.number));
    Ok(refused)
}

/// Receives until `count` datagrams are there; calls `each` with every one.
fn receive(socket: &VrrpReceiver, count: usize, mut each: impl FnMut(Arrival<'_>)) -> Result<()> {
    let mut batch = ReceiveBatch::new();
    let mut seen = 0;
    wait::until("the datagrams arrive", wait::LONG, || {
        while socket.receive(&mut batch).is_ok_and(|n| n > 0) {
            for arrival in batch.iter() {
                seen += 1;
                each(arrival);
            }
        }
        seen >= count
    })
}

#[test]
fn adverts_of_many_routers_leave_in_one_batch_and_arrive_in_order() -> Result<()> {
    let lab = Lab::new("net")?;
    let (_lan, hosts) = lab.routers(2)?;
    let listener = hosts[1].inside(|| listener(Family::V4, GROUP.into()))?;
    let before = Instant::now();
    hosts[0].inside(|| {
        let (_, table) = table()?;
        let link = Some(index(&table, "eth0")?);
        let mut batch = SendBatch::new();
        for vrid in 1..=250 {
            let packet = advert(Ipv4Addr::new(10, 78, 0, 1), vrid);
            batch.push(Destination::Ipv4 { link, destination: GROUP }, &packet);
        }
        let refused = send(Family::V4, &mut batch)?;
        ensure!(refused.is_empty() && batch.is_empty(), "{refused:?} refused");
        Ok(())
    })?;
    let mut vrids = Vec::new();
    receive(&listener, 250, |arrival| {
        assert!(arrival.at >= before && arrival.at <= Instant::now(), "the time of arrival is wrong");
        if let Packet::Ipv4(packet) = arrival.packet {
            assert_eq!((packet[1], packet[8], packet[9]), (0xc0, 255, 112));
            assert_eq!(packet[6] & 0x40, 0, "\"don't fragment\" is set");
            vrids.push(packet[21]);
        }
    })?;
    ensure!(vrids == (1..=250).collect::<Vec<u8>>(), "lost or out of order: {vrids:?}");
    Ok(())
}

#[test]
fn a_datagram_over_ipv6_comes_as_it_was_with_hop_limit_and_destination() -> Result<()> {
    const MESSAGE: [u8; 8] = [0x31, 1, 100, 1, 0, 100, 0x12, 0x34];
    let lab = Lab::new("net6")?;
    let (_lan, hosts) = lab.routers(2)?;
    let listener = hosts[1].inside(|| listener(Family::V6, GROUP6.into()))?;
    let source = hosts[0].inside(|| {
        let source = wait::value("a usable link-local address", wait::LONG, || link_local(&table().ok()?.1))?;
        let (_, table) = table()?;
        let link = index(&table, "eth0")?;
        let mut batch = SendBatch::new();
        let to_all = Destination::Ipv6 { link: Some(link), source, destination: GROUP6, hop_limit: 255 };
        batch.push(to_all, &MESSAGE);
        ensure!(send(Family::V6, &mut batch)?.is_empty(), "refused");
        Ok(source)
    })?;
    let mut seen = Vec::new();
    receive(&listener, 1, |arrival| {
        if let Packet::Ipv6 { source, destination, hop_limit, message } = arrival.packet {
            seen.push((source, destination, hop_limit, message == MESSAGE));
        }
    })?;
    ensure!(seen == [(source, GROUP6, Some(255), true)], "{seen:?}");
    Ok(())
}

#[test]
fn neighbours_are_kept_by_the_way_that_leads_to_a_host() -> Result<()> {
    let lab = Lab::new("kept")?;
    let (_lan, hosts) = lab.routers(2)?;
    hosts[0].run("ip", &["route", "add", "10.90.0.0/16", "via", "10.78.0.2"])?;
    hosts[0].run("ip", &["-6", "route", "add", "fd90::/64", "via", "fd78::2"])?;
    hosts[0].inside(|| {
        let (_, table) = table()?;
        let link = index(&table, "eth0")?;
        let mut kernel = Neighbours::open()?;
        for (on, host, next) in [
            (None, "10.78.0.2", "10.78.0.2"),
            (Some(link), "10.90.0.9", "10.78.0.2"),
            (None, "fd90::9", "fd78::2"),
        ] {
            let neighbour = kernel.keep(on, host.parse()?)?;
            ensure!(neighbour == Neighbour { link, address: next.parse()? }, "{host}: {neighbour:?}");
        }
        let error = kernel.keep(None, "203.0.113.1".parse()?).err().context("there is no route")?;
        ensure!(error.to_string().contains("203.0.113.1"), "{error}");
        Ok(())
    })?;
    wait::until("they are found, and kept", wait::LONG, || {
        let known = hosts[0].run("ip", &["neighbour"]).unwrap_or_default();
        known.lines().filter(|line| line.contains("extern_learn") && line.contains("REACHABLE")).count() == 2
    })?;
    hosts[0].inside(|| {
        let (_, table) = table()?;
        let address = "fd78::2".parse()?;
        Ok(Neighbours::open()?.release(Neighbour { link: index(&table, "eth0")?, address })?)
    })?;
    let known = hosts[0].run("ip", &["neighbour", "show", "nud", "all"])?;
    ensure!(!known.contains("fd78::2 ") && !known.contains("PERMANENT"), "not released: {known}");
    Ok(())
}

#[test]
fn one_refused_datagram_does_not_keep_the_others_back() -> Result<()> {
    let lab = Lab::new("refused")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    hosts[0].inside(|| {
        let (_, table) = table()?;
        let good = Some(index(&table, "eth0")?);
        let mut batch = SendBatch::new();
        for link in [good, Some(LinkIndex(9999)), good] {
            batch.push(
                Destination::Ipv4 { link, destination: GROUP },
                &advert(Ipv4Addr::new(10, 78, 0, 1), 7),
            );
        }
        let refused = send(Family::V4, &mut batch)?;
        ensure!(refused == [1], "{refused:?}");
        Ok(())
    })?;
    wait::until("two adverts are on the wire", wait::LONG, || wire.adverts_from("10.78.0.1").len() == 2)
}

#[test]
fn thousands_of_addresses_go_on_and_off_and_each_request_is_answered() -> Result<()> {
    const COUNT: usize = 2000;
    let lab = Lab::new("addresses")?;
    let (_lan, hosts) = lab.routers(1)?;
    hosts[0].inside(|| {
        let (mut monitor, mut table) = table()?;
        let link = index(&table, "eth0")?;
        let mut socket = AddressSocket::open()?;
        let mut run = |operation| -> Result<Vec<(usize, Outcome)>> {
            for i in 0..COUNT {
                let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 79, 0, 0)) + i as u32);
                socket.request(operation, link, AddressSpec::new(address.into(), 32), i);
            }
            let mut answers = Vec::new();
            wait::until("every request is answered", wait::LONG, || {
                socket.work(64, |answer| answers.push((answer.token, answer.result)));
                socket.is_idle()
            })?;
            answers.into_iter().map(|(token, result)| Ok((token, result?))).collect()
        };
        for (operation, outcome) in [
            (AddressOperation::Add, Outcome::Changed),
            (AddressOperation::Add, Outcome::AlreadySo),
            (AddressOperation::Remove, Outcome::Changed),
            (AddressOperation::Remove, Outcome::AlreadySo),
            (AddressOperation::Add, Outcome::Changed),
        ] {
            let expected: Vec<_> = (0..COUNT).map(|i| (i, outcome)).collect();
            ensure!(run(operation)? == expected, "{operation:?} was not {outcome:?} for all, in order");
        }
        let ours = |table: &LinkTable| {
            let link = table.by_name("eth0");
            link.map_or(0, |l| l.addresses.iter().filter(|a| a.protocol == PROTOCOL_KEEPALIVED).count())
        };
        wait::until("the monitor has heard of them all", wait::LONG, || {
            let _ = monitor.poll(64, |notification| table.apply(notification, |_| {}));
            ours(&table) == COUNT
        })
    })
}

#[test]
fn an_address_is_as_it_was_asked_for() -> Result<()> {
    let lab = Lab::new("spec")?;
    let (_lan, hosts) = lab.routers(1)?;
    hosts[0].inside(|| {
        let (_, table) = table()?;
        let link = index(&table, "eth0")?;
        let mut socket = AddressSocket::open()?;
        let mut plain = AddressSpec::new("10.1.2.3".parse()?, 24);
        plain.broadcast = Some("10.1.2.255".parse()?);
        plain.label = Some("eth0:vip".into());
        plain.no_prefix_route = true;
        let mut late = AddressSpec::new("fd78::99".parse()?, 128);
        late.preferred_lifetime = Some(0);
        for spec in [plain, late] {
            socket.request(AddressOperation::Add, link, spec, ());
        }
        wait::until("both are answered", wait::LONG, || {
            socket.work(64, |answer| assert_eq!(answer.result, Ok(Outcome::Changed)));
            socket.is_idle()
        })
    })?;
    let shown = hosts[0].run("ip", &["-o", "address", "show", "dev", "eth0"])?;
    for words in ["inet 10.1.2.3/24 brd 10.1.2.255", "noprefixroute eth0:vip", "fd78::99/128", "deprecated"] {
        ensure!(shown.contains(words), "{words:?} is not in {shown}");
    }
    // The address that the kernel gives itself is looked for still.
    let mut asked_for = shown.lines().filter(|line| !line.contains("inet6 fe80:"));
    ensure!(
        asked_for.all(|line| !line.contains("tentative")),
        "duplicate address detection was not skipped: {shown}"
    );
    Ok(())
}

#[test]
fn announcements_are_on_the_wire() -> Result<()> {
    let lab = Lab::new("announce")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    hosts[0].inside(|| {
        let (_, table) = table()?;
        let link = table.by_name("eth0").context("eth0")?;
        let hardware = link.report.hardware.context("eth0 has no hardware address")?;
        let mut announcer = Announcer::open()?;
        for _ in 0..5 {
            let address = Ipv4Addr::new(10, 78, 9, 9);
            announcer.push_arp(
                link.report.index,
                &arp::Repr { operation: arp::Operation::Request, hardware, address },
            );
        }
        let address = "fd78::9".parse()?;
        announcer.push_ndisc(link.report.index, &ndisc::Repr { hardware, address, router: false });
        announcer.send(|refusal| panic!("refused: {}", refusal.error));
        Ok(())
    })?;
    wait::until("five gratuitous ARPs were seen", wait::LONG, || wire.gratuitous_arps("10.78.9.9").len() == 5)
}

#[test]
fn interfaces_are_followed_from_their_birth_to_their_end() -> Result<()> {
    let lab = Lab::new("links")?;
    let lan = lab.bridge("lan")?;
    let host = lab.host("a")?;
    let (mut monitor, mut table) = host.inside(table)?;
    ensure!(table.by_name("eth0").is_none() && table.by_name("lo").is_some(), "the dump is wrong");
    let mut follow = |what: &str, done: &dyn Fn(&LinkTable, &[Change]) -> bool| {
        let mut changes = Vec::new();
        wait::until(what, wait::LONG, || {
            let _ = monitor.poll(64, |notification| table.apply(notification, |change| changes.push(change)));
            done(&table, &changes)
        })
    };
    let usable = |table: &LinkTable| table.by_name("eth0").is_some_and(|link| link.is_usable());

    host.plug("eth0", &lan)?.address("eth0", "10.78.0.1/16")?;
    let own: IpAddr = "10.78.0.1".parse()?;
    follow("it is there, usable, with its address", &|table, _| {
        usable(table)
            && table.by_name("eth0").is_some_and(|link| link.addresses.iter().any(|a| a.address == own))
    })?;
    host.down("eth0")?;
    follow("it is down", &|table, _| !usable(table))?;
    host.up("eth0")?;
    follow("it is up again", &|table, _| usable(table))?;
    host.remove_interface("eth0")?;
    follow("it is gone", &|table, changes| {
        table.by_name("eth0").is_none() && changes.iter().any(|c| matches!(c, Change::Vanished { .. }))
    })
}

/// Of an address that comes and goes while nobody reads, the coming waits in the queue and the going is lost.
#[test]
fn what_was_lost_is_made_up_for_by_what_is_there_and_not_by_what_waits_in_the_queue() -> Result<()> {
    const FLOOD: u32 = 3000;
    let lab = Lab::new("overflow")?;
    let (_lan, hosts) = lab.routers(1)?;
    hosts[0].inside(|| {
        let (mut monitor, mut table) = table()?;
        monitor.set_receive_buffer(8192, false)?;
        let link = index(&table, "eth0")?;
        let mut socket = AddressSocket::open()?;
        let mut change = |operation, range: std::ops::Range<u32>| -> Result<()> {
            for i in range {
                let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 79, 0, 0)) + i);
                socket.request(operation, link, AddressSpec::new(address.into(), 32), i);
            }
            wait::until("every request is answered", wait::LONG, || {
                socket.work(64, |_| {});
                socket.is_idle()
            })
        };
        change(AddressOperation::Add, 0..FLOOD)?;
        change(AddressOperation::Remove, 0..FLOOD - 1)?;
        let lost = |monitor: &mut Monitor| {
            let polled = monitor.poll(64, |_| {});
            polled.err().and_then(|error| error.errno()) == Some(nix::errno::Errno::ENOBUFS)
        };
        ensure!(lost(&mut monitor) && lost(&mut monitor), "it is said until it is made up for");
        let mut dump = Vec::new();
        monitor.dump(|notification| dump.push(notification))?;
        table.replace(dump, |_| {});
        ensure!(!lost(&mut monitor), "it is still said");
        let ours = |table: &LinkTable| -> Vec<IpAddr> {
            let here = table.by_name("eth0").into_iter().flat_map(|link| &link.addresses);
            here.filter(|a| a.protocol == PROTOCOL_KEEPALIVED).map(|a| a.address).collect()
        };
        let last = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 79, 0, 0)) + FLOOD - 1);
        ensure!(ours(&table) == [IpAddr::from(last)], "{:?}", ours(&table));
        // What comes later is told as ever.
        change(AddressOperation::Remove, FLOOD - 1..FLOOD)?;
        wait::until("the last one has gone", wait::LONG, || {
            let _ = monitor.poll(64, |notification| table.apply(notification, |_| {}));
            ours(&table).is_empty()
        })
    })
}

#[test]
fn the_group_can_be_joined_twice_and_a_missing_interface_is_an_error() -> Result<()> {
    let lab = Lab::new("join")?;
    let (_lan, hosts) = lab.routers(1)?;
    hosts[0].inside(|| {
        let socket = listener(Family::V4, GROUP.into())?;
        socket.join(GROUP.into())?;
        let error = VrrpReceiver::open(Family::V4, Carrier::Plain, Some((LinkIndex(77), "nowhere")))
            .err()
            .context("opened")?;
        ensure!(error.to_string().contains("nowhere"), "{error}");
        let mut batch = ReceiveBatch::new();
        let began = Instant::now();
        ensure!(socket.receive(&mut batch)? == 0 && began.elapsed() < wait::SHORT, "it waited");
        Ok(())
    })
}
