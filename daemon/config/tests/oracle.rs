//! `-t` exits as keepalived's does: the recorded answers of Debian's keepalived to a thousand files.
//! `integration/tests/config_oracle.rs` asks keepalived itself.
#![allow(clippy::expect_used)] // helpers of tests

mod corpus;
mod reading;

use keepwatch_config::{Diagnostics, Options, Outcome, load_text};

/// Do we answer a file as keepalived does?
fn agrees(keepalived: i32, ours: &Diagnostics) -> bool {
    match keepalived {
        // It ends in the middle of the file for want of a value that it takes to be there; here the line is left out.
        2 => ours.exit_status() == 5,
        // A signal ended it.
        ..0 => ours.exit_status() > 0,
        status => i32::from(ours.exit_status()) == status,
    }
}

#[test]
fn what_becomes_of_a_file_agrees_with_keepalived() {
    let options = Options { scripts: true, ..reading::options() };
    // Where nothing is beside the file that it could include.
    let directory = tempfile::tempdir().expect("a directory");
    let cases = corpus::cases();
    assert!(cases.len() >= 1000);
    let mut surprising = Vec::new();
    for case in &cases {
        let loaded = load_text(&directory.path().join("x.conf"), case.configuration(), &options);
        if agrees(case.keepalived, &loaded.diagnostics) == case.differs() {
            surprising.push(format!("{case:?}\n{}", loaded.diagnostics.render_text(false)));
        }
    }
    assert!(surprising.is_empty(), "{} files:\n{}", surprising.len(), surprising.join("\n"));
}

#[test]
fn each_file_with_one_mistake_has_one_diagnostic() {
    // Files in which one text makes two mistakes.
    let two = [("instance", r"strict_mode\nstate MASTER")];
    let mut several = Vec::new();
    for case in corpus::cases() {
        let loaded = reading::read(&case.configuration());
        let changing = loaded.diagnostics.iter().filter(|d| d.outcome != Outcome::Runs).count();
        if changing > 1 && !two.contains(&(case.place, case.text)) {
            let codes: Vec<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
            several.push(format!("{case:?} {codes:?}"));
        }
    }
    assert!(several.is_empty(), "{}", several.join("\n"));
}
