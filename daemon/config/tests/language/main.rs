//! The language before keywords have a meaning: comments, quotes, conditions, definitions, sequences, includes.
//!
//! The words of a `notification_email` block come out as they are, so they show what the text became. What each case
//! expects was seen from keepalived 2.4.3; where it does otherwise, the test says so and why.

#![allow(clippy::expect_used)] // helpers of tests

mod bounds;
mod definitions;
mod includes;
mod man_page;
mod places;
#[path = "../reading/mod.rs"]
mod reading;
mod sequences;
mod text;
mod values;

use std::path::Path;

use keepwatch_config::{Loaded, Options, load_text};

fn options() -> Options {
    Options { config_id: Some("main".into()), ..reading::options() }
}

fn read(text: &str) -> Loaded {
    load_text(Path::new("test.conf"), text.to_owned(), &options())
}

/// The words that the lines of `inside` become, after `before`.
fn words_after(before: &str, inside: &str) -> Vec<String> {
    let loaded = read(&format!("{before}\nglobal_defs {{\nnotification_email {{\n{inside}\n}}\n}}\n"));
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let config = loaded.config.expect("it runs");
    config.global.notification_email.iter().map(ToString::to_string).collect()
}

fn words(inside: &str) -> Vec<String> {
    words_after("", inside)
}

fn codes(text: &str) -> Vec<&'static str> {
    reading::codes(&read(text))
}
