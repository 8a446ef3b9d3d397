//! Any bytes as a configuration: reading, checking, rendering and formatting them neither panics nor hangs.
//! `cargo +nightly fuzz run bytes -- -max_len=4096 ../tests/seeds`
#![no_main]

#[path = "../../tests/reading/mod.rs"]
mod reading;

use std::path::Path;

use keepwatch_config::{format, load_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let formatted = format(&text);
    assert_eq!(format(&formatted), formatted);
    let loaded = load_text(Path::new("/nowhere/fuzz.conf"), text, &reading::untrusted());
    loaded.diagnostics.render_text(false);
    loaded.diagnostics.render_json();
});
