//! Comments, quotes, braces, and what is no text.

use crate::{codes, read, reading, words, words_after};

#[test]
fn comments_begin_with_hash_or_bang_anywhere_outside_of_quotes() {
    assert_eq!(words("a # b\n! c\nd!e\n\"f#g\"\nh\\#i"), ["a", "d", "f#g", "h#i"]);
}

#[test]
fn hash_and_bang_can_be_written_as_definitions() {
    assert_eq!(words("${_HASH}x a${_BANG}b z # c"), ["#x", "a!b", "z"]);
}

#[test]
fn a_quoted_string_is_one_word() {
    assert_eq!(words("\"My admin <a@example.com>\" b"), ["My admin <a@example.com>", "b"]);
}

#[test]
fn braces_may_stand_on_any_line() {
    assert_eq!(
        words_after("global_defs { notification_email { one two } }", "three"),
        ["one", "two", "three"]
    );
    assert_eq!(words_after("global_defs\n{\nnotification_email\n{\none }\n}", "two"), ["one", "two"]);
}

#[test]
fn scripts_are_split_with_quotes_and_escapes() {
    let text = r#"$SG=SG1
vrrp_instance A {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress { 10.0.0.1 }
    notify_master "/etc/n.sh ' spaces\\x20f\x69le ' '\"s p\"' ${SG}.low master" nobody group
    notify_backup /etc/n.sh
}
"#;
    let loaded = read(text);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let config = loaded.config.expect("it runs");
    let script = config.instances[0].notify.master.as_ref().expect("a script");
    let argv: Vec<&str> = script.argv.iter().map(|word| &**word).collect();
    assert_eq!(argv, ["/etc/n.sh", " spaces\\x20file ", "\"s p\"", "SG1.low", "master"]);
    let user = script.user.as_ref().expect("a user");
    assert_eq!((&*user.name, user.group.as_deref()), ("nobody", Some("group")));
}

#[test]
fn an_escaped_quote_neither_opens_nor_closes() {
    let text = "global_defs {\n script_user root\n startup_script \"/bin/echo \\\"{ # \\\" x\" # {\n router_id A\n}\n";
    let config = read(text).config.expect("it runs");
    assert_eq!(&*config.global.router_id, "A");
    let script = config.global.startup_script.expect("a script");
    assert_eq!(
        script.argv.iter().map(|word| &**word).collect::<Vec<_>>(),
        ["/bin/echo", "\"{", "#", "\"", "x"]
    );
}

#[test]
fn a_comment_may_hold_quotes_and_end_in_a_backslash() {
    assert_eq!(words("a # it's \"one\nb ! { \\\nc"), ["a", "b", "c"]);
}

#[test]
fn a_quote_ends_a_plain_word_and_begins_another() {
    assert_eq!(words("ab\" c d \"ef"), ["ab", " c d ", "ef"]);
    assert_eq!(words("it's 'a b'"), ["it's", "'a", "b'"]);
}

#[test]
fn braces_in_quotes_are_text() {
    assert_eq!(words("\"{\" a \"} b\""), ["{", "a", "} b"]);
}

#[test]
fn after_a_brace_the_line_goes_on_as_one_of_its_own() {
    for (text, expected) in [
        ("global_defs { notification_email { @main a\n@other }\n}\n}", "a"),
        ("global_defs { $X=1\n$Y=2\nnotification_email { $X ${Y} }\n}", "1 2"),
        ("global_defs { notification_email { ~SEQ(N,1,2) a${N}\n}\n}", "a1 a2"),
        ("global_defs { notification_email { a } } @other {", "a"),
    ] {
        let loaded = read(text);
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
        assert_eq!(loaded.config.expect("it runs").global.notification_email.join(" "), expected, "{text}");
    }
}

#[test]
fn a_backslash_continues_definitions_only() {
    // keepalived takes it for a part of the last word, `a\`: nobody means that.
    assert_eq!(codes("global_defs {\nrouter_id a \\\n}\n"), ["stray-continuation"]);
    assert_eq!(&*read("global_defs {\nrouter_id a\\\n}").config.expect("it runs").global.router_id, "a");
    assert_eq!(words("a\\\\"), ["a\\\\"]);
}

#[test]
fn lines_end_with_or_without_a_carriage_return_and_the_last_one_with_nothing() {
    let loaded = read("global_defs {\r\nrouter_id a # b\r\n}\r\n\r\n$X= \\\r\n a \\\r\n b\r\n! end");
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    assert_eq!(&*loaded.config.expect("it runs").global.router_id, "a");
}

#[test]
fn what_is_no_text_is_said_once() {
    assert_eq!(codes("\u{feff}global_defs {\nrouter_id a\n}"), ["byte-order-mark"]);
    // keepalived leaves out lines with a NUL, too.
    let loaded = read("global_defs {\nrouter_id a\0\nrouter_id b\nrouter_id \0c\n}");
    assert_eq!(reading::codes(&loaded), ["nul-byte"]);
    assert_eq!(&*loaded.config.expect("it runs").global.router_id, "b");
}

#[test]
fn bytes_that_are_no_utf_8_are_replaced_and_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("latin");
    std::fs::write(&path, b"global_defs {\nrouter_id Z\xfcrich\n}\n").expect("written");
    let loaded = keepwatch_config::load(&path, &crate::options());
    assert_eq!(loaded.diagnostics.exit_code(), 0);
    let json = loaded.diagnostics.render_json();
    assert!(json.contains("\"invalid-encoding\"") && json.contains("\"line\":2,\"column\":12"), "{json}");
}

#[test]
fn a_quote_that_is_opened_after_an_escaped_one_is_not_closed() {
    // Among plain words there are no escapes: `a\\`, `b`, and a quote that nothing closes.
    assert_eq!(codes("global_defs {\nrouter_id \"a\\\"b\"\n}"), ["unterminated-quote"]);
}
