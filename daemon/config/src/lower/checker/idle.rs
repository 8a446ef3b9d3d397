//! Checkers, and lines in them, that can make no difference: each is said where it stands, and nothing is changed.

use std::time::Duration;

use super::Around;
use crate::diagnostics::Diagnostic;
use crate::model::{Checker, CheckerKind};
use crate::preprocess::Context;
use crate::schema::checkers::read::{IdleLines, nothing};
use crate::source::Span;

/// The schedulers of the kernel that ask of a weight only whether it is 0.
const BLIND_TO_WEIGHTS: [&str; 3] = ["rr", "lc", "dh"];
/// The kernel asks three times, a second apart, for a hardware address before it says that a host is not there.
const HOST_IS_OFF: Duration = Duration::from_secs(3);

impl IdleLines {
    /// Says what means nothing in the checker that it has become; `at` is where that stands.
    pub(super) fn judge(self, at: Span, checker: &Checker, around: &Around<'_>, context: &mut Context) {
        if let Some(span) = self.delay_before_retry.filter(|_| checker.retry == 0) {
            nothing(span, "there is no second try, since `retry` is 0", context);
        }
        if let Some((span, scheduler)) = self.misc_dynamic.zip(around.blind_scheduler) {
            no_weights(span, scheduler, context);
        }
        if let CheckerKind::Udp(check) = &checker.kind
            && check.reply.is_none()
            && check.connection.connect_timeout <= HOST_IS_OFF
        {
            let message = format!(
                "a host that is off passes this check: the network says so after {} s, and `connect_timeout` is {} s",
                HOST_IS_OFF.as_secs(),
                check.connection.connect_timeout.as_secs_f64()
            );
            context.report(
                Diagnostic::warning("short-timeout", message)
                    .at(at, "silence is success here")
                    .help("ask for an answer with `require_reply`, wait longer, or add a PING_CHECK"),
            );
        }
    }
}

/// The scheduler, if weights of real servers decide nothing with it, unless they are 0.
pub(in crate::lower) fn blind_scheduler(scheduler: &str, quorum: u32) -> Option<&str> {
    (BLIND_TO_WEIGHTS.contains(&scheduler) && quorum <= 1).then_some(scheduler)
}

/// Says that what changes a weight makes no difference.
pub(in crate::lower) fn no_weights(span: Span, scheduler: &str, context: &mut Context) {
    let why = format!("the scheduler `{scheduler}` asks of a weight only whether it is 0");
    context.report(Diagnostic::warning("no-effect", why).at(span, "no other weight has an effect"));
}

/// Says which checkers of a real server do what an earlier one does already.
pub(in crate::lower) fn twice(checkers: &[(Span, Checker)], context: &mut Context) {
    for (n, (at, checker)) in checkers.iter().enumerate() {
        let before = checkers.iter().take(n).find(|(_, other)| other.kind == checker.kind);
        if let Some((first, _)) = before {
            let message =
                format!("this {} checks what an earlier one checks already", checker.kind.keyword());
            context.report(
                Diagnostic::warning("duplicate-checker", message)
                    .at(*at, "everything is checked twice")
                    .also(*first, "the first one"),
            );
        }
    }
}
