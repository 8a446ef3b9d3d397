#!/usr/bin/env bash
# A line feed in a help text breaks the whole page of metrics.
#
# Version:     prometheus-client 0.26.0 (Rust).
# Expectation: HELP is escaped (`\n`, `\\`) as OpenMetrics 1.0 demands and as the crate `prometheus` does, or register()
#              refuses the text.
# Behaviour:   the text is written as it is. What follows the line feed is a line of its own, which is no metric: a scraper
#              refuses the page whole, with every other metric on it. Help texts out of a configuration or a translation
#              must be cleaned before they are registered.
# Seen:        # HELP lost Packets that were lost,
#              or came late.
#              # TYPE lost counter
#              lost_total 0
#              # EOF
#
# Needs cargo.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2024"

[dependencies]
prometheus-client = "=0.26.0"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use prometheus_client::{encoding::text::encode, metrics::counter::Counter, registry::Registry};

fn main() {
    let mut registry = Registry::default();
    registry.register("lost", "Packets that were lost,\nor came late", Counter::<u64>::default());
    let mut page = String::new();
    encode(&mut page, &registry).unwrap();
    print!("{page}");
}
RUST
output=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
echo "$output"
[ "$output" = "# HELP lost Packets that were lost,
or came late.
# TYPE lost counter
lost_total 0
# EOF" ]
