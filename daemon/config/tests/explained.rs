//! `keepwatch explain`: everything that may stand in a configuration is explained, and what may not is guessed.

use std::path::Path;

use keepwatch_config::schema::{BlockId, DIRECTIVES, keywords};
use keepwatch_config::{Options, explain, load_text, overview, similar};

#[test]
fn every_keyword_that_keepalived_has_is_explained() {
    let words = include_str!("keywords-2.4.3.txt").split_whitespace();
    for name in words.filter(|word| *word != "-").filter_map(|word| word.rsplit('/').next()) {
        assert!(explain(name).is_some(), "{name}");
    }
}

#[test]
fn a_keyword_of_several_meanings_is_explained_for_each_block() {
    let text = explain("weight").unwrap_or_default();
    for block in ["`vrrp_script`", "`track_file`", "`virtual_server`", "`real_server`"] {
        assert_eq!(text.matches(&format!("Stands in: {block}")).count(), 1, "{block}: {text}");
    }
}

#[test]
fn what_is_no_keyword_of_a_block_is_explained_too() {
    for (name, said) in [
        ("include", "include PATTERN"),
        ("includea", "`include` with all"),
        ("@director1", "@ID LINE"),
        ("$LAN", "Defines a name"),
        ("${_PWD}", "built in"),
        ("~SEQ", "once for each number"),
        ("~LST(A, 1, 2)", "once for each value"),
        ("!", "comment"),
        ("dev", "`virtual_ipaddress` of `vrrp_instance`"),
        ("advmss", "`static_routes` of the top level: advmss [lock] BYTES"),
        ("suppress_prefixlength", "`virtual_rules` of `vrrp_instance`: suppress_prefixlength NUMBER"),
        ("-nodad", "duplicates"),
        ("virtual_routes", "quickack            TCP acknowledges at once"),
    ] {
        assert!(explain(name).unwrap_or_default().contains(said), "{name}: {:?}", explain(name));
    }
}

#[test]
fn a_block_is_explained_with_what_stands_in_it() {
    let text = explain("authentication").unwrap_or_default();
    assert!(text.contains("In its braces:") && text.contains("        auth_pass  The password"), "{text}");
}

#[test]
fn what_there_is_not_is_guessed() {
    for (wrong, meant) in [
        ("PRIORITY", &["priority"][..]),
        ("tcp_check", &["TCP_CHECK"]),
        ("advert_itn", &["advert_int"]),
        ("qqqqqq", &[]),
        ("", &[]),
    ] {
        assert_eq!(explain(wrong), None, "{wrong}");
        assert_eq!(similar(wrong), meant, "{wrong}");
    }
    assert_eq!(similar("prio").first(), Some(&"priority"));
}

#[test]
fn without_a_keyword_the_blocks_are_named() {
    let text = overview();
    for keyword in keywords(BlockId::Root) {
        assert!(text.contains(&format!("    {}", keyword.name)), "{}", keyword.name);
    }
}

#[test]
fn the_examples_of_what_is_no_keyword_are_understood() {
    for directive in DIRECTIVES {
        let loaded =
            load_text(Path::new("/nowhere/x.conf"), format!("{}\n", directive.example), &Options::default());
        let wrong = ["bad-definition", "bad-sequence", "endless-expansion", "undefined-name"];
        assert!(!loaded.diagnostics.iter().any(|said| wrong.contains(&said.code)), "{}", directive.syntax);
    }
}
