//! What the model holds is acted on: no keyword is taken without effect and without a word.
#![allow(clippy::expect_used)] // helpers of tests

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const SETTLED: &str = "what instances say is settled by it, and that is read";

/// Fields that nobody outside of the language reads, and why nothing needs to be said.
const READ_BY_NOBODY: &[(&str, &str)] = &[
    ("check_log", "the file of `reload_check_config`: said where it is written"),
    ("usr", "names of routing tables and the like are looked up there when they are read"),
    ("etc", "as `usr`"),
    ("first_mark", "as `group_marks`"),
    ("group_marks", "the model's `marked_ranges` reads it for the engine"),
    ("track_groups", "the model's `static_links_of` reads it for the routers"),
    ("track_group", "the model's `static_links_of` reads it for the routers"),
    ("script_user", "every command that names no user has it"),
    ("set_supplementary_groups", "the user of every command has it"),
    ("for_vrrp", "no instance can track a session that is not for it"),
    ("for_checkers", "no real server can follow a session that is not for it"),
    ("vrrp_notify_priority_changes", SETTLED),
    ("copy_directory", "there is one process that reads the files, so no copies of them are needed"),
    ("checker_log_all_failures", "`log_all_failures` of each checker is settled by it, and that is read"),
    ("fast_recovery", "every round asks for all URLs without a pause, with it or without it"),
    (
        "no_virtual_ipaddress",
        "an instance without addresses is run in any case; this only says that it is meant so",
    ),
    ("global_tracking", "an old name of `sync_group_tracking_weight`, by which trackers are settled"),
    ("lvs_sync_daemon_interface", "`lvs_sync_daemon` is settled by it, and that is read"),
    ("strict", SETTLED),
    ("default_interface", SETTLED),
    ("vrrp_check_unicast_src", SETTLED),
    ("vrrp_down_timer_adverts", SETTLED),
    ("vrrp_higher_prio_send_advert", SETTLED),
    ("vrrp_lower_prio_no_advert", SETTLED),
    ("vrrp_mcast_group4", SETTLED),
    ("vrrp_mcast_group6", SETTLED),
    ("vrrp_owner_ignore_adverts", SETTLED),
    ("vrrp_skip_check_adv_addr", SETTLED),
    ("vrrp_strict", SETTLED),
    ("vrrp_version", SETTLED),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every name that those who read the model, and not their tests, use as that of a field.
fn fields_of_readers(root: &Path) -> BTreeSet<String> {
    let mut files = Vec::new();
    for readers in ["daemon", "mib"] {
        sources(&root.join(readers), &mut files);
    }
    let own = [root.join("daemon/config"), root.join("daemon/model")];
    let is_test = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "tests");
    files.retain(|path| !own.iter().any(|own| path.starts_with(own)) && !is_test(path));
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a source");
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let code = text[..tests].lines().filter(|line| !line.trim_start().starts_with("//"));
        names.extend(used_as_fields(&code.collect::<Vec<_>>().join("\n")).map(str::to_owned));
    }
    names
}

/// The names after a dot that are not called, and those that stand in braces as in `Name { field, other: value }`.
fn used_as_fields(code: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts = code.match_indices(is_word).map(|(at, _)| at);
    let starts = starts.filter(move |at| !code[..*at].ends_with(is_word));
    starts.filter_map(move |at| {
        let word = code[at..].split(|c| !is_word(c)).next()?;
        let (before, after) = (code[..at].trim_end(), code[at + word.len()..].trim_start());
        let accessed = before.ends_with('.') && !before.ends_with("..") && !after.starts_with('(');
        let typed = after.starts_with(':') && !after.starts_with("::");
        let listed = before.ends_with(['{', ',']) && (after.starts_with([',', '}']) || typed);
        (accessed || listed).then_some(word)
    })
}

#[test]
fn a_name_counts_as_that_of_a_field_only_where_it_is_one() {
    let code =
        "fn strict(a: B) { x.read(); let S { left, right: y } = s; for i in 0..most { z . used\n.iter() } }";
    assert_eq!(used_as_fields(code).collect::<Vec<_>>(), ["left", "right", "used"]);
}

/// The names of the model's fields.
fn fields(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let model = root.join("daemon/model/src");
    sources(&model, &mut files);
    let mut fields = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source");
        for line in text.lines().map(str::trim) {
            if let Some((name, _)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": "))
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            {
                fields.push(name.to_owned());
            }
        }
    }
    fields
}

#[test]
fn every_field_is_read_by_somebody_or_need_not_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let used = fields_of_readers(&root);
    let fields = fields(&root);
    assert!(fields.len() > 150, "only {} fields", fields.len());
    let allowed = |name: &str| READ_BY_NOBODY.iter().any(|(known, _)| *known == name);
    let silent: BTreeSet<&str> =
        fields.iter().map(String::as_str).filter(|name| !used.contains(*name) && !allowed(name)).collect();
    assert!(silent.is_empty(), "{silent:?}");
}
