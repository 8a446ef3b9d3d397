//! From causes to traces. Pure: events in, places out.
//!
//! The trace of an event is that of its cause; a root begins one. Ids are made of the root's number and time and of the
//! host, so that they are the same whoever asks. Events that only describe the configuration are no spans: what they
//! caused hangs at the next event above them that is one.
//!
//! A check that fails or succeeds is news only if something follows from it. So chains of nothing but checks are held
//! back, a bounded number of them, until something does; one in so many is sent in any case.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::{Event, EventId, Fact, History};

/// Events whose place is remembered; of older ones the history is asked.
const REMEMBERED: usize = 16_384;
/// Checks that may wait for something to follow from them.
const HELD: usize = 4096;

/// The id of a trace.
pub type TraceId = [u8; 16];
/// The id of a span.
pub type SpanId = [u8; 8];

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its trace.
    pub trace: TraceId,
    /// Its span; of an event that is none, that of the next one above it that is, if there is one.
    pub span: Option<SpanId>,
}

/// An event that is to be a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The event.
    pub event: Arc<Event>,
    /// Its trace.
    pub trace: TraceId,
    /// Its span.
    pub span: SpanId,
    /// The span that it follows from.
    pub parent: Option<SpanId>,
    /// When what led to it happened.
    pub caused: Option<Timestamp>,
}

/// Which traces are sent (`OTEL_TRACES_SAMPLER`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// This part of them, from 0 to 1, by their id.
    Ratio(f64),
}

impl Sampler {
    fn takes(self, trace: &TraceId) -> bool {
        match self {
            Self::AlwaysOn => true,
            Self::AlwaysOff => false,
            Self::Ratio(ratio) => {
                let [.., a, b, c, d, e, f, g] = *trace;
                // The 56 rightmost bits are what is random (W3C Trace Context level 2, section 3.2.2.3.1).
                let random = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
                (random as f64) < ratio * (1_u64 << 56) as f64
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Known {
    place: Place,
    at: Timestamp,
    /// Held back, or quiet and after something that is: then what that is after.
    held: bool,
    cause: Option<EventId>,
}

/// Remembers where events stand.
pub struct Chains {
    host: Box<str>,
    sampler: Sampler,
    /// One in so many chains of checks from which nothing follows is sent; none if 0.
    one_check_in: u32,
    known: HashMap<EventId, Known>,
    order: VecDeque<EventId>,
    held: HashMap<EventId, Told>,
    held_order: VecDeque<EventId>,
}

impl Chains {
    /// Of this host.
    pub fn new(host: &str, sampler: Sampler, one_check_in: u32) -> Self {
        Self {
            host: host.into(),
            sampler,
            one_check_in,
            known: HashMap::new(),
            order: VecDeque::new(),
            held: HashMap::new(),
            held_order: VecDeque::new(),
        }
    }

    /// Takes the next event; it is a span if it `has_line`. Puts into `out` what is to be sent as spans now: the event
    /// itself, before it what was held back of its chain, or nothing. `history` is asked for what happened long ago.
    pub fn note(
        &mut self,
        event: &Arc<Event>,
        has_line: bool,
        history: &History,
        out: &mut Vec<Told>,
    ) -> Place {
        let cause = event.cause.filter(|cause| *cause < event.id);
        let above = cause.map(|cause| self.known(cause, history));
        let trace = above.map_or_else(|| self.trace_of(event.id, event.at), |above| above.place.trace);
        let parent = above.and_then(|above| above.place.span);
        if !has_line {
            let (place, held) = (Place { trace, span: parent }, above.is_some_and(|above| above.held));
            self.remember(event.id, Known { place, at: event.at, held, cause });
            return place;
        }
        let span = self.span_of(&trace, event.id);
        let place = Place { trace, span: Some(span) };
        let told = Told { event: event.clone(), trace, span, parent, caused: above.map(|above| above.at) };
        let held = is_check(&event.fact) && !self.is_sampled(&trace);
        self.remember(event.id, Known { place, at: event.at, held, cause });
        if held {
            self.hold(told);
        } else if self.sampler.takes(&trace) {
            self.release(cause, out);
            out.push(told);
        }
        place
    }

    /// Sends what is held of the chain that ends in `cause`, the oldest first.
    fn release(&mut self, cause: Option<EventId>, out: &mut Vec<Told>) {
        let first = out.len();
        let mut next = cause;
        while let Some(id) = next {
            let Some(known) = self.known.get_mut(&id).filter(|known| known.held) else { break };
            known.held = false;
            next = known.cause;
            out.extend(self.held.remove(&id));
        }
        out[first..].reverse();
    }

    fn hold(&mut self, told: Told) {
        if self.held_order.len() >= HELD
            && let Some(oldest) = self.held_order.pop_front()
        {
            self.held.remove(&oldest);
        }
        self.held_order.push_back(told.event.id);
        self.held.insert(told.event.id, told);
    }

    fn is_sampled(&self, trace: &TraceId) -> bool {
        let n = u64::from(self.one_check_in);
        n > 0 && hash(&("sampled", trace)).is_multiple_of(n)
    }

    fn known(&mut self, id: EventId, history: &History) -> Known {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let chain = history.chain(id);
        let (root, at) = chain.first().map_or((id, Timestamp::UNIX_EPOCH), |root| (root.id, root.at));
        let trace = self.trace_of(root, at);
        let span =
            chain.iter().rfind(|event| event.line().is_some()).map(|event| self.span_of(&trace, event.id));
        let at = chain.last().map_or(Timestamp::UNIX_EPOCH, |last| last.at);
        let known = Known { place: Place { trace, span }, at, held: false, cause: None };
        self.remember(id, known);
        known
    }

    fn remember(&mut self, id: EventId, known: Known) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id);
        self.known.insert(id, known);
    }

    fn trace_of(&self, root: EventId, at: Timestamp) -> TraceId {
        let mut id = [0; 16];
        let of = |half: u8| hash(&(half, &self.host, root, at.as_nanosecond()));
        id[..8].copy_from_slice(&of(0).to_be_bytes());
        id[8..].copy_from_slice(&(of(1) | 1).to_be_bytes());
        id
    }

    fn span_of(&self, trace: &TraceId, event: EventId) -> SpanId {
        (hash(&(trace, event)) | 1).to_be_bytes()
    }
}

/// With fixed keys: the same in every run of one build.
fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Whether it tells of one check, and no more.
fn is_check(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Service(
            ServiceFact::CheckSucceeded { .. }
                | ServiceFact::CheckFailed { .. }
                | ServiceFact::CertificateSeen { .. }
                | ServiceFact::PageDigestSeen { .. }
        )
    )
}

#[cfg(test)]
mod tests;
