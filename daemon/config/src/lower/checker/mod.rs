//! Checkers as written, and what they inherit.
//!
//! [`CheckerBlock::new`] reads a block and says what is wrong with it; [`CheckerBlock::resolve`] makes the checkers of
//! the model of it, once virtual and real server are known: one, or for an SMTP_CHECK with `host` blocks several.

mod connection;
mod http;
pub(super) mod idle;
mod misc;
mod passive;
mod regex;
mod smtp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(super) use passive::{FollowedBfd, FollowedFile};

use crate::diagnostics::Diagnostic;
use crate::model::{CheckTiming, Checker, CheckerKind, DnsCheck, Name};
use crate::preprocess::Context;
use crate::schema::Block;
use crate::schema::checkers::connection::{CONNECTION, ConnectionDraft};
use crate::schema::checkers::http::HttpDraft;
use crate::schema::checkers::{DNS, DnsDraft, MISC, MiscDraft, SMTP, SmtpDraft, UDP, UdpDraft};
use crate::schema::timing::{CheckerDraft, OF_CHECKER};
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
pub(super) struct CheckerBlock {
    at: Span,
    idle: idle::Lines,
    common: CheckerDraft,
    kind: KindDraft,
}

#[derive(Debug)]
enum KindDraft {
    Tcp(ConnectionDraft),
    Http(ConnectionDraft, HttpDraft),
    Smtp(smtp::Smtp),
    Dns(ConnectionDraft, DnsDraft),
    Misc(misc::Misc),
    Ping(ConnectionDraft),
    Udp(ConnectionDraft, UdpDraft),
}

impl CheckerBlock {
    /// Reads a block of a real server of this address; `None` when something that it needs is missing (reported), or
    /// the keyword is no checker.
    pub(super) fn new(node: &Node, server: IpAddr, context: &mut Context) -> Option<Self> {
        let mut common = CheckerDraft::default();
        for child in smtp::with_hosts(node).filter(|child| !child.bad) {
            OF_CHECKER.take(&mut common, child, context);
        }
        // An answer is required even if what it must look like is wrong.
        let counts = |child: &&Node| !child.bad || child.keyword.name == "require_reply";
        let own: Vec<&Node> = node.children.iter().filter(counts).collect();
        let connection =
            |context: &mut Context| read(ConnectionDraft::new(server), &CONNECTION, &own, context);
        let kind = match node.keyword.name {
            "TCP_CHECK" => KindDraft::Tcp(connection(context)),
            "PING_CHECK" => KindDraft::Ping(connection(context)),
            "HTTP_GET" | "SSL_GET" => {
                let pages = HttpDraft::read(node, &own, context)?;
                KindDraft::Http(connection(context), pages)
            }
            "SMTP_CHECK" => {
                let draft = SmtpDraft { server, helo_name: None, hosts: Vec::new() };
                let draft = read(draft, &SMTP, &own, context);
                KindDraft::Smtp(smtp::Smtp::new(draft, connection(context)))
            }
            "DNS_CHECK" => {
                let question = read(DnsDraft::default(), &DNS, &own, context);
                KindDraft::Dns(connection(context), question)
            }
            "MISC_CHECK" => {
                let draft = read(MiscDraft::default(), &MISC, &own, context);
                KindDraft::Misc(misc::Misc::new(node, draft, context)?)
            }
            "UDP_CHECK" => {
                let reply = read(UdpDraft::default(), &UDP, &own, context);
                reply.check(context);
                KindDraft::Udp(connection(context), reply)
            }
            _ => return None,
        };
        let idle = idle::Lines::of(node, &own, context);
        Some(Self { at: node.name.span, idle, common, kind })
    }

    /// Makes the checkers of the model, everything inherited.
    pub(super) fn resolve(self, around: &Around<'_>, context: &mut Context) -> Vec<(Span, Checker)> {
        let (retry, before_retry) = self.kind.defaults();
        let timing = self.common.timing.or(around.timing);
        let delay_loop = timing.delay_loop.unwrap_or(DELAY_LOOP);
        let checker = |kind: CheckerKind| Checker {
            kind,
            delay_loop,
            warmup: timing.warmup.unwrap_or(delay_loop),
            retry: timing.retry.unwrap_or(retry),
            delay_before_retry: timing.delay_before_retry.or(before_retry).unwrap_or(delay_loop),
            alpha: self.common.alpha.unwrap_or(around.alpha),
            log_all_failures: self.common.log_all_failures || around.log_all_failures,
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
            KindDraft::Dns(connection, DnsDraft { record, name }) => {
                let name = name.unwrap_or_default();
                let dns = |connection| CheckerKind::Dns(DnsCheck { connection, record, name });
                one(connection.resolve(around, context).map(dns))
            }
            KindDraft::Misc(command) => vec![CheckerKind::Misc(command.resolve(around))],
            KindDraft::Udp(connection, reply) => {
                let udp = |connection| CheckerKind::Udp(Box::new(reply.resolve(connection)));
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

/// What keywords of this block make of a draft.
fn read<T>(mut draft: T, block: &Block<T>, nodes: &[&Node], context: &mut Context) -> T {
    for node in nodes {
        block.take(&mut draft, node, context);
    }
    draft
}

/// Says that a block lacks something; it is left out then.
fn missing(node: &Node, what: &str, context: &mut Context) {
    context.report(
        Diagnostic::error("missing-part", format!("`{}` has no `{what}`", node.keyword.name))
            .at(node.name.span, "left out"),
    );
}
