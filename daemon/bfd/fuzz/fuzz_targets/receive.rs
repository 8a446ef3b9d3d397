//! Any sequence of packets and pauses against a table of sessions; what must hold is asserted in `records`.
//! `cargo +nightly fuzz run receive -- -max_len=4096`
#![no_main]

#[path = "../../tests/records/mod.rs"]
mod records;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    records::feed(bytes);
});
