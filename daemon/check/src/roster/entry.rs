//! One checker at work: what it knows, and what it tells.

use std::time::{Duration, Instant};

use keepwatch_bus::fact::{Failure, FailureReason, ServiceFact};
use keepwatch_bus::{Bus, EventId};
use keepwatch_model::CheckerKind;

use super::BOOTSTRAP;
use crate::definition::Definition;
use crate::kinds::{Probe, Workshop};
use crate::outcome::{Observed, Outcome, WeightSaid};
use crate::tries::{Tries, Verdict};

/// A checker of a real server.
pub(super) struct Entry {
    pub(super) definition: Definition,
    pub(super) probe: Probe,
    pub(super) tries: Tries,
    /// What it says of the weight of its real server.
    pub(super) weight: WeightSaid,
    /// When it is its turn; none while a check is under way, or while it rests.
    pub(super) next: Option<Instant>,
    /// A check is under way.
    pub(super) flying: bool,
    /// The last event of its story: the failed try before this one.
    pub(super) last: Option<EventId>,
    /// The last reason for not running, said once.
    pub(super) not_run: Option<Box<str>>,
    /// Why it is down, as was told, and why it failed last: another reason is told once it is no passing one.
    pub(super) failing: Option<(FailureReason, FailureReason)>,
}

impl Entry {
    pub(super) fn redefined(
        mut self: Box<Self>,
        now: Instant,
        definition: Definition,
        workshop: &mut Workshop,
    ) -> Box<Self> {
        // A shorter pause takes effect at once, a longer one after the check that is planned.
        self.next = self.next.map(|next| next.min(now + definition.checker.delay_loop.max(BOOTSTRAP)));
        // The files that TLS needs may be others than before, though they have the same names.
        let reads_files = definition.ssl.is_some() || self.definition.ssl.is_some();
        let differs =
            self.definition.checker != definition.checker || self.definition.manner != definition.manner;
        if reads_files || differs {
            self.probe = Probe::new(&definition, workshop);
        }
        self.definition = definition;
        self
    }

    pub(super) fn count(&self, outcome: &Outcome, took: Duration) {
        let counters = &self.definition.counters;
        match outcome {
            Outcome::Succeeded { .. } => counters.succeeded.inc(),
            Outcome::Failed(failure) => {
                counters.failed.inc();
                counters.failures.inc(failure.reason);
            }
            Outcome::NotRun(_) => return,
        }
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counters.took_microseconds.add(microseconds);
        counters.last_took_microseconds.set(i64::try_from(microseconds).unwrap_or(i64::MAX));
        self.definition.latency.observe(took);
    }

    pub(super) fn tell(
        &mut self,
        bus: &Bus,
        outcome: &Outcome,
        verdict: Verdict,
        news: bool,
        took: Duration,
    ) {
        let checker = self.definition.key.clone();
        match (outcome, verdict) {
            (Outcome::Succeeded { .. }, _) if news || self.not_run.is_some() => {
                self.last = Some(bus.publish(None, ServiceFact::CheckSucceeded { checker, took }));
            }
            (Outcome::Failed(failure), Verdict::Doubtful { attempt } | Verdict::Down { attempt }) => {
                let attempts = Tries::attempts(verdict, &self.definition.checker);
                // The first try is a root; those after it follow from the one before.
                let cause = self.last.filter(|_| attempt > 1);
                self.fail(bus, cause, failure, (attempt, attempts), took);
            }
            // It is down, and now for another reason.
            (Outcome::Failed(failure), _)
                if self
                    .failing
                    .is_some_and(|(told, last)| told != failure.reason && last == failure.reason) =>
            {
                self.failing = None;
                self.fail(bus, self.last, failure, (1, 1), took);
            }
            // It was down, and whether it still is nobody knew.
            (Outcome::Failed(failure), _) if self.not_run.is_some() => {
                self.failing = None;
                self.fail(bus, self.last, failure, (1, 1), took);
            }
            (Outcome::NotRun(error), _) if self.not_run.as_deref() != Some(error) => {
                self.not_run = Some(error.as_str().into());
                let place = self.elsewhere().map_or_else(String::new, |place| format!(" (at {place})"));
                let error = format!("{error}{place}");
                bus.publish(None, ServiceFact::CheckNotRun { checker, error });
            }
            _ => (),
        }
        match outcome {
            Outcome::NotRun(_) => return,
            Outcome::Succeeded { .. } => self.failing = None,
            Outcome::Failed(failure) if !self.tries.is_up() => {
                let told = self.failing.map_or(failure.reason, |(told, _)| told);
                self.failing = Some((told, failure.reason));
            }
            Outcome::Failed(_) => (),
        }
        self.not_run = None;
    }

    /// Tells of what was seen on the way.
    pub(super) fn tell_observed(&self, bus: &Bus, observed: Vec<Observed>) {
        for seen in observed {
            let checker = self.definition.key.clone();
            let (cause, fact) = match seen {
                Observed::Digest { url, digest } => {
                    (self.last, ServiceFact::PageDigestSeen { checker, url, digest })
                }
                // What a server shows does not come of what the check found: it is a root.
                Observed::Certificate(certificate) => {
                    (None, ServiceFact::CertificateSeen { checker, certificate })
                }
            };
            bus.publish(cause, fact);
        }
    }

    /// The failure with where it was looked, if that is not the real server itself.
    fn placed(&self, failure: &Failure) -> Failure {
        match self.elsewhere() {
            Some(place) => Failure::new(failure.reason, format!("{} (at {place})", failure.error)),
            None => failure.clone(),
        }
    }

    /// Where it is looked, if that is not the real server itself.
    fn elsewhere(&self) -> Option<String> {
        let (real, kind) = (self.definition.key.real.real, &self.definition.checker.kind);
        let place = kind.connection()?.connect_to;
        match kind {
            CheckerKind::Ping(_) => (place.ip() != real.ip()).then(|| place.ip().to_string()),
            _ => (place != real).then(|| place.to_string()),
        }
    }

    /// Tells of a failure: try `attempt` of `attempts`.
    fn fail(
        &mut self,
        bus: &Bus,
        cause: Option<EventId>,
        failure: &Failure,
        (attempt, attempts): (u32, u32),
        took: Duration,
    ) {
        let fact = ServiceFact::CheckFailed {
            checker: self.definition.key.clone(),
            failure: self.placed(failure),
            attempt,
            attempts,
            log_always: self.definition.checker.log_all_failures,
            took,
        };
        self.last = Some(bus.publish(cause, fact));
    }
}
