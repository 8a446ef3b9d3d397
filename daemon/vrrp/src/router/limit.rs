//! How often a router may say the same thing: whatever a hostile network sends, facts stay few. Counters count all.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::AdvertError;

/// Between two facts about refused packets of one kind, lower-priority masters, or advertisements that left late.
const QUIET: Duration = Duration::from_secs(10);
/// Between two about clocks that drift apart.
const SKEW_QUIET: Duration = Duration::from_secs(600);
/// Facts about new masters, and about masters that resign: so many at once …
const BURST: u32 = 8;
/// … and one more in this time.
const REFILL: Duration = Duration::from_secs(1);

/// How often every address may be put back …
const RESTORATIONS: usize = 5;
/// … in this time.
const RESTORATION_WINDOW: Duration = Duration::from_secs(60);

/// What may happen in bursts, but only now and then for long.
#[derive(Debug, Default)]
struct Bucket {
    spent: u32,
    since: Option<Instant>,
}

impl Bucket {
    fn allows(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let refilled = (now.saturating_duration_since(since).as_secs() / REFILL.as_secs()) as u32;
        if refilled > 0 {
            self.spent = self.spent.saturating_sub(refilled);
            self.since = Some(now);
        }
        let allowed = self.spent < BURST;
        if allowed {
            self.spent += 1;
        }
        allowed
    }
}

/// The memory of what was said when. Most routers never have anything to remember, and there may be thousands.
#[derive(Debug, Default)]
pub(crate) struct Limits(Option<Box<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// Of the kinds that were refused at all, which most routers never see.
    rejections: Vec<(AdvertError, Instant)>,
    skewed: Option<Instant>,
    lower: Option<(Instant, EventId)>,
    heard: Bucket,
    resigned: Bucket,
    last_resigned: Option<EventId>,
    rival: Option<(Instant, IpAddr)>,
    late: Option<Instant>,
    restored: usize,
    restored_since: Option<Instant>,
}

impl Limits {
    fn memory(&mut self) -> &mut Memory {
        self.0.get_or_insert_default()
    }

    /// Whether a refused packet of this kind may be published now.
    pub(crate) fn rejection(&mut self, now: Instant, kind: AdvertError) -> bool {
        let rejections = &mut self.memory().rejections;
        match rejections.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, last)) if now.saturating_duration_since(*last) < QUIET => false,
            Some((_, last)) => {
                *last = now;
                true
            }
            None => {
                rejections.push((kind, now));
                true
            }
        }
    }

    /// Whether it may be published now that the clocks of two routers drift apart.
    pub(crate) fn skewed(&mut self, now: Instant) -> bool {
        let skewed = &mut self.memory().skewed;
        let allowed = skewed.is_none_or(|last| now.saturating_duration_since(last) >= SKEW_QUIET);
        if allowed {
            *skewed = Some(now);
        }
        allowed
    }

    /// After a change of state the first refused packet of each kind is news again.
    pub(crate) fn forget_rejections(&mut self) {
        if let Some(memory) = &mut self.0 {
            memory.rejections.clear();
        }
    }

    /// The event that told of a lower-priority master, if it is still fresh.
    pub(crate) fn lower(&self, now: Instant) -> Option<EventId> {
        let lower = self.0.as_ref()?.lower;
        lower.filter(|(at, _)| now.saturating_duration_since(*at) < QUIET).map(|(_, event)| event)
    }

    /// What a backup heard is news again when it is master.
    pub(crate) fn forget_lower(&mut self) {
        if let Some(memory) = &mut self.0 {
            memory.lower = None;
        }
    }

    pub(crate) fn told_lower(&mut self, now: Instant, event: EventId) {
        self.memory().lower = Some((now, event));
    }

    /// Whether a late advertisement may be published now.
    pub(crate) fn late(&mut self, now: Instant) -> bool {
        let late = &mut self.memory().late;
        let allowed = late.is_none_or(|last| now.saturating_duration_since(last) >= QUIET);
        if allowed {
            *late = Some(now);
        }
        allowed
    }

    /// Whether a newly heard master may be published now.
    pub(crate) fn heard(&mut self, now: Instant) -> bool {
        self.memory().heard.allows(now)
    }

    /// The event that told last of a master that resigned, if another would be too much.
    pub(crate) fn resigned(&mut self, now: Instant) -> Option<EventId> {
        let memory = self.memory();
        if memory.resigned.allows(now) { None } else { memory.last_resigned }
    }

    pub(crate) fn told_resigned(&mut self, event: EventId) {
        self.memory().last_resigned = Some(event);
    }

    /// Whether another owner, at this address, may be published now: when it is another one, and not too often.
    pub(crate) fn rival(&mut self, now: Instant, address: IpAddr) -> bool {
        let rival = &mut self.memory().rival;
        let allowed = rival
            .is_none_or(|(last, known)| known != address && now.saturating_duration_since(last) >= QUIET);
        if allowed {
            *rival = Some((now, address));
        }
        allowed
    }

    /// The other owner is gone: if it returns, that is news.
    pub(crate) fn forget_rival(&mut self, now: Instant) {
        if let Some(memory) = &mut self.0 {
            memory.rival.take_if(|(last, _)| now.saturating_duration_since(*last) >= QUIET);
        }
    }

    /// Whether one more address may be put back, of a router that has so many.
    pub(crate) fn restoration(&mut self, now: Instant, addresses: usize) -> bool {
        let memory = self.memory();
        let since = *memory.restored_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= RESTORATION_WINDOW {
            memory.restored = 0;
            memory.restored_since = Some(now);
        }
        memory.restored += 1;
        memory.restored <= RESTORATIONS * addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_packets_are_told_once_in_ten_seconds_a_kind() {
        let mut limits = Limits::default();
        let start = Instant::now();
        assert!(limits.rejection(start, AdvertError::Checksum));
        assert!(!limits.rejection(start + Duration::from_millis(9_999), AdvertError::Checksum));
        assert!(limits.rejection(start, AdvertError::Ttl));
        assert!(limits.rejection(start + QUIET, AdvertError::Checksum));
    }

    #[test]
    fn changing_masters_are_told_a_few_at_once_then_slowly() {
        let mut limits = Limits::default();
        let start = Instant::now();
        let at_once = (0..100).filter(|_| limits.heard(start)).count();
        assert_eq!(at_once, BURST as usize);
        let in_a_minute = (0..6000).filter(|i| limits.heard(start + Duration::from_millis(10 * i))).count();
        assert!((55..=60).contains(&in_a_minute), "{in_a_minute}");
    }

    #[test]
    fn another_owner_is_told_when_it_is_another_and_not_more_than_once_in_ten_seconds() {
        let mut limits = Limits::default();
        let start = Instant::now();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(limits.rival(start, one));
        assert!(!limits.rival(start + QUIET * 6, one), "it is known");
        assert!(!limits.rival(start, two));
        assert!(limits.rival(start + QUIET, two));
        limits.forget_rival(start + QUIET);
        assert!(!limits.rival(start + QUIET, two), "it comes and goes");
        limits.forget_rival(start + QUIET * 2);
        assert!(limits.rival(start + QUIET * 2, two));
    }
}
