//! The language before keywords have a meaning: comments, quotes, conditions, definitions, sequences, includes.
//!
//! The words of a `notification_email` block come out as they are, so they show what the text became.

#![allow(clippy::expect_used)] // helpers of tests

use std::path::Path;

use keepwatch_config::{Loaded, Options, load, load_text};

fn options() -> Options {
    Options {
        host_name: Some("lab".into()),
        scripts: false,
        config_id: Some("main".into()),
        ..Options::default()
    }
}

fn read(text: &str) -> Loaded {
    load_text(Path::new("test.conf"), text.to_owned(), &options())
}

/// The words that the lines of `inside` become, after `before`.
fn words_after(before: &str, inside: &str) -> Vec<String> {
    let loaded = read(&format!("{before}\nglobal_defs {{\nnotification_email {{\n{inside}\n}}\n}}\n"));
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let config = loaded.config.expect("it runs");
    config.global.notification_email.iter().map(ToString::to_string).collect()
}

fn words(inside: &str) -> Vec<String> {
    words_after("", inside)
}

fn codes(text: &str) -> Vec<&'static str> {
    read(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

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
fn conditions_compare_with_the_configuration_id() {
    assert_eq!(words("@main a\n@other b\n@^main c\n@^other d"), ["a", "d"]);
}

#[test]
fn the_configuration_id_is_the_host_s_name_unless_given() {
    let options = Options {
        host_name: Some("main.example.com".into()),
        config_id: None,
        scripts: false,
        ..Options::default()
    };
    let text = "@main global_defs {\n@main router_id here\n@main }\n@other router_id there\n";
    let loaded = load_text(Path::new("t"), text.into(), &options);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    assert_eq!(&*loaded.config.expect("it runs").global.router_id, "here");
}

#[test]
fn definitions_are_put_in_where_they_are_used() {
    assert_eq!(words_after("$A=x", "$A ${A}y $B ${A}${A}"), ["x", "xy", "$B", "xx"]);
}

#[test]
fn substitution_is_recursive_at_the_time_of_use() {
    let text = "$BASE=10.2.${SUB}\n$SUB=0\n${BASE}.100/32\n$SUB=10\n${BASE}.100/32";
    assert_eq!(words(text), ["10.2.0.100/32", "10.2.10.100/32"]);
}

#[test]
fn a_definition_may_hold_a_condition() {
    assert_eq!(words_after("$IF=@main\n$NOT=@other", "$IF a\n$NOT b"), ["a"]);
    assert_eq!(words("@main $P=240\n@backup $P=200\n$P"), ["240"]);
}

#[test]
fn definitions_of_several_lines_nest_and_set_others() {
    let text = "$RS= \\\n rs${VS}.${N} \\\n end\n$BOTH= \\\n $N=1 \\\n $RS \\\n $N=2 \\\n $RS\n";
    assert_eq!(words_after(text, "$VS=7\n$BOTH"), ["rs7.1", "end", "rs7.2", "end"]);
}

#[test]
fn an_empty_line_ends_a_definition_unless_its_braces_are_open() {
    // As keepalived reads it: the definition of X ends before that of Y.
    let text = "$X= \\\n a \\\n\n$Y=b\n";
    assert_eq!(words_after(text, "$X $Y"), ["$X", "b"]);
    assert_eq!(words_after(text, "$Y\n$X"), ["b", "a"]);
    // A comment between its lines does not end it, and neither does an empty line inside of braces.
    assert_eq!(words_after("$X= \\\n a \\\n# remark\n b\n", "$X"), ["a", "b"]);
    let text = "$G= \\\nglobal_defs { \\\n notification_email { \\\n a \\\n\n b \\\n } \\\n}\n$G\n";
    assert_eq!(words_after(text, "c"), ["a", "b", "c"]);
}

#[test]
fn sequences_count_up_and_down() {
    assert_eq!(words("~SEQ(N, 0, 3) a${N}"), ["a0", "a1", "a2", "a3"]);
    assert_eq!(words("~SEQ(N, 3) ${N}"), ["1", "2", "3"]);
    assert_eq!(words("~SEQ(N, -2) ${N}"), ["-1", "-2"]);
    assert_eq!(words("~SEQ(N, 5, -2, 1) ${N}"), ["5", "3", "1"]);
}

#[test]
fn sequences_in_hexadecimal() {
    let expected = ["20:90:1", "20:a0:1", "20:b0:1", "20:c0:1"];
    assert_eq!(words("~SEQx(S, 144, 16, 192) 20:${S}:1"), expected);
    assert_eq!(words("~SEQx(S, 0x90, 0x10, 0xc0) 20:${S}:1"), expected);
}

#[test]
fn sequences_and_lists_nest_on_one_line() {
    assert_eq!(words("~SEQ(A, 1, 2) ~SEQ(B, 3, 4) ${A}.${B}"), ["1.3", "1.4", "2.3", "2.4"]);
    assert_eq!(words("~LST(A, x, y) ~LST(B, 5,6) ${A}${B}"), ["x5", "x6", "y5", "y6"]);
    assert_eq!(
        words("~LST({A, B}, {10,1},{20,4}) ~SEQ(C,168,2,170) 192.${C}.${A}.${B}"),
        ["192.168.10.1", "192.170.10.1", "192.168.20.4", "192.170.20.4"]
    );
}

#[test]
fn lists_set_several_names_at_once() {
    assert_eq!(words("~LST({A, B}, {10,1},{20,4}, {5}) ${A}.${B}"), ["10.1", "20.4", "5."]);
}

#[test]
fn a_sequence_may_use_definitions_and_definitions_a_sequence() {
    assert_eq!(words_after("$TOP=2", "~SEQ(N, 1, $TOP) ${N}"), ["1", "2"]);
    assert_eq!(words_after("$ALL=~SEQ(N, 1, 2) x${N}", "$ALL"), ["x1", "x2"]);
}

#[test]
fn many_instances_come_out_of_one_line() {
    let text = "$VI= \\\nvrrp_instance v.${IF}.${ID} { \\\n interface bond${IF} \\\n virtual_router_id ${ID} \\\n \
                virtual_ipaddress { \\\n 10.0.${IF}.${ID}/24 \\\n } \\\n}\n~SEQ(IF,0,7) ~SEQ(ID,1,254) $VI\n";
    let loaded = read(text);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let config = loaded.config.expect("it runs");
    assert_eq!(config.instances.len(), 8 * 254);
    assert_eq!(&*config.instances[0].name, "v.0.1");
    assert_eq!(&*config.instances[8 * 254 - 1].name, "v.7.254");
}

#[test]
fn random_numbers_stay_within_bounds_and_repeat_with_a_seed() {
    let draw = || {
        let text = "global_defs {\nrandom_seed 7\nnotification_email {\n~SEQ(N, 20) ${_RANDOM 3 5}\n}\n}";
        let config = read(text).config.expect("it runs");
        config
            .global
            .notification_email
            .iter()
            .map(|word| word.parse().expect("a number"))
            .collect::<Vec<u32>>()
    };
    let first = draw();
    assert!(first.iter().all(|number| (3..=5).contains(number)));
    assert_eq!(first, draw());
}

#[test]
fn built_in_names_stand_for_instance_and_directory() {
    assert_eq!(words("${_INSTANCE}"), ["main"]);
    let here = std::path::absolute(".").expect("a directory").display().to_string();
    assert_eq!(words("${_PWD}"), [here]);
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
fn a_definition_of_itself_is_an_error_and_not_an_endless_loop() {
    assert_eq!(codes("$A=$A\nglobal_defs {\nrouter_id $A\n}"), ["endless-expansion"]);
    assert_eq!(codes("$A=$B x\n$B=${A}\nglobal_defs {\nrouter_id $A\n}"), ["endless-expansion"]);
    assert_eq!(
        codes("$A= \\\n x \\\n $A\nglobal_defs {\nnotification_email {\n$A\n}\n}"),
        ["endless-expansion"]
    );
}

#[test]
fn expansion_is_bounded_and_the_bound_can_be_raised() {
    let text = "global_defs {\nnotification_email {\n~SEQ(A,1,100) ~SEQ(B,1,100) ${A}.${B}\n}\n}";
    let bounded = load_text(Path::new("t"), text.into(), &Options { expansion_limit: 1000, ..options() });
    assert_eq!(bounded.diagnostics.exit_code(), 3);
    assert_eq!(bounded.diagnostics.iter().next().map(|diagnostic| diagnostic.code), Some("expansion-limit"));
    assert_eq!(read(text).config.expect("it runs").global.notification_email.len(), 10_000);
}

#[test]
fn sequences_that_make_no_sense_are_errors() {
    for text in [
        "~SEQ(A, 1, 0, 5) x",
        "~SEQ(A, 5, 1, 1) x",
        "~SEQ A x",
        "~SEQ(A, x) y",
        "~LST(A) x",
        "~SEQx(A,-1,3) x",
    ] {
        assert_eq!(codes(text), ["bad-sequence"], "{text}");
    }
}

#[test]
fn included_files_are_read_in_place_with_paths_relative_to_themselves() {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    std::fs::create_dir(directory.path().join("d")).expect("made");
    put("main.conf", "global_defs {\nnotification_email {\na\ninclude d/*.inc\ninclude {x,y}.inc\nz\n}\n}\n");
    put("d/1.inc", "b\ninclude inner\n");
    put("d/2.inc", "d\n");
    put("d/inner", "c\n");
    put("x.inc", "e\n");
    put("y.inc", "f");
    let loaded = load(&directory.path().join("main.conf"), &options());
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let words = loaded.config.expect("it runs").global.notification_email;
    assert_eq!(words.iter().map(|word| &**word).collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "z"]);
    assert_eq!(loaded.files.len(), 6);
}

#[test]
fn what_is_missing_is_said_and_the_strict_includes_make_it_a_mistake() {
    let directory = tempfile::tempdir().expect("a directory");
    let read = |line: &str| {
        let path = directory.path().join("main.conf");
        std::fs::write(&path, format!("{line}\n")).expect("written");
        let loaded = load(&path, &options());
        (loaded.diagnostics.exit_code(), loaded.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>())
    };
    assert_eq!(read("include nothing"), (0, vec!["missing-include"]));
    assert_eq!(read("include none*"), (0, vec![]));
    assert_eq!(read("includem nothing"), (3, vec!["missing-include"]));
    assert_eq!(read("includea none*"), (3, vec!["missing-include"]));
    assert_eq!(read("include main.conf"), (3, vec!["circular-include"]));
}

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
