//! Tells of parts that stand still although the virtual routers do not depend on them: the checkers, and the IPVS engine
//! in a call that the kernel does not answer. In: their beats. Out: facts. Nobody is restarted for it. A thread of its
//! own, so that it tells of a runtime that one of them keeps busy.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keepwatch_bus::WeakBus;
use keepwatch_bus::beat::Beat;
use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::subject::Name;

/// A part that has not moved for so long is told of.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Watches these parts for as long as the process lives.
///
/// # Errors
/// When there can be no thread.
pub(super) fn watch(beats: Vec<(&'static str, Beat)>, bus: WeakBus) -> io::Result<()> {
    let mut standstill = Standstill::new(Instant::now(), beats);
    let thread = std::thread::Builder::new().name("standstill".into());
    thread.spawn(move || {
        loop {
            std::thread::sleep(EVERY);
            for fact in standstill.look(Instant::now()) {
                bus.publish(None, fact);
            }
        }
    })?;
    Ok(())
}

/// The parts that are watched.
struct Standstill {
    parts: Vec<Part>,
    looked: Instant,
}

struct Part {
    name: Name,
    beat: Beat,
    /// How often it had gone round when that last changed, and when that was.
    moved: (u64, Instant),
    /// Since when it stands still, once that is told.
    hangs: Option<Instant>,
}

impl Standstill {
    fn new(now: Instant, beats: Vec<(&'static str, Beat)>) -> Self {
        let part = |(name, beat): (&str, Beat)| Part {
            name: name.into(),
            moved: (beat.count(), now),
            beat,
            hangs: None,
        };
        Self { parts: beats.into_iter().map(part).collect(), looked: now }
    }

    /// Looks at each of them; gives what is to be told.
    fn look(&mut self, now: Instant) -> Vec<DaemonFact> {
        // Nobody can be blamed for what happened while we did not run ourselves.
        let asleep = now.duration_since(self.looked) > TOLD_AFTER / 2;
        self.looked = now;
        self.parts.iter_mut().filter_map(|part| part.look(now, asleep)).collect()
    }
}

impl Part {
    fn look(&mut self, now: Instant, asleep: bool) -> Option<DaemonFact> {
        let count = self.beat.count();
        if asleep || count != self.moved.0 {
            self.moved = (count, now);
        }
        let idle = ("does not go round", self.moved.1);
        let (doing, since) = self.beat.call().filter(|_| !asleep).unwrap_or(idle);
        let stands = now.saturating_duration_since(since);
        match self.hangs {
            None if stands >= TOLD_AFTER => {
                self.hangs = Some(since);
                let since = Timestamp::now() - stands;
                Some(DaemonFact::PartHung { part: self.name.clone(), doing: doing.into(), since })
            }
            // Another call may hang by now.
            Some(before) if stands < TOLD_AFTER || since > before => {
                self.hangs = None;
                let stood = now.saturating_duration_since(before);
                Some(DaemonFact::PartMoves { part: self.name.clone(), stood })
            }
            None | Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn watched() -> (Beat, Part, Instant) {
        let (beat, now) = (Beat::default(), Instant::now());
        let part = Standstill::new(now, vec![("ipvs", beat.clone())]).parts.remove(0);
        (beat, part, now)
    }

    /// The seconds at which something was told, and whether it was that the part hangs.
    fn told(
        part: &mut Part,
        now: Instant,
        seconds: std::ops::Range<u32>,
        mut live: impl FnMut(u32),
    ) -> Vec<(u32, bool)> {
        let look = |second| {
            live(second);
            let fact = part.look(now + SECOND * second, false)?;
            Some((second, matches!(fact, DaemonFact::PartHung { .. })))
        };
        seconds.filter_map(look).collect()
    }

    #[test]
    fn a_loop_that_stops_is_told_of_once_and_again_when_it_goes_on() {
        let (beat, mut part, now) = watched();
        let live = |second| {
            if !(10..20).contains(&second) {
                beat.beat();
            }
        };
        assert_eq!(told(&mut part, now, 1..40, live), [(14, true), (20, false)]);
    }

    #[test]
    fn a_call_that_does_not_return_is_told_of_though_the_loop_goes_round() {
        let (beat, mut part, _) = watched();
        let now = Instant::now();
        let mut call = Some(beat.begin("read the table"));
        let live = |second| {
            beat.beat();
            if second == 9 {
                call = None;
            }
        };
        let told = told(&mut part, now, 1..20, live);
        assert!(matches!(told.as_slice(), [(5 | 6, true), (9, false)]), "{told:?}");
    }

    #[test]
    fn nobody_is_blamed_for_what_happened_while_the_process_was_stopped() {
        let (_beat, mut part, now) = watched();
        assert_eq!(part.look(now + SECOND * 60, true), None);
        assert_eq!(part.look(now + SECOND * 61, false), None);
    }
}
