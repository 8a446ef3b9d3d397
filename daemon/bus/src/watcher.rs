//! Consumers that watch: each has a queue of its own that holds what it has not seen yet, up to a bound beyond which the
//! oldest are lost to it. A queue takes memory for what waits in it, and no more.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::counters::Counter;
use crate::event::Event;

/// An empty queue keeps room for so many.
const ROOM: usize = 64;

/// An event that a watcher saw, and how many it missed just before it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The event.
    pub event: Arc<Event>,
    /// Events missed since the one before.
    pub missed: u64,
}

/// What a watcher has not seen yet.
#[derive(Default)]
struct Backlog {
    events: VecDeque<Arc<Event>>,
    /// Lost since it was last told of it.
    lost: u64,
}

impl Backlog {
    fn put(&mut self, event: Arc<Event>, most: usize, missed: &Counter) {
        if self.events.len() >= most {
            self.events.pop_front();
            self.lost += 1;
            missed.add(1);
        }
        self.events.push_back(event);
    }

    fn take(&mut self) -> Option<Seen> {
        let event = self.events.pop_front()?;
        if self.events.is_empty() && self.events.capacity() > ROOM {
            self.events.shrink_to(ROOM);
        }
        Some(Seen { event, missed: std::mem::take(&mut self.lost) })
    }
}

/// The hub's end of a watcher's queue.
struct Feed {
    backlog: Arc<Mutex<Backlog>>,
    bell: mpsc::Sender<()>,
    missed: Arc<Counter>,
}

/// All that watch.
pub(crate) struct Watchers {
    /// None when the hub has ended: watchers then see the end.
    feeds: Mutex<Option<Vec<Feed>>>,
    /// Events that may wait for a watcher.
    most: usize,
}

impl Watchers {
    /// Each may lag behind by `most`, at least one.
    pub(crate) fn new(most: usize) -> Self {
        Self { feeds: Mutex::new(Some(Vec::new())), most: most.max(1) }
    }

    /// One more. What it misses is counted.
    pub(crate) fn add(&self, missed: Arc<Counter>) -> Watcher {
        let (bell, rung) = mpsc::channel(1);
        let backlog = Arc::<Mutex<Backlog>>::default();
        if let Some(feeds) = &mut *self.feeds.lock() {
            // While nothing happens nobody else notices that one has gone.
            feeds.retain(|feed| !feed.bell.is_closed());
            feeds.push(Feed { backlog: backlog.clone(), bell, missed });
        }
        Watcher { backlog, rung }
    }

    /// Hands an event to all.
    pub(crate) fn tell(&self, event: &Arc<Event>) {
        let mut feeds = self.feeds.lock();
        let Some(feeds) = &mut *feeds else { return };
        feeds.retain(|feed| {
            feed.backlog.lock().put(event.clone(), self.most, &feed.missed);
            // A bell that has been rung and not been heard yet is enough.
            !matches!(feed.bell.try_send(()), Err(mpsc::error::TrySendError::Closed(())))
        });
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        *self.feeds.lock() = None;
    }
}

/// A watching consumer's end of its queue.
pub struct Watcher {
    backlog: Arc<Mutex<Backlog>>,
    rung: mpsc::Receiver<()>,
}

impl Watcher {
    /// The next event; `None` when the hub has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Seen> {
        loop {
            // A storm of events must not starve the runtime's other tasks.
            tokio::task::coop::consume_budget().await;
            if let Some(seen) = self.backlog.lock().take() {
                return Some(seen);
            }
            if self.rung.recv().await.is_none() {
                return self.backlog.lock().take();
            }
        }
    }

    /// The same for a thread of its own (never on a runtime's thread).
    pub fn next_blocking(&mut self) -> Option<Seen> {
        loop {
            if let Some(seen) = self.backlog.lock().take() {
                return Some(seen);
            }
            if self.rung.blocking_recv().is_none() {
                return self.backlog.lock().take();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_watching_while_nothing_happens_leaves_nothing_behind() {
        let watchers = Watchers::new(8);
        for _ in 0..100 {
            drop(watchers.add(Arc::default()));
        }
        let _one = watchers.add(Arc::default());
        assert_eq!(watchers.feeds.lock().as_ref().map(Vec::len), Some(1));
    }
}
