//! Accept and reject as keepalived does: the recorded answers of Debian's keepalived to some four hundred files.
//! `integration/tests/config_oracle.rs` asks keepalived itself.
#![allow(clippy::expect_used)] // helpers of tests

mod corpus;

use std::path::Path;

use keepwatch_config::{Options, load_text};

#[test]
fn accept_and_reject_agree_with_keepalived() {
    let options = Options { host_name: Some("lab".into()), ..Options::default() };
    let cases = corpus::cases();
    assert!(cases.len() >= 400);
    let mut surprising = Vec::new();
    for case in &cases {
        let loaded = load_text(Path::new("/nonexistent/x.conf"), case.configuration(), &options);
        let agrees = (loaded.diagnostics.exit_code() == 0) == (case.keepalived == 0);
        if agrees == case.differs() {
            surprising.push(format!("{case:?}\n{}", loaded.diagnostics.render_text(false)));
        }
    }
    assert!(surprising.is_empty(), "{}", surprising.join("\n"));
}

#[test]
fn each_file_with_one_mistake_has_one_diagnostic() {
    let options = Options { host_name: Some("lab".into()), scripts: false, ..Options::default() };
    // Files in which one text makes two mistakes.
    let two = [("instance", r"strict_mode\nstate MASTER")];
    let mut several = Vec::new();
    for case in corpus::cases() {
        let loaded = load_text(Path::new("/nonexistent/x.conf"), case.configuration(), &options);
        let changing =
            loaded.diagnostics.iter().filter(|d| d.outcome != keepwatch_config::Outcome::Runs).count();
        if changing > 1 && !two.contains(&(case.place, case.text)) {
            let codes: Vec<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
            several.push(format!("{case:?} {codes:?}"));
        }
    }
    assert!(several.is_empty(), "{}", several.join("\n"));
}
