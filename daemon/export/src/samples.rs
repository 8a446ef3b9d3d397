//! What the sparklines are drawn from: every few seconds, how long checks took and how far apart advertisements were,
//! read from the counters that everybody reads. Bounded: so many samples for each subject.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keepwatch_bus::Counters;
use keepwatch_bus::subject::{Name, RealKey};

/// From one sample to the next.
pub(crate) const PACE: Duration = Duration::from_secs(5);
/// Samples that are kept: ten minutes of them.
pub(crate) const KEPT: usize = 120;
/// Up to so many checkers, or virtual routers, are sampled whether anybody looks or not. Of more only those are that a page
/// shows, or has shown while their samples are kept: ten thousand would take megabytes for what nobody sees.
const ALL: usize = 500;

/// The samples of one subject, oldest first: microseconds, none where there was nothing to measure.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    values: VecDeque<u32>,
    /// What the counters said at the last sample: the sum of times, and how many.
    before: (u64, u64),
    /// How long nothing was counted, in microseconds.
    silent: u64,
}

/// Stands for "none": no check takes more than an hour.
const NONE: u32 = u32::MAX;

impl Ring {
    /// All of them, oldest first.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = Option<u32>> + ExactSizeIterator + '_ {
        self.values.iter().map(|value| (*value != NONE).then_some(*value))
    }

    fn push(&mut self, value: Option<u64>) {
        if self.values.len() == KEPT {
            self.values.pop_front();
        }
        self.values.push_back(value.map_or(NONE, |value| u32::try_from(value).unwrap_or(NONE - 1)));
    }

    /// The mean time of what was counted since the last sample.
    fn mean(&mut self, sum: u64, count: u64) {
        let (time, number) = (sum.saturating_sub(self.before.0), count.saturating_sub(self.before.1));
        self.before = (sum, count);
        self.push(time.checked_div(number));
    }

    /// How far apart things were that were counted during `span`, or the largest time between two where that is known; in
    /// silence, for how long nothing came.
    fn gap(&mut self, count: u64, span: Duration, largest: Duration) {
        let number = count.saturating_sub(self.before.1);
        let began = self.before.1 > 0;
        self.before = (0, count);
        let span = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).saturating_add(self.silent);
        self.silent = if number == 0 { span } else { 0 };
        // The first number is of who knows how long.
        let largest = u64::try_from(largest.as_micros()).unwrap_or(u64::MAX);
        self.push(began.then(|| (span / number.max(1)).max(largest)));
    }
}

/// The samples of all subjects of one kind.
#[derive(Debug)]
struct Rings<K> {
    rings: HashMap<K, Ring>,
    /// Which of them were looked at, and when last.
    shown: Mutex<HashMap<K, Instant>>,
}

impl<K> Default for Rings<K> {
    fn default() -> Self {
        Self { rings: HashMap::new(), shown: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Rings<K> {
    /// Those of one subject. It is sampled from now on, if it was not.
    fn look(&self, key: &K) -> Option<&Ring> {
        self.shown().insert(key.clone(), Instant::now());
        self.rings.get(key)
    }

    fn shown(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is sampled, of so many in all.
    fn wanted(&self, number: usize) -> impl Fn(&K) -> bool {
        let mut shown = self.shown();
        shown.retain(|_, at| at.elapsed() < PACE * KEPT as u32);
        move |key| number <= ALL || shown.contains_key(key)
    }

    /// Adds to the samples of each what was measured of it, and forgets those of whom nothing is.
    fn add<V>(&mut self, measured: HashMap<K, V>, push: impl Fn(&mut Ring, V)) {
        self.rings.retain(|key, _| measured.contains_key(key));
        for (key, value) in measured {
            push(self.rings.entry(key).or_default(), value);
        }
    }
}

/// All samples.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    checks: Rings<RealKey>,
    adverts: Rings<Name>,
}

impl Samples {
    /// How long the checks of this real server took.
    pub(crate) fn checks(&self, real: &RealKey) -> Option<&Ring> {
        self.checks.look(real)
    }

    /// How far apart the advertisements of this virtual router were, sent or heard.
    pub(crate) fn adverts(&self, instance: &Name) -> Option<&Ring> {
        self.adverts.look(instance)
    }

    /// Takes one of everything; `span` is the time since the last. The largest gaps are taken with it: there is one of these.
    pub(crate) fn take(&mut self, counters: &Counters, span: Duration) {
        let mut checks: HashMap<RealKey, (u64, u64)> = HashMap::new();
        {
            let wanted = self.checks.wanted(counters.checkers.len());
            counters.checkers.each(|key, checker| {
                if wanted(&key.real) {
                    let (sum, count) = checks.entry(key.real).or_default();
                    *sum += checker.took_microseconds.get();
                    *count += checker.succeeded.get() + checker.failed.get();
                }
            });
        }
        let mut adverts: HashMap<Name, (u64, Duration)> = HashMap::new();
        {
            let wanted = self.adverts.wanted(counters.vrrp.len());
            counters.vrrp.each(|name, counted| {
                if wanted(name) {
                    let largest = counters.times.get(name).and_then(|times| times.take_largest());
                    let count = counted.adverts_received.get() + counted.adverts_sent.get();
                    adverts.insert(name.clone(), (count, largest.unwrap_or_default()));
                }
            });
        }
        self.checks.add(checks, |ring, (sum, count)| ring.mean(sum, count));
        self.adverts.add(adverts, |ring, (count, largest)| ring.gap(count, span, largest));
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::sample;
    use keepwatch_bus::subject::CheckerKey;

    use super::*;

    #[test]
    fn gaps_are_means_or_the_largest_and_silence_grows() {
        let counters = Counters::default();
        let name = Name::from("VI_1");
        let counted = counters.vrrp.resolve(&name);
        let mut samples = Samples::default();
        for adverts in [1, 5, 10, 0, 0, 5] {
            counted.adverts_received.add(adverts);
            samples.take(&counters, PACE);
        }
        let seen: Vec<_> = samples.adverts(&name).unwrap().values().collect();
        let expected =
            [None, Some(1_000_000), Some(500_000), Some(5_000_000), Some(10_000_000), Some(3_000_000)];
        assert_eq!(seen, expected);
        // One of three hundred milliseconds was lost: the mean hardly says so.
        let (times, start) = (counters.times.resolve(&name), Instant::now());
        for at in [0, 300, 900, 1200] {
            times.heard(start + Duration::from_millis(at), [10, 0, 0, 1].into(), 100);
        }
        counted.adverts_received.add(16);
        samples.take(&counters, PACE);
        let last = samples.adverts(&name).unwrap().values().next_back();
        assert_eq!(last, Some(Some(600_000)));
        // It is drawn once.
        times.heard(start + Duration::from_millis(1500), [10, 0, 0, 1].into(), 100);
        counted.adverts_received.add(16);
        samples.take(&counters, PACE);
        let last = samples.adverts(&name).unwrap().values().next_back();
        assert_eq!(last, Some(Some(312_500)));
        counters.vrrp.retain(|_| false);
        samples.take(&counters, PACE);
        assert!(samples.adverts(&name).is_none());
    }

    #[test]
    fn of_very_many_real_servers_those_are_sampled_that_are_shown() {
        let counters = Counters::default();
        let key = |n: usize| {
            let real = ([10, 1, (n >> 8) as u8, n as u8], 80);
            let real = sample::real_key(([10, 0, 0, 1], 80), real);
            CheckerKey::new(real, "TCP_CHECK", 0)
        };
        let mut samples = Samples::default();
        let add = |n| counters.checkers.resolve(&key(n));
        (0..ALL).for_each(|n| drop(add(n)));
        samples.take(&counters, PACE);
        assert!(samples.checks(&key(3).real).is_some(), "they are few");
        drop(add(ALL));
        samples.take(&counters, PACE);
        let sampled = |samples: &Samples| samples.checks.rings.len();
        assert_eq!(sampled(&samples), 1);
        assert!(samples.checks(&key(3).real).is_some() && samples.checks(&key(4).real).is_none());
        samples.take(&counters, PACE);
        assert!(samples.checks(&key(4).real).is_some(), "it was asked for");
        assert_eq!(sampled(&samples), 2);
    }

    #[test]
    fn of_very_many_virtual_routers_those_are_sampled_that_are_shown() {
        let counters = Counters::default();
        for number in 0..=ALL {
            counters.vrrp.resolve(&number.to_string().into());
        }
        let mut samples = Samples::default();
        samples.take(&counters, PACE);
        let shown = Name::from("7");
        assert!(samples.adverts.rings.is_empty() && samples.adverts(&shown).is_none());
        samples.take(&counters, PACE);
        assert!(samples.adverts(&shown).is_some(), "it was asked for");
        assert_eq!(samples.adverts.rings.len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_is_drawn() {
        let mut ring = Ring::default();
        for number in 0..1000 {
            ring.mean(number * 10, number);
        }
        assert_eq!(ring.values().len(), KEPT);
        assert!(ring.values().all(|value| value == Some(10)));
    }
}
