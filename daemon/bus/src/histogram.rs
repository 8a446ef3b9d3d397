//! Numbers that say more than how often: histograms whose observation is a few atomic additions, so that the thread of
//! the virtual routers may make them too; and counters that remember the last event that they counted, for exemplars.

use std::marker::PhantomData;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::counters::Counter;
use crate::event::{Event, EventId};

/// Most buckets that a histogram may have, besides the one for all above its last bound.
pub const MOST_BUCKETS: usize = 15;

/// The bounds of a histogram's buckets.
pub trait Buckets {
    /// Upper bounds, inclusive, in microseconds, rising; at most [`MOST_BUCKETS`].
    const BOUNDS: &'static [u64];
}

/// An event that stands for what was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// The event.
    pub event: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What was observed: seconds, or 1 where events are only counted.
    pub value: f64,
}

/// Of each bucket how many.
type Counts = [Counter; MOST_BUCKETS + 1];

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram<B> {
    /// There once something was observed: many a histogram stays empty.
    counts: OnceLock<Box<Counts>>,
    /// In microseconds.
    sum: Counter,
    /// The last event of each bucket that has one.
    exemplars: Mutex<Vec<(usize, Exemplar)>>,
    bounds: PhantomData<B>,
}

impl<B> Default for Histogram<B> {
    fn default() -> Self {
        let (counts, sum, exemplars) = Default::default();
        Self { counts, sum, exemplars, bounds: PhantomData }
    }
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// For each bound how many observations were not above it, and the last event of its bucket; the last element is
    /// for all of them.
    pub buckets: Vec<(Option<u64>, u64, Option<Exemplar>)>,
    /// Observations.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
}

impl<B: Buckets> Histogram<B> {
    /// Counts one observation. Waits for nobody.
    pub fn observe(&self, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_or_init(Box::default).get(bucket::<B>(microseconds)) {
            count.inc();
        }
        self.sum.add(microseconds);
    }

    /// The same for one that an event stands for. Takes a lock: not for the VRRP thread.
    pub fn observe_in(&self, took: Duration, event: &Event) {
        self.observe(took);
        let bucket = bucket::<B>(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let exemplar = Exemplar { event: event.id, at: event.at, value: took.as_secs_f64() };
        let mut exemplars = self.exemplars.lock();
        exemplars.retain(|(of, _)| *of != bucket);
        exemplars.push((bucket, exemplar));
    }

    /// All of it as it is now.
    #[allow(clippy::cast_precision_loss)]
    pub fn read(&self) -> Observed {
        let exemplars = self.exemplars.lock().clone();
        let bounds = B::BOUNDS.iter().copied().map(Some).chain([None]);
        let mut count = 0;
        let counts = self.counts.get();
        let buckets = bounds.enumerate().map(|(at, bound)| {
            count += counts.and_then(|counts| counts.get(at)).map_or(0, Counter::get);
            let exemplar = exemplars.iter().find(|(of, _)| *of == at).map(|(_, exemplar)| *exemplar);
            (bound, count, exemplar)
        });
        let buckets: Vec<_> = buckets.collect();
        Observed { buckets, count, sum: self.sum.get() as f64 / 1e6 }
    }
}

fn bucket<B: Buckets>(microseconds: u64) -> usize {
    B::BOUNDS.iter().position(|bound| microseconds <= *bound).unwrap_or(B::BOUNDS.len())
}

/// A counter of events that remembers the last of them.
#[derive(Debug, Default)]
pub struct Noted {
    count: Counter,
    last: Mutex<Option<Exemplar>>,
}

impl Noted {
    /// Counts an event.
    pub fn note(&self, event: &Event) {
        self.count.inc();
        *self.last.lock() = Some(Exemplar { event: event.id, at: event.at, value: 1.0 });
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.count.get()
    }

    /// The last of them.
    pub fn last(&self) -> Option<Exemplar> {
        *self.last.lock()
    }
}

/// Bounds for what is measured in microseconds to seconds on this host: lateness of timers.
#[derive(Debug)]
pub struct Lateness;

impl Buckets for Lateness {
    const BOUNDS: &'static [u64] =
        &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 1_000_000];
}

/// Bounds for the time between two advertisements: intervals from a hundredth of a second to some seconds.
#[derive(Debug)]
pub struct Gaps;

impl Buckets for Gaps {
    const BOUNDS: &'static [u64] = &[
        10_500, 25_000, 50_000, 105_000, 250_000, 525_000, 1_050_000, 1_500_000, 2_100_000, 3_000_000,
        5_000_000, 10_000_000,
    ];
}

/// Bounds for failovers.
#[derive(Debug)]
pub struct Failovers;

impl Buckets for Failovers {
    const BOUNDS: &'static [u64] = &[
        10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000,
        10_000_000, 30_000_000, 60_000_000,
    ];
}

/// Bounds for what goes over the network or runs a program: checks, scripts, reloads.
#[derive(Debug)]
pub struct Works;

impl Buckets for Works {
    const BOUNDS: &'static [u64] = &[
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000, 30_000_000,
    ];
}

/// Bounds for how late checks begin: most do so at once, and some seconds are a disaster.
#[derive(Debug)]
pub struct Delays;

impl Buckets for Delays {
    const BOUNDS: &'static [u64] = &[
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_its_bucket_and_in_all_above_it() {
        let histogram = Histogram::<Failovers>::default();
        for milliseconds in [10, 11, 3600, 100_000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let seen = histogram.read();
        let at = |bound: Option<u64>| seen.buckets.iter().find(|(of, ..)| *of == bound).map(|(_, n, _)| *n);
        assert_eq!(at(Some(10_000)), Some(1), "a bound belongs to its bucket");
        assert_eq!(at(Some(50_000)), Some(2));
        assert_eq!(at(Some(3_000_000)), Some(2));
        assert_eq!(at(Some(4_000_000)), Some(3));
        assert_eq!((at(None), seen.count), (Some(4), 4));
        assert!((seen.sum - 103.621).abs() < 1e-9, "{}", seen.sum);
    }

    #[test]
    fn bounds_rise_and_fit() {
        for bounds in [Lateness::BOUNDS, Gaps::BOUNDS, Failovers::BOUNDS, Works::BOUNDS, Delays::BOUNDS] {
            assert!(bounds.len() <= MOST_BUCKETS && bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        }
    }
}
