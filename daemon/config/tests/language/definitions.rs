//! Conditions, definitions, and the names that are always there.

use std::path::Path;

use keepwatch_config::{Options, load_text};

use crate::{codes, options, read, reading, words, words_after};

#[test]
fn conditions_compare_with_the_configuration_id() {
    assert_eq!(words("@main a\n@other b\n@^main c\n@^other d"), ["a", "d"]);
}

#[test]
fn the_configuration_id_is_the_host_s_name_unless_given() {
    let options = Options { host_name: Some("main.example.com".into()), ..reading::options() };
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
fn a_definition_of_itself_is_an_error_and_not_an_endless_loop() {
    assert_eq!(codes("$A=$A\nglobal_defs {\nrouter_id $A\n}"), ["endless-expansion"]);
    assert_eq!(codes("$A=$B x\n$B=${A}\nglobal_defs {\nrouter_id $A\n}"), ["endless-expansion"]);
    assert_eq!(
        codes("$A= \\\n x \\\n $A\nglobal_defs {\nnotification_email {\n$A\n}\n}"),
        ["endless-expansion"]
    );
}

#[test]
fn a_condition_needs_something_after_it() {
    assert_eq!(words("@main\n@main\tc\n@^main"), ["c"]);
    // Without an ID it holds for nobody, or for all, as with keepalived: that is said, once a line.
    let text = "global_defs {\nnotification_email {\na\n@ b\n@^ c\n@main @ d\n}\n}";
    assert_eq!(codes(text), ["condition-without-id"; 3]);
    let config = read(text).config.expect("it runs");
    let named: Vec<&str> = config.global.notification_email.iter().map(|name| &**name).collect();
    assert_eq!(named, ["a", "c"]);
}

#[test]
fn a_line_may_have_several_conditions() {
    // keepalived looks at the first only, and takes the second for a keyword.
    assert_eq!(words("@main @^other a\n@main @other b"), ["a"]);
}

#[test]
fn a_use_without_braces_ends_at_a_blank_a_comma_or_a_parenthesis() {
    assert_eq!(
        words_after("$A=x", "$A,$A) $A- $A/y z$A \"$A\" \"${A}\""),
        ["x,x)", "$A-", "$A/y", "zx", "$A", "x"]
    );
}

#[test]
fn names_that_are_not_defined_stay_as_they_are_unless_they_have_braces() {
    assert_eq!(words("$B $1 $ a$ \"${B}\""), ["$B", "$1", "$", "a$", "${B}"]);
    // keepalived: "Unexpected '{'", and then no keyword that it knows.
    assert_eq!(codes("global_defs {\nrouter_id ${B}\n}"), ["undefined-name"]);
    assert_eq!(codes("vrrp_instance ${B} {\ninterface ${B} {\n}\n}"), ["undefined-name", "undefined-name"]);
}

#[test]
fn definitions_may_be_empty_and_change() {
    assert_eq!(words_after("$E=\n$A=1", "a${E}b $E c\n$E\n$A\n$A=2\n$A"), ["ab", "c", "1", "2"]);
    assert_eq!(words_after("$A=  x  y  ", "$A"), ["x", "y"]);
    assert_eq!(codes("$A =1"), ["unknown-keyword"]);
}

#[test]
fn a_definition_of_several_lines_must_come_last() {
    assert_eq!(words_after("$X= \\\n a \\\n b\n", "c $X\n$X d"), ["c", "a", "b", "$X", "d"]);
    assert_eq!(words_after("$X=a \\\n b\n", "c ${X}"), ["c", "a", "b"]);
}

#[test]
fn definitions_of_several_lines_hold_conditions_sequences_and_each_other() {
    let text =
        "$IN= \\\n i1 \\\n i2\n$X= \\\n @main a \\\n @other b \\\n ~SEQ(N,1,2) n${N} \\\n x $IN \\\n c\n";
    assert_eq!(words_after(text, "$X\n~LST(V,p,q) $X").len(), 3 * 7);
    assert_eq!(words_after(text, "$X"), ["a", "n1", "n2", "x", "i1", "i2", "c"]);
}

#[test]
fn a_definition_ends_with_its_file() {
    assert_eq!(codes("$X= \\\nblunder \\"), Vec::<&str>::new());
    assert_eq!(codes("$X= \\\nblunder \\\n\n$X"), ["unknown-keyword"]);
}

#[test]
fn built_in_names_can_be_redefined_and_take_what_they_take() {
    assert_eq!(words("$_HASH=x\na${_HASH}"), ["ax"]);
    assert_eq!(words("${_RANDOM 7 7} ${_RANDOM   3  3}y"), ["7", "3y"]);
    let own = Options { environment: false, ..options() };
    let text = "global_defs {\nrouter_id a${_ENV HOME}b\n}";
    let loaded = load_text(Path::new("t"), text.into(), &own);
    assert_eq!(&*loaded.config.expect("it runs").global.router_id, "ab");
    for wrong in [
        "${_ENV}",
        "${_RANDOM a b}",
        "${_RANDOM 1 2 3}",
        "${_HASH x}",
        "${_RANDOM 1 99999999999999999999999}",
    ] {
        assert_eq!(codes(&format!("global_defs {{\nrouter_id x{wrong}\n}}")), ["bad-definition"], "{wrong}");
    }
    // keepalived takes the lower bound, too.
    let loaded = read("global_defs {\nrouter_id ${_RANDOM 5 4}\n}");
    assert_eq!(loaded.diagnostics.exit_status(), 5);
    assert_eq!(&*loaded.config.expect("it runs").global.router_id, "5");
}
