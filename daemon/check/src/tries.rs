//! What one checker concludes from its tries: the rules of `retry`, `delay_before_retry` and `alpha`, without I/O.
//!
//! ```text
//!              success                          failure, tries left: again after delay_before_retry
//!            ┌─────────┐                       ┌──────┐
//!            │         ▼   failure, none left  │      ▼
//!  (start) ──┴──────► UP ─────────────────────────► DOWN (start with alpha)
//!                      ▲                              │
//!                      └──────────── success ─────────┘
//! ```
//!
//! The very first check has no second try, but for SMTP_CHECK: a server that is down when the daemon starts is out at
//! once.

use std::time::Duration;

use keepwatch_model::{Checker, CheckerKind};

/// What a checker thinks of its real server, and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tries {
    up: bool,
    has_run: bool,
    failed: u32,
}

/// What follows from a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What was thought is still thought.
    Unchanged,
    /// The real server answers: for the first time, or again.
    Up,
    /// This try failed, and another follows.
    Doubtful {
        /// Which try it was, from 1.
        attempt: u32,
    },
    /// The last try failed.
    Down {
        /// Which try it was, from 1.
        attempt: u32,
    },
}

impl Tries {
    /// A checker that has not run: up, unless it is `alpha`.
    pub(crate) fn new(checker: &Checker) -> Self {
        Self { up: !checker.alpha, has_run: false, failed: Self::spent(checker) }
    }

    /// A checker that a reload adds to a real server that was there: it believes what the others do, and one failure
    /// is enough if that is nothing good.
    pub(crate) fn joining(checker: &Checker, others_up: bool) -> Self {
        Self { up: others_up, has_run: false, failed: if others_up { 0 } else { checker.retry } }
    }

    /// The tries that a checker has spent before it has run: all of them, but for an SMTP_CHECK that is thought up, which
    /// tries again as keepalived's does.
    fn spent(checker: &Checker) -> u32 {
        match &checker.kind {
            CheckerKind::Smtp(_) if !checker.alpha => 0,
            _ => checker.retry,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Whether there has been a result.
    pub(crate) fn has_run(&self) -> bool {
        self.has_run
    }

    /// Whether the last result was a good one.
    pub(crate) fn is_well(&self) -> bool {
        self.has_run && self.up && self.failed == 0
    }

    /// Takes a result in; gives what follows, and when to look again.
    pub(crate) fn conclude(&mut self, success: bool, checker: &Checker) -> (Verdict, Duration) {
        let (was_up, first) = (self.up, !self.has_run);
        self.has_run = true;
        if success {
            self.failed = 0;
            self.up = true;
            let verdict = if was_up && !first { Verdict::Unchanged } else { Verdict::Up };
            return (verdict, checker.delay_loop);
        }
        if !(was_up || first) {
            return (Verdict::Unchanged, checker.delay_loop);
        }
        let attempt = if first { 1 } else { self.failed + 1 };
        if self.failed >= checker.retry {
            self.failed = 0;
            self.up = false;
            return (Verdict::Down { attempt }, checker.delay_loop);
        }
        self.failed += 1;
        (Verdict::Doubtful { attempt }, checker.delay_before_retry)
    }

    /// How many tries a checker that is up may fail: the number that goes with [`Verdict`]'s `attempt`.
    pub(crate) fn attempts(verdict: Verdict, checker: &Checker) -> u32 {
        match verdict {
            Verdict::Down { attempt } => attempt,
            Verdict::Doubtful { .. } | Verdict::Up | Verdict::Unchanged => checker.retry.saturating_add(1),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use keepwatch_model::{Connection, SmtpCheck};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn tcp_checker(retry: u32, alpha: bool) -> Checker {
        Checker {
            kind: CheckerKind::Tcp(Connection {
                connect_to: ([192, 0, 2, 1], 80).into(),
                bind_to: None,
                bind_port: None,
                bind_interface: None,
                fwmark: None,
                connect_timeout: Duration::from_secs(5),
            }),
            delay_loop: Duration::from_secs(60),
            warmup: Duration::ZERO,
            retry,
            delay_before_retry: Duration::from_secs(1),
            alpha,
            log_all_failures: false,
        }
    }

    const LOOP: Duration = Duration::from_secs(60);
    const AGAIN: Duration = Duration::from_secs(1);

    fn play(checker: &Checker, results: &[bool]) -> Vec<(Verdict, Duration)> {
        let mut tries = Tries::new(checker);
        results.iter().map(|success| tries.conclude(*success, checker)).collect()
    }

    #[test]
    fn the_first_failure_of_all_is_enough() {
        let down = (Verdict::Down { attempt: 1 }, LOOP);
        assert_eq!(play(&tcp_checker(3, false), &[false, false]), [down, (Verdict::Unchanged, LOOP)]);
        assert_eq!(play(&tcp_checker(3, true), &[false]), [down]);
    }

    #[test]
    fn a_mail_server_is_tried_again_even_at_the_first_failure() {
        let template = tcp_checker(1, false);
        let CheckerKind::Tcp(connection) = template.kind.clone() else { panic!("not a TCP_CHECK") };
        let smtp = SmtpCheck { connection, helo_name: "me".into() };
        let checker = Checker { kind: CheckerKind::Smtp(smtp), ..template };
        let down = (Verdict::Down { attempt: 2 }, LOOP);
        assert_eq!(play(&checker, &[false, false]), [(Verdict::Doubtful { attempt: 1 }, AGAIN), down]);
    }

    #[test]
    fn later_failures_are_tried_again_as_often_as_configured() {
        let story = play(&tcp_checker(2, false), &[true, false, false, false, false, true, true]);
        assert_eq!(
            story,
            [
                (Verdict::Up, LOOP),
                (Verdict::Doubtful { attempt: 1 }, AGAIN),
                (Verdict::Doubtful { attempt: 2 }, AGAIN),
                (Verdict::Down { attempt: 3 }, LOOP),
                (Verdict::Unchanged, LOOP),
                (Verdict::Up, LOOP),
                (Verdict::Unchanged, LOOP),
            ]
        );
    }

    #[test]
    fn a_success_between_failures_starts_the_count_anew() {
        let story = play(&tcp_checker(1, false), &[true, false, true, false, false]);
        let verdicts: Vec<_> = story.iter().map(|(verdict, _)| *verdict).collect();
        assert_eq!(
            verdicts,
            [
                Verdict::Up,
                Verdict::Doubtful { attempt: 1 },
                Verdict::Unchanged,
                Verdict::Doubtful { attempt: 1 },
                Verdict::Down { attempt: 2 },
            ]
        );
    }

    #[test]
    fn without_retry_every_failure_counts() {
        let story = play(&tcp_checker(0, false), &[true, false]);
        assert_eq!(story[1], (Verdict::Down { attempt: 1 }, LOOP));
    }

    #[test]
    fn a_checker_that_joins_a_failed_server_is_down_until_it_has_succeeded() {
        for alpha in [false, true] {
            assert!(!Tries::joining(&tcp_checker(1, alpha), false).is_up());
            assert!(Tries::joining(&tcp_checker(1, alpha), true).is_up());
        }
    }

    proptest! {
        #[test]
        fn verdicts_and_state_tell_the_same_story(
            retry in 0..4u32,
            alpha in any::<bool>(),
            results in proptest::collection::vec(any::<bool>(), 0..60),
        ) {
            let checker = tcp_checker(retry, alpha);
            let mut tries = Tries::new(&checker);
            let mut failures_in_a_row = 0;
            for (n, success) in results.into_iter().enumerate() {
                let before = tries.is_up();
                let (verdict, _) = tries.conclude(success, &checker);
                failures_in_a_row = if success { 0 } else { failures_in_a_row + 1 };
                match verdict {
                    Verdict::Up => prop_assert!(tries.is_up() && success && (!before || n == 0)),
                    Verdict::Down { .. } => prop_assert!(!tries.is_up() && (before || n == 0)),
                    Verdict::Doubtful { attempt } => {
                        prop_assert!(tries.is_up() && attempt <= retry && attempt == failures_in_a_row);
                    }
                    Verdict::Unchanged => prop_assert_eq!(before, tries.is_up()),
                }
                prop_assert_eq!(tries.is_up(), success || (n > 0 && failures_in_a_row <= retry && before));
            }
        }
    }
}
