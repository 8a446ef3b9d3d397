//! Virtual and real servers through SNMP: with a kernel that has IPVS, keepwatchd is asked what keepalived was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::{binaries, snmpd, vm::Scenario};

const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";

/// What can't be compared: versions; and the columns that Debian's keepalived 2.2.7 does not have yet.
fn apart(name: &str) -> bool {
    let column = |table: &str| -> u32 {
        let column = name.strip_prefix(table).and_then(|rest| rest.split('.').next());
        column.and_then(|column| column.parse().ok()).unwrap_or(0)
    };
    [".1.1.0", ".1.12.0"].contains(&name) || column(".3.3.1.") > 71 || column(".3.4.1.") > 55
}

fn rows(walk: &str, old: bool) -> BTreeMap<String, String> {
    let mut rows = snmpd::rows(walk, ROOT);
    rows.retain(|name, _| !(old && apart(name)));
    rows
}

#[test]
fn servers_are_shown_as_keepalived_shows_them() -> Result<()> {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp");
    // Another keepalived may be given, to be compared in full.
    let given = std::env::var("KEEPALIVED").ok();
    let old = given.is_none();
    let reference = given.unwrap_or_else(|| "keepalived".to_owned());
    // The tables of the checker part, which is the third.
    let objects = keepwatch_mib::keepalived::objects(keepwatch_mib::Parts::KEEPALIVED);
    let entries = objects.filter(|object| object.place[0] == 3).filter_map(|object| Some(object.table?.0));
    let tables: BTreeSet<_> =
        entries.map(|entry| format!("{}Table", entry.trim_end_matches("Entry"))).collect();
    let modules = integration::binaries::workspace().join("mib");
    let outcome = Scenario::new(include_str!("snmp/servers.sh"))
        .env("CONF", format!("{tests}/servers.conf"))
        .env("KEEPALIVED", reference)
        .env("TABLES", tables.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
        .env("MODULES", format!("{}:{tests}/../mib-base", modules.display()))
        .env("KEEPWATCHD", binaries::path("keepwatchd")?)
        .module("ip_vs")
        .limit(Duration::from_secs(500))
        .run()?;
    let mut counts = Vec::new();
    for moment in ["", " after a reload", " as before"] {
        let theirs = rows(&outcome.chapter(&format!("keepalived{moment}")), old);
        let ours = rows(&outcome.chapter(&format!("keepwatch{moment}")), old);
        let different = snmpd::differences(&ours, &theirs);
        ensure!(different.is_empty(), "{moment}: {}\n{}", different.join("\n"), outcome.chapter("logs"));
        ensure!(ours.len() > 400, "only {} objects:\n{}", ours.len(), outcome.output);
        counts.push(ours.len());
    }
    ensure!(counts[0] == counts[2] && counts[0] != counts[1], "{counts:?}");
    ensure!(tables.len() >= 4, "{tables:?}");
    for table in &tables {
        let shown = outcome.chapter(table);
        let lines = shown.lines().skip_while(|line| !line.contains("SNMP table: KEEPALIVED-MIB::"));
        // The title, an empty line, the names of the columns, and rows.
        ensure!(lines.count() > 3, "{table}: {shown}");
    }
    Ok(())
}
