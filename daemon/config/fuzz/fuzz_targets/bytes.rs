//! Any bytes as a configuration: reading, checking, rendering and formatting them neither panics nor hangs.
//! `cargo +nightly fuzz run bytes -- -max_len=4096 ../tests/seeds`
#![no_main]

use std::path::Path;

use keepwatch_config::{Options, format, load_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let options = Options {
        host_name: Some("lab".into()),
        config_id: Some("lab".into()),
        expansion_limit: 2000,
        scripts: false,
        environment: false,
        for_cluster: false,
    };
    let formatted = format(&text);
    assert_eq!(format(&formatted), formatted);
    let loaded = load_text(Path::new("/nowhere/fuzz.conf"), text, &options);
    loaded.diagnostics.render_text(false);
    loaded.diagnostics.render_json();
});
