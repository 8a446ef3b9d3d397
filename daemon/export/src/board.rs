//! What pages that are open are told: one task folds the events into [`Timelines`], takes [`Samples`], and, while
//! somebody looks, says several times a second which rows are others than before. A row is made once, however many
//! pages show it. Bounded: a page that does not keep up is told to fetch itself anew, and so are all when too much
//! changed at once.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_bus::subject::RealKey;
use keepwatch_bus::world::{Instance, RealServer, Service, World};
use keepwatch_bus::{Event, EventId, Reader};
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::page::{self, Scene, View};
use crate::samples::{PACE, Samples};
use crate::timeline::{Subject, Timelines};

/// From one word to open pages to the next.
const TELL: Duration = Duration::from_millis(250);
/// Most rows that are sent; where more changed, a page fetches itself.
const ROWS: usize = 150;
/// Most events that are sent at a time.
const EVENTS: usize = 40;
/// Publishers on different threads overtake each other by fewer places than this.
const OVERTAKEN: u64 = 1024;
/// Words that a page may lag behind.
const BEHIND: usize = 16;

/// What is remembered beside the world.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) timelines: Timelines,
    pub(crate) samples: Samples,
}

/// The board, and those who look at it.
pub(crate) struct Live {
    reader: Reader,
    board: RwLock<Board>,
    told: broadcast::Sender<Arc<str>>,
}

/// A word to open pages.
#[derive(Serialize)]
struct Word {
    /// Too much is new: fetch the page.
    again: bool,
    /// Milliseconds since 1970.
    now: i64,
    summary: String,
    trouble: String,
    /// Rows by the name of their subject.
    rows: HashMap<String, String>,
    /// Lines of events, oldest first.
    events: Vec<String>,
}

impl Live {
    pub(crate) fn new(reader: Reader) -> Arc<Self> {
        Arc::new(Self { reader, board: RwLock::default(), told: broadcast::channel(BEHIND).0 })
    }

    /// What is remembered. Hold it briefly.
    pub(crate) fn board(&self) -> RwLockReadGuard<'_, Board> {
        self.board.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Board) -> T) -> T {
        change(&mut self.board.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to look.
    pub(crate) fn look(&self) -> broadcast::Receiver<Arc<str>> {
        self.told.subscribe()
    }

    /// Makes something out of all that is known now.
    pub(crate) fn scene<T>(&self, view: &View, make: impl FnOnce(Scene<'_>) -> T) -> T {
        // The world before the history: so does everybody who wants both.
        let (world, history, board) = (self.reader.world(), self.reader.history(), self.board());
        make(Scene { world: &world, history: &history, board: &board, now: Timestamp::now(), view })
    }

    /// Follows the bus until it ends.
    pub(crate) async fn run(self: Arc<Self>) {
        let before = self.reader.history().iter().next_back().map_or(0, |newest| newest.id.0);
        let mut watcher = self.reader.watch("page");
        // What is in both the history and the ring is folded once: only what came meanwhile can be.
        let mut known: HashSet<EventId> = HashSet::new();
        let past: Vec<Arc<Event>> = self.reader.history().iter().cloned().collect();
        self.with(|board| {
            for event in &past {
                board.timelines.apply(event);
                if event.id.0 + OVERTAKEN > before {
                    known.insert(event.id);
                }
            }
        });
        drop(past);
        self.settle();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sampled = Instant::now();
        let mut pending = Pending::default();
        loop {
            tokio::select! {
                seen = watcher.next() => {
                    let Some(seen) = seen else { return };
                    if seen.missed > 0 {
                        self.settle();
                    }
                    if !known.remove(&seen.event.id) {
                        self.with(|board| board.timelines.apply(&seen.event));
                    }
                    pending.add(seen.event);
                }
                () = sleep_until(pending.due()), if pending.since.is_some() => {
                    if self.told.receiver_count() == 0 {
                        // Who begins to look fetches a page; from then on differences count.
                        pending = Pending::default();
                    } else {
                        self.tell(&mut pending);
                    }
                }
                _ = pace.tick() => {
                    let span = sampled.elapsed();
                    sampled = Instant::now();
                    let counters = self.reader.counters();
                    self.with(|board| board.samples.take(counters, span));
                }
            }
        }
    }

    /// Events were missed, or are no longer held: what is now is read from the world.
    fn settle(&self) {
        let world = self.reader.world();
        self.with(|board| board.timelines.settle(&world, Timestamp::now()));
    }

    fn tell(&self, pending: &mut Pending) {
        let view = View::default();
        let word = self.scene(&view, |scene| {
            let changed = pending.compare(scene.world);
            let again = changed.len() > ROWS || pending.lost;
            let mut word = Word {
                again,
                now: scene.now.as_millisecond(),
                summary: String::new(),
                trouble: String::new(),
                rows: HashMap::new(),
                events: Vec::new(),
            };
            // Writing to a String can't fail.
            let _ = page::write_summary(&mut word.summary, scene);
            let _ = page::write_trouble(&mut word.trouble, scene);
            if !again {
                word.rows = changed.into_iter().filter_map(|subject| row(scene, subject)).collect();
            }
            let lines =
                pending.events.iter().filter_map(|event| page::event_row(scene.history, &view, event));
            word.events = lines.collect();
            word
        });
        pending.done();
        if let Ok(json) = serde_json::to_string(&word) {
            // Nobody may be left.
            let _ = self.told.send(json.into());
        }
    }
}

fn row(scene: Scene<'_>, subject: Subject) -> Option<(String, String)> {
    let mut out = String::new();
    match &subject {
        Subject::Router(name) => page::router_row(&mut out, scene, scene.world.instances.get(name)?),
        Subject::Service(key) => page::service_row(&mut out, scene, scene.world.services.get(key)?),
        Subject::Real(key) => {
            page::real_row(&mut out, scene, scene.world.services.get(&key.service)?, scene.world.real(key)?)
        }
        Subject::Group(name) => page::group_row(&mut out, scene, scene.world.groups.get(name)?),
        Subject::Tracker(key) => {
            page::tracked_row(&mut out, scene, scene.world.tracked().find(|tracked| tracked.key == *key)?)
        }
    }
    .ok()?;
    Some((subject.to_string(), out))
}

/// What is not yet told.
#[derive(Default)]
struct Pending {
    /// When the first of it happened.
    since: Option<Instant>,
    events: Vec<Arc<Event>>,
    /// There were more events than are sent, or nothing is known of what was before.
    lost: bool,
    /// The rows when they were told last, in the order of the world: whom each is about, and what it looked like.
    rows: Option<Vec<(u64, u64)>>,
}

impl Pending {
    fn add(&mut self, event: Arc<Event>) {
        self.since.get_or_insert_with(Instant::now);
        if self.events.len() < EVENTS {
            self.events.push(event);
        } else {
            self.lost = true;
        }
    }

    fn due(&self) -> Instant {
        self.since.unwrap_or_else(Instant::now) + TELL
    }

    fn done(&mut self) {
        (self.since, self.lost) = (None, false);
        self.events.clear();
    }

    /// The subjects whose rows are others than when this was asked last. Rows that came or went make a page fetch
    /// itself, and so does the first time.
    fn compare(&mut self, world: &World) -> Vec<Subject> {
        let before = self.rows.take();
        let mut now = Vec::with_capacity(before.as_ref().map_or(0, Vec::len));
        let (mut changed, mut moved) = (Vec::new(), before.is_none());
        each_row(world, |about, looks, subject| {
            match before.as_ref().and_then(|before| before.get(now.len())) {
                Some(known) if *known == (about, looks) => {}
                Some((known, _)) if *known == about => changed.push(subject()),
                Some(_) | None => moved = true,
            }
            now.push((about, looks));
        });
        self.lost |= moved || before.is_some_and(|before| before.len() != now.len());
        self.rows = Some(now);
        changed
    }
}

/// Goes over all rows in the order of the world: whom each is about and what it looks like, both as a number, and its
/// subject for who needs it. There may be ten thousand, and several looks a second:
/// nothing is allocated for those of servers.
fn each_row(world: &World, mut row: impl FnMut(u64, u64, &dyn Fn() -> Subject)) {
    for instance in world.instances.values() {
        let about = number(|hasher| ("router", &instance.name).hash(hasher));
        row(about, number(|hasher| router(instance, hasher)), &|| Subject::Router(instance.name.clone()));
    }
    for service in world.services.values() {
        let about = number(|hasher| service.key.hash(hasher));
        row(about, number(|hasher| of_service(service, hasher)), &|| Subject::Service(service.key));
        for real in service.reals.values() {
            let about = number(|hasher| (about, real.address).hash(hasher));
            let key = RealKey { service: service.key, real: real.address };
            row(about, number(|hasher| of_real(real, hasher)), &|| Subject::Real(key));
        }
    }
    for group in world.groups.values() {
        let about = number(|hasher| ("group", &group.name).hash(hasher));
        let changed = group.changed.map(|change| change.event);
        let looks = number(|hasher| (group.state, changed).hash(hasher));
        row(about, looks, &|| Subject::Group(group.name.clone()));
    }
    for tracked in world.tracked() {
        let about = number(|hasher| tracked.key.hash(hasher));
        let changed = tracked.changed.map(|change| change.event);
        // A level has no hash of its own; its word has.
        let level = tracked.level.to_string();
        row(about, number(|hasher| (level, changed).hash(hasher)), &|| Subject::Tracker(tracked.key.clone()));
    }
}

fn number(write: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    write(&mut hasher);
    hasher.finish()
}

fn router(instance: &Instance, hasher: &mut DefaultHasher) {
    let changed = instance.changed.map(|change| change.event);
    (instance.state, instance.priority, instance.master, changed).hash(hasher);
    (&instance.addresses, &instance.own_addresses, &instance.drop_error).hash(hasher);
    for missing in &instance.missing {
        (&missing.address, &missing.error).hash(hasher);
    }
    instance.rivals.iter().for_each(|rival| (rival.address, rival.changed.event).hash(hasher));
    instance.settings.position.hash(hasher);
}

fn of_service(service: &Service, hasher: &mut DefaultHasher) {
    let changed = service.changed.map(|change| change.event);
    (service.quorum, service.sorry, service.present, service.resting, changed).hash(hasher);
    service.refused.as_ref().map(|refusal| refusal.changed.event).hash(hasher);
    service.reals.values().for_each(|real| real.state().hash(hasher));
}

fn of_real(real: &RealServer, hasher: &mut DefaultHasher) {
    let changed = real.changed.map(|change| change.event);
    (real.state(), real.weight, changed).hash(hasher);
    real.refused.as_ref().map(|refusal| refusal.changed.event).hash(hasher);
    for checker in &real.checkers {
        (checker.ok, checker.changed.event).hash(hasher);
    }
}
