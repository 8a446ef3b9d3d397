//! Where a diagnostic says that something is, and how it came there.

use keepwatch_config::load;
use serde_json::Value;

use crate::{options, read};

#[test]
fn a_mistake_in_an_included_file_names_the_file_and_the_way_there() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("main.conf"), "include one\n").expect("written");
    std::fs::write(directory.path().join("one"), "$D= \\\n blunder 1\nglobal_defs {\n$D\n}\n")
        .expect("written");
    let loaded = load(&directory.path().join("main.conf"), &options());
    let json = loaded.diagnostics.render_json();
    let line: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["code"], "unknown-keyword");
    assert_eq!(line["line"], 2);
    assert!(line["file"].as_str().expect("a file").ends_with("one"));
    let text = loaded.diagnostics.render_text(false);
    assert!(text.contains("in the expansion of `$D`"), "{text}");
    assert!(text.contains("main.conf:1"), "{text}");
}

/// The first diagnostic, as programs get it.
fn first(text: &str) -> Value {
    let json = read(text).diagnostics.render_json();
    serde_json::from_str(json.lines().next().expect("a diagnostic")).expect("JSON")
}

/// Line, column, and the column where it ends, of the first diagnostic.
fn place(text: &str) -> (usize, usize, usize) {
    let loaded = read(text);
    let span = loaded.diagnostics.iter().next().and_then(|said| said.span).expect("a place");
    let sources = loaded.diagnostics.sources();
    let (begin, end) = (sources.place(span), sources.place(span.after()));
    (begin.line, begin.column, end.column)
}

#[test]
fn columns_are_counted_in_characters() {
    assert_eq!(place("global_defs {\n\t\tblunder x\n}"), (2, 3, 10));
    assert_eq!(place("global_defs { # ä\nrouter_id \"äöü\" zuviel\n}"), (2, 17, 23));
    assert_eq!(place("$A=ä\nglobal_defs {\nrouter_id ${A}ö ${A} x\n}"), (3, 17, 23));
    assert_eq!(place("global_defs {\r\nblunder\r\n}\r\n"), (2, 1, 8));
}

#[test]
fn a_value_out_of_a_definition_is_shown_where_it_is_used_and_where_it_was_defined() {
    let text = "$P=3000\nglobal_defs {\nrouter_id a\nvrrp_version $P\n}";
    let said = first(text);
    assert_eq!((&said["code"], place(text)), (&"out-of-range".into(), (4, 14, 16)));
    assert!(said["help"].as_str().expect("help").contains("defined here (test.conf:1)"), "{said}");
}

#[test]
fn a_definition_in_a_definition_shows_both() {
    let text = "$Q=7x\n$P=${Q}\nglobal_defs {\nvrrp_version ${P}\n}";
    let said = first(text);
    let help = said["help"].as_str().expect("help");
    assert_eq!(place(text).0, 4);
    assert!(help.contains("test.conf:2)") && help.contains("test.conf:1)"), "{help}");
}

#[test]
fn a_mistake_in_a_sequence_says_which_pass_it_was() {
    let text = read("~LST(V,2,9) ~SEQ(N,1,1) global_defs { vrrp_version ${V}\n~SEQ(M,1,2) }\n")
        .diagnostics
        .render_text(false);
    assert!(text.contains("`V` = 9") && text.contains("`N` = 1"), "{text}");
}

#[test]
fn a_definition_from_another_file_is_shown_there() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("names"), "# values\n$V=nine\n").expect("written");
    std::fs::write(directory.path().join("main"), "include names\nglobal_defs {\nvrrp_version ${V}\n}\n")
        .expect("written");
    let text = load(&directory.path().join("main"), &options()).diagnostics.render_text(false);
    assert!(
        text.contains("main:3:14") && text.contains("names:2:1") && text.contains("defined here"),
        "{text}"
    );
}
