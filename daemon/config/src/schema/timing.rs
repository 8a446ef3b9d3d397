//! When checks are made: what virtual servers, real servers and checkers may all say; the inner one's word counts.

use super::bounds::{MICROS, U32};
use super::entry::{Block, Entry, keywords_of};
use super::{Keyword, Kind, kw, one, switch};
use crate::model::CheckTiming;

/// What all checkers may say, as written.
#[derive(Debug, Default)]
pub(crate) struct CheckerDraft {
    pub(crate) timing: CheckTiming,
    pub(crate) alpha: Option<bool>,
    pub(crate) log_all_failures: bool,
}

/// Longest of the other times, in microseconds.
const LONG: u64 = u64::MAX - 1;

const DELAY_LOOP: Keyword =
    kw("delay_loop", &[one("SECONDS", Kind::Seconds(1, LONG))], "Time between two checks.")
        .example("delay_loop 6");
pub(super) const TIMEOUT: Keyword = kw(
    "connect_timeout",
    &[one("SECONDS", Kind::Seconds(1, MICROS))],
    "How long a checker's connection may take.",
)
.example("connect_timeout 3");
const RETRY_HELP: &str = "Failures that are tried again before the server counts as down.";
/// In servers it cannot be 0.
const SERVER_RETRY: Keyword = kw("retry", &[one("NUMBER", Kind::Int(1, U32))], RETRY_HELP).example("retry 3");
const BEFORE_RETRY: Keyword =
    kw("delay_before_retry", &[one("SECONDS", Kind::Seconds(0, LONG))], "From a failed try to the next.")
        .example("delay_before_retry 3");
const WARMUP: Keyword = kw(
    "warmup",
    &[one("SECONDS", Kind::Seconds(0, LONG))],
    "The first check comes after a random part of this.",
)
.example("warmup 0");

/// What servers say for their checkers, with what holds unless they do.
const fn of_servers(
    [delay_loop, timeout, retry, before_retry, warmup]: [&'static str; 5],
) -> [Entry<CheckTiming>; 5] {
    [
        DELAY_LOOP.default(delay_loop).sets(|to, node, _| to.delay_loop = node.seconds(0)),
        TIMEOUT.default(timeout).sets(|to, node, _| to.connect_timeout = node.seconds(0)),
        SERVER_RETRY.default(retry).sets(|to, node, _| to.retry = node.number(0)),
        BEFORE_RETRY.default(before_retry).sets(|to, node, _| to.delay_before_retry = node.seconds(0)),
        WARMUP.default(warmup).sets(|to, node, _| to.warmup = node.seconds(0)),
    ]
}

const CHECKERS: &str = "that of the checker";
const OUTER: &str = "the virtual server's";

/// What a virtual server says for its checkers.
pub(super) const OF_VIRTUAL_SERVER: Block<CheckTiming> =
    Block(&of_servers(["60", "5", CHECKERS, CHECKERS, "the checker's delay_loop"]));

/// What a real server says for its checkers.
pub(super) const OF_REAL_SERVER: Block<CheckTiming> = Block(&of_servers([OUTER; 5]));

/// What every checker says of when it runs, and of what its results mean.
pub(crate) const OF_CHECKER: Block<CheckerDraft> = Block(&[
    kw("retry", &[one("NUMBER", Kind::Int(0, U32))], RETRY_HELP)
        .old(&["nb_get_retry"])
        .default("the real server's, the virtual server's, 1; in DNS_CHECK 3, in MISC_CHECK 0")
        .example("retry 3")
        .sets(|to, node, _| to.timing.retry = node.number(0)),
    BEFORE_RETRY
        .default(
            "the real server's, the virtual server's, 1; in HTTP_GET and SSL_GET 3, in DNS_CHECK the delay_loop",
        )
        .sets(|to, node, _| to.timing.delay_before_retry = node.seconds(0)),
    WARMUP
        .default("the real server's, the virtual server's, the delay_loop")
        .sets(|to, node, _| to.timing.warmup = node.seconds(0)),
    DELAY_LOOP
        .default("the real server's, the virtual server's, 60")
        .sets(|to, node, _| to.timing.delay_loop = node.seconds(0)),
    switch("alpha", "Counts as failed until it has succeeded once.")
        .default("the real server's")
        .example("alpha")
        .sets(|to, node, _| to.alpha = Some(node.on())),
    switch("log_all_failures", "Log every failed try.")
        .default("checker_log_all_failures")
        .example("log_all_failures")
        .sets(|to, node, _| to.log_all_failures = node.on()),
]);

/// The keywords of [`OF_CHECKER`].
pub(super) const OF_ALL_CHECKERS: &[Keyword] = keywords_of!(OF_CHECKER);
