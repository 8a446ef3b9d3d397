//! The codes of diagnostics are a promise: every one that the sources use is on the page that lists them.
#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::collections::BTreeSet;
use std::path::Path;

use keepwatch_config::{Options, load_text};

const PAGE: &str = include_str!("../../../docs/diagnostics.md");

/// String literals that stand where a code does.
fn used(source: &str, codes: &mut BTreeSet<String>) {
    for call in [
        "Diagnostic::error(",
        "Diagnostic::warning(",
        "Diagnostic::note(",
        "Problem::new(",
        "fail(",
        "refuse(context,",
        "error(",
    ] {
        for (at, _) in source.match_indices(call) {
            let rest = source[at + call.len()..].trim_start();
            let literal = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            if let Some((code, _)) = literal
                && code.contains('-')
                && code.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            {
                codes.insert(code.to_owned());
            }
        }
    }
}

fn walk(directory: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, codes);
        } else {
            used(&std::fs::read_to_string(&path).expect("a source"), codes);
        }
    }
}

#[test]
fn every_code_is_on_the_page() {
    let mut codes = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    assert!(codes.len() > 60, "{codes:?}");
    let missing: Vec<&String> = codes.iter().filter(|code| !PAGE.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/diagnostics.md lacks {missing:?}");
}

/// An otherwise valid configuration with a text in this place.
fn around(place: &str, text: &str) -> String {
    let at = |here: &str| if place == here { text } else { "" };
    format!(
        "global_defs {{\nscript_user root\nenable_script_security\n{}\n}}\n\
         vrrp_instance A {{\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{}\n}}\n\
         virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 10.1.0.1 80 {{\n{}\n}}\n{}\n}}\n{}\n",
        at("in `global_defs`"),
        at("in `vrrp_instance`"),
        at("in `real_server`"),
        at("in `virtual_server`"),
        at("top level"),
    )
}

#[test]
fn the_examples_on_the_page_are_answered_with_their_codes() {
    let options = Options { scripts: true, ..reading::options() };
    let mut wrong = Vec::new();
    let mut shown = 0;
    for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let (Some(code), Some(example)) = (row.split('`').nth(1), cells.get(2)) else { continue };
        let example = example.trim_end_matches([' ', '|']);
        let places = [
            "in `global_defs`",
            "in `vrrp_instance`",
            "in `real_server`",
            "in `virtual_server`",
            "top level",
        ];
        let Some(place) = places.into_iter().find(|place| example.ends_with(place)) else { continue };
        let text = example.trim_end_matches(place).trim().trim_matches('`').replace(" ⏎ ", "\n");
        let loaded = load_text(Path::new("page.conf"), around(place, &text), &options);
        let codes: BTreeSet<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        shown += 1;
        if !codes.contains(code) {
            wrong.push(format!("{code}: {codes:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(shown > 50, "{shown} examples");
}
