//! VRRP-MIB and VRRPV3-MIB, notifications and sets, through a real snmpd and snmptrapd.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd, snmpd::Snmpd,
    snmptrapd::Snmptrapd, wait,
};
use nix::sys::signal::Signal;

const KEEPALIVED: &str = ".1.3.6.1.4.1.9586.100.5";
const V2: &str = ".1.3.6.1.2.1.68";
const V3: &str = ".1.3.6.1.2.1.207";
/// Why a Set is refused whose value is out of range.
const WRONG_VALUE: &str = "wrongValue";

/// What keepalived tells otherwise, and why ours is what it is (docs/differences.md): addresses of this host and times;
/// of VRRP-MIB the master's address while it is master, and the time since when it runs; of VRRPV3-MIB the index of
/// addresses, which has no length in keepalived's.
const APART_V2: [&str; 3] = [".1.3.1.2.", ".1.3.1.7.", ".1.3.1.13."];
const APART_V3: [&str; 5] = [".1.1.1.1.3.", ".1.1.1.1.4.", ".1.1.1.1.5.", ".1.1.1.1.12.", ".1.1.2."];

fn lonely(name: &str) -> Result<Host> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok(hosts.remove(0))
}

fn routers(socket: &Path, lines: &str) -> String {
    let global = format!("{lines}\nsnmp_socket unix:{}", socket.display());
    let first = Instance::new("VI_1").password("1111");
    let first = first.line("virtual_ipaddress_excluded {\n 10.78.9.11\n}");
    let second = Instance::new("VI_2").vrid(22).interval("0.5").vip("10.78.9.19").line("version 3");
    let second = second.line("nopreempt").line("no_accept");
    let third = Instance::new("VI_3").priority(90).vip("fe80::9").line("version 3");
    conf::global_defs(2, &global) + &format!("{first}{second}{third}")
}

fn rows(snmpd: &Snmpd, root: &str, apart: &[&str]) -> BTreeMap<String, String> {
    let mut rows = snmpd::rows(&snmpd.walk(root).unwrap_or_default(), root);
    rows.retain(|name, _| !apart.iter().any(|apart| name.starts_with(apart)));
    rows
}

#[test]
fn both_modules_show_what_keepalived_shows() -> Result<()> {
    let (ours, theirs) = (lonely("rfc-ours")?, lonely("rfc-theirs")?);
    let (our_snmpd, their_snmpd) = (Snmpd::start(&ours)?, Snmpd::start(&theirs)?);
    let config = |snmpd: &Snmpd| routers(snmpd.socket(), "enable_snmp_rfc\nenable_traps");
    let we = Keepwatchd::on(&ours).config(config(&our_snmpd)).flag("--vrrp").start()?;
    let _it = Keepalived::start(&theirs, &config(&their_snmpd), &[])?;
    let mut different = Vec::new();
    for (root, apart, least) in [(V2, &APART_V2[..], 25), (V3, &APART_V3, 60)] {
        let objects = wait::value("both walks show the same", wait::LONG, || {
            let (our_rows, their_rows) = (rows(&our_snmpd, root, apart), rows(&their_snmpd, root, apart));
            different = snmpd::differences(&our_rows, &their_rows);
            let masters = our_rows.iter().filter(|(name, state)| {
                [".1.3.1.3.", ".1.1.1.1.6."].iter().any(|column| name.starts_with(column))
                    && *state == "INTEGER: 3"
            });
            (different.is_empty() && masters.count() > 0).then_some(our_rows.len())
        })
        .with_context(|| format!("{}\n{}", different.join("\n"), we.process().log()))?;
        ensure!(objects >= least, "only {objects} objects below {root}");
    }
    // Nothing of KEEPALIVED-MIB goes with them.
    ensure!(!our_snmpd.walk(KEEPALIVED)?.contains("9586.100.5.1."));

    // What is apart: the primary address is the interface's, and a master is its own master.
    let all = rows(&our_snmpd, V2, &[]);
    let address = |column: u32| {
        let name = format!(".1.3.1.{column}.");
        all.iter().find(|(key, _)| key.starts_with(&name)).map(|(_, value)| value.clone())
    };
    ensure!(address(8).is_some_and(|value| value.starts_with("IpAddress: 10.78.")), "{all:?}");
    ensure!(address(7) == address(8), "{all:?}");
    by_name(&our_snmpd)
}

/// What walks of keepalived 2.4.3 showed on [`every_kind`], as they were recorded: the names, and their values.
const RECORDED: &str = include_str!("snmp/keepalived-2.4.3-rfc.walk");
/// What is each host's own there beside [`APART_V2`] and [`APART_V3`], or counts on: adverts that the backup hears.
const COUNTS: [&str; 2] = [".1.3.6.1.2.1.68.2.4.1.2.eth0.27", ".1.3.6.1.2.1.207.1.2.5.1.3.eth0.27.1"];

/// An instance of every kind that the modules tell apart: both versions and families, a virtual MAC, an owner, a backup, one
/// that is in fault, excluded and several addresses, each way to authenticate.
fn every_kind(socket: &Path) -> String {
    let failing = "vrrp_script NO {\n script \"/usr/bin/false\"\n interval 1\n fall 1\n}\n";
    let lines = "enable_snmp_rfc\nenable_traps\nscript_user root\nenable_script_security";
    let base = routers(socket, lines).replacen("vrrp_instance", &format!("{failing}vrrp_instance"), 1);
    let vmac = Instance::new("VI_4").vrid(24).vip("10.78.9.24").line("use_vmac");
    let fault = Instance::new("VI_5").vrid(25).vip("10.78.9.25").line("track_script {\n NO\n}");
    let owner = Instance::new("VI_6").vrid(26).priority(255).vip("10.78.9.26").line("version 3");
    let backup = Instance::new("VI_7").vrid(27).priority(50).vip("10.78.9.27");
    let header = Instance::new("VI_8").vrid(28).vip("10.78.9.28").header_key("secret").interval("2");
    format!("{base}{vmac}{fault}{owner}{backup}{header}")
}

/// The other router of VI_7.
fn master_of_the_seventh() -> String {
    Instance::new("VI_7").vrid(27).priority(200).vip("10.78.9.27").version_2("")
}

/// Both modules' rows, with `eth0` for the number of that interface, which is the host's own.
fn recordable(snmpd: &Snmpd) -> BTreeMap<String, String> {
    const TABLES: [&str; 6] = [
        ".1.3.6.1.2.1.68.1.3.1.",
        ".1.3.6.1.2.1.68.1.4.1.",
        ".1.3.6.1.2.1.68.2.4.1.",
        ".1.3.6.1.2.1.207.1.1.1.1.",
        ".1.3.6.1.2.1.207.1.1.2.1.",
        ".1.3.6.1.2.1.207.1.2.5.1.",
    ];
    let nameless = |name: String| {
        let (table, rest) = TABLES.iter().find_map(|table| Some((*table, name.strip_prefix(table)?)))?;
        let (column, rest) = rest.split_once('.')?;
        let (_, row) = rest.split_once('.')?;
        Some(format!("{table}{column}.eth0.{row}"))
    };
    let apart = |root: &str, name: &str, apart: &[&str]| {
        name.strip_prefix(root).is_some_and(|rest| apart.iter().any(|apart| rest.starts_with(apart)))
    };
    let mut all = snmpd::rows(&snmpd.walk(V2).unwrap_or_default(), "");
    all.append(&mut snmpd::rows(&snmpd.walk(V3).unwrap_or_default(), ""));
    let all = all.into_iter().filter(|(name, _)| name.starts_with(V2) || name.starts_with(V3));
    // A virtual MAC is no host's own.
    let is_virtual = |name: &str| {
        let mac = [V2.to_owned() + ".1.3.1.2.", V3.to_owned() + ".1.1.1.1.5."];
        mac.iter().any(|mac| name.starts_with(mac)) && name.split('.').any(|arc| arc == "24")
    };
    let all = all
        .filter(|(name, _)| is_virtual(name) || !apart(V2, name, &APART_V2) && !apart(V3, name, &APART_V3));
    all.map(|(name, value)| (nameless(name.clone()).unwrap_or(name), value))
        .filter(|(name, _)| !COUNTS.iter().any(|counts| name.starts_with(counts)))
        .collect()
}

/// `KEEPALIVED` names a keepalived whose walk is recorded anew.
#[test]
fn both_modules_show_of_every_kind_what_a_newer_keepalived_showed() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("rfc-recorded")?.routers(2)?;
    let (other, host) = (hosts.remove(1), hosts.remove(0));
    let snmpd = Snmpd::start(&host)?;
    let _other = Keepalived::start(&other, &master_of_the_seventh(), &[])?;
    let text = every_kind(snmpd.socket());
    // Six masters, one backup, one in fault.
    let settled = || {
        let rows = recordable(&snmpd);
        let states = rows.iter().filter(|(name, _)| name.starts_with(".1.3.6.1.2.1.207.1.1.1.1.6."));
        let mut counts = BTreeMap::<_, usize>::new();
        states.for_each(|(_, state)| *counts.entry(state.clone()).or_default() += 1);
        let count = |state: u32| counts.get(&format!("INTEGER: {state}")).copied().unwrap_or(0);
        ((count(3), count(2), count(1)) == (6, 1, 1)).then_some(rows)
    };
    if let Some(program) = std::env::var_os("KEEPALIVED") {
        let it = Keepalived::start_program(program.as_ref(), &host, &text, &[])?;
        wait::value("all have settled", wait::LONG, settled)
            .with_context(|| format!("{:#?}\n{}", recordable(&snmpd), it.process().log()))?;
        // Once more: what was walked first may be older.
        let lines = recordable(&snmpd).into_iter().map(|(name, value)| format!("{name} = {value}\n"));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp/keepalived-2.4.3-rfc.walk");
        std::fs::write(path, lines.collect::<String>())?;
        return Ok(());
    }
    let we = Keepwatchd::on(&host).config(text).flag("--vrrp").start()?;
    let lines = RECORDED.lines().filter_map(|line| line.split_once(" = "));
    let theirs: BTreeMap<_, _> = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ensure!(theirs.len() > 150, "only {} objects", theirs.len());
    let mut different = Vec::new();
    wait::until("the walks show what was recorded", wait::LONG, || {
        different = snmpd::differences(&recordable(&snmpd), &theirs);
        different.is_empty()
    })
    .with_context(|| format!("{}\n{}", different.join("\n"), we.process().log()))
}

/// The modules resolve, and each table is found by its name.
fn by_name(snmpd: &Snmpd) -> Result<()> {
    let texts = integration::binaries::workspace().join("mib");
    let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mib-base"));
    for (table, shown) in [
        ("VRRP-MIB::vrrpOperTable", "master"),
        ("VRRP-MIB::vrrpAssoIpAddrTable", "active"),
        ("VRRP-MIB::vrrpRouterStatsTable", "vrrpStatsBecomeMaster"),
        ("VRRPV3-MIB::vrrpv3OperationsTable", "master"),
        ("VRRPV3-MIB::vrrpv3AssociatedIpAddrTable", "active"),
        ("VRRPV3-MIB::vrrpv3StatisticsTable", "masterNoResponse"),
    ] {
        let text = snmpd.table(&[&texts, base], table)?;
        ensure!(text.contains(&format!("SNMP table: {table}")) && text.contains(shown), "{text}");
    }
    Ok(())
}

/// Whether the objects of a notification are of these names, in this order, with this text somewhere among the values.
fn is(trap: &[String], id: &str, names: &[&str], value: &str) -> bool {
    trap.len() == names.len() + 3
        && trap[0].contains(&format!("OID: {id}"))
        && names.iter().zip(&trap[1..]).all(|(name, bind)| bind.starts_with(&format!("{name} = ")))
        && trap[trap.len() - 2].starts_with(&format!("{KEEPALIVED}.100.1.2.0 = STRING: "))
        && trap[trap.len() - 1].starts_with(&format!("{KEEPALIVED}.100.1.1.0 = STRING: "))
        && trap.iter().any(|bind| bind.contains(value))
}

#[test]
fn notifications_come_with_the_objects_and_in_the_order_that_keepalived_has() -> Result<()> {
    let host = lonely("rfc-traps")?;
    let snmpd = Snmpd::start_with(&host, Snmptrapd::SINK)?;
    let receiver = Snmptrapd::start(&host)?;
    let text = |lines: &str| {
        let global = format!("{lines}\nsnmp_socket unix:{}", snmpd.socket().display());
        conf::global_defs(2, &global)
            + &conf::sync_group("G1", &["VI_1"])
            + &Instance::new("VI_1").priority(150).to_string()
    };
    let lines = "enable_snmp_vrrp\nenable_snmp_rfc\nenable_traps";
    let mut we = Keepwatchd::on(&host).config(text(lines)).flag("--vrrp").start()?;
    let k = |tail: &str| format!("{KEEPALIVED}.{tail}");
    let instance = [k("2.3.1.2"), k("2.3.1.4"), k("2.3.1.5"), k("1.2.0")];
    let instance: Vec<&str> = instance.iter().map(String::as_str).collect();
    let group = [k("2.1.1.2"), k("2.1.1.3"), k("1.2.0")];
    let group: Vec<&str> = group.iter().map(String::as_str).collect();
    let (of_instance, of_group) = (k("2.10.0.2"), k("2.10.0.1"));
    let traps = wait::value("the group is master", wait::LONG, || {
        let traps = receiver.traps();
        traps.iter().any(|trap| is(trap, &of_group, &group, "INTEGER: 2")).then_some(traps)
    })
    .with_context(|| format!("{:#?}\n{}", receiver.traps(), we.process().log()))?;
    let master = traps.iter().position(|trap| is(trap, &of_instance, &instance, "INTEGER: 2"));
    let master = master.with_context(|| format!("{traps:#?}"))?;
    // The member, its notifications of the RFCs, and then the group.
    let prefix = |name: &str| name.rsplit_once('.').map(|(head, _)| head.to_owned()).unwrap_or_default();
    ensure!(traps[master + 1][0].contains(&format!("OID: {V2}.0.1")), "{traps:#?}");
    ensure!(traps[master + 1][1].starts_with(&format!("{V2}.1.3.1.7.")), "{traps:#?}");
    ensure!(traps[master + 1][1].contains("IpAddress: 10.78."), "{traps:#?}");
    ensure!(traps[master + 2][0].contains(&format!("OID: {V3}.0.1")), "{traps:#?}");
    ensure!(traps[master + 2][2].contains("INTEGER: 3"), "nobody was heard: {traps:#?}");
    ensure!(!prefix(&traps[master + 2][1]).is_empty());
    ensure!(is(&traps[master + 3], &of_group, &group, "INTEGER: 2"), "{traps:#?}");

    // Each is counted, and none is lost.
    let counted = |what: &str| we.metric(&format!("keepwatch_delivery_{what}"), &["consumer=\"snmp traps\""]);
    // Two of them are snmpd's own at most.
    let all = traps.len() as f64;
    wait::until("they are counted", wait::LONG, || {
        counted("delivered_total").is_some_and(|count| count + 2.0 >= all)
    })
    .with_context(|| we.process().log())?;
    assert_eq!((counted("lost_total"), counted("works")), (Some(0.0), Some(1.0)));

    // Off by a reload, and on again: with the rows.
    let state = k("2.3.1.4.1");
    let reload = |lines: &str| -> Result<()> {
        std::fs::write(we.config_path(), text(lines))?;
        we.process().signal(Signal::SIGHUP)
    };
    reload("enable_traps")?;
    wait::until("nothing is served", wait::LONG, || {
        snmpd.get(&state).is_ok_and(|text| text.contains("No Such"))
    })?;
    reload(lines)?;
    wait::until("it is served again", wait::LONG, || {
        snmpd.get(&state).is_ok_and(|text| text.contains("INTEGER: 2"))
    })?;
    wait::until("VRRP-MIB too", wait::LONG, || !rows(&snmpd, V2, &[]).is_empty())?;
    let before = receiver.traps().len();
    we.process().signal(Signal::SIGTERM)?;
    let last = wait::value("the stop is told", wait::LONG, || {
        let traps = receiver.traps();
        (traps.len() >= before + 2).then(|| traps[before..].to_vec())
    })
    .with_context(|| we.process().log())?;
    ensure!(is(&last[0], &of_instance, &instance, "INTEGER: 5"), "{last:#?}");
    ensure!(is(&last[1], &of_group, &group, "INTEGER: 5"), "{last:#?}");
    we.process_mut().wait(wait::LONG)?;
    Ok(())
}

#[test]
fn what_a_manager_sets_acts_and_is_refused_whole_and_is_gone_after_a_reload() -> Result<()> {
    let (lan, mut hosts) = Lab::new("rfc-sets")?.routers(1)?;
    let (wire, host) = (lan.capture()?, hosts.remove(0));
    let snmpd = Snmpd::start_with(&host, Snmpd::WRITABLE)?;
    let text = routers(snmpd.socket(), "enable_snmp_vrrp");
    let we = Keepwatchd::on(&host).config(text).flag("--vrrp").start()?;
    let name = |column: u32, row: u32| format!("{KEEPALIVED}.2.3.1.{column}.{row}");
    let (base, effective, preempt) = (name(7, 1), name(8, 1), name(13, 1));
    let shows = |name: &str, number: i32| {
        let (name, number) = (name.to_owned(), format!("INTEGER: {number}"));
        wait::until(&format!("{name} is {number}"), wait::LONG, || {
            snmpd.get(&name).is_ok_and(|line| line.trim().ends_with(&number))
        })
        .with_context(|| we.process().log())
    };
    shows(&effective, 100)?;
    ensure!(snmpd.set(&[&base, "i", "77"])?.contains("INTEGER: 77"));
    shows(&base, 77)?;
    shows(&effective, 77)?;
    we.wait_for_log("(VI_1) base priority changed from 100 to 77 via SNMP. (SNMP SET from unix:")?;
    wait::until("the next advert has it", wait::LONG, || {
        let adverts = wire.adverts_from("10.78.0.1");
        let mut of_first = adverts.iter().filter(|(_, advert)| advert.vrid == 51 && advert.priority > 0);
        of_first.next_back().is_some_and(|(_, advert)| advert.priority == 77)
    })?;
    ensure!(snmpd.set(&[&preempt, "i", "2"])?.contains("INTEGER: 2"));
    shows(&preempt, 2)?;
    we.wait_for_log("(VI_1) preemption disabled with SNMP")?;

    for (what, error) in [
        (vec![&*base, "i", "0"], WRONG_VALUE),
        (vec![&*base, "i", "256"], WRONG_VALUE),
        (vec![&*base, "i", "-1"], WRONG_VALUE),
        (vec![&*base, "s", "80"], "wrongType"),
        (vec![&*preempt, "i", "3"], WRONG_VALUE),
        (vec![&*effective, "i", "80"], "notWritable"),
        (vec![&*name(7, 9), "i", "80"], "notWritable"),
        // One that could be done, and one that could not.
        (vec![&*base, "i", "80", &*preempt, "i", "7"], WRONG_VALUE),
    ] {
        let answer = snmpd.set(&what)?;
        ensure!(answer.contains(error), "{what:?}: {answer}");
    }
    shows(&base, 77)?;
    // Two at once.
    ensure!(snmpd.set(&[&base, "i", "90", &preempt, "i", "1"])?.contains("INTEGER: 90"));
    shows(&base, 90)?;
    shows(&preempt, 1)?;

    we.process().signal(Signal::SIGHUP)?;
    shows(&base, 100)?;
    shows(&effective, 100)?;
    Ok(())
}

/// The state of the first virtual router.
fn state() -> String {
    format!("{KEEPALIVED}.2.3.1.4.1")
}

/// A host with an snmpd that shows a master.
fn master(name: &str) -> Result<(Host, Snmpd, Keepwatchd)> {
    let host = lonely(name)?;
    let snmpd = Snmpd::start(&host)?;
    let text = routers(snmpd.socket(), "enable_snmp_vrrp");
    let we = Keepwatchd::on(&host).config(text).flag("--vrrp").start()?;
    wait::until("it is master", wait::LONG, || {
        snmpd.get(&state()).is_ok_and(|line| line.contains("INTEGER: 2"))
    })
    .with_context(|| we.process().log())?;
    Ok((host, snmpd, we))
}

#[test]
fn managers_that_people_have_read_it() -> Result<()> {
    let (host, snmpd, _we) = master("rfc-managers")?;
    let state = state();

    // Nagios: 2 and nothing else is well.
    let check = ["-H", "127.0.0.1", "-p", "1161", "-C", "public", "-P", "2c", "-o", &state, "-c", "2:2"];
    let said = host.run("/usr/lib/nagios/plugins/check_snmp", &check)?;
    ensure!(said.starts_with("SNMP OK"), "{said}");
    let wrong = [&check[..10], &["-c", "1:1"]].concat();
    ensure!(host.output("/usr/lib/nagios/plugins/check_snmp", &wrong)?.status.code() == Some(2));

    // Debian's Python has Debian's pysnmp.
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp");
    let walked = host.run("/usr/bin/python3", &[&format!("{tests}/walk.py")])?;
    let objects = snmpd.walk(KEEPALIVED)?.lines().filter(|line| line.starts_with('.')).count();
    ensure!(walked.trim() == objects.to_string(), "pysnmp: {walked}, snmpbulkwalk: {objects}");

    let exporter = host
        .process("exporter", "prometheus-snmp-exporter")
        .arg(format!("--config.file={tests}/exporter.yml"))
        .arg("--web.listen-address=127.0.0.1:9116")
        .start()?;
    let url = "http://127.0.0.1:9116/snmp?module=keepalived&target=127.0.0.1:1161";
    let scraped = wait::value("it is scraped", wait::LONG, || {
        host.run("curl", &["-sf", url]).ok().filter(|text| text.contains("vrrpInstanceState{"))
    })
    .with_context(|| exporter.log())?;
    let line = r#"vrrpInstanceState{vrrpInstanceIndex="1",vrrpInstanceName="VI_1"} 2"#;
    ensure!(scraped.contains(line), "{scraped}");
    Ok(())
}

/// A directory with npm's net-snmp in it is given as `NODE_PATH` (`npm install net-snmp` makes `node_modules`).
#[test]
#[ignore = "needs node, and net-snmp of npm"]
fn net_snmp_of_npm_reads_it() -> Result<()> {
    let (host, snmpd, _we) = master("rfc-npm")?;
    let walked = host.run("node", &[concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp/walk.js")])?;
    let objects = snmpd.walk(KEEPALIVED)?.lines().filter(|line| line.starts_with('.')).count();
    ensure!(walked.trim() == objects.to_string(), "net-snmp of npm: {walked}, snmpbulkwalk: {objects}");
    Ok(())
}
