//! Checkers: the model of each is made once virtual and real server are known: one, or for an SMTP_CHECK with `host` blocks
//! several.

mod connection;
mod followed;
mod http;
pub(super) mod idle;
mod smtp;
mod udp;

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{CheckTiming, Checker, CheckerKind, DnsCheck, MiscCheck, Name};
use crate::preprocess::Context;
use crate::schema::checkers::DnsDraft;
use crate::schema::checkers::read::{CheckerBlock, KindDraft};
use crate::source::Span;

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

impl CheckerBlock {
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
            KindDraft::Smtp(connection, mail) => {
                mail.resolve(connection, around, context).into_iter().map(CheckerKind::Smtp).collect()
            }
            KindDraft::Dns(connection, DnsDraft { record, name }) => {
                let name = name.unwrap_or_default();
                let dns = |connection| CheckerKind::Dns(DnsCheck { connection, record, name });
                one(connection.resolve(around, context).map(dns))
            }
            KindDraft::Misc(command) => vec![CheckerKind::Misc(MiscCheck {
                script: command.script,
                timeout: command.timeout.unwrap_or(around.delay_loop),
                dynamic: command.dynamic,
            })],
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
            Self::Tcp(_) | Self::Smtp(..) | Self::Ping(_) | Self::Udp(..) => (1, second),
        }
    }
}
