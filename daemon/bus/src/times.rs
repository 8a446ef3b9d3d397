//! What a virtual router measures of time: how far apart advertisements come, how late its own timers are looked at, and
//! who has been heard lately. The thread of the virtual routers writes it, and touches only atomics; whoever shows it
//! reads the same.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::histogram::{Gaps, Histogram, Lateness};

/// Senders that one virtual router tells apart; further ones are heard like any other, and not measured.
pub const MOST_SENDERS: usize = 8;
/// The largest gap of a sender is of this and of the last period of so long.
const PERIOD: Duration = Duration::from_secs(300);
/// No sender.
const NOBODY: usize = usize::MAX;

/// The times of one virtual router.
#[derive(Debug)]
pub struct VrrpTimes {
    /// What all other times are counted from.
    base: Instant,
    /// Time between two advertisements of a master, one after the other.
    pub gaps: Histogram<Gaps>,
    /// How late the timers of the virtual router were looked at.
    pub lateness: Histogram<Lateness>,
    /// Who was heard, each with the next who was; at most [`MOST_SENDERS`].
    senders: OnceLock<Box<Sender>>,
    /// The largest gap since it was taken last, in microseconds.
    untaken: AtomicU64,
    /// Who was heard last, by his place; nobody after an advertisement of our own, or a resignation.
    last: AtomicUsize,
}

/// One that advertised.
#[derive(Debug)]
struct Sender {
    address: IpAddr,
    /// When it was heard last, in microseconds from the base; 0 when never, or when it has resigned since.
    heard: AtomicU64,
    gaps: Largest,
    next: OnceLock<Box<Self>>,
}

/// The largest gap of a period, in microseconds, of the one before, and which period it is. One thread writes it, any
/// number may read.
#[derive(Debug, Default)]
struct Largest {
    largest: AtomicU64,
    before: AtomicU64,
    period: AtomicU64,
}

/// What is known of one that advertised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderTimes {
    /// Its address.
    pub address: IpAddr,
    /// The largest time between two of its advertisements, in the last five to ten minutes; none if there were no two.
    pub largest_gap: Option<Duration>,
}

impl Default for VrrpTimes {
    fn default() -> Self {
        let (gaps, lateness, senders, untaken) = Default::default();
        Self { base: Instant::now(), gaps, lateness, senders, untaken, last: AtomicUsize::new(NOBODY) }
    }
}

impl VrrpTimes {
    /// Never 0.
    fn since_base(&self, at: Instant) -> u64 {
        let microseconds = at.saturating_duration_since(self.base).as_micros();
        u64::try_from(microseconds).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// An advertisement was believed. A gap is what lies between two of the same sender, if nobody else was heard in
    /// between and it has not resigned: it was master all the time. Only one thread may call this.
    pub fn heard(&self, now: Instant, source: IpAddr, priority: u8) {
        let Some((place, sender)) = self.sender(source) else {
            self.last.store(NOBODY, Ordering::Relaxed);
            return;
        };
        let now = self.since_base(now);
        let before = sender.heard.load(Ordering::Relaxed);
        let same = self.last.swap(place, Ordering::Relaxed) == place;
        if same && before > 0 {
            let gap = now.saturating_sub(before);
            self.gaps.observe(Duration::from_micros(gap));
            sender.gaps.note(period_of(now), gap);
            self.untaken.fetch_max(gap, Ordering::Relaxed);
        }
        if priority == 0 {
            sender.heard.store(0, Ordering::Relaxed);
            self.last.store(NOBODY, Ordering::Relaxed);
        } else {
            sender.heard.store(now, Ordering::Relaxed);
        }
    }

    /// The one of this address and his place; a new one if there is room.
    fn sender(&self, address: IpAddr) -> Option<(usize, &Sender)> {
        let mut at = &self.senders;
        for place in 0..MOST_SENDERS {
            let sender = at.get_or_init(|| Box::new(Sender::new(address)));
            if sender.address == address {
                return Some((place, sender));
            }
            at = &sender.next;
        }
        None
    }

    fn all_senders(&self) -> impl Iterator<Item = &Sender> {
        std::iter::successors(self.senders.get(), |sender| sender.next.get()).map(Box::as_ref)
    }

    /// The virtual router itself advertises, or has stopped to listen: what is heard next follows nothing.
    pub fn interrupted(&self) {
        self.last.store(NOBODY, Ordering::Relaxed);
    }

    /// How many have been heard as master within so long before `now`.
    pub fn masters_heard(&self, now: Instant, within: Duration) -> usize {
        let now = self.since_base(now);
        let within = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        let lately = |sender: &&Sender| {
            let heard = sender.heard.load(Ordering::Relaxed);
            heard > 0 && now.saturating_sub(heard) <= within
        };
        self.all_senders().filter(lately).count()
    }

    /// The largest time between two advertisements since this was called last; none if there were no two. Only one may
    /// call it: what he took nobody else sees.
    pub fn take_largest(&self) -> Option<Duration> {
        let largest = self.untaken.swap(0, Ordering::Relaxed);
        (largest > 0).then(|| Duration::from_micros(largest))
    }

    /// Everyone who was ever heard, in the order in which they were first.
    pub fn senders(&self, now: Instant) -> impl Iterator<Item = SenderTimes> + '_ {
        let period = period_of(self.since_base(now));
        self.all_senders()
            .map(move |sender| SenderTimes { address: sender.address, largest_gap: sender.gaps.read(period) })
    }
}

fn period_of(microseconds: u64) -> u64 {
    1 + microseconds / u64::try_from(PERIOD.as_micros()).unwrap_or(u64::MAX)
}

impl Sender {
    fn new(address: IpAddr) -> Self {
        let (heard, gaps, next) = Default::default();
        Self { address, heard, gaps, next }
    }
}

impl Largest {
    fn note(&self, period: u64, gap: u64) {
        let current = self.period.load(Ordering::Relaxed);
        let largest = self.largest.load(Ordering::Relaxed);
        if period == current {
            self.largest.store(largest.max(gap), Ordering::Relaxed);
        } else {
            self.before.store(if period == current + 1 { largest } else { 0 }, Ordering::Relaxed);
            self.largest.store(gap, Ordering::Relaxed);
            self.period.store(period, Ordering::Relaxed);
        }
    }

    fn read(&self, period: u64) -> Option<Duration> {
        let (current, largest) = (self.period.load(Ordering::Relaxed), self.largest.load(Ordering::Relaxed));
        let found = match period.checked_sub(current) {
            Some(0) => largest.max(self.before.load(Ordering::Relaxed)),
            Some(1) => largest,
            _ => 0,
        };
        (found > 0).then(|| Duration::from_micros(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_gap_lies_between_two_advertisements_of_one_master() {
        let times = VrrpTimes::default();
        let (a, b) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut now = Instant::now();
        let mut after = |wait, who, priority| {
            now += wait;
            times.heard(now, who, priority);
            now
        };
        after(SECOND, a, 100);
        after(SECOND, a, 100);
        after(3 * SECOND, a, 100);
        // Another one takes over and resigns: what lies between is nobody's gap.
        after(60 * SECOND, b, 150);
        after(SECOND, b, 0);
        let now = after(SECOND, a, 100);
        assert_eq!(times.gaps.read().count, 3);
        let senders: Vec<_> = times.senders(now).collect();
        assert_eq!(senders[0], SenderTimes { address: a, largest_gap: Some(3 * SECOND) });
        assert_eq!(senders[1].largest_gap, Some(SECOND));
        assert_eq!(times.masters_heard(now, 2 * SECOND), 1, "one of them has resigned");
        assert_eq!(times.masters_heard(now + 3 * SECOND, 2 * SECOND), 0);
        times.interrupted();
        times.heard(now + 90 * SECOND, a, 100);
        assert_eq!(times.gaps.read().count, 3, "we were master in between");
    }

    #[test]
    fn the_largest_gap_is_forgotten_after_a_while_and_senders_are_bounded() {
        let times = VrrpTimes::default();
        let start = Instant::now();
        let a = [10, 0, 0, 1].into();
        for at in [0, 7, 8] {
            times.heard(start + at * SECOND, a, 100);
        }
        let largest = |after| times.senders(start + after * SECOND).next().and_then(|s| s.largest_gap);
        assert_eq!(largest(9), Some(7 * SECOND));
        assert_eq!(largest(500), Some(7 * SECOND));
        assert_eq!(largest(700), None);
        assert_eq!(times.take_largest(), Some(7 * SECOND));
        assert_eq!(times.take_largest(), None, "it was taken");
        times.heard(start + 10 * SECOND, a, 100);
        assert_eq!(times.take_largest(), Some(2 * SECOND));
        for n in 0..100 {
            times.heard(start, [10, 0, 1, n].into(), 1);
        }
        assert_eq!(times.senders(start).count(), MOST_SENDERS);
    }
}
