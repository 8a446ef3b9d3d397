//! Diagnostics as people see them: however long a line is, whatever letters are in it.

mod reading;

use reading::read;

fn rendered(text: &str) -> String {
    read(text).diagnostics.render_text(false)
}

#[test]
fn no_line_is_longer_than_a_terminal_can_bear() {
    let long = |letter: &str| letter.repeat(60_000);
    for text in [
        format!("global_defs {{\n router_idd A # {}\n}}\n", long("x")),
        format!("global_defs {{\n {}\n}}\n", long("y")),
        format!("vrrp_instance A {{\n interface {}\n priority {}\n}}\n", long("q"), long("7")),
        format!("global_defs {{ {} }}\n", "router_id A ; ".repeat(4000)),
        format!("global_defs {{\n router_id A // {}\n}}\n", long("z ")),
        format!("global_defs {{\n{}smtp_server127.0.0.1 {}\n}}\n", long(" ").replace(' ', "日 "), long("ä")),
    ] {
        let shown = rendered(&text);
        assert!(!shown.is_empty());
        for line in shown.lines() {
            assert!(line.chars().count() < 400, "{line}");
        }
        for line in read(&text).diagnostics.render_json().lines() {
            assert!(line.chars().count() < 1500, "{line}");
        }
    }
}

#[test]
fn the_marks_stand_under_what_is_meant_after_tabs_too() {
    for line in ["\tprioritty 5", "\t\tprioritty 5\r", "  \t prioritty 5"] {
        let shown = rendered(&format!("vrrp_instance A {{\n{line}\n}}\n"));
        let lines: Vec<&str> = shown.lines().collect();
        let marks = lines.iter().position(|line| line.contains("^^^")).unwrap_or_default();
        assert!(marks > 0 && !shown.contains(['\t', '\r']), "{shown}");
        assert_eq!(lines[marks].find("^^^"), lines[marks - 1].find("prioritty"), "{shown}");
    }
}

#[test]
fn the_column_counts_characters_from_one() {
    for (text, column) in [
        ("vrrp_instance 日本語 { prioritty 5\n}\n", 21),
        ("vrrp_instance e\u{301}e { prioritty 5\n}\n", 21),
        ("\u{feff}vrrp_instance abc { prioritty 5\n}\n", 21),
        ("vrrp_instance abc { prioritty 5\r\n}\r\n", 21),
        ("vrrp_instance a\u{1f600}c {\tprioritty 5\n}\n", 21),
    ] {
        let json = read(text).diagnostics.render_json();
        let line = json.lines().find(|line| line.contains("prioritty")).unwrap_or_default();
        assert!(line.contains(&format!("\"column\":{column},")), "{text:?}: {json}");
    }
}

#[test]
fn wide_letters_take_two_columns_under_which_two_marks_stand() {
    let shown = rendered("vrrp_instance 日本語 {\n interface eth0\n virtual_router_id 5\n}\n");
    assert!(shown.contains("\n1 | vrrp_instance 日本語 {\n  |               ^^^^^^ "), "{shown}");
}

#[test]
fn a_control_character_does_not_reach_the_terminal() {
    let shown = rendered("global_defs {\n prio\u{1b}[31mx 5\n}\n");
    assert!(!shown.contains('\u{1b}') && shown.contains("prio␛[31mx"), "{shown}");
}
