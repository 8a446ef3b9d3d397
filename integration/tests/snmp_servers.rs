//! Virtual and real servers through SNMP: with a kernel that has IPVS, keepwatchd is asked what keepalived was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use integration::{binaries, snmpd, vm::Scenario};

const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";

/// The moments of the story at which walks are compared.
const MOMENTS: [&str; 3] = ["", " after a reload", " as before"];
/// What keepalived 2.4.3 showed at the first two of them, as it was recorded: the rest of each name, and its value.
const RECORDED: [(&str, &str); 2] = [
    ("keepalived-2.4.3-servers.walk", include_str!("snmp/keepalived-2.4.3-servers.walk")),
    ("keepalived-2.4.3-servers-reloaded.walk", include_str!("snmp/keepalived-2.4.3-servers-reloaded.walk")),
];

/// Whose walk ours is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reference {
    /// Debian's 2.2.7, which does not have the last columns yet.
    Old,
    /// 2.4.3, which shows no recipients of mail, by a mistake in it, and dies of being asked how many checkers of a sorry
    /// server have not run.
    New,
}

/// What can't be compared with it: versions, and what the one or the other does not have.
fn apart(name: &str, reference: Reference) -> bool {
    let column = |table: &str| -> u32 {
        let column = name.strip_prefix(table).and_then(|rest| rest.split('.').next());
        column.and_then(|column| column.parse().ok()).unwrap_or(0)
    };
    name == ".1.1.0"
        || match reference {
            Reference::Old => name == ".1.12.0" || column(".3.3.1.") > 71 || column(".3.4.1.") > 55,
            Reference::New => name.starts_with(".1.3.5.1.2."),
        }
}

fn rows(walk: &str, reference: Reference) -> BTreeMap<String, String> {
    let mut rows = snmpd::rows(walk, ROOT);
    rows.retain(|name, _| !apart(name, reference));
    rows
}

/// What was recorded, as [`rows`] has a walk.
fn recorded(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter_map(|line| line.split_once(" = "));
    let rows = rows.map(|(name, value)| (name.to_owned(), value.to_owned()));
    rows.filter(|(name, _)| !apart(name, Reference::New)).collect()
}

/// What is different, but for what 2.4.3 can't be asked of sorry servers: column 2 tells which they are.
fn differences(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let mut ours = ours.clone();
    let is_sorry =
        |row: &str| theirs.get(&format!(".3.4.1.2.{row}")).is_some_and(|kind| kind == "INTEGER: 2");
    ours.retain(|name, _| {
        let asked = theirs.contains_key(name);
        asked || !name.strip_prefix(".3.4.1.63.").is_some_and(is_sorry)
    });
    snmpd::differences(&ours, theirs)
}

/// Keeps what a walk of keepalived showed.
fn record(file: &str, walk: &str) -> Result<()> {
    let rows = snmpd::rows(walk, ROOT).into_iter().map(|(name, value)| format!("{name} = {value}\n"));
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp")).join(file);
    Ok(std::fs::write(path, rows.collect::<String>())?)
}

/// The names of each of the walks that went on while both daemons read another configuration: `-- ` stands before each walk.
fn walks(chapter: &str) -> Vec<Vec<Vec<u32>>> {
    let name = |line: &str| line.split('.').skip(1).filter_map(|arc| arc.trim().parse().ok()).collect();
    let walks = chapter.split("-- ").skip(1);
    walks.map(|walk| walk.lines().filter(|line| line.starts_with('.')).map(name).collect()).collect()
}

#[test]
fn servers_are_shown_as_keepalived_shows_them() -> Result<()> {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp");
    // Another keepalived may be given: 2.4.3, whose walks are recorded anew.
    let given = std::env::var("KEEPALIVED").ok();
    let compared = if given.is_some() { Reference::New } else { Reference::Old };
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
        .env("CAREFUL", if compared == Reference::New { "1" } else { "" })
        .env("TABLES", tables.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
        .env("MODULES", format!("{}:{tests}/../mib-base", modules.display()))
        .env("KEEPWATCHD", binaries::path("keepwatchd")?)
        .module("ip_vs")
        .limit(Duration::from_secs(1100))
        .run()?;
    if compared == Reference::New {
        for ((file, _), moment) in RECORDED.into_iter().zip(MOMENTS) {
            record(file, &outcome.chapter(&format!("keepalived{moment}")))?;
        }
    }
    let mut counts = Vec::new();
    for (at, moment) in MOMENTS.into_iter().enumerate() {
        let theirs = outcome.chapter(&format!("keepalived{moment}"));
        let ours = outcome.chapter(&format!("keepwatch{moment}"));
        let (_, text) = RECORDED[at % RECORDED.len()];
        let logs = || outcome.chapter("logs");
        let different = differences(&rows(&ours, compared), &rows(&theirs, compared));
        // 2.4.3 may die of a question of the walks that go on during its reloads, and be away at last.
        let may_be_away = compared == Reference::New && at >= RECORDED.len();
        ensure!(different.is_empty() || may_be_away, "{moment}: {}\n{}", different.join("\n"), logs());
        if compared == Reference::Old {
            let different = differences(&rows(&ours, Reference::New), &recorded(text));
            ensure!(different.is_empty(), "{moment}, recorded: {}\n{}", different.join("\n"), logs());
        }
        let count = rows(&ours, compared).len();
        ensure!(count > 1400, "only {count} objects:\n{}", outcome.output);
        counts.push(count);
    }
    // While it read another configuration: whatever came and went, each walk went on to its end and in order.
    let theirs = walks(&outcome.chapter("walks of keepalived during reloads"));
    let in_order = theirs.iter().filter(|walk| walk.is_sorted_by(|a, b| a < b)).count();
    println!("keepalived: {} walks during reloads, {in_order} in order", theirs.len());
    let during = walks(&outcome.chapter("walks of keepwatch during reloads"));
    println!("{} walks during reloads", during.len());
    ensure!(during.len() > 2, "{} walks", during.len());
    for walk in &during {
        ensure!(walk.is_sorted_by(|a, b| a < b), "twice, or out of order: {walk:?}");
        ensure!(walk.len() + 200 > counts[0], "only {} objects", walk.len());
    }
    ensure!(counts[0] == counts[2] && counts[0] != counts[1], "{counts:?}");
    figures_are_read_when_asked_for(&outcome.chapter("looks")).with_context(|| outcome.chapter("logs"))?;
    ensure!(tables.len() >= 4, "{tables:?}");
    for table in &tables {
        let shown = outcome.chapter(table);
        let lines = shown.lines().skip_while(|line| !line.contains("SNMP table: KEEPALIVED-MIB::"));
        // The title, an empty line, the names of the columns, and rows.
        ensure!(lines.count() > 3, "{table}: {shown}");
    }
    Ok(())
}

/// How often the kernel's table was read (so often, of which `ipvsadm` is `one`, in so many seconds): every 10 s by itself, to
/// see whether it is as it should be; and every 4 s while somebody asks for figures.
fn figures_are_read_when_asked_for(chapter: &str) -> Result<()> {
    let looks = |what: &str| -> Result<(f64, f64)> {
        let line = chapter.lines().find_map(|line| line.strip_prefix(what));
        let numbers = line.with_context(|| format!("{what} is not in {chapter}"))?.split_whitespace();
        let numbers = numbers.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [calls, one, from, to] = numbers[..] else { bail!("{chapter}") };
        ensure!(one > 0.0, "the kernel does not count: {chapter}");
        println!("{what}: {} looks in {:.1} s", calls / one, to - from);
        Ok((calls / one, to - from))
    };
    let (unasked, asked) = (looks("unasked")?, looks("asked")?);
    ensure!(unasked.0 <= unasked.1 / 10.0 + 3.0, "nobody asked: {chapter}");
    ensure!(asked.0 <= asked.1 / 4.0 + 3.0, "more often than it may: {chapter}");
    // The machine may take its time.
    ensure!(asked.0 >= asked.1 / 8.0, "more seldom than it should: {chapter}");
    Ok(())
}
