//! Consumers that deliver: each has a queue of its own that holds every event that concerns it from the start, in order.
//! They wait for nothing, so that much waits in it only while the machine is short of time. Who acts (scripts, mails, traps)
//! is concerned by few events and gets them all. Who takes all there are (the log) has a bound all the same, beyond which
//! what is new is lost to that consumer, is counted, and told once in a row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, error::TryRecvError};
use tokio::task::yield_now;

use crate::counters::{Counter, Gauge};
use crate::event::Event;
use crate::fact::Fact;

/// What may wait for a consumer that takes all: more than the start of ten thousand real servers. All consumers hold the same events, some
/// hundred bytes each.
pub(crate) const MOST: usize = 65_536;
/// Events that a consumer takes in one turn, before other tasks get theirs. Tokio would end its turn after 128.
const IN_A_TURN: u32 = 512;

/// A queue that holds at most `most` events (at least one), with its two ends.
pub fn queue(most: usize) -> (Feed, Deliveries) {
    Feed::new(most, |_| true, Arc::default(), Arc::default())
}

/// The hub's end of a delivering consumer's queue.
pub struct Feed {
    queue: UnboundedSender<Arc<Event>>,
    waiting: Arc<Gauge>,
    missed: Arc<Counter>,
    concerns: fn(&Fact) -> bool,
    most: i64,
    /// Since when it misses events, and how many.
    late: Option<(Instant, u64)>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// It waits, or is none of its business.
    Taken,
    /// It has caught up, after so many that were lost in that time.
    TakenAfter(u64, Duration),
    /// It is lost, as others before it.
    Lost,
    /// It is lost: the first one.
    LostFirst,
    /// The consumer has gone.
    Gone,
}

impl Feed {
    /// `waiting` shows how many wait, `missed` counts those that are lost.
    pub(crate) fn new(
        most: usize,
        concerns: fn(&Fact) -> bool,
        waiting: Arc<Gauge>,
        missed: Arc<Counter>,
    ) -> (Self, Deliveries) {
        let (queue, events) = mpsc::unbounded_channel();
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let feed = Self { queue, waiting: waiting.clone(), missed, concerns, most, late: None };
        (feed, Deliveries { events, waiting, in_a_row: 0 })
    }

    /// What is to be told of it while nothing happens: that it has caught up.
    pub(crate) fn look(&mut self) -> Fed {
        match self.late {
            Some((since, lost)) if self.waiting.get() <= self.most / 2 => {
                self.late = None;
                Fed::TakenAfter(lost, since.elapsed())
            }
            Some(_) | None => Fed::Taken,
        }
    }

    /// Hands an event on, if the consumer has anything to do with it; never waits.
    pub fn send(&mut self, event: &Arc<Event>) -> Fed {
        if !(self.concerns)(&event.fact) {
            if self.queue.is_closed() {
                self.waiting.set(0);
                return Fed::Gone;
            }
            return Fed::Taken;
        }
        let waiting = self.waiting.get();
        // One that came too late catches up before it is told that it does.
        if waiting >= self.most || self.late.is_some() && waiting > self.most / 2 {
            self.missed.inc();
            let (_, lost) = self.late.get_or_insert_with(|| (Instant::now(), 0));
            *lost += 1;
            return match *lost {
                1 => Fed::LostFirst,
                _ => Fed::Lost,
            };
        }
        self.waiting.add(1);
        if self.queue.send(event.clone()).is_err() {
            // What waited for it waits no more.
            self.waiting.set(0);
            return Fed::Gone;
        }
        match self.late.take() {
            Some((since, lost)) => Fed::TakenAfter(lost, since.elapsed()),
            None => Fed::Taken,
        }
    }
}

/// A delivering consumer's end of its queue.
pub struct Deliveries {
    events: UnboundedReceiver<Arc<Event>>,
    waiting: Arc<Gauge>,
    /// Taken since it last let others have their turn.
    in_a_row: u32,
}

impl Deliveries {
    /// The next event; `None` when the hub has ended and all are taken. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Arc<Event>> {
        if self.in_a_row < IN_A_TURN
            && let Ok(event) = self.try_recv()
        {
            self.in_a_row += 1;
            return Some(event);
        }
        if std::mem::take(&mut self.in_a_row) >= IN_A_TURN {
            yield_now().await;
        }
        let event = self.events.recv().await;
        self.taken(event.as_ref());
        event
    }

    /// The next event, if there is one now.
    ///
    /// # Errors
    /// When there is none, or the hub has ended.
    pub fn try_recv(&mut self) -> Result<Arc<Event>, TryRecvError> {
        let event = self.events.try_recv();
        self.taken(event.as_ref().ok());
        event
    }

    fn taken(&self, event: Option<&Arc<Event>>) {
        if event.is_some() {
            self.waiting.add(-1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::DaemonFact;
    use crate::sample;

    #[test]
    fn who_falls_behind_loses_what_is_new_and_is_told_of_it_once() {
        let (mut feed, mut events) = queue(4);
        let event = |id| Arc::new(sample::event(id, None, DaemonFact::DaemonStopping { reason: "".into() }));
        let fed: Vec<Fed> = (1..=6).map(|id| feed.send(&event(id))).collect();
        assert_eq!(fed, [Fed::Taken, Fed::Taken, Fed::Taken, Fed::Taken, Fed::LostFirst, Fed::Lost]);
        assert_eq!(events.try_recv().unwrap().id.0, 1);
        assert_eq!(feed.send(&event(7)), Fed::Lost, "there is room for one only");
        assert_eq!(events.try_recv().unwrap().id.0, 2);
        assert!(matches!(feed.send(&event(8)), Fed::TakenAfter(3, _)));
        let left: Vec<u64> = std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.id.0).collect();
        assert_eq!((left, feed.waiting.get(), feed.missed.get()), (vec![3, 4, 8], 0, 3));
        let fed: Vec<Fed> = (9..=13).map(|id| feed.send(&event(id))).collect();
        assert_eq!(fed[4], Fed::LostFirst);
        assert_eq!(feed.look(), Fed::Taken, "it has not caught up");
        while events.try_recv().is_ok() {}
        assert!(matches!(feed.look(), Fed::TakenAfter(1, _)), "nothing happens, and it is told all the same");
        assert_eq!(feed.look(), Fed::Taken);
        assert_eq!(feed.send(&event(14)), Fed::Taken);
        drop(events);
        assert_eq!((feed.send(&event(15)), feed.waiting.get()), (Fed::Gone, 0));
    }
}
