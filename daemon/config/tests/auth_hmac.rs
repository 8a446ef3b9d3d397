//! `auth_hmac`: what keepalived 2.4.3 refuses or changes of it, and what becomes of it in the model.
#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use keepwatch_config::Loaded;
use keepwatch_config::model::{AntiReplay, AuthHmac, Authentication, HmacMode, Instance};
use reading::codes;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn read(instance: &str, block: &str) -> Loaded {
    let text = format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{instance}\n\
         auth_hmac sha256 {{\n{block}\n}}\n}}\n"
    );
    reading::read(&text)
}

fn instance(loaded: Loaded) -> Instance {
    loaded.config.expect("it runs").instances.remove(0)
}

fn block(text: &str) -> AuthHmac {
    *instance(read("advert_int 4", text)).auth_hmac.expect("a block")
}

#[test]
fn it_has_keepaliveds_defaults() {
    let plain = block(&format!("key 7 {KEY}\nactive_key 7"));
    assert_eq!((plain.keys.len(), plain.active_key, plain.mode), (1, 7, HmacMode::Enforce));
    assert_eq!(&**plain.keys[0].secret.reveal(), KEY.as_bytes());
    assert_eq!(plain.anti_replay, AntiReplay::Time(Duration::from_secs(12)));
    let monotonic =
        block(&format!("key 7 hex:{KEY}{KEY}\nactive_key 7\nanti_replay monotonic\nmode receive-only"));
    assert_eq!((monotonic.anti_replay, monotonic.mode), (AntiReplay::Monotonic, HmacMode::ReceiveOnly));
    assert_eq!(&monotonic.keys[0].secret.reveal()[..3], [0x01, 0x23, 0x45]);
}

#[test]
fn what_is_wrong_with_it_is_said_once() {
    let good = format!("key 1 {KEY}\nactive_key 1");
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("key").display().to_string();
    for (more, text, expected, exit) in [
        ("", good.clone(), &[] as &[&str], 0),
        ("", format!("{good}\nkey 2 short"), &["out-of-range"], 5),
        ("", format!("{good}\nkey 2 hex:{KEY}"), &["out-of-range"], 5),
        ("", format!("{good}\nkey 2 hex:xx{KEY}{KEY}"), &["out-of-range"], 5),
        ("", format!("{good}\nkey 1 {KEY}"), &["duplicate-name"], 5),
        ("", format!("{good}\nkey 2 file:{missing}"), &["unreadable-key"], 5),
        ("", format!("{good}\nkey 2 file:/dev/zero"), &["unreadable-key"], 5),
        ("", format!("key 1 {KEY}\nactive_key 2"), &["missing-part"], 5),
        ("", format!("key 1 {KEY}"), &["missing-part"], 5),
        ("", format!("{good}\ntime_window 301"), &["out-of-range"], 5),
        ("strict_mode", format!("{good}\nmode permissive"), &["strict"], 5),
        ("authentication {\nauth_type PASS\nauth_pass x\n}", good.clone(), &["conflict"], 5),
    ] {
        let loaded = read(more, &text);
        let shown = loaded.diagnostics.render_text(false);
        assert_eq!((&*codes(&loaded), loaded.diagnostics.exit_status()), (expected, exit), "{text}\n{shown}");
    }
}

/// Peers that read a key otherwise refuse each other: all of this was seen in the digests of keepalived 2.4.3.
#[test]
fn keys_are_the_bytes_that_keepalived_makes_of_them() {
    let key = |text: &str| {
        let block = block(&format!("key 255 {text}\nactive_key 255"));
        block.keys[0].secret.reveal().to_vec()
    };
    let text = "a".repeat(64);
    assert_eq!(key(&text), text.as_bytes());
    // Digits of either case; the last one of an odd number is a byte of its own.
    assert_eq!(key(&format!("hex:{}Ab", "00".repeat(31)))[31], 0xab);
    let odd = key(&format!("hex:{}b", "11".repeat(32)));
    assert_eq!((odd.len(), odd[31], odd[32]), (33, 0x11, 0x0b));
    // In capitals it is text.
    let capitals = format!("HEX:{KEY}");
    assert_eq!(key(&capitals), capitals.as_bytes());
    assert_eq!(key(&format!("\"{KEY} with blanks\"")), format!("{KEY} with blanks").as_bytes());
    for (text, said) in [
        (format!("key 1 {}", "a".repeat(31)), "out-of-range"),
        (format!("key 1 {}", "a".repeat(65)), "out-of-range"),
        (format!("key 1 hex:{}", "0a".repeat(65)), "out-of-range"),
        (format!("key 1 hex:{}", "0a:".repeat(32)), "out-of-range"),
        (format!("key 0 {KEY}"), "out-of-range"),
        (format!("key 256 {KEY}"), "out-of-range"),
    ] {
        let loaded = read("", &format!("key 7 {KEY}\nactive_key 7\n{text}"));
        assert_eq!(codes(&loaded), [said], "{text}");
    }
}

#[test]
fn the_window_is_three_intervals_within_bounds() {
    for (version, interval, window) in [(2, 1, 5), (2, 2, 6), (3, 10, 30), (3, 40, 120), (2, 255, 300)] {
        let loaded =
            read(&format!("version {version}\nadvert_int {interval}"), &format!("key 1 {KEY}\nactive_key 1"));
        let block = instance(loaded).auth_hmac.expect("a block");
        assert_eq!(block.anti_replay, AntiReplay::Time(Duration::from_secs(window)), "{interval}");
    }
}

#[test]
fn a_second_block_adds_to_the_first() {
    let both = block(&format!("key 1 {KEY}\n}}\nauth_hmac sha256 {{\nkey 2 {KEY}\nactive_key 2"));
    assert_eq!((both.keys.len(), both.active_key), (2, 2));
}

#[test]
fn nothing_stands_beside_it() {
    let loaded =
        read("authentication {\nauth_type PASS\nauth_pass x\n}", &format!("key 1 {KEY}\nactive_key 1"));
    let instance = instance(loaded);
    assert_eq!(instance.authentication, Authentication::None);
    assert!(instance.auth_hmac.is_some());
}

#[test]
fn a_key_comes_out_of_a_file_and_is_shown_nowhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("key");
    std::fs::write(&path, format!("{KEY}\n")).expect("written");
    for (mode, expected) in [(0o600, &[] as &[&str]), (0o640, &["open-key-file"])] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("a mode");
        let loaded = read("", &format!("key 1 file:{}\nactive_key 1", path.display()));
        assert_eq!(codes(&loaded), expected);
        let config = loaded.config.expect("it runs");
        let key = config.instances[0].auth_hmac.as_ref().map(|auth| &**auth.keys[0].secret.reveal());
        assert_eq!(key, Some(KEY.as_bytes()));
        assert!(!format!("{} {config:?}", config.to_json()).contains(KEY));
    }
}
