//! Notifications and sets of virtual and real servers, and notifications of refused packets, through a real snmpd and
//! snmptrapd. The servers' table is in memory: what is told is the same.

use std::net::Ipv6Addr;

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd::Snmpd, snmptrapd::Snmptrapd,
    wait, web::WebServer,
};
use nix::sys::signal::Signal;

const KEEPALIVED: &str = ".1.3.6.1.4.1.9586.100.5";
const V2: &str = ".1.3.6.1.2.1.68";
const V3: &str = ".1.3.6.1.2.1.207";

/// ::1 and fd78::99 as snmpwalk shows them.
const ONE: &str = "Hex-STRING: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 ";
const SERVICE: &str = "Hex-STRING: FD 78 00 00 00 00 00 00 00 00 00 00 00 00 00 99 ";

/// The objects of a notification of KEEPALIVED-MIB below `keepalived`, but for the event's time and number.
fn names(trap: &[String]) -> Vec<String> {
    let name = |bind: &String| Some(bind.split_once(" = ")?.0.strip_prefix(KEEPALIVED)?.to_owned());
    trap.iter().skip(1).filter_map(name).filter(|name| !name.starts_with(".100.")).collect()
}

fn value(trap: &[String], name: &str) -> String {
    let prefix = format!("{KEEPALIVED}{name} = ");
    let value = trap.iter().find_map(|bind| bind.strip_prefix(&prefix)).unwrap_or_default();
    value.trim_start_matches("Hex-STRING: ").trim_start_matches("INTEGER: ").trim().to_owned()
}

/// Which server or quorum a notification of the checker part tells of, and what.
fn told(trap: &[String]) -> Option<String> {
    let is = |number: u32| trap[0].contains(&format!("OID: {KEEPALIVED}.3.5.0.{number}"));
    match (is(1), is(2)) {
        (true, _) => Some(format!("{} is {}", value(trap, ".3.4.1.4"), value(trap, ".3.4.1.6"))),
        (_, true) => Some(format!("quorum {}", value(trap, ".3.3.1.23"))),
        (false, false) => None,
    }
}

#[test]
fn servers_and_quorum_are_told_and_weights_are_set() -> Result<()> {
    let host = Lab::new("snmp-director")?.host("director")?;
    let snmpd = Snmpd::start_with(&host, &format!("{}\n{}", Snmptrapd::SINK, Snmpd::WRITABLE))?;
    let receiver = Snmptrapd::start(&host)?;
    let (two, three) = (WebServer::of_two(&host, 2)?, WebServer::of_two(&host, 3)?);
    let global = format!("enable_snmp_checker\nenable_traps\nsnmp_socket unix:{}", snmpd.socket().display());
    let text = conf::global_defs(2, &global) + conf::TWO_SERVERS;
    let mut we = Keepwatchd::on(&host).config(text).flags(&["--check", "--dataplane", "memory"]).start()?;
    let so_far = || receiver.traps().iter().filter_map(|trap| told(trap)).collect::<Vec<_>>();
    let tells = |story: &[&str]| {
        wait::until(&format!("it is told that {story:?}"), wait::LONG, || so_far() == story)
            .with_context(|| format!("{:#?}\n{}", so_far(), we.process().log()))
    };
    // As of keepalived: without alpha all is well before the first check, and a first check that is good is no news.
    tells(&["quorum 1"])?;
    for server in [2, 3] {
        we.wait_for_log(&format!("TCP connection to [127.0.0.{server}]:tcp:8080 success."))?;
    }
    drop(two);
    tells(&["quorum 1", "7F 00 00 02 is 2"])?;
    drop(three);
    tells(&["quorum 1", "7F 00 00 02 is 2", "7F 00 00 03 is 2", "quorum 2"])?;
    let _two = WebServer::of_two(&host, 2)?;
    let mut story =
        vec!["quorum 1", "7F 00 00 02 is 2", "7F 00 00 03 is 2", "quorum 2", "7F 00 00 02 is 1", "quorum 1"];
    tells(&story)?;

    let of_service = [".3.3.1.2", ".3.3.1.5", ".3.3.1.6", ".3.3.1.7", ".3.3.1.8"];
    let of_real = [".3.4.1.3", ".3.4.1.4", ".3.4.1.5", ".3.4.1.6"];
    let real = [&of_real[..], &of_service, &[".3.3.1.21", ".3.3.1.20", ".1.2.0"]].concat();
    let quorum = [&of_service[..], &[".3.3.1.23", ".3.3.1.22", ".3.3.1.21", ".3.3.1.20", ".1.2.0"]].concat();
    for trap in receiver.traps().iter().filter(|trap| told(trap).is_some()) {
        let wanted = if trap[0].contains(".3.5.0.1") { &real } else { &quorum };
        ensure!(names(trap) == *wanted, "{trap:#?}");
    }

    // Row 1 is the sorry server; the third is down and keeps its new weight for later.
    let weight = |row: u32| format!("{KEEPALIVED}.3.4.1.7.1.{row}");
    ensure!(snmpd.set(&[&weight(2), "i", "5"])?.contains("INTEGER: 5"));
    we.wait_for_log("Changing weight from 1 to 5 for active service [127.0.0.2]:tcp:8080")?;
    ensure!(snmpd.set(&[&weight(3), "i", "7"])?.contains("INTEGER: 7"));
    we.wait_for_log("Weight of 127.0.0.3:8080 of VS [10.78.9.9]:tcp:80 changed from 3 to 7 via SNMP.")?;
    for (what, error) in [
        (vec![&*weight(2), "i", "-1"], "wrongValue"),
        (vec![&*weight(2), "i", "65536"], "wrongValue"),
        (vec![&*weight(2), "s", "5"], "wrongType"),
        (vec![&*weight(1), "i", "5"], "notWritable"),
        (vec![&*weight(9), "i", "5"], "notWritable"),
        // What keepalived's module calls read-write, and keepalived refuses too.
        (vec![&*format!("{KEEPALIVED}.3.3.1.27.1"), "u", "2"], "notWritable"),
        (vec![&*format!("{KEEPALIVED}.3.3.1.28.1"), "i", "1"], "notWritable"),
        (vec![&*weight(3), "i", "8", &*weight(2), "i", "-1"], "wrongValue"),
    ] {
        let answer = snmpd.set(&what)?;
        ensure!(answer.contains(error), "{what:?}: {answer}");
    }
    let shown = |row: u32| snmpd.get(&weight(row)).unwrap_or_default();
    wait::until("both weights are shown", wait::LONG, || {
        shown(2).contains("INTEGER: 5") && shown(3).contains("INTEGER: 7")
    })
    .with_context(|| format!("{}{}", shown(2), shown(3)))?;
    // Once it is up, it has the weight that was set meanwhile.
    let _three = WebServer::of_two(&host, 3)?;
    story.push("7F 00 00 03 is 1");
    tells(&story)?;
    wait::until("it serves with that weight", wait::LONG, || {
        we.metric("keepwatch_real_server_weight", &["127.0.0.3:8080"]) == Some(7.0)
    })
    .with_context(|| we.process().log())?;
    // As with keepalived a reload brings back what is written, and is no news.
    we.process().signal(Signal::SIGHUP)?;
    wait::until("the weights are as written", wait::LONG, || {
        shown(2).contains("INTEGER: 1") && shown(3).contains("INTEGER: 3")
    })
    .with_context(|| we.process().log())?;
    tells(&story)?;

    // Those that are up, and then their virtual server.
    we.process().signal(Signal::SIGTERM)?;
    story.extend(["7F 00 00 02 is 2", "7F 00 00 03 is 2", "quorum 3"]);
    tells(&story)?;
    we.process_mut().wait(wait::LONG)?;
    Ok(())
}

/// A notification as an SNMPv1 manager has it (RFC 3584 section 3.2): its name without the 0 and the number at its end is
/// the enterprise, and the number the specific one.
fn in_version_1(trap: &[String]) -> Vec<String> {
    let name = trap[0].rsplit_once("OID: ").map_or("", |(_, name)| name);
    let (enterprise, number) = name.rsplit_once(".0.").unwrap_or_default();
    let mut old = vec![format!("{enterprise} 6 .{number}")];
    old.extend_from_slice(&trap[1..]);
    old
}

/// What keepalived 2.4.3 shows and tells of them is the same, but for the event's time and number.
#[test]
fn servers_of_ipv6_are_shown_and_told_and_a_manager_of_version_1_is_told_the_same() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("snmp-six")?.routers(1)?;
    let host = hosts.remove(0);
    let snmpd = Snmpd::start_with(&host, &format!("{}\n{}", Snmptrapd::SINK, Snmptrapd::OLD_SINK))?;
    let (receiver, old) = (Snmptrapd::start(&host)?, Snmptrapd::start_old(&host)?);
    let serve = |port: u16| WebServer::start(&host, (Ipv6Addr::LOCALHOST, port).into(), "hello");
    let (first, second) = (serve(8081)?, serve(8082)?);
    let global = format!(
        "enable_snmp_checker\nenable_snmp_vrrp\nenable_snmp_rfc\nenable_traps\nsnmp_socket unix:{}",
        snmpd.socket().display()
    );
    let six = Instance::new("VI_6").vrid(56).vip("fe80::9").line("version 3");
    // The two servers, of IPv6: one address with several ports.
    let mut servers = conf::TWO_SERVERS.replace(conf::VIP, "fd78::99");
    for (from, to) in
        [("127.0.0.9 8080", "::1 8083"), ("127.0.0.2 8080", "::1 8081"), ("127.0.0.3 8080", "::1 8082")]
    {
        servers = servers.replace(from, to);
    }
    let text = conf::global_defs(2, &global) + &servers + &format!("{}{six}", Instance::new("VI_1"));
    let mut we = Keepwatchd::on(&host).config(text).flags(&["--dataplane", "memory"]).start()?;
    let ours = |receiver: &Snmptrapd| -> Vec<Vec<String>> {
        let is_ours = |trap: &Vec<String>| [KEEPALIVED, V2, V3].iter().any(|root| trap[0].contains(root));
        receiver.traps().into_iter().filter(is_ours).collect()
    };
    let so_far = || ours(&receiver).iter().filter_map(|trap| told(trap)).collect::<Vec<_>>();
    let tells = |story: &[&str]| {
        wait::until(&format!("it is told that {story:?}"), wait::LONG, || so_far() == story)
            .with_context(|| format!("{:#?}\n{}", so_far(), we.process().log()))
    };
    let address = ONE.trim_start_matches("Hex-STRING: ").trim();
    let down = format!("{address} is 2");
    tells(&["quorum 1"])?;
    for port in [8081, 8082] {
        we.wait_for_log(&format!("TCP connection to [::1]:tcp:{port} success."))?;
    }
    // Row 1 is the sorry server.
    let row = |column: &str| snmpd.get(&format!("{KEEPALIVED}.{column}"));
    for (column, shown) in [
        ("3.3.1.2.1", "INTEGER: 2"),
        ("3.3.1.5.1", "INTEGER: 2"),
        ("3.3.1.6.1", SERVICE),
        ("3.3.1.15.1", "No Such Instance"),
        ("3.3.1.51.1", "Gauge32: 4294967295"),
        ("3.4.1.2.1.1", "INTEGER: 2"),
        ("3.4.1.3.1.1", "INTEGER: 2"),
        ("3.4.1.4.1.1", ONE),
        ("3.4.1.5.1.1", "Gauge32: 8083"),
        ("3.4.1.3.1.2", "INTEGER: 2"),
        ("3.4.1.4.1.2", ONE),
        ("3.4.1.5.1.2", "Gauge32: 8081"),
        ("3.4.1.6.1.3", "INTEGER: 1"),
    ] {
        let line = row(column)?;
        ensure!(line.contains(&format!(" = {shown}")), "{line} is not {shown}");
    }
    drop(second);
    tells(&["quorum 1", &down])?;
    drop(first);
    tells(&["quorum 1", &down, &down, "quorum 2"])?;
    let _second = serve(8082)?;
    tells(&["quorum 1", &down, &down, "quorum 2", &down.replace("is 2", "is 1"), "quorum 1"])?;
    for trap in ours(&receiver).iter().filter(|trap| told(trap).is_some()) {
        let has = |name: &str, value: &str| trap.contains(&format!("{KEEPALIVED}{name} = {value}"));
        ensure!(has(".3.3.1.5", "INTEGER: 2") && has(".3.3.1.6", SERVICE), "{trap:#?}");
        let of_real = trap[0].contains(".3.5.0.1");
        ensure!(!of_real || has(".3.4.1.3", "INTEGER: 2") && has(".3.4.1.4", ONE), "{trap:#?}");
    }
    wait::until("both virtual routers are master", wait::LONG, || {
        let of_rfc =
            |root: &str| ours(&receiver).iter().filter(|t| t[0].contains(&format!("{root}.0.1"))).count();
        (of_rfc(V2), of_rfc(V3)) == (1, 2)
    })
    .with_context(|| we.process().log())?;
    we.process().signal(Signal::SIGTERM)?;
    we.process_mut().wait(wait::LONG)?;

    // All of them are for managers of version 1 too: none has an object that those have no type for.
    let mut told = (Vec::new(), Vec::new());
    wait::until("both managers are told the same", wait::LONG, || {
        told = (ours(&receiver).iter().map(|trap| in_version_1(trap)).collect(), ours(&old));
        told.0.len() > 12 && told.0 == told.1
    })
    .with_context(|| format!("{told:#?}"))
}

/// One has the virtual routers and one the virtual servers, as two daemons of a machine may: what both have is the first's,
/// until it goes. (keepalived 2.4.3 serves what is free, too, and never what is not.)
#[test]
fn two_daemons_of_one_master_agent_are_both_served() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("snmp-shared")?.routers(2)?;
    let (other, host) = (hosts.remove(1), hosts.remove(0));
    let snmpd = Snmpd::start(&host)?;
    let global = |router: &str| {
        let lines = "enable_snmp_vrrp\nenable_snmp_checker\nsnmp_socket unix:";
        conf::global_defs(2, &format!("router_id {router}\n{lines}{}", snmpd.socket().display()))
    };
    let shows = |name: &str, value: &str| {
        wait::until(&format!("{name} is {value}"), wait::LONG, || {
            snmpd.get(&format!("{KEEPALIVED}{name}")).is_ok_and(|line| line.trim().ends_with(value))
        })
    };
    let text = global("first") + &Instance::new("VI_1").to_string();
    let mut first = Keepwatchd::on(&host).config(text).flag("--vrrp").start()?;
    shows(".2.3.1.2.1", "\"VI_1\"").with_context(|| first.process().log())?;
    let text = global("second") + conf::TWO_SERVERS;
    let second = Keepwatchd::on(&other).config(text).flags(&["--check", "--dataplane", "memory"]).start()?;
    shows(".3.3.1.20.1", "Gauge32: 2").with_context(|| second.process().log())?;
    second.wait_for_log("but not of 1.3.6.1.4.1.9586.100.5.1: another subagent serves it")?;
    shows(".1.2.0", "\"first\"")?;
    first.process().signal(Signal::SIGTERM)?;
    first.process_mut().wait(wait::LONG)?;
    shows(".1.2.0", "\"second\"").with_context(|| second.process().log())?;
    shows(".3.3.1.20.1", "Gauge32: 2")
}

#[test]
fn refused_packets_are_told_once_in_a_while() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("snmp-refused")?.routers(2)?;
    let (theirs, ours) = (hosts.remove(1), hosts.remove(0));
    let snmpd = Snmpd::start_with(&ours, Snmptrapd::SINK)?;
    let receiver = Snmptrapd::start(&ours)?;
    let global = format!("enable_snmp_rfc\nenable_traps\nsnmp_socket unix:{}", snmpd.socket().display());
    let instance =
        |password: &str, priority| Instance::new("VI_1").password(password).priority(priority).to_string();
    let we = Keepwatchd::on(&ours)
        .config(conf::global_defs(2, &global) + &instance("1111", 100))
        .flag("--vrrp")
        .start()?;
    // keepalived 2.2.7 is silent as master while it hears what it refuses: it shall hear nothing.
    theirs.firewall(
        "table ip lab {\n chain in { type filter hook input priority 0; ip saddr 10.78.0.1 drop; }\n}\n",
    )?;
    let _it = Keepalived::start(&theirs, &(conf::global_defs(2, "") + &instance("2222", 200)), &[])?;
    let told = |id: &str| {
        let traps = receiver.traps();
        traps.into_iter().filter(|trap| trap[0].contains(&format!("OID: {id}"))).collect::<Vec<_>>()
    };
    let failures = || {
        let walk = snmpd.walk(&format!("{V2}.2.4.1.4")).unwrap_or_default();
        walk.trim().rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    wait::until("six wrong passwords are counted", wait::LONG, || failures() >= 6)
        .with_context(|| we.process().log())?;
    let traps = told(&format!("{V2}.0.2"));
    // The first at once, one that tells of a split brain, and others after ten seconds each.
    ensure!((1..=2 + failures() / 8).contains(&traps.len()), "{traps:#?}\n{}", we.process().log());
    ensure!(traps[0][1].starts_with(&format!("{V2}.1.5.")), "{traps:#?}");
    ensure!(traps[0][1].ends_with(".51 = IpAddress: 10.78.0.2"), "{traps:#?}");
    ensure!(traps[0][2].starts_with(&format!("{V2}.1.6.")), "{traps:#?}");
    ensure!(traps[0][2].ends_with(".51 = INTEGER: 3"), "{traps:#?}");

    // Of version 2 as well: as keepalived's.
    theirs.firewall(
        "table ip lab {\n chain out { type filter hook output priority 0; ip protocol 112 ip ttl set 64; }\n}\n",
    )?;
    let traps = wait::value("a wrong hop limit is told", wait::LONG, || {
        Some(told(&format!("{V3}.0.2"))).filter(|traps| !traps.is_empty())
    })
    .with_context(|| we.process().log())?;
    ensure!(traps[0][1].starts_with(&format!("{V3}.1.2.5.1.6.")), "{traps:#?}");
    ensure!(traps[0][1].ends_with(".51.1 = INTEGER: 1"), "{traps:#?}");
    ensure!(traps[0].len() == 4, "{traps:#?}");
    Ok(())
}

#[test]
fn a_virtual_router_that_a_reload_takes_away_is_told_as_of_keepalived() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("snmp-taken")?.routers(1)?;
    let host = hosts.remove(0);
    let snmpd = Snmpd::start_with(&host, Snmptrapd::SINK)?;
    let receiver = Snmptrapd::start(&host)?;
    let global = format!("enable_snmp_vrrp\nenable_traps\nsnmp_socket unix:{}", snmpd.socket().display());
    let stays = conf::global_defs(2, &global) + &Instance::new("VI_1").to_string();
    let goes = Instance::new("VI_2").vrid(52).vip("10.78.9.10").to_string();
    let we = Keepwatchd::on(&host).config(format!("{stays}{goes}")).flag("--vrrp").start()?;
    // Names and states, in their order.
    let story = || {
        let traps = receiver.traps();
        let states = traps.iter().filter(|trap| trap[0].contains(&format!("OID: {KEEPALIVED}.2.10.0.2")));
        states.map(|t| value(t, ".2.3.1.2") + " " + &value(t, ".2.3.1.4")).collect::<Vec<_>>()
    };
    let of = |name: &str| -> Vec<String> {
        let name = format!("STRING: \"{name}\" ");
        story().iter().filter_map(|line| line.strip_prefix(&name).map(str::to_owned)).collect()
    };
    let tells = |name: &str, states: &[&str]| {
        wait::until(&format!("{name} is told to be {states:?}"), wait::LONG, || of(name) == states)
            .with_context(|| format!("{:#?}\n{}", story(), we.process().log()))
    };
    tells("VI_1", &["1", "2"])?;
    tells("VI_2", &["1", "2"])?;
    we.reload(&stays)?;
    tells("VI_2", &["1", "2", "3"])?;
    // Another priority is no news of what stays.
    we.reload(&stays.replace("priority 100", "priority 120"))?;
    we.wait_for_log("120")?;
    tells("VI_1", &["1", "2"])?;
    // A group that comes is told to be what its member is.
    we.reload(&(stays.clone() + &conf::sync_group("G1", &["VI_1"])))?;
    wait::until("the group is told to be master", wait::LONG, || {
        let of_group = |trap: &&Vec<String>| trap[0].contains(&format!("OID: {KEEPALIVED}.2.10.0.1"));
        receiver.traps().iter().filter(of_group).any(|trap| value(trap, ".2.1.1.3") == "2")
    })
    .with_context(|| we.process().log())?;
    tells("VI_1", &["1", "2"])
}
