//! The codes of diagnostics are a promise: every one that the sources use is on the page that lists them.
#![allow(clippy::expect_used)] // helpers of tests

use std::collections::BTreeSet;
use std::path::Path;

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
