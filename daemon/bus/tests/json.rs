//! The JSON form of facts is a contract: history files of earlier versions are read, and others read ours. The file
//! beside this test has one event of every kind; with KEEPWATCH_RENEW_CASES set it is written anew, to be looked at.

use std::collections::BTreeSet;

use keepwatch_bus::{Event, Fact};

const EVERY_FACT: &str = include_str!("every_fact.jsonl");

#[test]
fn every_fact_is_read_and_written_as_ever() -> serde_json::Result<()> {
    let mut kinds = BTreeSet::new();
    if std::env::var_os("KEEPWATCH_RENEW_CASES").is_some() {
        let again = |line: &str| serde_json::to_string(&serde_json::from_str::<Event>(line)?);
        let lines: Vec<String> = EVERY_FACT.lines().map(again).collect::<Result<_, _>>()?;
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/every_fact.jsonl");
        assert!(std::fs::write(file, lines.join("\n") + "\n").is_ok());
        return Ok(());
    }
    for line in EVERY_FACT.lines() {
        let event: Event = serde_json::from_str(line)?;
        assert_eq!(serde_json::to_string(&event)?, line);
        let json: serde_json::Value = serde_json::from_str(line)?;
        assert_eq!(json["kind"], event.fact.kind());
        kinds.insert(event.fact.kind());
    }
    assert_eq!(kinds.len(), 138, "{kinds:?}");
    let without: Vec<_> = Fact::kinds().filter(|kind| !kinds.contains(kind)).collect();
    assert!(without.is_empty(), "no event of {without:?}");
    Ok(())
}
