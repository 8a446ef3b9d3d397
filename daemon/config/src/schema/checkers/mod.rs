//! Health checkers: what all that connect have ([`connection`]), and what each has of its own.

pub(crate) mod connection;
pub(crate) mod http;
pub(crate) mod read;
mod regex;
pub(crate) mod url;

use std::net::IpAddr;
use std::time::Duration;

use self::connection::{CONNECTION, ConnectionDraft};
use super::bounds::{I32, SECS, U16};
use super::compose::compose;
use super::entry::{Block, keywords_of};
use super::{BlockId, Keyword, Kind, any, flag, kw, one, opt, script, some, switch, timing};
use crate::diagnostics::Diagnostic;
use crate::model::{Bytes, DnsRecord, Name, ScriptUser};
use crate::preprocess::Context;
use crate::source::Placed;
use crate::tree::Node;
use crate::values::user;
use crate::words::Word;

/// An `SMTP_CHECK` as written: a name, and where to check besides.
#[derive(Debug)]
pub(crate) struct SmtpDraft {
    /// The real server.
    pub(crate) server: IpAddr,
    pub(crate) helo_name: Option<Name>,
    pub(crate) hosts: Vec<ConnectionDraft>,
}

/// A `DNS_CHECK` as written.
#[derive(Debug, Default)]
pub(crate) struct DnsDraft {
    pub(crate) record: DnsRecord,
    pub(crate) name: Option<Name>,
}

/// A `MISC_CHECK` as written.
#[derive(Debug, Default)]
pub(crate) struct MiscDraft {
    /// `misc_path`.
    pub(crate) path: Option<Node>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) dynamic: bool,
    pub(crate) user: Option<ScriptUser>,
    /// `user` names nobody.
    pub(crate) no_such_user: bool,
}

/// A `UDP_CHECK` as written.
#[derive(Debug, Default)]
pub(crate) struct UdpDraft {
    pub(crate) payload: Option<Bytes>,
    /// `require_reply`, and the pattern after it.
    pub(crate) pattern: Option<Bytes>,
    pub(crate) min_length: Placed<u16>,
    pub(crate) max_length: Placed<u16>,
}

/// A `FILE_CHECK` as written.
#[derive(Debug, Default)]
pub(crate) struct FileDraft {
    /// Name of the `track_file`.
    pub(crate) name: Option<Word>,
    pub(crate) weight: Option<(i32, bool)>,
}

/// A `BFD_CHECK` as written.
#[derive(Debug, Default)]
pub(crate) struct BfdDraft {
    /// Name of the `bfd_instance`.
    pub(crate) name: Option<Word>,
    pub(crate) alpha: Option<bool>,
}

/// The names of [`DnsRecord`].
const DNS_TYPES: &[&str] = &{
    let mut names = [""; DnsRecord::NAMES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = DnsRecord::NAMES[at].0;
        at += 1;
    }
    names
};

const TLS_COMPLIANT: Keyword = switch("tls_compliant", "End TLS in an orderly way, as its standard asks.");

/// `TCP_CHECK { … }`, and whatever else only connects.
pub(super) const TCP_CHECK: &[Keyword] = compose!(connection::OF_ALL_THAT_CONNECT, timing::OF_ALL_CHECKERS);

/// `PING_CHECK { … }`.
pub(super) const PING_CHECK: &[Keyword] = TCP_CHECK;

/// `SMTP_CHECK { … }`.
const SMTP: Block<SmtpDraft> = Block(&[
    kw("helo_name", &[one("NAME", Kind::Word)], "Name in the greeting.")
        .default("smtpchecker.keepalived.org")
        .last_counts()
        .example("helo_name me.example.com")
        .sets(|to, node, _| to.helo_name = node.text(0)),
    kw("host", &[], "One more place to check; old, another SMTP_CHECK says the same.")
        .block(BlockId::SmtpHost)
        .repeats()
        .example("host {\n    connect_port 25\n}")
        .sets(|to, node, context| {
            context.report(
                Diagnostic::note("deprecated-keyword", "`host` is old")
                    .at(node.name.span, "another `SMTP_CHECK` says the same"),
            );
            let mut host = ConnectionDraft::new(to.server);
            CONNECTION.read(&mut host, node, context);
            to.hosts.push(host);
        }),
]);
pub(super) const SMTP_CHECK: &[Keyword] =
    compose!(connection::OF_ALL_THAT_CONNECT, timing::OF_ALL_CHECKERS, keywords_of!(SMTP));

/// `SMTP_CHECK { host { … } }`.
pub(super) const SMTP_HOST: &[Keyword] = TCP_CHECK;

/// `DNS_CHECK { … }`.
const DNS: Block<DnsDraft> = Block(&[
    kw("type", &[one("TYPE", Kind::ChoiceNoCase(DNS_TYPES))], "Type of record to ask for.")
        .default("SOA")
        .example("type A")
        .sets(|to, node, _| {
            let wanted = node.arg(0).unwrap_or("");
            let found = DnsRecord::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            to.record = found.map_or(to.record, |(_, found)| *found);
        }),
    kw("name", &[one("NAME", Kind::Word)], "Name to ask for.")
        .default("the root")
        .first_counts()
        .example("name example.com")
        .sets(|to, node, context| match wrong_name(node.arg(0).unwrap_or("")) {
            Some((code, message)) => {
                context.report(Diagnostic::error(code, message).at(node.arg_span(0), "left out"));
            }
            None => to.name = node.text(0),
        }),
]);

/// Bytes of a label, and of a whole name without its last dot (RFC 1035 §2.3.4).
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 253;

/// What is wrong with a name to ask for: code and message.
fn wrong_name(text: &str) -> Option<(&'static str, String)> {
    if let Some(long) = text.split('.').find(|part| part.len() > LONGEST_LABEL) {
        Some(("too-long", format!("the part `{long}` of a name is longer than {LONGEST_LABEL} bytes")))
    } else if text.len() > LONGEST_NAME {
        Some(("too-long", format!("a name of more than {LONGEST_NAME} bytes")))
    } else if text != "." && (text.starts_with('.') || text.contains("..")) {
        Some(("invalid-value", format!("the name `{text}` has an empty part")))
    } else {
        None
    }
}

pub(super) const DNS_CHECK: &[Keyword] =
    compose!(connection::OF_ALL_THAT_CONNECT, timing::OF_ALL_CHECKERS, keywords_of!(DNS));

/// `MISC_CHECK { … }`.
const MISC: Block<MiscDraft> = Block(&[
    script("misc_path", "The command; it succeeds with exit code 0.")
        .example("misc_path \"/usr/local/bin/check.sh 192.0.2.11\"")
        .sets(|to, node, _| to.path = Some(node.clone())),
    kw("misc_timeout", &[one("SECONDS", Kind::Int(0, SECS))], "How long it may run.")
        .default("the virtual server's delay_loop; also for 0")
        .example("misc_timeout 10")
        .sets(|to, node, _| to.timeout = node.whole_seconds(0).filter(|time| !time.is_zero())),
    flag("misc_dynamic", "Its exit code, 2 to 255, sets the weight.")
        .example("misc_dynamic")
        .sets(|to, _, _| to.dynamic = true),
    kw("user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs it.")
        .default("script_user")
        .example("user nobody")
        .sets(|to, node, context| {
            let user = user(node, 0, context);
            to.no_such_user |= user.is_err();
            to.user = user.ok().flatten();
        }),
]);
pub(super) const MISC_CHECK: &[Keyword] = compose!(timing::OF_ALL_CHECKERS, keywords_of!(MISC));

/// `UDP_CHECK { … }`.
const UDP: Block<UdpDraft> = Block(&[
    kw("payload", &[some("HEX", Kind::Hex(false))], "What to send, in hexadecimal.")
        .example("payload 0123456789abcdef")
        .sets(|to, node, _| to.payload = bytes(node)),
    kw(
        "require_reply",
        &[any("HEX", Kind::Hex(true))],
        "An answer must come, and look like this; `X` is any digit.",
    )
    .example("require_reply 01XX")
    // An answer is required even if what it must look like is wrong.
    .sets_or(UdpDraft::required, UdpDraft::required),
    kw("min_reply_length", &[one("BYTES", Kind::Int(0, U16))], "Shortest right answer.")
        .default("0")
        .example("min_reply_length 1")
        .sets(|to, node, _| to.min_length = node.placed(node.number(0))),
    kw("max_reply_length", &[one("BYTES", Kind::Int(0, U16))], "Longest right answer.")
        .default("255")
        .example("max_reply_length 512")
        .sets(|to, node, _| to.max_length = node.placed(node.number(0))),
]);
pub(super) const UDP_CHECK: &[Keyword] =
    compose!(connection::OF_ALL_THAT_CONNECT, timing::OF_ALL_CHECKERS, keywords_of!(UDP));

impl UdpDraft {
    fn required(&mut self, node: &Node, _: &mut Context) {
        self.pattern = Some(bytes(node).unwrap_or_default());
    }
}

/// The values of a keyword as bytes; each word begins a new one.
fn bytes(node: &Node) -> Option<Bytes> {
    let words: Vec<&str> = node.args.iter().map(|word| &*word.text).collect();
    Bytes::parse(&words.join(" "))
}

/// `FILE_CHECK { … }`.
pub(super) const FILE_CHECK: Block<FileDraft> = Block(&[
    kw("track_file", &[one("NAME", Kind::Word)], "The `track_file` whose number counts.")
        .example("track_file offset")
        .sets(|to, node, _| to.name = node.args.first().cloned()),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-I32, I32)), opt("reverse", Kind::Choice(&["reverse", "noreverse"]))],
        "What the number is multiplied by; with 0 the server is down unless the number is 0.",
    )
    .default("that of the track_file")
    .example("weight 1")
    .sets(|to, node, _| {
        to.weight = node.number(0).map(|weight| (weight, node.arg(1) == Some("reverse")));
    }),
]);

/// `BFD_CHECK { … }`.
pub(super) const BFD_CHECK: Block<BfdDraft> = Block(&[
    kw("name", &[one("NAME", Kind::Word)], "The `bfd_instance` whose state counts.")
        .exact()
        .first_counts()
        .example("name B1")
        .sets(|to, node, _| to.name = node.args.first().cloned()),
    switch("alpha", "Counts as down until the session is up.")
        .default("the real server's")
        .example("alpha")
        .sets(|to, node, _| to.alpha = Some(node.on())),
]);
