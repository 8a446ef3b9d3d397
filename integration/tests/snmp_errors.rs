//! Packets that are refused, each kind as often as no other: what VRRP-MIB and VRRPV3-MIB count of them beside Debian's
//! keepalived, and which notifications follow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, hostile, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd, snmpd::Snmpd,
    snmptrapd::Snmptrapd, wait,
};

const V2: &str = ".1.3.6.1.2.1.68";
const V3: &str = ".1.3.6.1.2.1.207";
const FORGER: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);

/// An advert of version 2 of virtual router 51, with the right password.
fn advert() -> Vec<u8> {
    let mut packet = vec![0x21, 51, 50, 1, 1, 1, 0, 0, 10, 78, 9, 51];
    packet.extend(b"1111\0\0\0\0");
    packet
}

/// What is wrong with a packet: its hop limit and how it is made of an advert, sealed with its checksum or not; and the
/// column of vrrpRouterStatsTable that counts it, or the scalar of all routers.
struct Fault {
    what: &'static str,
    ttl: u8,
    make: fn(&mut Vec<u8>),
    sealed: bool,
    column: &'static str,
}

const fn fault(what: &'static str, make: fn(&mut Vec<u8>), column: &'static str) -> Fault {
    Fault { what, ttl: 255, make, sealed: true, column }
}

const FAULTS: [Fault; 11] = [
    Fault { sealed: false, ..fault("checksum", |p| p[6] = 0x55, ".2.1.0") },
    fault(
        "version",
        |p| {
            p[0] = 0x31;
            p.truncate(12);
        },
        ".2.2.0",
    ),
    fault("virtual router", |p| p[1] = 99, ".2.3.0"),
    Fault { ttl: 254, ..fault("hop limit", |_| {}, ".2.4.1.5") },
    fault("interval", |p| p[5] = 5, ".2.4.1.3"),
    fault("password", |p| p[12] = b'9', ".2.4.1.4"),
    fault("type", |p| p[0] = 0x25, ".2.4.1.8"),
    fault("addresses", |p| p[11] = 99, ".2.4.1.9"),
    fault("unknown authentication", |p| p[4] = 77, ".2.4.1.10"),
    fault("another authentication", |p| p[4] = 0, ".2.4.1.11"),
    fault("length", |p| p.truncate(13), ".2.4.1.12"),
];

/// Adverts of that lower priority which are right, and resignations.
const RIGHT: usize = 7;
const RESIGNED: usize = 5;

/// Another number of packets for each kind, so that none is taken for another.
fn times(place: usize) -> usize {
    place + 2
}

fn send_all(forger: &Host) -> Result<()> {
    let right = |priority: u8| {
        let mut packet = advert();
        packet[2] = priority;
        hostile::sealed(packet)
    };
    let faults = FAULTS.iter().enumerate().flat_map(|(place, fault)| {
        let mut packet = advert();
        (fault.make)(&mut packet);
        let packet = if fault.sealed { hostile::sealed(packet) } else { packet };
        std::iter::repeat_n((fault.ttl, packet), times(place))
    });
    let rest = [(50, RIGHT), (0, RESIGNED)];
    let rest =
        rest.into_iter().flat_map(|(priority, times)| std::iter::repeat_n((255, right(priority)), times));
    hostile::send(forger, FORGER, faults.chain(rest))
}

/// The numbers that both modules have of errors, below [`V2`] and [`V3`], without the interface's number.
fn counts(snmpd: &Snmpd) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (module, root) in [("2", V2), ("3", V3)] {
        for (name, value) in snmpd::rows(&snmpd.walk(root).unwrap_or_default(), root) {
            let statistics = [".2.1.0", ".2.2.0", ".2.3.0", ".1.2.1.0", ".1.2.2.0", ".1.2.3.0"];
            let table = [".2.4.1.", ".1.2.5.1."].into_iter().find(|table| name.starts_with(table));
            let column =
                table.and_then(|table| name.strip_prefix(table)?.split_once('.')).map(|(column, _)| column);
            match (table, column) {
                (Some(table), Some(column)) => drop(all.insert(format!("{module}{table}{column}"), value)),
                _ if statistics.contains(&name.as_str()) => {
                    drop(all.insert(format!("{module}{name}"), value))
                }
                _ => {}
            }
        }
    }
    all
}

fn number(value: Option<&String>) -> usize {
    value.and_then(|value| value.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// A router and a forger on a LAN of their own.
fn lan(name: &str) -> Result<(Host, Host, Snmpd, Snmptrapd)> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(2)?;
    let (forger, host) = (hosts.remove(1), hosts.remove(0));
    let (snmpd, receiver) = (Snmpd::start_with(&host, Snmptrapd::SINK)?, Snmptrapd::start(&host)?);
    Ok((host, forger, snmpd, receiver))
}

fn config(snmpd: &Snmpd) -> String {
    let lines = format!("enable_snmp_rfc\nenable_traps\nsnmp_socket unix:{}", snmpd.socket().display());
    let instance = Instance::new("VI_51").vip("10.78.9.51").password("1111");
    conf::global_defs(2, &lines) + &instance.to_string()
}

#[test]
fn each_kind_of_refused_packet_has_its_counter_and_its_notification() -> Result<()> {
    let (ours, our_forger, our_snmpd, receiver) = lan("errors-ours")?;
    let (theirs, their_forger, their_snmpd, _theirs) = lan("errors-theirs")?;
    let we = Keepwatchd::on(&ours).config(config(&our_snmpd)).flag("--vrrp").start()?;
    let _it = Keepalived::start(&theirs, &config(&their_snmpd), &[])?;
    for (host, snmpd) in [(&ours, &our_snmpd), (&theirs, &their_snmpd)] {
        wait::until("it is master, and served", wait::LONG, || {
            host.has("eth0", "10.78.9.51") && !counts(snmpd).is_empty()
        })
        .with_context(|| we.process().log())?;
    }
    send_all(&our_forger)?;
    send_all(&their_forger)?;
    let mut shown = BTreeMap::new();
    wait::until("all are counted", wait::LONG, || {
        shown = counts(&our_snmpd);
        let is_counted = |(place, fault): (usize, &Fault)| {
            number(shown.get(&format!("2{}", fault.column))) == times(place)
        };
        FAULTS.iter().enumerate().all(is_counted)
    })
    .with_context(|| {
        let wanted = FAULTS.iter().enumerate().map(|(at, f)| (f.what, f.column, times(at)));
        let theirs = counts(&their_snmpd);
        format!("{shown:#?}\n{theirs:#?}\n{:#?}\n{}", wanted.collect::<Vec<_>>(), we.process().log())
    })?;

    // Beside keepalived, but for what it does not count (docs/differences.md), and its own adverts.
    let never = ["2.2.3.0", "2.2.4.1.3", "3.1.2.3.0", "3.1.2.5.1.4"];
    let mut different = Vec::new();
    wait::until("keepalived counts the same", wait::LONG, || {
        let (mut one, mut other) = (counts(&our_snmpd), counts(&their_snmpd));
        one.retain(|name, _| !never.contains(&name.as_str()));
        other.retain(|name, _| !never.contains(&name.as_str()));
        different = snmpd::differences(&one, &other);
        different.is_empty()
    })
    .with_context(|| different.join("\n"))?;

    // Which of them are told, and no others.
    let wanted: BTreeSet<_> =
        [(V2, "1"), (V2, "2"), (V2, "3"), (V3, "1"), (V3, "2"), (V3, "3")].into_iter().collect();
    let mut told = BTreeSet::new();
    wait::until("each is told that has a notification", wait::LONG, || {
        let kind = |trap: &Vec<String>| {
            let root = [V2, V3].into_iter().find(|root| trap[0].ends_with(&format!("OID: {root}.0.2")))?;
            let column = if root == V2 { format!("{V2}.1.6.") } else { format!("{V3}.1.2.5.1.6.") };
            let bind = trap.iter().find(|bind| bind.starts_with(&column))?;
            Some((root, bind.rsplit(' ').next()?.to_owned()))
        };
        told = receiver.traps().iter().filter_map(kind).collect();
        told.iter().map(|(root, kind)| (*root, kind.as_str())).collect::<BTreeSet<_>>() == wanted
    })
    .with_context(|| format!("{told:#?}\n{}", we.process().log()))?;

    // A reload leaves the counters.
    we.reload(&config(&our_snmpd).replace("priority 100", "priority 110"))?;
    we.wait_for_log("effective priority from 100 to 110")?;
    let after = counts(&our_snmpd);
    for (place, fault) in FAULTS.iter().enumerate() {
        let count = number(after.get(&format!("2{}", fault.column)));
        ensure!(count == times(place), "{}: {count} after a reload", fault.what);
    }
    Ok(())
}
