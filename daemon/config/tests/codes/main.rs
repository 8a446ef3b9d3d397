//! The codes of diagnostics are a promise: every one that the sources use is on the page that lists them, with an example
//! that is answered with it.
#![allow(clippy::expect_used)] // helpers of tests

mod in_words;
#[path = "../reading/mod.rs"]
mod reading;

use std::collections::BTreeSet;
use std::path::Path;

use keepwatch_config::{Diagnostics, Loaded, Options, check_cluster, load_text};

const PAGE: &str = include_str!("../../../../docs/diagnostics.md");

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

/// A place in [`around`].
const PLACES: &[&str] =
    &["in `global_defs`", "in `vrrp_instance`", "in `real_server`", "in `virtual_server`", "top level"];

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

/// Every code that is said of these texts, each a file, by itself and against each other.
fn said(texts: &[String]) -> BTreeSet<&'static str> {
    let options =
        Options { host_name: Some("lab".into()), for_cluster: texts.len() > 1, ..Options::default() };
    let load = |(number, text): (usize, &String)| {
        load_text(Path::new(&format!("{number}.conf")), text.clone(), &options)
    };
    let loaded: Vec<Loaded> = texts.iter().enumerate().map(load).collect();
    let against = check_cluster(&loaded);
    let all = loaded.iter().map(|loaded| &loaded.diagnostics).chain(&against);
    all.flat_map(Diagnostics::iter).map(|diagnostic| diagnostic.code).collect()
}

/// What is said of an example of the page; `None` if it is one in words.
///
/// It is a text in one of [`PLACES`], or `alone in a file`; or two texts (one may be nothing), each in that place of one
/// `of two files`.
fn answer(example: &str) -> Option<BTreeSet<&'static str>> {
    let text = |quoted: &str| match quoted.trim() {
        "nothing" => String::new(),
        text => text.trim_matches('`').replace(" ⏎ ", "\n"),
    };
    if let Some(whole) = example.strip_suffix("alone in a file") {
        return Some(said(&[text(whole)]));
    }
    let one = example.strip_suffix(" of two files");
    let example = one.unwrap_or(example);
    let place = PLACES.iter().find(|place| example.ends_with(*place))?;
    let texts = example.trim_end_matches(place);
    let texts: Vec<String> = match one.and_then(|_| texts.split_once(" and ")) {
        Some((first, second)) => vec![around(place, &text(first)), around(place, &text(second))],
        None => vec![around(place, &text(texts))],
    };
    Some(said(&texts))
}

#[test]
fn the_examples_on_the_page_are_answered_with_their_codes() {
    let mut wrong = Vec::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 2) {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [code, _, example] = cells.as_slice() else { continue };
        let code = code.trim_matches('`');
        let answered = answer(example).or_else(|| in_words::answer(code, example));
        match answered {
            None => wrong.push(format!("{code}: nobody knows what is meant by: {example}")),
            Some(codes) if !codes.contains(code) => wrong.push(format!("{code}: {codes:?}")),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_code_has_a_row_with_an_example() {
    let rows: BTreeSet<&str> =
        PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut codes = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    let without: Vec<&String> = codes.iter().filter(|code| !rows.contains(code.as_str())).collect();
    assert!(codes.len() > 90, "{codes:?}");
    assert!(without.is_empty(), "docs/diagnostics.md lacks {without:?}");
}
