//! How the adverts of an instance are authenticated: `authentication { … }`, and `auth_hmac { … }` with its keys, which are
//! in the configuration or in files.

use std::path::Path;
use std::time::Duration;

use super::draft::{AuthDraft, InstanceDraft};
use crate::diagnostics::Diagnostic;
use crate::model::{Bytes, HmacKey, HmacMode, Rare, Secret};
use crate::preprocess::Context;
use crate::regular_file::RegularFile;
use crate::schema::entry::Block;
use crate::schema::{BlockId, Kind, kw, one, opt, some};
use crate::source::{Placed, Span};
use crate::tree::Node;

/// What a file of a key may have in it: a prefix, the longest key in hexadecimal, line ends.
const LONGEST_FILE: u64 = 4 + 2 * HmacKey::LONGEST as u64 + 7;

/// `auth_hmac` as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HmacDraft {
    pub(crate) at: Span,
    pub(crate) keys: Vec<HmacKey>,
    pub(crate) active_key: Placed<u8>,
    pub(crate) time_window: Option<Duration>,
    pub(crate) monotonic: bool,
    pub(crate) mode: Placed<HmacMode>,
}

/// The two ways.
pub(super) const AUTHENTICATED: Block<InstanceDraft> = Block(&[
    kw("authentication", &[], "Authentication of version 2.")
        .block(BlockId::Authentication)
        .example("authentication {\n    auth_type PASS\n    auth_pass 1111\n}")
        .sets(|to, node, context| {
            to.bad.extend(node.bad_children());
            AUTHENTICATION.read(&mut to.auth, node, context);
        }),
    kw(
        "auth_hmac",
        &[opt("ALGORITHM", Kind::Word)],
        "keepalived's own HMAC authentication, of both versions of VRRP.",
    )
    .block(BlockId::AuthHmac)
    .since("2.4.0")
    .example("auth_hmac sha256 {\n    key 1 0123456789abcdef0123456789abcdef\n    active_key 1\n}")
    .sets(|to, node, context| {
        // A second block adds to the first.
        let first = || Box::new(HmacDraft { at: node.name.span, ..HmacDraft::default() });
        AUTH_HMAC.read(to.auth.make_mut().hmac.get_or_insert_with(first), node, context);
    }),
]);

/// `authentication { … }`.
pub(in crate::schema) const AUTHENTICATION: Block<Rare<AuthDraft>> = Block(&[
    kw(
        "auth_type",
        &[one("TYPE", Kind::Choice(&["PASS", "AH"]))],
        "How adverts are authenticated (version 2 only).",
    )
    .example("auth_type PASS")
    .sets(|to, node, _| to.make_mut().kind = node.placed(node.text(0))),
    kw(
        "auth_pass",
        &[one("PASSWORD", Kind::Word).secret()],
        "The password; only its first eight bytes count.",
    )
    .example("auth_pass 1111")
    .sets(|to, node, _| to.make_mut().password = node.placed(node.text(0))),
]);

/// `auth_hmac { … }`.
pub(in crate::schema) const AUTH_HMAC: Block<HmacDraft> = Block(&[
    kw(
        "key",
        &[one("ID", Kind::Int(1, 255)), some("KEY", Kind::Word).secret()],
        "A key: its number and its secret (32 to 64 bytes of text, or of hexadecimal digits after `hex:`, or of a file after `file:`).",
    )
    .repeats()
    .example("key 1 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
    .sets(|to, node, context| {
        to.keys.extend(node.number(0).and_then(|id| key(id, node, &to.keys, context)));
    }),
    kw("active_key", &[one("ID", Kind::Int(1, 255))], "The key that adverts are signed with.")
        .example("active_key 1")
        .sets(|to, node, _| to.active_key = node.placed(node.number(0))),
    kw("time_window", &[one("SECONDS", Kind::Int(1, 300))], "How old an advert may be.")
        .default("3 × advert_int, at least 5")
        .example("time_window 10")
        .sets(|to, node, _| to.time_window = node.whole_seconds(0)),
    kw(
        "anti_replay",
        &[one("METHOD", Kind::Choice(&["time", "monotonic"]))],
        "How replayed adverts are recognised.",
    )
    .default("time")
    .example("anti_replay monotonic")
    .sets(|to, node, _| to.monotonic = node.arg(0) == Some("monotonic")),
    kw(
        "mode",
        &[one("MODE", Kind::Choice(&["enforce", "permissive", "receive-only"]))],
        "What happens to adverts that are not signed.",
    )
    .default("enforce")
    .example("mode permissive")
    .sets(|to, node, _| {
        let mode = match node.arg(0) {
            Some("permissive") => HmacMode::Permissive,
            Some("receive-only") => HmacMode::ReceiveOnly,
            _ => HmacMode::Enforce,
        };
        to.mode = node.placed(Some(mode));
    }),
]);

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
