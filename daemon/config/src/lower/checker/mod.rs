//! Checkers as written, and what they inherit.
//!
//! [`CheckerDraft::new`] reads a block and says what is wrong with it; [`CheckerDraft::resolve`] makes the checkers of
//! the model of it, once virtual and real server are known: one, or for an SMTP_CHECK with `host` blocks several.

mod connection;
mod http;
pub(super) mod idle;
mod misc;
mod passive;
mod regex;
mod smtp;
mod udp;

use std::net::SocketAddr;
use std::time::Duration;

pub(super) use connection::ConnectionDraft;
pub(super) use passive::{BfdDraft, FileDraft};

use super::timing;
use crate::diagnostics::Diagnostic;
use crate::model::{CheckTiming, Checker, CheckerKind, DnsCheck, DnsRecord, Name};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// What the servers around a checker give it.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// Where the real server stands.
    pub(super) at: Span,
    /// Address of the real server, and the port to check.
    pub(super) server: SocketAddr,
    /// What real and virtual server say of checks.
    pub(super) timing: CheckTiming,
    /// `alpha` of the real server.
    pub(super) alpha: bool,
    /// The virtual server's own `delay_loop`.
    pub(super) delay_loop: Duration,
    /// `virtualhost` of real or virtual server.
    pub(super) virtualhost: Option<&'a Name>,
    /// `virtualhost` of the virtual server.
    pub(super) outer_virtualhost: Option<&'a Name>,
    /// `checker_log_all_failures`.
    pub(super) log_all_failures: bool,
    /// The virtual server's scheduler, if weights decide nothing with it.
    pub(super) blind_scheduler: Option<&'a str>,
}

/// A checker as written.
#[derive(Debug)]
pub(super) struct CheckerDraft {
    at: Span,
    idle: idle::Lines,
    timing: CheckTiming,
    alpha: Option<bool>,
    log_all_failures: bool,
    kind: KindDraft,
}

#[derive(Debug)]
enum KindDraft {
    Tcp(ConnectionDraft),
    Http(ConnectionDraft, http::HttpDraft),
    Smtp(smtp::SmtpDraft),
    Dns(ConnectionDraft, DnsRecord, Option<Name>),
    Misc(misc::MiscDraft),
    Ping(ConnectionDraft),
    Udp(ConnectionDraft, udp::UdpDraft),
}

impl CheckerDraft {
    /// Reads a block of a real server of this address; `None` when something that it needs is missing (reported), or
    /// the keyword is no checker.
    pub(super) fn new(node: &Node, server: std::net::IpAddr, context: &mut Context) -> Option<Self> {
        let mut timing = CheckTiming::default();
        let mut alpha = None;
        let mut log_all_failures = false;
        let mut own: Vec<&Node> = Vec::with_capacity(node.children.len());
        // An answer is required even if what it must look like is wrong.
        let counts = |child: &&Node| !child.bad || child.keyword.name == "require_reply";
        for child in smtp::with_hosts(node).filter(counts) {
            match child.keyword.name {
                "alpha" => alpha = Some(child.on()),
                "log_all_failures" => log_all_failures = child.on(),
                // Part of the connection: each `host` may have its own.
                "connect_timeout" => own.push(child),
                _ if timing::take(&mut timing, child) => {}
                _ => own.push(child),
            }
        }
        let connection = |context: &mut Context| ConnectionDraft::new(&own, server, context);
        let kind = match node.keyword.name {
            "TCP_CHECK" => KindDraft::Tcp(connection(context)),
            "PING_CHECK" => KindDraft::Ping(connection(context)),
            "HTTP_GET" | "SSL_GET" => {
                let pages = http::HttpDraft::new(node, &own, context)?;
                KindDraft::Http(connection(context), pages)
            }
            "SMTP_CHECK" => KindDraft::Smtp(smtp::SmtpDraft::new(node, server, context)),
            "DNS_CHECK" => {
                let (record, name) = dns(&own, context);
                KindDraft::Dns(connection(context), record, name)
            }
            "MISC_CHECK" => KindDraft::Misc(misc::MiscDraft::new(node, &own, context)?),
            "UDP_CHECK" => {
                let reply = udp::UdpDraft::new(&own, context);
                KindDraft::Udp(connection(context), reply)
            }
            _ => return None,
        };
        let idle = idle::Lines::of(node, &own, context);
        Some(Self { at: node.name.span, idle, timing, alpha, log_all_failures, kind })
    }

    /// Makes the checkers of the model, everything inherited.
    pub(super) fn resolve(self, around: &Around<'_>, context: &mut Context) -> Vec<(Span, Checker)> {
        let (retry, before_retry) = self.kind.defaults();
        let timing = self.timing.or(around.timing);
        let delay_loop = timing.delay_loop.unwrap_or(DELAY_LOOP);
        let checker = |kind: CheckerKind| Checker {
            kind,
            delay_loop,
            warmup: timing.warmup.unwrap_or(delay_loop),
            retry: timing.retry.unwrap_or(retry),
            delay_before_retry: timing.delay_before_retry.or(before_retry).unwrap_or(delay_loop),
            alpha: self.alpha.unwrap_or(around.alpha),
            log_all_failures: self.log_all_failures || around.log_all_failures,
        };
        let one = |kind: Option<CheckerKind>| kind.into_iter().collect::<Vec<_>>();
        let kinds = match self.kind {
            KindDraft::Tcp(connection) => one(connection.resolve(around, context).map(CheckerKind::Tcp)),
            KindDraft::Ping(connection) => one(connection.resolve(around, context).map(CheckerKind::Ping)),
            KindDraft::Http(connection, pages) => {
                let http = |connection| CheckerKind::Http(pages.resolve(connection, around));
                one(connection.resolve(around, context).map(http))
            }
            KindDraft::Smtp(mail) => {
                mail.resolve(around, context).into_iter().map(CheckerKind::Smtp).collect()
            }
            KindDraft::Dns(connection, record, name) => {
                let name = name.unwrap_or_default();
                let dns = |connection| CheckerKind::Dns(DnsCheck { connection, record, name });
                one(connection.resolve(around, context).map(dns))
            }
            KindDraft::Misc(command) => vec![CheckerKind::Misc(command.resolve(around))],
            KindDraft::Udp(connection, reply) => {
                let udp = |connection| CheckerKind::Udp(reply.resolve(connection));
                one(connection.resolve(around, context).map(udp))
            }
        };
        let checkers: Vec<_> = kinds.into_iter().map(|kind| (self.at, checker(kind))).collect();
        if let Some((at, first)) = checkers.first() {
            self.idle.judge(*at, first, around, context);
        }
        checkers
    }
}

/// `delay_loop` when nobody gives one.
pub(super) const DELAY_LOOP: Duration = Duration::from_secs(60);

impl KindDraft {
    /// `retry` and `delay_before_retry` when nobody gives them; the latter is the `delay_loop` when `None`.
    fn defaults(&self) -> (u32, Option<Duration>) {
        let second = Some(Duration::from_secs(1));
        match self {
            Self::Http(..) => (1, Some(Duration::from_secs(3))),
            Self::Dns(..) => (3, None),
            Self::Misc(_) => (0, second),
            Self::Tcp(_) | Self::Smtp(_) | Self::Ping(_) | Self::Udp(..) => (1, second),
        }
    }
}

/// Bytes of a label, and of a whole name without its last dot (RFC 1035 §2.3.4).
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 253;

/// What a `DNS_CHECK` asks.
fn dns(nodes: &[&Node], context: &mut Context) -> (DnsRecord, Option<Name>) {
    let mut record = DnsRecord::default();
    let mut name: Option<Name> = None;
    for node in nodes {
        match node.keyword.name {
            "type" => {
                let wanted = node.arg(0).unwrap_or("");
                let found = DnsRecord::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                record = found.map_or(record, |(_, found)| *found);
            }
            "name" => {
                let text = node.arg(0).unwrap_or("");
                if let Some(long) = text.split('.').find(|part| part.len() > LONGEST_LABEL) {
                    let message = format!("the part `{long}` of a name is longer than {LONGEST_LABEL} bytes");
                    context.report(Diagnostic::error("too-long", message).at(node.arg_span(0), "left out"));
                } else if text.len() > LONGEST_NAME {
                    let message = format!("a name of more than {LONGEST_NAME} bytes");
                    context.report(Diagnostic::error("too-long", message).at(node.arg_span(0), "left out"));
                } else if text != "." && (text.starts_with('.') || text.contains("..")) {
                    context.report(
                        Diagnostic::error("invalid-value", format!("the name `{text}` has an empty part"))
                            .at(node.arg_span(0), "left out"),
                    );
                } else {
                    name = node.text(0);
                }
            }
            _ => {}
        }
    }
    (record, name)
}

/// Says that a block lacks something; it is left out then.
fn missing(node: &Node, what: &str, context: &mut Context) {
    context.report(
        Diagnostic::error("missing-part", format!("`{}` has no `{what}`", node.keyword.name))
            .at(node.name.span, "left out"),
    );
}
