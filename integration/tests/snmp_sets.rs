//! What a manager sets has the same effect on keepwatchd and on Debian's keepalived: both are asked for the same, one after
//! the other, and show the same then.

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
    Ok(())
}
