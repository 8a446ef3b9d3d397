//! Numbers, times and booleans as keepalived reads them.

use std::time::Duration;

use crate::{codes, read};

#[test]
fn whole_numbers_are_decimal_and_may_have_a_sign() {
    let repeat = |text: &str| {
        let loaded = read(&format!("global_defs {{\nvrrp_garp_master_repeat {text}\n}}"));
        let code = loaded.diagnostics.iter().next().map(|said| said.code);
        (loaded.config.expect("it runs").global.garp.master_repeat, code)
    };
    assert_eq!(repeat("7"), (7, None));
    assert_eq!(repeat("+7"), (7, None));
    assert_eq!(repeat("007"), (7, None));
    assert_eq!(repeat("\" 7\""), (7, None));
    for (text, code) in [
        ("0x7", "invalid-number"),
        ("7a", "invalid-number"),
        ("7.0", "invalid-number"),
        ("-7", "out-of-range"),
        ("4294967296", "out-of-range"),
        ("99999999999999999999", "out-of-range"),
    ] {
        assert_eq!(repeat(text), (5, Some(code)), "{text}");
    }
}

#[test]
fn times_have_decimals_down_to_microseconds() {
    let interval = |text: &str| {
        let loaded = read(&format!("global_defs {{\nvrrp_garp_interval {text}\n}}"));
        let code = loaded.diagnostics.iter().next().map(|said| said.code);
        (loaded.config.expect("it runs").global.garp.interval, code)
    };
    let micros = |micros| Duration::from_micros(micros);
    for (text, value) in
        [("2.71828", 2_718_280), (".5", 500_000), ("5.", 5_000_000), ("+1", 1_000_000), ("0.000001", 1)]
    {
        assert_eq!(interval(text), (micros(value), None), "{text}");
    }
    // What is too fine is rounded, and said.
    for (text, value) in [("1.2345674", 1_234_567), ("1.2345675", 1_234_568), ("0.9999999", 1_000_000)] {
        assert_eq!(interval(text), (micros(value), Some("invalid-number")), "{text}");
    }
    for text in ["1s", "1e3", "0x1", "-1", "1,5", "1.2.3", "1 .5"] {
        assert!(interval(text).1.is_some(), "{text}");
    }
}

#[test]
fn booleans_have_six_spellings() {
    let on = |text: &str| {
        let loaded = read(&format!("global_defs {{\nvrrp_strict {text}\n}}"));
        (loaded.config.expect("it runs").global.vrrp_strict, loaded.diagnostics.exit_status())
    };
    for text in ["on", "true", "yes", ""] {
        assert_eq!(on(text), (true, 0), "{text}");
    }
    for text in ["off", "false", "no"] {
        assert_eq!(on(text), (false, 0), "{text}");
    }
    for text in ["On", "TRUE", "1", "0", "\"\""] {
        assert_eq!(codes(&format!("global_defs {{\nvrrp_strict {text}\n}}")), ["invalid-value"], "{text}");
    }
}
