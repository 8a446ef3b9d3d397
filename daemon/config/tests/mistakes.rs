//! One mistake, one diagnostic: each text has one thing wrong with it, and is answered once, at the right line, with
//! the right mend; what is around it is still understood.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use keepwatch_config::{Diagnostic, Loaded};
use reading::{line, mistakes, read};

/// `code:line` of everything above a note, without what is not built yet.
fn said(loaded: &Loaded) -> Vec<String> {
    let said = |mistake: &Diagnostic| format!("{}:{}", mistake.code, line(loaded, mistake.span));
    mistakes(loaded).into_iter().map(said).collect()
}

const INSTANCE: &str = "vrrp_instance A {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.0.0.1/24
    }
}
vrrp_instance B {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        10.0.0.2/24
    }
}
";

const SERVER: &str = "virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.0.1.1 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
    real_server 10.0.1.2 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
virtual_server 10.0.0.2 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.0.1.3 80 {
        weight 1
    }
}
";

/// The text with line `number` (from 1) replaced; an empty replacement takes the line out.
fn with_line(text: &str, number: usize, replacement: &str) -> String {
    let lines =
        text.lines().enumerate().map(|(index, line)| if index + 1 == number { replacement } else { line });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_texts_that_the_others_are_made_from_are_right() {
    for text in [INSTANCE, SERVER] {
        let loaded = read(text);
        assert_eq!(said(&loaded), [] as [&str; 0], "{}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn a_brace_that_is_missing_is_found_by_what_follows() {
    for (text, line, blocks) in
        [(INSTANCE, 6, 2), (INSTANCE, 7, 2), (SERVER, 9, 2), (SERVER, 10, 2), (SERVER, 17, 2)]
    {
        let loaded = read(&with_line(text, line, ""));
        let said = said(&loaded);
        assert_eq!(said.len(), 1, "line {line} out: {}", loaded.diagnostics.render_text(false));
        assert!(said[0].starts_with("missing-brace"), "line {line} out: {said:?}");
        let config = loaded.config.expect("it runs");
        assert_eq!(config.instances.len() + config.virtual_servers.len(), blocks, "line {line} out");
    }
}

#[test]
fn every_real_server_survives_a_missing_brace() {
    for line in [9, 10, 15, 16, 17] {
        let config = read(&with_line(SERVER, line, "")).config.expect("it runs");
        let servers: Vec<usize> =
            config.virtual_servers.iter().map(|server| server.real_servers.len()).collect();
        assert_eq!(servers, [2, 1], "line {line} out");
    }
}

#[test]
fn a_missing_last_brace_is_said_at_its_block() {
    let loaded = read(&with_line(SERVER, 25, ""));
    assert_eq!(said(&loaded), ["missing-brace:18"]);
}

#[test]
fn a_surplus_brace_is_said_where_it_stands() {
    let after = |text: &str, line: usize| {
        let original = text.lines().nth(line - 1).expect("a line");
        with_line(text, line, &format!("{original}\n}}"))
    };
    // Of two that end the same block either may be the one too many.
    for (line, expected) in [
        (9, "surplus-brace:10"),
        (10, "surplus-brace:11"),
        (16, "surplus-brace:18"),
        (17, "surplus-brace:18"),
    ] {
        let loaded = read(&after(SERVER, line));
        assert_eq!(said(&loaded), [expected], "after {line}: {}", loaded.diagnostics.render_text(false));
        let config = loaded.config.expect("it runs");
        assert_eq!(config.virtual_servers[0].real_servers.len(), 2, "after {line}");
    }
}

#[test]
fn a_forgotten_opening_brace_is_put_in() {
    for (text, line, replacement, expected) in [
        (INSTANCE, 1, "vrrp_instance A", "missing-brace:1"),
        (INSTANCE, 4, "    virtual_ipaddress", "missing-brace:4"),
        (SERVER, 7, "        TCP_CHECK", "missing-brace:7"),
        (SERVER, 5, "    real_server 10.0.1.1 80", "missing-brace:5"),
    ] {
        let loaded = read(&with_line(text, line, replacement));
        assert_eq!(said(&loaded), [expected], "{}", loaded.diagnostics.render_text(false));
        let config = loaded.config.expect("it runs");
        assert_eq!(config.instances.len() + config.virtual_servers.len(), 2);
    }
}

#[test]
fn a_misspelt_keyword_is_answered_with_the_right_one() {
    for (line, written, meant) in [
        (2, "    interfce eth0", "interface"),
        (2, "    interfaceeth0", "interface eth0"),
        (3, "    virtual_router_id51", "virtual_router_id 51"),
        (3, "    virtual-router-id 51", "virtual_router_id"),
        (3, "    virtual router_id 51", "virtual_router_id"),
        (4, "    virtual_ipadress {", "virtual_ipaddress"),
    ] {
        let loaded = read(&with_line(INSTANCE, line, written));
        let first = loaded.diagnostics.iter().find(|d| d.code == "unknown-keyword").expect("said");
        let suggestion = first.suggestion.as_ref().expect("a mend");
        assert_eq!(suggestion.replacement, meant, "{written}");
    }
}

#[test]
fn a_misspelt_block_is_left_out_without_complaints_about_its_absence() {
    let text = format!("vrrp_sync_group G {{\n group {{\n A\n B\n }}\n}}\n{INSTANCE}")
        .replace("vrrp_instance A", "vrrp_instanse A");
    let loaded = read(&text);
    assert_eq!(said(&loaded), ["unknown-keyword:7"], "{}", loaded.diagnostics.render_text(false));
}

#[test]
fn a_keyword_in_the_wrong_block_is_said_to_belong_elsewhere() {
    let loaded = read(&with_line(SERVER, 8, "            connect_timeout 3\n            weight 5"));
    assert_eq!(said(&loaded), ["unknown-keyword:9"], "{}", loaded.diagnostics.render_text(false));
    let text = loaded.diagnostics.render_text(false);
    assert!(text.contains("outside of `TCP_CHECK`"), "{text}");
    let loaded = read(&format!("state MASTER\n{INSTANCE}"));
    assert_eq!(said(&loaded), ["unknown-keyword:1"]);
    assert!(loaded.diagnostics.render_text(false).contains("it can stand in `vrrp_instance`"));
}

#[test]
fn blocks_of_one_name_are_named_once() {
    let said = read("status_code 200\n").diagnostics.render_text(false);
    assert!(said.contains("it can stand in `url`\n"), "{said}");
}

#[test]
fn keywords_of_another_version_are_no_reason_to_doubt_the_braces() {
    let later = "    protocol TCP\n    spare_threshold 50\n    spare_up /bin/up\n    spare_down /bin/down\n    \
                 spare_server 10.0.1.8 80 {\n    weight 1\n    }\n    spare_server 10.0.1.9 80 {\n    weight 1\n    }";
    let loaded = read(&with_line(SERVER, 4, later));
    let lines = ["5", "6", "7", "8", "11"].map(|line| format!("unknown-keyword:{line}"));
    assert_eq!(said(&loaded), lines, "{}", loaded.diagnostics.render_text(false));
}

#[test]
fn members_of_a_sync_group_outside_of_its_group_are_one_mistake() {
    let loaded = read(&format!("vrrp_sync_group G {{\n    A\n    B\n}}\n{INSTANCE}"));
    assert_eq!(said(&loaded), ["unknown-keyword:2"], "{}", loaded.diagnostics.render_text(false));
    assert!(loaded.diagnostics.render_text(false).contains("into `group { … }`"));
}

#[test]
fn an_unfinished_merge_is_one_mistake() {
    let sides = |line: &str| format!("<<<<<<< HEAD\n{line}\n=======\n{line}\n>>>>>>> topic");
    for (number, line) in [(3, "virtual_router_id 51"), (5, "10.0.0.1/24"), (1, "vrrp_instance A {")] {
        // The second side of a block's beginning would be a block of its own.
        let text =
            if number == 1 { format!("<<<<<<< HEAD\n=======\n{line}\n>>>>>>> topic") } else { sides(line) };
        let loaded = read(&with_line(INSTANCE, number, &text));
        let first = said(&loaded).into_iter().next();
        assert_eq!(
            first,
            Some(format!("foreign-syntax:{number}")),
            "{}",
            loaded.diagnostics.render_text(false)
        );
        let merges = said(&loaded).iter().filter(|said| said.starts_with("foreign-syntax")).count();
        assert_eq!(merges, 1, "{}", loaded.diagnostics.render_text(false));
        assert!(!said(&loaded).iter().any(|said| said.starts_with("unknown-keyword")), "{line}");
    }
}

#[test]
fn a_word_grown_on_to_a_keyword_is_no_value_of_it() {
    let loaded = read(&with_line(INSTANCE, 2, "    interface eth0\n    interface_name Ethernet 2"));
    assert_eq!(said(&loaded), ["unknown-keyword:3"], "{}", loaded.diagnostics.render_text(false));
    assert!(loaded.diagnostics.render_text(false).contains("perhaps `interface` is meant"));
}

#[test]
fn a_keyword_of_two_parts_may_have_been_written_as_two_words() {
    let loaded = read(&with_line(INSTANCE, 3, "    virtual_router_id 51\n    preempt delay 300"));
    assert_eq!(said(&loaded), ["extra-words:4"], "{}", loaded.diagnostics.render_text(false));
    let mend = loaded.diagnostics.iter().find_map(|mistake| mistake.suggestion.as_ref());
    assert_eq!(mend.map(|mend| mend.replacement.as_str()), Some("preempt_delay"));
}

#[test]
fn a_name_grown_on_to_its_block_is_said_once() {
    let tracked =
        with_line(INSTANCE, 3, "    virtual_router_id 51\n    track_script {\n        check\n    }");
    let loaded = read(&format!("vrrp_script_check {{\n    script /bin/true\n}}\n{tracked}"));
    assert_eq!(said(&loaded)[..1], ["unknown-keyword:1"], "{}", loaded.diagnostics.render_text(false));
    assert!(!said(&loaded).iter().any(|said| said.starts_with("unknown-tracked")), "{:?}", said(&loaded));
    let mend = loaded.diagnostics.iter().find_map(|mistake| mistake.suggestion.as_ref());
    assert_eq!(mend.map(|mend| mend.replacement.as_str()), Some("vrrp_script check"));
}

#[test]
fn what_other_programs_call_otherwise_is_known_for_what_it_is() {
    for (text, line, meant) in [
        (with_line(INSTANCE, 2, "    interface eth0\n    state SLAVE"), 3, "BACKUP"),
        (with_line(SERVER, 7, "        ICMP_CHECK {"), 7, "PING_CHECK"),
        (with_line(SERVER, 2, "    lvs_sched roundrobin"), 2, "rr"),
    ] {
        let loaded = read(&text);
        let mistake = loaded.diagnostics.iter().find(|mistake| mistake.suggestion.is_some()).expect("a mend");
        assert_eq!(mistake.suggestion.as_ref().map(|mend| mend.replacement.as_str()), Some(meant));
        assert_eq!(said(&loaded)[0].rsplit(':').next(), Some(line.to_string().as_str()));
    }
}

#[test]
fn a_stray_keyword_between_blocks_is_one_mistake() {
    let text = INSTANCE.replace("vrrp_instance B", "priority 100\nvrrp_instance B");
    assert_eq!(said(&read(&text)).len(), 1);
    assert_eq!(read(&text).config.expect("it runs").instances.len(), 2);
}

#[test]
fn a_block_inside_the_wrong_one_is_one_mistake() {
    let text =
        with_line(INSTANCE, 5, "        10.0.0.1/24\n        track_interface {\n            eth1\n        }");
    let loaded = read(&text);
    assert_eq!(said(&loaded).len(), 1, "{}", loaded.diagnostics.render_text(false));
}

#[test]
fn values_out_of_range_are_said_at_the_value() {
    for (written, expected) in [
        ("virtual_router_id 256", vec!["out-of-range:3"]),
        ("virtual_router_id 51\npriority 300", vec!["out-of-range:4"]),
        ("virtual_router_id 51\npriority abc", vec!["invalid-number:4"]),
        ("virtual_router_id 51\nadvert_int 0", vec!["out-of-range:4"]),
        ("virtual_router_id 51\nadvert_int 1.5", vec!["advert-int:4"]),
        ("virtual_router_id 51\nstate SLAVE", vec!["invalid-value:4"]),
        ("virtual_router_id 51\nmcast_src_ip 300.1.1.1", vec!["invalid-address:4"]),
        ("virtual_router_id 51\nsmtp_alert maybe", vec!["invalid-value:4"]),
        ("virtual_router_id 51\npriority", vec!["missing-value:4"]),
        ("virtual_router_id 51\npriority 100 101", vec!["extra-words:4"]),
    ] {
        let loaded = read(&with_line(INSTANCE, 3, written));
        assert_eq!(said(&loaded), expected, "{written}: {}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn a_quote_that_is_not_closed_is_said_once() {
    let loaded = read(&with_line(INSTANCE, 3, "virtual_router_id 51\nnotify_master \"/etc/a.sh"));
    assert_eq!(said(&loaded), ["unterminated-quote:4"]);
}

#[test]
fn json_has_one_object_a_line_with_the_promised_fields() {
    let loaded = read("global_defs {\nsmtp_server127.0.0.1\n}\n");
    let lines: Vec<serde_json::Value> = loaded
        .diagnostics
        .render_json()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 1);
    for (field, value) in [("severity", "error"), ("code", "unknown-keyword"), ("file", "test.conf")] {
        assert_eq!(lines[0][field], value);
    }
    assert_eq!((&lines[0]["line"], &lines[0]["column"]), (&2.into(), &1.into()));
    assert_eq!(lines[0]["help"], "there is a space missing after `smtp_server`: `smtp_server 127.0.0.1`");
    let fields: Vec<&String> = lines[0].as_object().expect("an object").keys().collect();
    assert_eq!(fields.len(), 7, "{fields:?}");
}

#[test]
fn a_mistake_in_expanded_text_is_said_once_however_often_it_is_expanded() {
    let text = "$VI= \\\nvrrp_instance v${N} { \\\n interface eth0 \\\n virtual_router_id ${N} \\\n prioritty 9 \\\n \
                virtual_ipaddress { \\\n 10.0.0.${N} \\\n } \\\n}\n~SEQ(N, 1, 100) $VI\n";
    let loaded = read(text);
    assert_eq!(said(&loaded), ["unknown-keyword:5"]);
    assert_eq!(loaded.config.expect("it runs").instances.len(), 100);
}

#[test]
fn an_instance_that_cannot_run_is_looked_at_to_its_end() {
    let text = "vrrp_instance A {
    interface eth0
    virtual_router_id 510
    nopreempt
    state MASTER
    track_script {
        nobody
    }
    virtual_ipaddress {
        10.0.0.300
        2001:db8::1
        10.0.0.2
    }
}
";
    assert_eq!(
        said(&read(text)),
        ["out-of-range:3", "conflict:4", "unknown-tracked:7", "invalid-address:10", "family-mix:11"]
    );
}

#[test]
fn a_brace_that_is_missing_in_a_large_file_is_one_mistake() {
    let instance = |number: usize| {
        let close = if number == 1500 { "" } else { "    }\n" };
        format!(
            "vrrp_instance V{number} {{\n    interface eth{}\n    virtual_router_id {}\n    virtual_ipaddress {{\n        \
             10.0.{}.{}\n{close}}}\n",
            number / 255,
            number % 255 + 1,
            number / 256,
            number % 256
        )
    };
    let text: String = (0..3000).map(instance).collect();
    let loaded = read(&text);
    assert_eq!(said(&loaded), ["missing-brace:10504"]);
    assert_eq!(loaded.config.map(|config| config.instances.len()), Some(3000));
}

#[test]
fn blocks_without_end_in_one_another_are_told_in_few_words() {
    for line in ["x {\n", "vrrp_instance A {\n", "virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\n"]
    {
        let loaded = read(&line.repeat(20_000));
        assert!((1..10).contains(&said(&loaded).len()), "{line}: {}", said(&loaded).len());
    }
}

#[test]
fn what_a_stranger_gets_wrong_is_said_in_words_that_help() {
    let instance = |priority: &str| {
        format!(
            "vrrp_script S {{\nscript /bin/true\nweight -20\n}}\nvrrp_instance A {{\ninterface eth0\nvirtual_router_id 51\n\
             state MASTER\n{priority}\nvirtual_ipaddress {{\n10.0.0.1\n}}\ntrack_script {{\nS\n}}\n}}\n"
        )
    };
    let password = |line: &str| {
        INSTANCE.replacen('{', &format!("{{ authentication {{\nauth_type PASS\n{line}\n}}\n"), 1)
    };
    for (text, code, expected, not) in [
        (
            format!("include\n{INSTANCE}"),
            "missing-value:1",
            "`include` does not say which file",
            "did you mean",
        ),
        (instance("@ A priority 150"), "condition-without-id:9", "this line never counts", "surplus"),
        (instance("@^ priority 150"), "condition-without-id:9", "this line always counts", "surplus"),
        (instance(""), "weight-ignored:5", "`state MASTER` without a `priority` means 255", "can't change\n"),
        (instance("priority 255"), "weight-ignored:5", "the priority of an owner can't change", "without a"),
        (
            INSTANCE.replacen(" A {", " {", 1),
            "missing-value:1",
            "`vrrp_instance VI_1 { interface eth0 ",
            "  }`",
        ),
        (password("auth_pass = sesame"), "foreign-syntax:3", "+ auth_pass  ********", "sesame"),
        (
            password("auth_pass : sesame"),
            "foreign-syntax:3",
            "there is no `:` between a keyword and",
            "sesame",
        ),
    ] {
        let loaded = read(&text);
        let rendered = loaded.diagnostics.render_text(false);
        assert!(said(&loaded).iter().any(|said| said == code), "no {code}: {rendered}");
        assert!(rendered.contains(expected), "no {expected:?} in\n{rendered}");
        assert!(!rendered.contains(not), "{not:?} in\n{rendered}");
    }
}
