//! The configurations that the project began with: all of them are understood, and those with mistakes in them are
//! answered with one diagnostic for each mistake.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::path::{Path, PathBuf};

use keepwatch_config::model::{Authentication, InitialState, Secret};
use keepwatch_config::{Diagnostic, Loaded, Severity, load};
use reading::line;

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(name)
}

fn read(name: &str) -> Loaded {
    load(&seed(name), &reading::options())
}

/// Severity, code and line.
type Said<'a> = (Severity, &'a str, usize);

/// Of everything that is no note and not about what is not built yet.
fn mistakes(loaded: &Loaded) -> Vec<Said<'_>> {
    let said = |mistake: &Diagnostic| (mistake.severity, mistake.code, line(loaded, mistake.span));
    reading::mistakes(loaded).into_iter().map(said).collect()
}

#[test]
fn every_seed_is_understood_without_a_mistake() {
    let names = [
        "000-cdn-backup.conf",
        "000-cdn-master.conf",
        "000-multi-lvs_1.conf",
        "000-multi-lvs_2.conf",
        "001-backup.conf",
        "001-master.conf",
        "002-backup.conf",
        "002-master.conf",
        "003-backup.conf",
        "003-master.conf",
        "004-healthcheck.conf",
        "004-mixed.conf",
        "004-ssl_get.conf",
        "004-vmac-1.conf",
        "004-vmac-2.conf",
    ];
    for name in names {
        let loaded = read(name);
        assert_eq!(mistakes(&loaded), [], "{name}: {}", loaded.diagnostics.render_text(false));
        assert_eq!(loaded.diagnostics.exit_status(), 0, "{name}");
        assert!(loaded.config.is_some(), "{name}");
    }
}

#[test]
fn each_published_mistake_is_answered_once() {
    let error = Severity::Error;
    let table: [(&str, &[Said<'_>]); 4] = [
        ("published-001-master.conf", &[(error, "unknown-keyword", 9)]),
        ("published-001-backup.conf", &[(error, "unknown-keyword", 7)]),
        (
            "published-002-master.conf",
            &[(error, "unknown-keyword", 31), (error, "surplus-brace", 55), (error, "surplus-brace", 94)],
        ),
        (
            "published-002-backup.conf",
            &[(error, "unknown-keyword", 13), (error, "unknown-keyword", 24), (error, "surplus-brace", 73)],
        ),
    ];
    for (name, expected) in table {
        let loaded = read(name);
        assert_eq!(mistakes(&loaded), expected, "{name}: {}", loaded.diagnostics.render_text(false));
        assert_eq!(loaded.diagnostics.exit_status(), 5, "{name}");
    }
}

#[test]
fn published_mistakes_come_with_their_mend() {
    let mends = |name: &str| -> Vec<String> {
        read(name)
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .filter_map(|diagnostic| Some(diagnostic.suggestion.as_ref()?.replacement.clone()))
            .collect()
    };
    assert_eq!(mends("published-001-master.conf"), ["smtp_server 127.0.0.1"]);
    assert_eq!(mends("published-002-master.conf"), ["smtp_alert", ""]);
    assert_eq!(mends("published-002-backup.conf"), ["smtp_connect_timeout", "smtp_alert", ""]);
}

#[test]
fn a_virtual_server_that_was_closed_too_early_keeps_its_real_servers() {
    for name in ["published-002-master.conf", "published-002-backup.conf"] {
        let config = read(name).config.expect("it runs");
        let servers: Vec<usize> =
            config.virtual_servers.iter().map(|server| server.real_servers.len()).collect();
        assert_eq!(servers, [2], "{name}");
    }
}

#[test]
fn old_spellings_are_understood_and_said_once() {
    let loaded = read("002-master.conf");
    let notes: Vec<&str> = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Note)
        .map(|diagnostic| diagnostic.code)
        .collect();
    assert_eq!(notes, ["deprecated-spelling", "no-effect", "deprecated-spelling"]);
}

#[test]
fn an_authenticated_instance_begins_as_backup_to_learn_the_sequence_number() {
    let loaded = read("004-failover.conf");
    let conflicts = [14, 29].map(|line| (Severity::Warning, "conflict", line));
    assert_eq!(mistakes(&loaded), conflicts, "{}", loaded.diagnostics.render_text(false));
    assert_eq!(loaded.diagnostics.exit_status(), 5, "as keepalived, it runs after a change");
    let config = loaded.config.expect("it runs");
    for instance in &config.instances {
        // To keepalived an exclamation mark begins a comment, so that is all there is of the password.
        assert_eq!(
            instance.authentication,
            Authentication::Ah(Secret::new(*b"k@l\0\0\0\0\0")),
            "{}",
            instance.name
        );
        assert_eq!(instance.state, InitialState::Backup, "{}", instance.name);
    }
}

#[test]
fn a_master_of_the_first_seed_means_what_its_author_meant() {
    let config = read("001-master.conf").config.expect("it runs");
    let instance = config.instance("VI_1").expect("VI_1");
    assert_eq!(instance.vrid.0, 51);
    assert_eq!(instance.priority.0, 100);
    assert_eq!(instance.addresses[0].to_string(), "192.168.4.10/32");
    let server = &config.virtual_servers[0];
    assert_eq!(server.key.to_string(), "[192.168.4.10]:tcp:80");
    assert_eq!(server.real_servers.len(), 2);
    let checker = &server.real_servers[0].checkers[0];
    assert_eq!((checker.retry, checker.delay_loop.as_secs(), checker.warmup.as_secs()), (3, 6, 6));
}

#[test]
fn the_model_in_json_has_times_in_seconds() {
    let config = read("001-master.conf").config.expect("it runs");
    let json = config.to_json();
    assert_eq!(json["instances"][0]["advert_int"], 1);
    assert_eq!(json["instances"][0]["authentication"], "PASS");
    assert_eq!(json["virtual_servers"][0]["real_servers"][0]["checkers"][0]["kind"]["connect_timeout"], 10);
    assert!(!json.to_string().contains("1111"), "a password is in it");
}
