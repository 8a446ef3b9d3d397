//! A fixed run of mutated configurations: none panics, none hangs, and the same text always gives the same answer.
//!
//! A million of them when optimised; a debug build takes a share of that. The cargo-fuzz targets in `fuzz/` go on
//! from there.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use std::path::Path;
use std::time::{Duration, Instant};

use keepwatch_config::{Options, check_cluster, format, load_text};

const SEEDS: &[&str] = &[
    include_str!("seeds/000-multi-lvs_1.conf"),
    include_str!("seeds/001-master.conf"),
    include_str!("seeds/004-mixed.conf"),
    include_str!("seeds/004-ssl_get.conf"),
    include_str!("seeds/004-vmac-1.conf"),
    include_str!("seeds/published-002-master.conf"),
    "$A= \\\n x${B} \\\n }\n~SEQ(B, 1, 4) $A\n~LST({C,D},{1,2},{3,4}) a${C}.${D}\n@lab router_id x\n\"a b\" {",
    "observability {\n listen 127.0.0.1:1\n history { events 5 }\n}\nvirtual_server_group G {\n 10.0.0.1-9 80\n fwmark 3\n}\n",
];

const PIECES: &[&str] = &[
    "{",
    "}",
    "}\n}",
    "\n",
    "\"",
    "'",
    "\\",
    "$",
    "${",
    "$A",
    "${A}",
    "$A=",
    "$A= \\\n",
    "@lab ",
    "@^lab ",
    "~SEQ(X,1,3) ",
    "~SEQx(X, 0x1, 2) ",
    "~LST(X,a,b) ",
    "#",
    "!",
    "${_RANDOM 1 2}",
    "${_ENV HOME}",
    "real_server 10.0.0.9 80 {",
    "vrrp_instance V {",
    "virtual_server 10.0.0.1 80 {",
    "TCP_CHECK {",
    "virtual_ipaddress {",
    "priority 255",
    "0",
    "-1",
    "99999999999999999999",
    "1.5",
    "::1",
    "10.0.0.1/33",
    "fe80::1%eth0",
    "\t",
    " ",
    "\r\n",
    "\u{e9}",
    "\0",
    "weight",
    "group {",
    "notify_master \"a 'b c' \\\"d\" user",
];

/// Pseudo-random numbers (splitmix64): the same for every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

/// A piece of a seed (whole lines), with a few changes.
fn mutated(random: &mut Random) -> String {
    let seed = SEEDS[random.below(SEEDS.len())];
    let lines: Vec<&str> = seed.lines().collect();
    let first = random.below(lines.len());
    let length = 1 + random.below(28);
    let mut text: Vec<u8> =
        lines.iter().skip(first).take(length).flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
    for _ in 0..1 + random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(5) {
            0 => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                text.splice(at..at, piece);
            }
            1 => {
                let end = (at + random.below(12)).min(text.len());
                text.drain(at.min(end)..end);
            }
            2 => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
            3 => {
                let end = (at + random.below(40)).min(text.len());
                let copy = text.get(at.min(end)..end).unwrap_or(&[]).to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            _ => {
                let other = SEEDS[random.below(SEEDS.len())].lines();
                let line = other.clone().nth(random.below(other.count())).unwrap_or("");
                let begin = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |found| found + 1);
                text.splice(begin..begin, [line.as_bytes(), b"\n"].concat());
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn run(seed: u64, rounds: usize) {
    let options = reading::untrusted();
    let mut random = Random(seed);
    for round in 0..rounds {
        let text = mutated(&mut random);
        let begun = Instant::now();
        let loaded = load_text(Path::new("/nowhere/fuzz.conf"), text.clone(), &options);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?} for: {text}");
        if round % 64 == 0 {
            let formatted = format(&text);
            assert_eq!(format(&formatted), formatted, "{text}");
            // Which brace is wrong may depend on the indentation.
            if !text.contains("_RANDOM") && !loaded.diagnostics.has_wrong_braces() {
                let meant = load_text(Path::new("/nowhere/fuzz.conf"), formatted.clone(), &options);
                assert_eq!(meant.config, loaded.config, "{text}\n-----\n{formatted}");
            }
            against_another(&text, &mutated(&mut random), &options);
            // Rendering is slower, and must hold for every place and every suggestion.
            let rendered = (loaded.diagnostics.render_text(false), loaded.diagnostics.render_json());
            let again = load_text(Path::new("/nowhere/fuzz.conf"), text.clone(), &options);
            if !text.contains("_RANDOM") {
                assert_eq!(
                    (again.diagnostics.render_text(false), again.diagnostics.render_json()),
                    rendered,
                    "{text}"
                );
                assert_eq!(loaded.config, again.config, "{text}");
            }
        }
    }
}

/// Two files that have little in common, or much, are compared and what is said of them can be shown.
fn against_another(text: &str, other: &str, options: &Options) {
    let options = Options { for_cluster: true, ..options.clone() };
    let load = |name: &str, text: &str| load_text(Path::new(name), text.to_owned(), &options);
    for said in check_cluster(&[load("/nowhere/one.conf", text), load("/nowhere/other.conf", other)]) {
        let places = said.iter().filter(|diagnostic| diagnostic.span.is_some()).count();
        assert_eq!(places, said.iter().count(), "{text}\n-----\n{other}");
        assert_eq!(said.render_text(false).is_empty(), said.is_empty());
    }
}

#[test]
fn a_million_mutated_configurations_neither_panic_nor_hang() {
    // The same on every machine, however many processors it has.
    const THREADS: u32 = 4;
    let rounds = if cfg!(debug_assertions) { 2_000 } else { 250_000 };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || run(0x6b77_0000 + u64::from(thread), rounds));
        }
    });
}
