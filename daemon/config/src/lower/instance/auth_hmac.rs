//! `auth_hmac { … }` of an instance: its keys, from the configuration or from files, and what goes with it.

use std::path::Path;
use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::model::{AntiReplay, AuthHmac, Authentication, Bytes, ConfigFault, HmacKey, HmacMode, Secret};
use crate::preprocess::Context;
use crate::regular_file::RegularFile;
use crate::source::Span;
use crate::tree::Node;

/// Bounds of the time window that comes of the `advert_int`, in seconds.
const WINDOW: (u64, u64) = (5, 300);
/// What a file of a key may have in it: a prefix, the longest key in hexadecimal, line ends.
const LONGEST_FILE: u64 = 4 + 2 * HmacKey::LONGEST as u64 + 7;

/// As written.
#[derive(Debug, PartialEq)]
pub(super) struct HmacDraft {
    at: Span,
    keys: Vec<HmacKey>,
    active_key: Option<(u8, Span)>,
    time_window: Option<Duration>,
    monotonic: bool,
    mode: Option<(HmacMode, Span)>,
}

impl HmacDraft {
    pub(super) fn at(at: Span) -> Self {
        Self { at, keys: Vec::new(), active_key: None, time_window: None, monotonic: false, mode: None }
    }

    /// Takes what a block says; a second block adds to the first.
    pub(super) fn read(&mut self, node: &Node, context: &mut Context) {
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "key" => self.keys.extend(child.number(0).and_then(|id| key(id, child, &self.keys, context))),
                "active_key" => self.active_key = child.number(0).map(|id| (id, child.arg_span(0))),
                "time_window" => self.time_window = child.whole_seconds(0),
                "anti_replay" => self.monotonic = child.arg(0) == Some("monotonic"),
                "mode" => {
                    let mode = match child.arg(0) {
                        Some("permissive") => HmacMode::Permissive,
                        Some("receive-only") => HmacMode::ReceiveOnly,
                        _ => HmacMode::Enforce,
                    };
                    self.mode = Some((mode, child.arg_span(0)));
                }
                _ => {}
            }
        }
    }
}

/// A key; `None` when it is left out (reported).
fn key(id: u8, node: &Node, known: &[HmacKey], context: &mut Context) -> Option<HmacKey> {
    let (text, at) = (node.arg(1)?, node.arg_span(1));
    let refuse = |context: &mut Context, code: &'static str, message: String| {
        context.report(Diagnostic::error(code, message).at(at, "this key is left out"));
        None
    };
    let secret = match text.strip_prefix("file:") {
        Some(path) => match of_file(path, at, context) {
            Ok(text) => decode(&text),
            Err(problem) => return refuse(context, "unreadable-key", problem),
        },
        None => decode(text),
    };
    let (shortest, longest) = (HmacKey::SHORTEST, HmacKey::LONGEST);
    let Some(secret) = secret.filter(|secret| (shortest..=longest).contains(&secret.len())) else {
        let message = format!("key {id} must have {shortest} to {longest} bytes");
        return refuse(context, "out-of-range", message);
    };
    if known.iter().any(|key| key.id == id) {
        return refuse(context, "duplicate-name", format!("there is a key {id} already"));
    }
    Some(HmacKey { id, secret: Secret::new(secret.into()) })
}

/// Text, or after `hex:` bytes in hexadecimal.
fn decode(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix("hex:") {
        Some(digits) => {
            let bytes = Bytes::parse(digits)?;
            bytes.mask.iter().all(|mask| *mask == u8::MAX).then_some(bytes.data)
        }
        None => Some(text.as_bytes().to_vec()),
    }
}

/// What a file says, without the end of its line.
fn of_file(path: &str, at: Span, context: &mut Context) -> Result<String, String> {
    let refused = |problem: &dyn std::fmt::Display| format!("the key file {path} {problem}");
    let file = RegularFile::open(Path::new(path)).map_err(|problem| refused(&problem))?;
    if file.mode() & 0o077 != 0 {
        let message = format!("the key file {path} can be read or written by others than its owner");
        let diagnostic = Diagnostic::warning("open-key-file", message).unsafe_script();
        context.report(diagnostic.at(at, "not a secret").help(format!("`chmod 600 {path}`")));
    }
    let bytes = file.read(LONGEST_FILE).map_err(|problem| refused(&problem))?;
    let text = String::from_utf8(bytes).map_err(|_| refused(&"is not UTF-8"))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// What is known when an instance is settled: the block goes with nothing else, and must have its key.
pub(super) fn resolve(
    draft: Option<Box<HmacDraft>>,
    authentication: &mut Authentication,
    (advert_int, strict): (Duration, bool),
    context: &mut Context,
) -> Result<Option<Box<AuthHmac>>, ConfigFault> {
    let Some(draft) = draft else { return Ok(None) };
    let HmacDraft { at, keys, active_key, time_window, monotonic, mode } = *draft;
    if *authentication != Authentication::None {
        let message = "`auth_hmac` does not go with `authentication`";
        context.report(Diagnostic::error("conflict", message).at(at, "only `auth_hmac` counts"));
        *authentication = Authentication::None;
    }
    let Some((active_key, _)) = active_key.filter(|(id, _)| keys.iter().any(|key| key.id == *id)) else {
        let message = match active_key {
            Some((id, _)) => format!("the `active_key` {id} is no `key` of `auth_hmac`"),
            None => "`auth_hmac` has no `active_key`".to_owned(),
        };
        let at = active_key.map_or(at, |(_, at)| at);
        let diagnostic = Diagnostic::error("missing-part", message);
        context.report(diagnostic.at(at, "this instance stays in FAULT: its adverts could not be signed"));
        return Err(ConfigFault::HmacWithoutKey);
    };
    let mode = match mode {
        Some((mode, at)) if strict && mode != HmacMode::Enforce => {
            let message = "strict mode wants `mode enforce`";
            context.report(Diagnostic::error("strict", message).at(at, "enforce is used"));
            HmacMode::Enforce
        }
        mode => mode.map_or(HmacMode::default(), |(mode, _)| mode),
    };
    let anti_replay = if monotonic {
        AntiReplay::Monotonic
    } else {
        let usual = Duration::from_secs((3 * advert_int.as_secs()).clamp(WINDOW.0, WINDOW.1));
        AntiReplay::Time(time_window.unwrap_or(usual))
    };
    Ok(Some(Box::new(AuthHmac { keys, active_key, anti_replay, mode })))
}
