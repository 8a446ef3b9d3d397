//! `~SEQ`, `~SEQx` and `~LST`.

use crate::{codes, read, words, words_after};

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
fn sequences_that_make_no_sense_are_errors() {
    for text in [
        "~SEQ(A, 1, 0, 5) x",
        "~SEQ(A, 5, 1, 1) x",
        "~SEQ A x",
        "~SEQ(A, x) y",
        "~LST(A) x",
        "~SEQx(A,-1,3) x",
        "~SEQ(A, -0x-8000000000000000) x",
        "~SEQ(A, 99999999999999999999) x",
    ] {
        assert_eq!(codes(text), ["bad-sequence"], "{text}");
    }
}

#[test]
fn the_start_and_the_step_of_a_sequence_follow_from_its_end() {
    assert_eq!(words("~SEQ(N, 0) ${N}"), ["1", "0"]);
    assert_eq!(words("~SEQ(N, 5, 3) ${N}"), ["5", "4", "3"]);
    assert_eq!(words("~SEQ(N, 5, -3, 1) ${N}"), ["5", "2"]);
    assert_eq!(words("~SEQ(N, 1, -2, 1) ${N}"), ["1"]);
}

#[test]
fn blanks_in_a_sequence_do_not_count() {
    assert_eq!(words("~SEQ ( N , 010 , 0x9 )a$N"), ["a8", "a9"]);
    assert_eq!(words("~LST( {A , B} , { 1,2 } ,3 )${A}x${B}"), ["1x2", "3x"]);
}

#[test]
fn definitions_count_in_sequences_and_are_put_in_later_in_lists() {
    assert_eq!(words_after("$T=2", "~SEQ(N, $T, 3) ${N}\n~SEQ(N,${T}) ${N}"), ["2", "3", "1", "2"]);
    assert_eq!(words_after("$T=a,b", "~LST(N, $T, c) ${N}"), ["a,b", "c"]);
    // keepalived does not take the braces.
    assert_eq!(words_after("$T=t", "~LST(N, ${T}, c) ${N}"), ["t", "c"]);
}

#[test]
fn a_sequence_may_set_what_follows_uses() {
    assert_eq!(words("~SEQ(N,1,3) $K=${N}\n$K $N"), ["3", "3"]);
    assert_eq!(words("~SEQ(N,1,2) @main a${N}\n@main ~SEQ(N,1,2) b${N}"), ["a1", "a2", "b1", "b2"]);
    assert_eq!(words("~SEQ(N,1,2)\na"), ["a"]);
}

#[test]
fn a_wrong_sequence_before_a_block_is_one_mistake() {
    let text = "~SEQ(N,x) vrrp_instance V${N} {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n";
    assert_eq!(codes(text), ["bad-sequence"]);
    assert_eq!(read(text).diagnostics.exit_status(), 5);
    // keepalived counts what is not there as 0; the manual gives no such form.
    assert_eq!(codes("~SEQ(N,,2) x"), ["bad-sequence"]);
}
