//! How the tests read a configuration, and how they look at what is said of it. Each file of tests takes what it needs.
#![allow(dead_code)]

use std::path::Path;

use keepwatch_config::source::Span;
use keepwatch_config::{Diagnostic, Loaded, Options, Severity, load_text};

/// Of a host called `lab`. The files of scripts are not looked at: they need not be on the machine of the tests.
pub(crate) fn options() -> Options {
    Options { host_name: Some("lab".into()), scripts: false, ..Options::default() }
}

/// For text that may be anything: it cannot grow far, and it does not see this machine.
pub(crate) fn untrusted() -> Options {
    Options { expansion_limit: 2000, environment: false, ..options() }
}

/// What becomes of a text.
pub(crate) fn read(text: &str) -> Loaded {
    load_text(Path::new("test.conf"), text.to_owned(), &options())
}

/// The codes of all that is said, but for what is not built yet.
pub(crate) fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|said| said.code).collect()
}

/// Everything above a note, but for what is not built yet.
pub(crate) fn mistakes(loaded: &Loaded) -> Vec<&Diagnostic> {
    let is_mistake = |said: &&Diagnostic| said.severity > Severity::Note;
    loaded.diagnostics.iter().filter(is_mistake).collect()
}

/// The line of a place, from 1; 0 for what is said of the whole.
pub(crate) fn line(loaded: &Loaded, place: Option<Span>) -> usize {
    place.map_or(0, |span| loaded.diagnostics.sources().place(span).line)
}
