//! The schema is whole: every keyword of keepalived 2.4.3 is in it, every keyword is explained, and every example is
//! right.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::collections::BTreeSet;
use std::path::Path;

use keepwatch_config::schema::{BlockId, Body, Keyword, keywords};
use keepwatch_config::{explain, reference};
use reading::read;

/// `BLOCK KEYWORD` of everything that 2.4.3's parser installs, with every build option; `-` is the top level.
const NAMES: &str = include_str!("keywords-2.4.3.txt");

fn all() -> impl Iterator<Item = (BlockId, &'static Keyword)> {
    BlockId::ALL.iter().flat_map(|block| keywords(*block).iter().map(|keyword| (*block, keyword)))
}

/// `(block, name)` of every spelling in the table.
fn spellings() -> BTreeSet<(&'static str, &'static str)> {
    let title = |block: BlockId| match block {
        BlockId::Root => "-",
        // There are two blocks of this name.
        BlockId::SslUrl => "SSL_GET/url",
        _ => block.title(),
    };
    all().flat_map(move |(block, keyword)| keyword.names().map(move |name| (title(block), name))).collect()
}

/// The same of keepalived.
fn installed() -> BTreeSet<(&'static str, &'static str)> {
    NAMES.lines().filter_map(|line| line.split_once(' ')).collect()
}

#[test]
fn every_keyword_of_keepalived_is_in_the_table_of_every_block_where_it_may_stand() {
    let missing: Vec<_> = installed().difference(&spellings()).copied().collect();
    assert_eq!(missing, []);
}

#[test]
fn a_default_that_names_a_keyword_names_one_that_there_is() {
    let known: BTreeSet<&str> = all().flat_map(|(_, keyword)| keyword.names()).collect();
    // Names of tables and users, which are no keywords.
    let others = ["keepalived_ipvs", "keepalived_script"];
    let wrong: Vec<_> = all()
        .flat_map(|(block, keyword)| {
            let words = keyword.default.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.filter(|word| word.contains('_')).map(move |word| (block, keyword.name, word))
        })
        .filter(|(_, _, word)| !known.contains(word) && !others.contains(word) && !word.ends_with("_GET"))
        .filter(|(_, _, word)| !word.ends_with("_CHECK"))
        .collect();
    assert_eq!(wrong, []);
}

#[test]
fn what_is_in_the_table_and_not_in_keepalived_is_ours_or_old() {
    let own = ["observability", "history", "otlp", "webhook", "mail"];
    let ours = [
        ("-", "observability"),
        // 2.4.3 knows this old spelling in HTTP_GET and SSL_GET only; people's files have it in every checker.
        ("DNS_CHECK", "nb_get_retry"),
        ("MISC_CHECK", "nb_get_retry"),
        ("PING_CHECK", "nb_get_retry"),
        ("SMTP_CHECK", "nb_get_retry"),
        ("TCP_CHECK", "nb_get_retry"),
        ("UDP_CHECK", "nb_get_retry"),
        // Old spellings that people's files have.
        ("global_defs", "lvs_id"),
        ("host", "nb_get_retry"),
        ("virtual_server", "nat_mask"),
        ("vrrp_instance", "lvs_sync_daemon_inteface"),
    ];
    let more: Vec<_> =
        spellings().difference(&installed()).copied().filter(|(block, _)| !own.contains(block)).collect();
    assert_eq!(more, ours);
}

#[test]
fn no_block_has_a_name_twice() {
    for block in BlockId::ALL {
        let mut seen = BTreeSet::new();
        for name in keywords(*block).iter().flat_map(Keyword::names) {
            assert!(seen.insert(name), "{block}: {name}");
        }
    }
}

#[test]
fn every_keyword_has_help_and_an_example() {
    for (block, keyword) in all() {
        assert!(keyword.help.ends_with('.'), "{block}: {}", keyword.name);
        assert!(keyword.example.starts_with(keyword.name), "{block}: {}", keyword.name);
    }
}

/// The blocks around one, from the top level: how to write them.
fn around(block: BlockId) -> Option<(String, String)> {
    if block == BlockId::Root {
        return Some((String::new(), String::new()));
    }
    let (outer, keyword) = all().find(|(_, keyword)| keyword.body == Body::Block(block))?;
    let (before, after) = around(outer)?;
    let head = keyword.example.lines().next()?;
    Some((format!("{before}{head}\n"), format!("}}\n{after}")))
}

#[test]
fn every_example_is_accepted_where_it_stands() {
    // Only what the value or the block looks like is asked here, not whether the rest of the file goes with it.
    let form = [
        "unknown-keyword",
        "missing-value",
        "extra-words",
        "invalid-value",
        "invalid-number",
        "invalid-address",
        "out-of-range",
        "too-long",
        "missing-brace",
        "surplus-brace",
        "unexpected-brace",
        "unknown-option",
        "unterminated-quote",
    ];
    for (block, keyword) in all() {
        let (before, after) = around(block).expect("a way from the top level");
        let text = format!("{before}{}\n{after}", keyword.example);
        let loaded = read(&text);
        let wrong: Vec<&str> =
            loaded.diagnostics.iter().map(|d| d.code).filter(|code| form.contains(code)).collect();
        assert_eq!(wrong, [] as [&str; 0], "{text}\n{}", loaded.diagnostics.render_text(false));
    }
}

#[test]
fn each_checker_is_of_the_kind_that_it_is_called() {
    let kinds =
        keywords(BlockId::RealServer).iter().filter(|k| k.name.contains("_GET") || k.name.contains("_CHECK"));
    let mut seen = 0;
    for keyword in kinds {
        let real = format!("real_server 192.0.2.2 80 {{\n{}\n}}", keyword.example);
        let loaded = read(&format!("virtual_server 192.0.2.1 80 {{\nprotocol TCP\n{real}\n}}\n"));
        let reals = loaded
            .config
            .iter()
            .flat_map(|config| &config.virtual_servers)
            .flat_map(|server| &server.real_servers);
        for checker in reals.flat_map(|real| &real.checkers) {
            assert_eq!(checker.kind.keyword(), keyword.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 8, "each kind that runs on a schedule");
}

#[test]
fn every_keyword_is_explained_by_each_of_its_names() {
    for (block, keyword) in all() {
        for name in keyword.names() {
            let text = explain(name).unwrap_or_default();
            assert!(text.contains(keyword.help), "{name}: {text}");
            assert!(text.contains(&block.to_string()), "{name} in {block}: {text}");
            // One paragraph for each meaning that it has.
            let meanings =
                text.split("\n\n").filter(|paragraph| !paragraph.contains(" A word that may stand in"));
            for paragraph in meanings {
                let (syntax, rest) = paragraph.split_once('\n').unwrap_or_default();
                let help = rest.lines().next().unwrap_or("").trim();
                assert!(!syntax.is_empty() && !help.is_empty(), "{name}: {paragraph}");
                for part in ["Type: ", "Default: ", "Stands in: "] {
                    let line = paragraph.lines().find_map(|line| line.trim_start().strip_prefix(part));
                    assert!(line.is_some_and(|line| !line.is_empty()), "{name} has no {part}: {paragraph}");
                }
                let example = paragraph.split_once("    Example:\n").map_or("", |(_, example)| example);
                assert!(!example.trim().is_empty(), "{name} has no example: {paragraph}");
                let spelling = format!("spelling of `{}`", keyword.name);
                assert!(name == keyword.name || text.contains(&spelling), "{name}: {text}");
            }
        }
    }
}

#[test]
fn a_name_that_is_no_keyword_is_answered_with_those_that_are_like_it() {
    for (written, meant) in [
        ("vrrp_instnce", "vrrp_instance"),
        ("prioritty", "priority"),
        ("Real_Server", "real_server"),
        ("lvs-sched", "lvs_sched"),
        ("garp_master", "vrrp_garp_master_delay"),
    ] {
        assert!(explain(written).is_none(), "{written}");
        assert!(
            keepwatch_config::similar(written).contains(&meant),
            "{:?}",
            keepwatch_config::similar(written)
        );
    }
    assert!(explain("zzzzzz").is_none() && keepwatch_config::similar("zzzzzz").is_empty());
}

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/keepalived.conf.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    assert!(
        page == reference(),
        "docs/keepalived.conf.md is not current; run `cargo run -p keepwatch-config --bin keepwatch-reference > docs/keepalived.conf.md`"
    );
}

#[test]
fn whatever_has_a_value_is_told_of_when_it_stands_twice_unless_it_adds_to_what_was_said() {
    let adds = [
        // The longest counts.
        ("global_defs", "vrrp_startup_delay"),
        ("global_defs", "vrrp_delay_after_boot"),
        // What it does not name stays.
        ("global_defs", "lvs_timeouts"),
        ("global_defs", "include_check"),
        ("otlp", "header"),
        ("webhook", "header"),
        ("webhook", "subjects"),
        ("webhook", "kinds"),
        ("garp_group", "interface"),
        // The same again is nothing, and another is a contradiction.
        ("vrrp_instance", "version"),
        ("auth_hmac", "key"),
        // Of HTTP_GET, then of SSL_GET.
        ("url", "status_code"),
        ("url", "regex_options"),
        ("url", "status_code"),
        ("url", "regex_options"),
    ];
    let mut silent = Vec::new();
    let has_value = |keyword: &Keyword| keyword.body == Body::None && keyword.example.contains(' ');
    for (block, keyword) in all().filter(|(_, keyword)| has_value(keyword)) {
        let (before, after) = around(block).expect("a way from the top level");
        let loaded = read(&format!("{before}{0}\n{0}\n{after}", keyword.example));
        if !loaded.diagnostics.iter().any(|said| said.code == "duplicate-keyword") {
            silent.push((block.title(), keyword.name));
        }
    }
    assert_eq!(silent, adds);
}
