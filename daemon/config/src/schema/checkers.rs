//! Health checkers: what all of them have, what all that connect have, and what each has of its own.

use super::bounds::{I32, SECS, U16, U32};
use super::compose::compose;
use super::{BlockId, Keyword, Kind, any, flag, kw, one, opt, script, some, switch, timing};
use crate::model::DnsRecord;

const CONNECT_IP: Keyword = kw("connect_ip", &[one("ADDRESS", Kind::Host)], "Address to check.")
    .default("the real server's")
    .example("connect_ip 192.0.2.11");
const CONNECT_PORT: Keyword = kw("connect_port", &[one("PORT", Kind::Int(1, U16))], "Port to check.")
    .default("the real server's")
    .example("connect_port 8080");
const BIND_TO: Keyword =
    kw("bindto", &[one("ADDRESS", Kind::Host)], "Source address.").example("bindto 192.0.2.2");
const BIND_PORT: Keyword =
    kw("bind_port", &[one("PORT", Kind::Int(1, U16))], "Source port.").example("bind_port 4000");
const BIND_IF: Keyword =
    kw("bind_if", &[one("INTERFACE", Kind::Interface)], "Interface to go out of.").example("bind_if eth0");
const FWMARK: Keyword =
    kw("fwmark", &[one("MARK", Kind::Int(0, U32))], "Firewall mark of its packets.").example("fwmark 3");
const DNS_TYPES: &[&str] = &{
    let mut names = [""; DnsRecord::NAMES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = DnsRecord::NAMES[at].0;
        at += 1;
    }
    names
};

/// Where a checker connects to, and how.
const CONNECTION: &[Keyword] = &[CONNECT_IP, CONNECT_PORT, BIND_TO, BIND_PORT, BIND_IF, FWMARK];

/// `TCP_CHECK { … }`, and whatever else only connects.
pub(super) const TCP_CHECK: &[Keyword] = compose!(CONNECTION, timing::OF_CONNECTION);

/// `PING_CHECK { … }`.
pub(super) const PING_CHECK: &[Keyword] = TCP_CHECK;

/// What is asked of a page; in SSL_GET there is more.
const PAGES: &[Keyword] = &[
    kw("virtualhost", &[one("NAME", Kind::Word)], "Host header of requests.")
        .default("the real server's, the virtual server's, the address")
        .example("virtualhost www.example.com")
        .last_counts(),
    kw(
        "http_protocol",
        &[one("VERSION", Kind::Choice(&["1.0", "1.1", "1.0C", "1.0c"]))],
        "Version of HTTP; 1.0C is 1.0 with `Connection: close`.",
    )
    .default("1.0")
    .example("http_protocol 1.1"),
    switch("enable_sni", "Send the host name in the TLS handshake.").default("off").example("enable_sni"),
    kw(
        "sni_name",
        &[opt("NAME", Kind::Word)],
        "Name to send in the TLS handshake; without one, as `enable_sni`.",
    )
    .example("sni_name www.example.com"),
    switch("fast_recovery", "A failed checker asks for its URLs without a pause between them.")
        .default("off")
        .example("fast_recovery"),
];
const PAGE: Keyword = kw("url", &[], "A page to fetch; all of them must be right.")
    .repeats()
    .example("url {\n    path /\n    status_code 200\n}");
const TLS_COMPLIANT: Keyword = switch("tls_compliant", "End TLS in an orderly way, as its standard asks.");

/// `HTTP_GET { … }`.
pub(super) const HTTP_GET: &[Keyword] =
    compose!(CONNECTION, timing::OF_CONNECTION, PAGES, &[PAGE.block(BlockId::Url)]);

/// `SSL_GET { … }`.
pub(super) const SSL_GET: &[Keyword] = compose!(
    CONNECTION,
    timing::OF_CONNECTION,
    PAGES,
    &[TLS_COMPLIANT.default("off").example("tls_compliant"), PAGE.block(BlockId::SslUrl)],
);

/// `HTTP_GET { url { … } }`.
pub(super) const URL: &[Keyword] = &[
    kw("path", &[one("PATH", Kind::Word)], "Path of the page.").example("path /index.html").last_counts(),
    kw("digest", &[one("DIGEST", Kind::Digest)], "Digest of its body, as genhash prints it.")
        .example("digest ec90a42b99ea9a2f5ecbe213ac9eba03")
        .first_counts(),
    kw("status_code", &[any("CODE | FROM-TO", Kind::Status)], "Status codes that are right.")
        .default("200-299")
        .example("status_code 200"),
    kw("virtualhost", &[one("NAME", Kind::Word)], "Host header of this request.")
        .default("that of the checker")
        .example("virtualhost www.example.com")
        .last_counts(),
    kw("regex", &[one("PATTERN", Kind::Pattern)], "Pattern (PCRE) that the body must match.")
        .example("regex \"Welcome\"")
        .exact()
        .last_counts(),
    flag("regex_no_match", "The body must not match.").example("regex_no_match"),
    kw(
        "regex_options",
        &[any("OPTION", Kind::Options("regex"))],
        "Options of the pattern, as PCRE names them.",
    )
    .example("regex_options caseless"),
    kw(
        "regex_min_offset",
        &[one("BYTES", Kind::Int(0, i64::MAX))],
        "Where a match may begin at the earliest.",
    )
    .default("0")
    .example("regex_min_offset 100"),
    kw("regex_max_offset", &[one("BYTES", Kind::Int(0, i64::MAX))], "Where a match may begin at the latest.")
        .default("anywhere")
        .example("regex_max_offset 1000"),
    kw(
        "regex_stack",
        &[one("START", Kind::Int(0, i64::MAX)), one("MAX", Kind::Int(0, i64::MAX))],
        "Sizes of the stack of the pattern matcher.",
    )
    .example("regex_stack 32768 524288"),
];

/// `SSL_GET { url { … } }`.
pub(super) const SSL_URL: &[Keyword] =
    compose!(URL, &[TLS_COMPLIANT.default("off, unless SSL_GET has it").example("tls_compliant")]);

/// `SMTP_CHECK { … }`.
pub(super) const SMTP_CHECK: &[Keyword] = compose!(
    CONNECTION,
    timing::OF_CONNECTION,
    &[
        kw("helo_name", &[one("NAME", Kind::Word)], "Name in the greeting.")
            .default("smtpchecker.keepalived.org")
            .example("helo_name me.example.com")
            .last_counts(),
        kw("host", &[], "One more place to check; old, another SMTP_CHECK says the same.")
            .block(BlockId::SmtpHost)
            .repeats()
            .example("host {\n    connect_port 25\n}"),
    ]
);

/// `SMTP_CHECK { host { … } }`.
pub(super) const SMTP_HOST: &[Keyword] = TCP_CHECK;

/// `DNS_CHECK { … }`.
pub(super) const DNS_CHECK: &[Keyword] = compose!(
    CONNECTION,
    timing::OF_CONNECTION,
    &[
        kw("type", &[one("TYPE", Kind::ChoiceNoCase(DNS_TYPES))], "Type of record to ask for.")
            .default("SOA")
            .example("type A"),
        kw("name", &[one("NAME", Kind::Word)], "Name to ask for.")
            .default("the root")
            .example("name example.com")
            .first_counts(),
    ]
);

/// `MISC_CHECK { … }`.
pub(super) const MISC_CHECK: &[Keyword] = compose!(
    timing::OF_CHECKER,
    &[
        script("misc_path", "The command; it succeeds with exit code 0.")
            .example("misc_path \"/usr/local/bin/check.sh 192.0.2.11\""),
        kw("misc_timeout", &[one("SECONDS", Kind::Int(0, SECS))], "How long it may run.")
            .default("the virtual server's delay_loop; also for 0")
            .example("misc_timeout 10"),
        flag("misc_dynamic", "Its exit code, 2 to 255, sets the weight.").example("misc_dynamic"),
        kw("user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs it.")
            .default("script_user")
            .example("user nobody"),
    ]
);

/// `UDP_CHECK { … }`.
pub(super) const UDP_CHECK: &[Keyword] = compose!(
    CONNECTION,
    timing::OF_CONNECTION,
    &[
        kw("payload", &[some("HEX", Kind::Hex(false))], "What to send, in hexadecimal.")
            .example("payload 0123456789abcdef"),
        kw(
            "require_reply",
            &[any("HEX", Kind::Hex(true))],
            "An answer must come, and look like this; `X` is any digit.",
        )
        .example("require_reply 01XX"),
        kw("min_reply_length", &[one("BYTES", Kind::Int(0, U16))], "Shortest right answer.")
            .default("0")
            .example("min_reply_length 1"),
        kw("max_reply_length", &[one("BYTES", Kind::Int(0, U16))], "Longest right answer.")
            .default("255")
            .example("max_reply_length 512"),
    ]
);

/// `FILE_CHECK { … }`.
pub(super) const FILE_CHECK: &[Keyword] = &[
    kw("track_file", &[one("NAME", Kind::Word)], "The `track_file` whose number counts.")
        .example("track_file offset"),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-I32, I32)), opt("reverse", Kind::Choice(&["reverse", "noreverse"]))],
        "What the number is multiplied by; with 0 the server is down unless the number is 0.",
    )
    .default("that of the track_file")
    .example("weight 1"),
];

/// `BFD_CHECK { … }`.
pub(super) const BFD_CHECK: &[Keyword] = &[
    kw("name", &[one("NAME", Kind::Word)], "The `bfd_instance` whose state counts.")
        .example("name B1")
        .exact()
        .first_counts(),
    switch("alpha", "Counts as down until the session is up.").default("the real server's").example("alpha"),
];
