//! Small files that would become very large do not.

use std::path::Path;

use keepwatch_config::{Options, Outcome, load, load_text};

use crate::{codes, options, read, reading};

#[test]
fn expansion_is_bounded_and_the_bound_can_be_raised() {
    let text = "global_defs {\nnotification_email {\n~SEQ(A,1,100) ~SEQ(B,1,100) ${A}.${B}\n}\n}";
    let bounded = load_text(Path::new("t"), text.into(), &Options { expansion_limit: 1000, ..options() });
    assert_eq!(bounded.diagnostics.outcomes().worst(), Outcome::CannotRun);
    assert_eq!(bounded.diagnostics.iter().next().map(|diagnostic| diagnostic.code), Some("expansion-limit"));
    assert_eq!(read(text).config.expect("it runs").global.notification_email.len(), 10_000);
}

/// A definition that doubles the one before it, forty times.
fn doubling(first: &str, use_of: fn(usize) -> String) -> String {
    let definitions = (1..40).map(|n| format!("$A{n}={}\n", use_of(n - 1)));
    format!("$A0={first}\n{}global_defs {{\nrouter_id x${{A39}}\n}}\n", definitions.collect::<String>())
}

#[test]
fn definitions_that_double_each_other_come_to_an_end() {
    let twice = |n: usize| format!("${{A{n}}}${{A{n}}}");
    assert_eq!(codes(&doubling("xxxxxxxxxx", twice)), ["line-too-long"]);
    let small = Options { expansion_limit: 10_000, ..options() };
    let loaded = load_text(Path::new("t"), doubling("", twice), &small);
    assert_eq!(reading::codes(&loaded), ["expansion-limit"]);
}

#[test]
fn lines_that_double_each_other_come_to_an_end() {
    let lines: String = (1..40).map(|n| format!("$A{n}= \\\n$A{} \\\n$A{}\n\n", n - 1, n - 1)).collect();
    let text = format!("$A0= \\\na \\\nb\n\n{lines}global_defs {{\nnotification_email {{\n$A39\n}}\n}}\n");
    let small = Options { expansion_limit: 10_000, ..options() };
    let loaded = load_text(Path::new("t"), text, &small);
    assert_eq!(reading::codes(&loaded), ["expansion-limit"]);
    assert!(loaded.diagnostics.render_text(false).contains("--expansion-limit"));
}

#[test]
fn sequences_that_never_end_do() {
    for line in ["@other x", "", "$X=1", "~SEQ(B,1,99999999999) ~SEQ(C,1,99999999999) x", "~LST(C,a,b) x"] {
        let text = format!("global_defs {{\nnotification_email {{\n~SEQ(A,1,99999999999) {line}\n}}\n}}\n");
        let small = Options { expansion_limit: 10_000, ..options() };
        let loaded = load_text(Path::new("t"), text, &small);
        let said = reading::codes(&loaded);
        assert_eq!(
            (said, loaded.diagnostics.outcomes().worst()),
            (vec!["expansion-limit"], Outcome::CannotRun),
            "{line}"
        );
    }
}

#[test]
fn long_lines_count_for_several() {
    let text = format!(
        "$L={}\nglobal_defs {{\nnotification_email {{\n~SEQ(A,1,9000) ${{L}}\n}}\n}}\n",
        "y".repeat(60_000)
    );
    let small = Options { expansion_limit: 10_000, ..options() };
    let loaded = load_text(Path::new("t"), text, &small);
    assert_eq!(reading::codes(&loaded), ["expansion-limit"]);
}

#[test]
fn files_that_include_each_other_ever_more_often_come_to_an_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let put =
        |name: String, text: String| std::fs::write(directory.path().join(name), text).expect("written");
    for deep in [12, 70] {
        for n in 0..deep {
            put(format!("i{n}"), format!("include i{}\n", n + 1).repeat(10));
        }
        put(format!("i{deep}"), String::new());
        let small = Options { expansion_limit: 10_000, ..options() };
        let loaded = load(&directory.path().join("i0"), &small);
        let said = reading::codes(&loaded);
        let expected = if deep == 12 { "expansion-limit" } else { "too-many-includes" };
        assert_eq!(
            (said, loaded.diagnostics.outcomes().worst()),
            (vec![expected], Outcome::CannotRun),
            "{deep}"
        );
    }
}

#[test]
fn a_definition_of_very_many_lines_is_refused_in_no_time() {
    let text = format!("$A= {{ \\\n{}", "x \\\n\n".repeat(11_000));
    let small = Options { expansion_limit: 10_000, ..options() };
    let loaded = load_text(Path::new("t"), text, &small);
    assert_eq!(reading::codes(&loaded), ["expansion-limit"]);
}

#[test]
fn patterns_that_stand_for_very_many_files_are_refused() {
    let line = format!("include {}\n", "{a,b}".repeat(30));
    assert_eq!(codes(&line), ["too-many-includes"]);
}

#[test]
fn a_line_that_is_too_long_is_left_out() {
    let text = format!("global_defs {{\nrouter_id {}\nrouter_id b\n}}\n", "x".repeat(100_000));
    assert_eq!(codes(&text), ["line-too-long"]);
    assert_eq!(&*read(&text).config.expect("it runs").global.router_id, "b");
    assert_eq!(codes(&"ä".repeat(50_000)), ["line-too-long"]);
}

#[test]
fn what_is_no_configuration_at_all_is_given_up() {
    let loaded = read(&"some text without any keyword\n".repeat(6_500));
    assert_eq!(loaded.diagnostics.outcomes().worst(), Outcome::CannotRun);
    assert!(loaded.diagnostics.iter().any(|said| said.code == "too-many-mistakes"));
    let braces = read(&"}\n".repeat(20_000));
    assert_eq!(reading::codes(&braces), ["surplus-brace"]);
    assert!(braces.diagnostics.render_text(false).len() < 10_000);
}

#[test]
fn braces_on_one_line_take_time_in_proportion() {
    for text in ["{}", "{ $X=1 ", "} "] {
        let loaded = read(&format!("{}\n", text.repeat(1000)).repeat(4));
        assert!(loaded.diagnostics.exit_status() > 0);
    }
}
