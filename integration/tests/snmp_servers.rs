//! Virtual and real servers through SNMP: with a kernel that has IPVS, keepwatchd is asked what keepalived was asked.

use std::collections::BTreeMap;
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
    let outcome = Scenario::new(include_str!("snmp/servers.sh"))
        .env("CONF", format!("{tests}/servers.conf"))
        .env("KEEPALIVED", reference)
        .env("KEEPWATCHD", binaries::path("keepwatchd")?)
        .module("ip_vs")
        .limit(Duration::from_secs(240))
        .run()?;
    let theirs = rows(&outcome.chapter("keepalived"), old);
    let ours = rows(&outcome.chapter("keepwatch"), old);
    let different = snmpd::differences(&ours, &theirs);
    ensure!(different.is_empty(), "{}\n{}", different.join("\n"), outcome.chapter("logs"));
    ensure!(ours.len() > 500, "only {} objects:\n{}", ours.len(), outcome.output);
    Ok(())
}
