//! Figures of virtual and real servers through SNMP while clients come: of TCP, of UDP and of a mark; they stay with their
//! server when a reload takes others away and rows move up; and a weight that is set is in the kernel's table.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    binaries,
    vm::{Outcome, Scenario},
};

/// Connections, packets in and out, bytes in and out.
type Figures = [u64; 5];

/// The kernel's own figures, as `ipvsadm --stats` has them: of a virtual server and of its real servers, each by its name.
fn of_kernel(listing: &str) -> BTreeMap<String, Figures> {
    let mut service = String::new();
    let mut all = BTreeMap::new();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        let (Some(kind @ ("TCP" | "UDP" | "FWM" | "->")), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        let figures: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        let Ok(figures) = Figures::try_from(figures) else { continue };
        let name = if kind == "->" { format!("{service} {name}") } else { format!("{kind} {name}") };
        if kind != "->" {
            service.clone_from(&name);
        }
        all.insert(name, figures);
    }
    all
}

/// The same as SNMP has it, by row: `1` is the first virtual server and `1.2` its second real server.
fn of_snmp(walk: &str) -> BTreeMap<String, Figures> {
    let mut all: BTreeMap<String, Figures> = BTreeMap::new();
    // The columns of both tables, in the order of the figures.
    let tables = [(".3.3.1.", [27, 28, 29, 30, 31]), (".3.4.1.", [14, 18, 19, 20, 21])];
    for line in walk.lines() {
        let Some((name, value)) = line.split_once(" = ") else { continue };
        let Some((_, name)) = name.split_once(".9586.100.5") else { continue };
        let Some(number) = value.split_once(": ").and_then(|(_, number)| number.trim().parse().ok()) else {
            continue;
        };
        for (table, columns) in tables {
            let Some((column, row)) = name.strip_prefix(table).and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            if let Some(place) = columns.iter().position(|known| known.to_string() == column) {
                all.entry(row.to_owned()).or_default()[place] = number;
            }
        }
    }
    all
}

/// Whether the rows have the figures of those that they stand for.
fn agree(outcome: &Outcome, chapter: &str, rows: &[(&str, &str)]) -> Result<BTreeMap<String, Figures>> {
    let kernel = of_kernel(&outcome.chapter(&format!("kernel, {chapter}")));
    let snmp = of_snmp(&outcome.chapter(&format!("snmp, {chapter}")));
    for (row, name) in rows {
        let figures = kernel.get(*name).with_context(|| format!("{chapter}: {name} in {kernel:?}"))?;
        ensure!(
            snmp.get(*row) == Some(figures),
            "{chapter}: row {row} is {:?}, {name} {figures:?}",
            snmp.get(*row)
        );
    }
    ensure!(snmp.len() == rows.len(), "{chapter}: {snmp:?}");
    Ok(kernel)
}

#[test]
fn figures_of_each_kind_are_the_kernels_and_stay_with_their_server() -> Result<()> {
    let outcome = Scenario::new(include_str!("snmp/traffic.sh"))
        .env("KEEPWATCHD", binaries::path("keepwatchd")?)
        .env("KEEPALIVED", std::env::var("KEEPALIVED").unwrap_or_else(|_| "keepalived".to_owned()))
        .module("ip_vs")
        .limit(Duration::from_secs(900))
        .run()?;
    let all = [
        ("1", "TCP 10.1.0.9:80"),
        ("1.1", "TCP 10.1.0.9:80 192.168.2.2:80"),
        ("2", "UDP 10.1.0.9:53"),
        ("2.1", "UDP 10.1.0.9:53 192.168.2.2:53"),
        ("2.2", "UDP 10.1.0.9:53 192.168.3.3:53"),
        ("3", "FWM 7"),
        ("3.1", "FWM 7 192.168.2.2:0"),
        ("3.2", "FWM 7 192.168.3.3:0"),
    ];
    // Without the first virtual server, and without the first real server of the others.
    let rest = [
        ("1", "UDP 10.1.0.9:53"),
        ("1.1", "UDP 10.1.0.9:53 192.168.3.3:53"),
        ("2", "FWM 7"),
        ("2.1", "FWM 7 192.168.3.3:0"),
    ];
    for who in ["keepalived", "keepwatch"] {
        let logs = || format!("{}\n{}", outcome.chapter(&format!("log of {who}")), outcome.output);
        let before = agree(&outcome, &format!("{who} at first"), &all).with_context(logs)?;
        ensure!(before.values().all(|figures| figures[0] > 0), "{who}: clients came: {before:?}");
        // One that has left the table has no figures there; its virtual server has.
        let fallen = of_snmp(&outcome.chapter(&format!("snmp, {who} after a fall")));
        ensure!(fallen.get("1.1") == Some(&[0; 5]), "{who}: {fallen:?}\n{}", logs());
        ensure!(fallen.get("1").is_some_and(|figures| figures[0] > 0), "{who}: {fallen:?}\n{}", logs());
        let after = agree(&outcome, &format!("{who} after a reload"), &rest).with_context(logs)?;
        for (_, name) in &rest[1..] {
            ensure!(before.get(*name) == after.get(*name), "{who}: {name}: {before:?}, then {after:?}");
        }
        let set = outcome.chapter(&format!("weight of {who}"));
        ensure!(set.contains("INTEGER: 9") && set.contains("192.168.3.3:53"), "{who}: {set}");
        let weighs =
            |line: &str| line.contains("192.168.3.3:53") && line.split_whitespace().nth(3) == Some("9");
        ensure!(set.lines().any(weighs), "{who}: {set}");
    }
    Ok(())
}
