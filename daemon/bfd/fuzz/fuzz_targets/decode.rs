//! Any bytes as a packet: what is read is written again as the same packet.
//! `cargo +nightly fuzz run decode -- -max_len=64`
#![no_main]

use keepwatch_bfd::packet::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packet) = Packet::parse(bytes) {
        assert_eq!(Packet::parse(&packet.encode()), Ok(packet));
    }
});
