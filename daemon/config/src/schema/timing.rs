//! When checks are made: what virtual servers, real servers and checkers may all say; the inner one's word counts.

use super::bounds::{MICROS, U32};
use super::compose::compose;
use super::{Keyword, Kind, kw, one, switch};

/// Longest of the other times, in microseconds.
const LONG: u64 = u64::MAX - 1;

const DELAY_LOOP: Keyword =
    kw("delay_loop", &[one("SECONDS", Kind::Seconds(1, LONG))], "Time between two checks.")
        .example("delay_loop 6");
const TIMEOUT: Keyword = kw(
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

/// What a virtual server says for its checkers.
pub(super) const OF_VIRTUAL_SERVER: &[Keyword] = &[
    DELAY_LOOP.default("60"),
    TIMEOUT.default("5"),
    SERVER_RETRY.default("that of the checker"),
    BEFORE_RETRY.default("that of the checker"),
    WARMUP.default("the checker's delay_loop"),
];

const OUTER: &str = "the virtual server's";

/// What a real server says for its checkers.
pub(super) const OF_REAL_SERVER: &[Keyword] = &[
    DELAY_LOOP.default(OUTER),
    TIMEOUT.default(OUTER),
    SERVER_RETRY.default(OUTER),
    BEFORE_RETRY.default(OUTER),
    WARMUP.default(OUTER),
];

/// What a checker that opens no connection says of when it runs, and of what its results mean.
pub(super) const OF_CHECKER: &[Keyword] = &[
    kw("retry", &[one("NUMBER", Kind::Int(0, U32))], RETRY_HELP)
        .old(&["nb_get_retry"])
        .default("the real server's, the virtual server's, 1; in DNS_CHECK 3, in MISC_CHECK 0")
        .example("retry 3"),
    BEFORE_RETRY.default(
        "the real server's, the virtual server's, 1; in HTTP_GET and SSL_GET 3, in DNS_CHECK the delay_loop",
    ),
    WARMUP.default("the real server's, the virtual server's, the delay_loop"),
    DELAY_LOOP.default("the real server's, the virtual server's, 60"),
    switch("alpha", "Counts as failed until it has succeeded once.")
        .default("the real server's")
        .example("alpha"),
    switch("log_all_failures", "Log every failed try.")
        .default("checker_log_all_failures")
        .example("log_all_failures"),
];

/// What a checker that connects says besides.
pub(super) const OF_CONNECTION: &[Keyword] =
    compose!(&[TIMEOUT.default("the real server's, the virtual server's, 5")], OF_CHECKER);
