//! What a manager sets has the same effect on keepwatchd and on Debian's keepalived: both are asked for the same, one after
//! the other, and show the same then. And what can't be set, over AgentX by TCP.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd, snmpd::Snmpd, wait,
};

/// The effective priorities of those that are given the owner's number, which keepalived leaves as they are
/// (docs/differences.md).
const APART: [&str; 2] = [".8.2", ".8.3"];
const INSTANCES: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1";

fn lonely(name: &str) -> Result<Host> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok(hosts.remove(0))
}

/// Two in a group, an owner, and one whose interfaces weigh.
fn config(snmpd: &Snmpd) -> String {
    let global = format!("enable_snmp_vrrp\nsnmp_socket unix:{}", snmpd.socket().display());
    let owner = Instance::new("VI_3").vrid(53).vip("10.78.9.13").priority(255);
    let weighed = Instance::new("VI_4").vrid(54).vip("10.78.9.14");
    let weighed = weighed.line("track_interface {\n lo weight 10\n}");
    conf::global_defs(2, &global)
        + &conf::sync_group("G1", &["VI_1", "VI_2"])
        + &Instance::new("VI_1").to_string()
        + &Instance::new("VI_2").vrid(52).vip("10.78.9.12").to_string()
        + &format!("{owner}{weighed}")
}

/// State, base priority, effective priority and preemption of each.
fn shown(snmpd: &Snmpd) -> BTreeMap<String, String> {
    let mut rows = snmpd::rows(&snmpd.walk(INSTANCES).unwrap_or_default(), INSTANCES);
    rows.retain(|name, _| [".4.", ".7.", ".8.", ".13."].iter().any(|column| name.starts_with(column)));
    rows
}

#[test]
fn what_a_manager_sets_has_the_effect_that_it_has_on_keepalived() -> Result<()> {
    let (ours, theirs) = (lonely("sets-ours")?, lonely("sets-theirs")?);
    let our_snmpd = Snmpd::start_with(&ours, Snmpd::WRITABLE)?;
    let their_snmpd = Snmpd::start_with(&theirs, Snmpd::WRITABLE)?;
    let we = Keepwatchd::on(&ours).config(config(&our_snmpd)).flag("--vrrp").start()?;
    let it = Keepalived::start(&theirs, &config(&their_snmpd), &["--snmp"])?;
    let logs = || format!("{}\n{}", we.process().log(), it.process().log());
    let alike = |moment: &str, holds: &dyn Fn(&BTreeMap<String, String>) -> bool| {
        let mut both = (BTreeMap::new(), BTreeMap::new());
        wait::until(&format!("both show the same {moment}"), wait::LONG, || {
            let ours = shown(&our_snmpd);
            both = (ours.clone(), shown(&their_snmpd));
            for rows in [&mut both.0, &mut both.1] {
                rows.retain(|name, _| !APART.contains(&name.as_str()));
            }
            both.0 == both.1 && holds(&ours)
        })
        .with_context(|| format!("{}\n{}", snmpd::differences(&both.0, &both.1).join("\n"), logs()))
    };
    let is = |rows: &BTreeMap<String, String>, name: &str, number: i32| {
        rows.get(name).is_some_and(|value| *value == format!("INTEGER: {number}"))
    };
    alike("at the start", &|rows| (1..=4).all(|row| is(rows, &format!(".4.{row}"), 2)))?;
    for (what, column, row, number, effective) in [
        ("the member of a group alone", 7, 1, 50, Some(50)),
        ("with what weighs added", 7, 4, 77, Some(87)),
        ("the owner's number", 7, 2, 255, Some(255)),
        ("an owner that is one no more", 7, 3, 100, Some(100)),
        ("an owner again", 7, 3, 255, Some(255)),
        ("no preemption", 13, 4, 2, None),
        ("preemption", 13, 4, 1, None),
    ] {
        let name = format!("{INSTANCES}.{column}.{row}");
        for snmpd in [&our_snmpd, &their_snmpd] {
            let said = snmpd.set(&[&name, "i", &number.to_string()])?;
            ensure!(said.contains(&format!("INTEGER: {number}")), "{what}: {said}");
        }
        alike(what, &|rows| {
            let effective = effective.is_none_or(|number| is(rows, &format!(".8.{row}"), number));
            effective && is(rows, &format!(".{column}.{row}"), number)
        })?;
    }
    // In words too.
    for line in [
        "(VI_4) base priority changed from 100 to 77 via SNMP.",
        "(VI_4) Changing effective priority from 110 to 87",
        "(VI_4) preemption disabled with SNMP",
        "(VI_4) preemption enabled with SNMP",
    ] {
        we.wait_for_log(line)?;
        it.process().wait_for_log(line, wait::LONG)?;
    }
    Ok(())
}

/// How snmpset is told the type and the value that a walk shows; none of what it can't write.
fn written(shown: &str) -> Option<(&'static str, String)> {
    let (kind, value) = shown.split_once(": ").unwrap_or(("STRING", "x"));
    let letter = match kind {
        "INTEGER" => "i",
        "Gauge32" | "Unsigned32" => "u",
        "STRING" => "s",
        "Hex-STRING" => "x",
        "IpAddress" => "a",
        "Timeticks" => "t",
        "OID" => "o",
        // snmpset has no letters for counters.
        _ => return None,
    };
    let value = value.trim().trim_matches('"');
    // Timeticks stand in brackets before the words.
    let value =
        value.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(value, |(ticks, _)| ticks);
    Some((letter, if value.is_empty() { "x".to_owned() } else { value.to_owned() }))
}

#[test]
fn sets_over_agentx_by_tcp_act_and_all_else_is_refused() -> Result<()> {
    const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";
    let host = lonely("sets-tcp")?;
    let snmpd = Snmpd::start_with(&host, &format!("{}\n{}", Snmpd::OVER_TCP, Snmpd::WRITABLE))?;
    let lines = "enable_snmp_vrrp\nenable_snmp_checker\nenable_snmp_rfc\nsnmp_socket";
    let text = conf::global_defs(2, &format!("{lines} {}", Snmpd::TCP))
        + conf::TWO_SERVERS
        + &Instance::new("VI_1").vip("10.78.9.51").to_string();
    let we = Keepwatchd::on(&host).config(text).flags(&["--dataplane", "memory"]).start()?;
    let (priority, weight) = (format!("{ROOT}.2.3.1.7.1"), format!("{ROOT}.3.4.1.7.1.2"));
    let shows = |name: &str, number: i32| {
        wait::until(&format!("{name} is {number}"), wait::LONG, || {
            snmpd.get(name).is_ok_and(|line| line.trim().ends_with(&format!("INTEGER: {number}")))
        })
        .with_context(|| we.process().log())
    };
    shows(&priority, 100)?;
    shows(&weight, 1)?;
    // Both in one request, and then nothing of one that is partly wrong.
    let said = snmpd.set(&[&priority, "i", "77", &weight, "i", "5"])?;
    ensure!(said.contains("INTEGER: 77") && said.contains("INTEGER: 5"), "{said}");
    shows(&priority, 77)?;
    shows(&weight, 5)?;
    let log = we.process().log();
    ensure!(log.contains("SNMP SET from tcp:127.0.0.1:1705"), "{log}");
    let said = snmpd.set(&[&weight, "i", "6", &priority, "i", "256"])?;
    ensure!(said.contains("wrongValue"), "{said}");
    shows(&weight, 5)?;
    // As it is: no news.
    let lines = |what: &str| we.process().log().matches(what).count();
    let told = lines("Changing weight");
    ensure!(told == 1, "{}", we.process().log());
    snmpd.set(&[&weight, "i", "5"])?;
    snmpd.set(&[&weight, "i", "9"])?;
    shows(&weight, 9)?;
    we.wait_for_log("Changing weight from 5 to 9")?;
    ensure!(lines("Changing weight") == 2, "{}", we.process().log());

    // Nothing else: the general part, virtual servers, both modules of the RFCs.
    let (mut asked, mut wrong) = (0, Vec::new());
    for root in
        [format!("{ROOT}.1"), format!("{ROOT}.3.3"), ".1.3.6.1.2.1.68".into(), ".1.3.6.1.2.1.207".into()]
    {
        for (name, value) in snmpd::rows(&snmpd.walk(&root)?, "") {
            let Some((letter, value)) = written(&value) else { continue };
            let said = snmpd.set(&[&name, letter, &value])?;
            asked += 1;
            if !said.contains("notWritable") {
                wrong.push(format!("{name} {letter} {value}: {said}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    ensure!(asked > 100, "only {asked} objects");
    Ok(())
}
