//! Configurations made of whole words: each byte of the input is a keyword, a value, a brace or a line end, so that the
//! fuzzer reaches what stands deep in blocks.
//! `cargo +nightly fuzz run tokens -- -max_len=512`
#![no_main]

#[path = "../../tests/reading/mod.rs"]
mod reading;

use std::path::Path;
use std::sync::LazyLock;

use keepwatch_config::schema::{BlockId, Keyword, keywords};
use keepwatch_config::load_text;
use libfuzzer_sys::fuzz_target;

/// What is no keyword.
const OTHERS: &[&str] = &[
    "{", "}", "\n", " ", "\"", "'", "\\\n", "$A", "$A=", "${A}", "@lab ", "@^lab ", "~SEQ(N,1,3) ", "~LST(N,a,b) ", "0", "1",
    "255", "1.5", "10.0.0.1", "10.0.0.1/24", "2001:db8::1", "eth0", "on", "off", "MASTER", "BACKUP", "TCP", "rr", "NAT", "weight",
    "dev", "fwmark", "group", "-1", "99999999999", "#",
];

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let names = BlockId::ALL.iter().flat_map(|block| keywords(*block)).flat_map(Keyword::names);
    OTHERS.iter().copied().chain(names).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut text = String::new();
    for pair in bytes.chunks(2) {
        let number = pair.iter().fold(0usize, |number, byte| number * 256 + usize::from(*byte));
        let word = WORDS[number % WORDS.len()];
        if word != "\n" && !text.is_empty() && !text.ends_with(['\n', ' ', '"', '$', '{']) {
            text.push(' ');
        }
        text.push_str(word);
    }
    let loaded = load_text(Path::new("/nowhere/fuzz.conf"), text, &reading::untrusted());
    loaded.diagnostics.render_text(false);
});
