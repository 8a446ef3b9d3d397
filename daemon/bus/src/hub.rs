//! The hub: the one place where events come together, and the handles around it.
//!
//! Publishers hold a [`Bus`]: an id from an atomic, two clock readings, one push; nothing there waits for anything.
//! [`Hub::run`], one task on the ordinary runtime, takes each event, folds it into the world, keeps it in the
//! history, counts it, and hands it on: in full to *delivering* consumers ([`Hub::deliver`]), through short
//! queues to *watching* ones ([`Reader::watch`]). Readers hold a [`Reader`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use parking_lot::{RwLock, RwLockReadGuard};

use crate::counters::Counters;
use crate::delivery::{Deliveries, Fed, Feed, MOST};
use crate::event::{Event, EventId};
use crate::fact::{ConsumerFact, Fact};
use crate::history::History;
use crate::mailbox::{Receiver, Sender, WeakSender, mailbox};
use crate::subject::Name;
use crate::tally::Tally;
use crate::watcher::{Watcher, Watchers};
use crate::world::World;

/// Events that the hub takes in one turn: a storm must not starve the runtime's other tasks. These are more than consumers
/// take in one, so that on a machine which is short of time what waits does so in their queues, which are bounded, and not
/// before the world, which has no bound: publishers never wait.
const IN_A_TURN: u32 = 2048;

/// Sizes of the bus.
#[derive(Clone, Debug)]
pub struct BusSettings {
    /// Events held in memory for `keepwatch events` and `why`.
    pub history: usize,
    /// Events that a watching consumer may lag behind before it misses some.
    pub ring: usize,
    /// Events of earlier runs, oldest first ([`crate::FileSettings::load`]): the history begins with them, and
    /// numbers go on after theirs.
    pub earlier: Vec<Event>,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self { history: 4096, ring: 4096, earlier: Vec::new() }
    }
}

/// Where facts go in. Clone it freely; publishing never waits.
#[derive(Clone)]
pub struct Bus {
    next: Arc<AtomicU64>,
    queue: Sender<Event>,
}

impl Bus {
    /// Publishes a fact; `cause` is the event that led to it. The id is known at once, so that what follows can
    /// name it as its cause.
    pub fn publish(&self, cause: Option<EventId>, fact: impl Into<Fact>) -> EventId {
        let id = EventId(self.next.fetch_add(1, Ordering::Relaxed));
        let fact = fact.into();
        self.queue.send(Event { id, at: Timestamp::now(), mono: monotonic_nanoseconds(), cause, fact });
        id
    }

    /// A handle for a consumer.
    pub fn downgrade(&self) -> WeakBus {
        WeakBus { next: self.next.clone(), queue: self.queue.downgrade() }
    }
}

/// A handle for consumers that have something to say themselves (a mail was sent): unlike a [`Bus`], it does not
/// keep the hub running.
#[derive(Clone)]
pub struct WeakBus {
    next: Arc<AtomicU64>,
    queue: WeakSender<Event>,
}

impl WeakBus {
    /// As [`Bus::publish`]; `None` when the hub is ending.
    pub fn publish(&self, cause: Option<EventId>, fact: impl Into<Fact>) -> Option<EventId> {
        let queue = self.queue.upgrade()?;
        Some(Bus { next: self.next.clone(), queue }.publish(cause, fact))
    }
}

/// `CLOCK_MONOTONIC` now, in nanoseconds: the clock of [`Event::mono`].
pub fn monotonic_nanoseconds() -> u64 {
    // CLOCK_MONOTONIC can't fail on Linux; 0 would only make a duration wrong, never a decision.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}

struct Shared {
    world: RwLock<World>,
    history: RwLock<History>,
    counters: Counters,
    watchers: Watchers,
    /// To see how much waits.
    queue: WeakSender<Event>,
    /// When the hub went round last, by the monotonic clock in nanoseconds; 0 before it has begun.
    turned: AtomicU64,
}

/// Read access to everything, for consumers. Clone it freely.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

impl Reader {
    /// The world as it is. Hold it briefly: the hub waits for it (publishers never do).
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.0.world.read()
    }

    /// The last events. Hold it briefly, likewise. Who wants the world as well takes that first.
    pub fn history(&self) -> RwLockReadGuard<'_, History> {
        self.0.history.read()
    }

    /// The world as it is, and all that happens from then on: folding that into it gives the world as it becomes.
    pub fn follow(&self, name: &str) -> (World, Watcher) {
        let world = self.world();
        let watcher = self.watch(name);
        (world.clone(), watcher)
    }

    /// Every counter.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Events that were published and that the hub has not come to yet.
    pub fn backlog(&self) -> usize {
        self.0.queue.len()
    }

    /// The same, and what waits for those that deliver: the longest of their queues.
    pub fn waiting(&self) -> usize {
        let queues = self.counters().waiting.all();
        let longest = queues.iter().map(|(_, waiting)| waiting.get()).max().unwrap_or(0);
        self.backlog() + usize::try_from(longest).unwrap_or(0)
    }

    /// How long ago the hub went round last; it does so at least twice a second. Nothing before it has begun.
    pub fn still(&self) -> Duration {
        match self.0.turned.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            turned => Duration::from_nanos(monotonic_nanoseconds().saturating_sub(turned)),
        }
    }

    /// Begins to watch: sees every event from now on, unless it lags more than [`BusSettings::ring`]; then it is told
    /// how many it missed, and `missed` counts them under `name`.
    pub fn watch(&self, name: &str) -> Watcher {
        self.0.watchers.add(self.0.counters.missed.resolve(&Name::from(name)))
    }
}

/// The task in the middle. Make it with [`Hub::new`], give out its handles, then [`run`](Hub::run) it.
pub struct Hub {
    queue: Receiver<Event>,
    shared: Arc<Shared>,
    delivering: Vec<(Name, Feed)>,
    /// To tell of a consumer that can't keep up.
    bus: WeakBus,
    beat: Arc<AtomicU64>,
    tally: Tally,
}

impl Hub {
    /// Makes a hub and the handle to publish on it.
    ///
    /// # Errors
    /// When the kernel gives no eventfd.
    pub fn new(settings: BusSettings) -> io::Result<(Bus, Self)> {
        let (sender, queue) = mailbox()?;
        let next = settings.earlier.iter().map(|e| e.id.0 + 1).max().unwrap_or(1);
        let mut history = History::new(settings.history);
        settings.earlier.into_iter().for_each(|e| history.push(Arc::new(e)));
        let shared = Arc::new(Shared {
            world: RwLock::default(),
            history: RwLock::new(history),
            counters: Counters::default(),
            watchers: Watchers::new(settings.ring),
            queue: sender.downgrade(),
            turned: AtomicU64::new(0),
        });
        let bus = Bus { next: Arc::new(next.into()), queue: sender };
        let hub = Self {
            queue,
            shared,
            delivering: Vec::new(),
            bus: bus.downgrade(),
            beat: Arc::default(),
            tally: Tally::default(),
        };
        Ok((bus, hub))
    }

    /// Read access.
    pub fn reader(&self) -> Reader {
        Reader(self.shared.clone())
    }

    /// A queue of every event that concerns it, from the start, in order, for a consumer that acts (mail, traps). How much
    /// waits in it is shown under `name`.
    pub fn deliver(&mut self, name: &str, concerns: fn(&Fact) -> bool) -> Deliveries {
        self.feed(name, concerns, usize::MAX)
    }

    /// The same of all events, for a consumer that tells of them. Should ever more wait than the start of the largest
    /// configuration gives ([`crate::delivery`]), what is lost to the consumer is counted as missed, and told.
    pub fn deliver_all(&mut self, name: &str) -> Deliveries {
        self.feed(name, |_| true, MOST)
    }

    fn feed(&mut self, name: &str, concerns: fn(&Fact) -> bool, most: usize) -> Deliveries {
        let (name, counters) = (Name::from(name), &self.shared.counters);
        let (feed, deliveries) =
            Feed::new(most, concerns, counters.waiting.resolve(&name), counters.missed.resolve(&name));
        self.delivering.push((name, feed));
        deliveries
    }

    /// Rises with each turn of the hub, at least twice a second: a supervisor's proof of life.
    pub fn heartbeat(&self) -> Arc<AtomicU64> {
        self.beat.clone()
    }

    /// Runs until every [`Bus`] is gone and all that they published is handled.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            self.beat.fetch_add(1, Ordering::Relaxed);
            self.shared.turned.store(monotonic_nanoseconds(), Ordering::Relaxed);
            let received = tokio::select! {
                received = self.queue.recv() => received,
                _ = tick.tick() => {
                    let bus = &self.bus;
                    self.delivering.iter_mut().for_each(|(name, feed)| tell_of(bus, name, feed.look()));
                    continue;
                }
            };
            let Ok(Some(event)) = received else { break };
            self.handle(event);
            for _ in 1..IN_A_TURN {
                let Some(event) = self.queue.try_recv() else { break };
                self.handle(event);
            }
            tokio::task::yield_now().await;
        }
        self.shared.watchers.end();
    }

    fn handle(&mut self, event: Event) {
        let counters = &self.shared.counters;
        counters.events.resolve(&event.fact.kind()).note(&event);
        // Held to the end, so that who looks at the world and begins to watch ([`Reader::follow`]) sees each event once.
        let mut world = self.shared.world.write();
        world.apply(&event);
        self.tally.take(&event, &world, &self.shared.history.read(), &counters.tallies);
        let event = Arc::new(event);
        self.shared.history.write().push(event.clone());
        let bus = &self.bus;
        self.delivering.retain_mut(|(name, feed)| {
            let fed = feed.send(&event);
            tell_of(bus, name, fed);
            fed != Fed::Gone
        });
        self.shared.watchers.tell(&event);
    }
}

/// Says that a consumer misses events, or does so no longer.
fn tell_of(bus: &WeakBus, name: &Name, fed: Fed) {
    let consumer = name.clone();
    let fact = match fed {
        Fed::Taken | Fed::Lost | Fed::Gone => return,
        Fed::LostFirst => ConsumerFact::DeliveryInterrupted {
            consumer,
            error: "events come faster than it takes them".into(),
            waiting: u32::try_from(MOST).unwrap_or(u32::MAX),
        },
        Fed::TakenAfter(lost, stood) => ConsumerFact::DeliveryResumed { consumer, lost, stood },
    };
    bus.publish(None, fact);
}
