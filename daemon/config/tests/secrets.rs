//! Passwords and keys are in nothing that is said, whatever is wrong with them, with the lines around them, or with where
//! they stand.
#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::path::Path;

use keepwatch_config::{Diagnostics, Options, check_cluster, load_text};
use reading::{options, read};

/// The secret; the texts have it as `@`.
const SECRET: &str = "Zq7xHunter2wPlum";

/// Everything that is shown of diagnostics.
fn shown(diagnostics: &Diagnostics) -> String {
    let short: Vec<String> = diagnostics.render_short().collect();
    let words: Vec<String> = diagnostics.iter().map(|said| format!("{said:?}")).collect();
    [
        diagnostics.render_text(false),
        diagnostics.render_text(true),
        diagnostics.render_json(),
        short.join("\n"),
        words.join("\n"),
    ]
    .join("\n")
}

fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n    interface eth0\n    virtual_router_id 51\n{lines}\n    virtual_ipaddress {{\n        10.0.0.1/24\n    }}\n}}\n"
    )
}

/// Each has something wrong on the secret's line or next to it.
const WRONG: &[&str] = &[
    "authentication {\nauth_type PASS\nauth_pass @\n}",
    "authentication {\nauth_type PASS\nauth_pass @ more\n}",
    "authentication {\nauth_type PASS\nauth_pass more @\n}",
    "authentication {\nauth_type PASS\nauth_pass \"@ and more\"\n}",
    "authentication {\nauth_type PASS\nauth_pass \"@\n}",
    "authentication {\nauth_type PASS\nauth_pas @\n}",
    "authentication {\nauth_type PASS\nauth_password @\n}",
    "authentication {\nauth_type PASS\nauthpass @\n}",
    "authentication {\nauth_type PASS\npassword @\n}",
    "authentication {\nauth_type PASS\npasswd @\n}",
    "authentication {\nauth_type PASS\nauth_pass@\n}",
    "authentication {\nauth_type PASS\nauth_pass=@\n}",
    "authentication {\nauth_type PASS\nauth_pass = @\n}",
    "authentication {\nauth_type PASS\nauth_pass: @\n}",
    "authentication {\nauth_type PASS\nauth_pass @;\n}",
    "authentication {\nauth_type PASS\nauth_pass @#x\n}",
    "authentication {\nauth_type PASS\nauth_pass x#@\n}",
    "authentication {\nauth_type PASS\nauth_pass @{x\n}",
    "authentication {\nauth_type PASS\nauth_pass @ }",
    "authentication {\nauth_type PASS auth_pass @\n}",
    "authentication { auth_type PASS; auth_pass @; }",
    "authentication {\nauth_type @\nauth_pass PASS\n}",
    "authentication {\nauth_type PASS @\n}",
    "authentication {\nauth_type PASS\nauth_pass\n@\n}",
    "authentication {\nauth_type PASS\n@\n}",
    "authentication {\n@ auth_pass\n}",
    "authentication {\nauth_type PASS\nauth_pass @\nauth_pass @2\nauth_tipe x\n",
    "authentication {\nauth_type PASS\nauth_pass {{ @ }}\n}",
    "authentication\nauth_type PASS\nauth_pass @\n}",
    "autentication {\nauth_type PASS\nauth_pass @\n}",
    "auth_pass @",
    "auth_type PASS @",
    "priority 1000 auth_pass @",
    "version 3\nauthentication {\nauth_type PASS\nauth_pass @\n}",
    "authentication {\nauth_type PASS\n# auth_pass @\nauth_pas\n}",
    "authentication {\nauth_type PASS\nauth_pass\u{a0}@\n}",
    "authentication {\nauth_type PASS\nauth_pass \u{201c}@\u{201d}\n}",
    "auth_hmac {\nkey 1 @\nactive_key 1\n}",
    "auth_hmac {\nkey @\nactive_key 1\n}",
    "auth_hmac {\nkey x @\nactive_key 1\n}",
    "auth_hmac {\nkey 1 hex:@\nactive_key 1\n}",
    "auth_hmac {\nkeys 1 @\nactive_key 1\n}",
    "auth_hmac {\nactive_key @\n}",
    "auth_hmac @ {\nkey 1 @\n}",
    "key 1 @",
];

fn leaks(text: &str, diagnostics: &Diagnostics) -> Option<String> {
    let shown = shown(diagnostics);
    // No part of it either.
    let parts = ["Zq7x", "Hunter2", "wPlum"];
    parts.iter().any(|part| shown.contains(part)).then(|| format!("{text}\n{shown}"))
}

#[test]
fn no_mistake_beside_a_secret_shows_it() {
    let mut leaking = Vec::new();
    for lines in WRONG {
        let text = instance(&lines.replace('@', SECRET));
        let diagnostics = read(&text).diagnostics;
        assert!(!diagnostics.is_empty(), "{lines}: nothing is said, so nothing is tested");
        leaking.extend(leaks(&text, &diagnostics));
    }
    assert!(leaking.is_empty(), "{} leak:\n{}", leaking.len(), leaking.join("\n"));
}

#[test]
fn nor_do_blocks_of_other_kinds_and_definitions() {
    let uses = |line: &str| instance(&format!("authentication {{\nauth_type PASS\n{line}\n}}"));
    let mut leaking = Vec::new();
    for text in [
        format!("SSL {{\npassword {SECRET} x\n}}\n"),
        format!("SSL {{\npasword {SECRET}\n}}\n"),
        format!("observability {{\nwebhook w {{\nurl http://a/b\nheader x-a {SECRET} more\n}}\n}}\n"),
        format!("observability {{\nwebhook w {{\nheader x-a {SECRET}\n}}\n}}\n"),
        format!("observability {{\notlp {{\nheader x/a {SECRET}\n}}\n}}\n"),
        format!("observability {{\notlp {{\nheadr x-a \"Bearer {SECRET}\"\n}}\n}}\n"),
        format!("observability {{\nmail {{\nuser me {SECRET} more\n}}\n}}\n"),
        format!("observability {{\nmail {{\nusr me {SECRET}\n}}\n}}\n"),
        format!("observability {{\nmial {{\nuser me {SECRET}\n}}\n}}\n"),
        format!("global_defs {{\nsmtp_server u:{SECRET}@1.2.3.4\n}}\n"),
        format!("global_defs {{\nsmtp_auth u {SECRET}\n}}\n"),
        format!("global_defs {{\nsmtp_user u {SECRET}\n}}\n"),
        format!("webhook https://u:{SECRET}@x/\n"),
        format!("webhook https://x/?token={SECRET}\n"),
        format!("observability {{\nwebhook w {{\nurl https://x/?token={SECRET} more\n}}\n}}\n"),
        format!("observability {{\nwebhook w {{\nurl ftp://u:{SECRET}@x/y\n}}\n}}\n"),
        instance(&format!("unicast_peer {{\n10.9.0.2 key {SECRET}\n}}")),
        format!("$P={SECRET}\n{}", uses("auth_pass $P")),
        format!("$P={SECRET}\n{}", uses("auth_pass ${P} x")),
        format!("$P={SECRET}\n$Q=${{P}}\n{}", uses("auth_pass $Q x")),
        format!("$P={SECRET}\n{}", uses("auth_pas $P")),
        format!("$P={SECRET}\n{}", uses("auth_pass x\nauth_type $P")),
        format!("$P={SECRET}\n{}", uses("auth_pass $P") + &instance("priority $P").replace("VI_1", "VI_2")),
        format!("$PASSWORD={SECRET}\n{}", instance("priority $PASSWORD")),
        format!("$PASSWORD={SECRET}\npriority x\n"),
        format!("$A= \\\nauth_type PASS \\\nauth_pass {SECRET} x \\\nauth_tipe\n{}", uses("$A")),
        format!("~LST(P, {SECRET}, b) auth_pass $P\n"),
        uses(&format!("~LST(P, {SECRET}, b) auth_pass $P x")),
        uses(&format!("~LST(P, {SECRET}, b) auth_pas $P x")),
        format!("@id {}", uses(&format!("auth_pass {SECRET}"))),
    ] {
        let diagnostics = read(&text).diagnostics;
        assert!(!diagnostics.is_empty(), "{text}: nothing is said, so nothing is tested");
        leaking.extend(leaks(&text, &diagnostics));
    }
    assert!(leaking.is_empty(), "{} leak:\n{}", leaking.len(), leaking.join("\n"));
}

#[test]
fn a_secret_of_any_length_is_hidden_and_the_rest_of_its_line_is_shown() {
    for secret in ["x", "1", "pa", "12345678", &"long".repeat(100)] {
        let text = instance(&format!(
            "authentication {{\n        auth_type PASS\n        auth_pas {secret}\n    }}"
        ));
        let shown = read(&text).diagnostics.render_text(false);
        assert!(shown.contains("`auth_pas` is no keyword of `authentication`"), "{shown}");
        assert!(shown.contains("6 |         auth_pas ********\n  |         ^^^^^^^^ "), "{shown}");
        assert!(shown.contains("6 |         auth_pass ********\n"), "{shown}");
    }
}

#[test]
fn what_is_underlined_behind_a_secret_is_still_underlined() {
    for secret in ["x", "a_password_that_is_long"] {
        let shown = read(&format!(
            "{}}} surplus\n",
            instance(&format!("authentication {{\nauth_type PASS\nauth_pass {secret} }}\n"))
        ));
        let shown = shown.diagnostics.render_text(false);
        assert!(!shown.contains(secret) || secret == "x", "{shown}");
    }
    let text = instance(&format!("authentication {{\nauth_type PASS\nauth_pass {SECRET} too many\n}}"));
    let shown = read(&text).diagnostics.render_text(false);
    assert!(shown.contains("6 | auth_pass ********\n  |           ^^^^^^^^ has no effect"), "{shown}");
}

#[test]
fn the_files_of_a_cluster_keep_their_secrets() {
    let with = |file: &str, pass: &str| {
        let text = instance(&format!(
            "priority {}\nauthentication {{\nauth_type PASS\nauth_pass {pass}\n}}",
            90 + pass.len()
        ));
        load_text(Path::new(file), text, &Options { for_cluster: true, ..options() })
    };
    let said = check_cluster(&[with("a.conf", "Zq7x"), with("b.conf", "Hunter2")]);
    let codes: Vec<&str> = said.iter().flat_map(Diagnostics::iter).map(|said| said.code).collect();
    assert!(codes.contains(&"cluster-authentication"), "{codes:?}");
    for diagnostics in &said {
        assert_eq!(leaks("two", diagnostics), None);
    }
}
