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
    notify_master "/etc/n.sh ' a\\x20b\x63d ' '\"q q\"' ${SG}.low master" nobody group
    notify_backup /etc/n.sh
}
"#;
    let loaded = read(text);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let config = loaded.config.expect("it runs");
    let script = config.instances[0].notify.master.as_ref().expect("a script");
    let argv: Vec<&str> = script.argv.iter().map(|word| &**word).collect();
    assert_eq!(argv, ["/etc/n.sh", " a\\x20bcd ", "\"q q\"", "SG1.low", "master"]);
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

/// Reads a file with these bytes in an instance; it is good but for them.
fn read_bytes(line: &[u8]) -> keepwatch_config::Loaded {
    let before: &[u8] =
        b"vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n";
    let bytes = [before, line, b"\n}\n"].concat();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("latin");
    std::fs::write(&path, bytes).expect("written");
    keepwatch_config::load(&path, &crate::options())
}

#[test]
fn comments_may_hold_any_bytes() {
    let loaded = read_bytes(b"# Z\xfcrich \x80\xff\npriority 100 ! \xe9t\xe9");
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
}

#[test]
fn a_byte_that_is_no_utf_8_is_said_once_with_its_place_and_a_password_keeps_it() {
    let loaded = read_bytes(
        b"authentication {\nauth_type PASS\nauth_pass Z\xfcr\xe9\n}\nnotify_master \"/bin/\xe4\" root",
    );
    assert_eq!(
        (crate::reading::codes(&loaded), loaded.diagnostics.exit_status()),
        (vec!["invalid-encoding"], 0)
    );
    let json = loaded.diagnostics.render_json();
    assert!(json.contains("\"line\":9,\"column\":12"), "{json}");
    // Which byte it is nobody is told of a password.
    assert!(!json.contains("0xfc") && !json.contains('ü'), "{json}");
    let elsewhere = read_bytes(b"notify_master \"/bin/\xfc\" root").diagnostics;
    assert!(elsewhere.render_json().contains("0xfc") && elsewhere.render_text(true).contains('\u{fffd}'));
    let config = loaded.config.expect("it runs");
    let master = config.instances[0].notify.master.as_ref().expect("a script");
    assert_eq!(*keepwatch_config::encoding::bytes(&master.argv[0]), *b"/bin/\xe4");
    let key = keepwatch_config::model::Authentication::Pass(keepwatch_config::model::Secret::new(
        *b"Z\xfcr\xe9\0\0\0\0",
    ));
    assert!(format!("{:?}", config.instances[0]).contains(&format!("{key:?}")));
}

#[test]
fn a_mistake_with_such_a_byte_can_be_shown() {
    for line in [
        &b"pri\xfcority 5"[..],
        b"priority 5\xfc",
        b"\xfc",
        b"\"\xfc",
        b"virtual_routes {\n\xff\xfe\n}",
        b"state \xc3",
    ] {
        let loaded = read_bytes(line);
        assert!(loaded.diagnostics.has_errors());
        assert!(loaded.diagnostics.iter().all(|said| !said.message.contains('\u{effc}')));
        assert!(
            !loaded.diagnostics.render_text(true).is_empty() && !loaded.diagnostics.render_json().is_empty()
        );
    }
}

#[test]
fn a_file_of_another_kind_is_one_mistake() {
    let text = "global_defs {\n router_id A\n}\nvrrp_script S {\n script /bin/true\n}\n";
    let wide = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
        let wide = text.encode_utf16().flat_map(bytes);
        [mark, &wide.collect::<Vec<u8>>()].concat()
    };
    for (bytes, code) in [
        (wide(b"\xff\xfe", u16::to_le_bytes), "invalid-encoding"),
        (wide(b"\xfe\xff", u16::to_be_bytes), "invalid-encoding"),
        (wide(b"", u16::to_le_bytes), "invalid-encoding"),
        (text.replace('\n', "\r").into_bytes(), "line-ends"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, bytes).expect("written");
        let loaded = keepwatch_config::load(&path, &crate::options());
        assert_eq!(crate::reading::codes(&loaded), [code]);
        assert!(
            loaded.diagnostics.render_json().contains("tr '")
                || loaded.diagnostics.render_json().contains("iconv")
        );
    }
}

#[test]
fn blanks_are_what_c_takes_for_blanks() {
    assert_eq!(words("\x0c\x0ba\x0cb\x0b\tc \r\r"), ["a", "b", "c"]);
}

#[test]
fn what_only_looks_like_a_blank_or_a_quote_is_said_once_of_a_file() {
    let around = |lines: &str| {
        format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{lines}\n}}\n"
        )
    };
    for (lines, exit_status, errors) in [
        ("\u{a0}\u{a0}priority 100\n\u{a0}\u{a0}nopreempt", 5, 1),
        ("priority\u{a0}100\n", 5, 1),
        ("priority 100\u{a0}", 5, 1),
        ("track_interface\u{a0}{\neth1\n}", 5, 1),
        // All of these are values to keepalived, and so they are to the model.
        ("description \u{201c}a b\u{201d}", 5, 1),
        ("notify_master \u{201c}/bin/true\u{201d}", 0, 0),
    ] {
        let loaded = read(&around(lines));
        assert_eq!(
            crate::reading::codes(&loaded),
            ["lookalike"],
            "{lines}: {}",
            loaded.diagnostics.render_text(false)
        );
        assert_eq!(
            (loaded.diagnostics.exit_status(), loaded.diagnostics.errors()),
            (exit_status, errors),
            "{lines}"
        );
    }
    for fine in [
        "notify_master \"/bin/true \u{a0}\u{201c}\" root",
        "priority 100 # \u{a0}don\u{2019}t",
        "notify_master /bin/Bob\u{2019}s",
    ] {
        let loaded = read(&around(fine));
        assert!(loaded.diagnostics.is_empty(), "{fine}: {}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn a_quote_that_is_opened_after_an_escaped_one_is_not_closed() {
    // Among plain words there are no escapes: `a\\`, `b`, and a quote that nothing closes.
    assert_eq!(codes("global_defs {\nrouter_id \"a\\\"b\"\n}"), ["unterminated-quote"]);
}
