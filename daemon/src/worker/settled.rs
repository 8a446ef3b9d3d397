//! Gives back what a start, a reload or a flood of events needed of memory, once that has settled.

use std::time::Duration;

use keepwatch_bus::Reader;
use keepwatch_model::ProcessScheduling;
use keepwatch_net::memory;
use keepwatch_vrrp::runner::priority;
use tokio::time::{Instant, sleep, sleep_until};

/// How often it is looked how many events wait.
const LOOK: Duration = Duration::from_secs(2);
/// So many that wait are a flood: some megabytes.
const FLOOD: usize = 8192;
/// So many checks that are under way at once are one as well: each takes some kilobytes.
const CHECKS: u64 = 1024;
/// It is over when no more wait than do in an ordinary moment, and not half as many checks are made at once, and that for so
/// many looks: a machine that is still short of time could keep whoever gives back from going on, while others need the heap.
const EBB: usize = 256;
const CALM: u32 = 4;

/// One kind of flood.
#[derive(Default)]
struct Flood {
    /// It was there, and what it took is not given back yet.
    came: bool,
    calm: u32,
}

impl Flood {
    /// Whether it has been over for long enough, the first time. `high`, `low`: how it is at this look.
    fn is_over(&mut self, high: bool, low: bool) -> bool {
        self.came |= high;
        self.calm = if low { self.calm.saturating_add(1) } else { 0 };
        let over = self.came && self.calm >= CALM;
        self.came &= !over;
        over
    }
}

/// Whether it is planned, and how it is done.
pub(super) struct Settled {
    planned: Option<Instant>,
    scheduling: ProcessScheduling,
}

impl Settled {
    /// The scheduling is that of the thread of the virtual routers: it may have to wait for a lock of the heap that is held
    /// meanwhile, and whoever holds that must not wait for a processor.
    pub(super) fn new(scheduling: ProcessScheduling) -> Self {
        Self { planned: None, scheduling }
    }

    /// Something has begun that takes memory for a while: that is given back later.
    pub(super) fn soon(&mut self) {
        self.planned = Some(Instant::now() + memory::SETTLED_AFTER);
    }

    /// Waits until something is to be given back.
    pub(super) async fn due(&self) {
        match self.planned {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Gives it back. To be called on the thread that has started everything.
    pub(super) fn give_back(&mut self) {
        self.planned = None;
        aside(&self.scheduling, memory::give_back);
        memory::settled();
        memory::before_waiting();
    }

    /// Gives back what events took that waited because they came faster than they were told, and very many checks at once,
    /// whenever that is over. Until the runtime ends.
    pub(super) fn after_floods(&self, reader: Reader) {
        let scheduling = self.scheduling.clone();
        tokio::spawn(async move {
            let (mut events, mut checks) = (Flood::default(), Flood::default());
            loop {
                sleep(LOOK).await;
                let (waiting, at_once) = (reader.waiting(), reader.counters().checks_at_once.take());
                let over = [
                    events.is_over(waiting >= FLOOD, waiting <= EBB),
                    checks.is_over(at_once >= CHECKS, at_once <= CHECKS / 2),
                ];
                if over.contains(&true) {
                    // All text that is there is in use just now.
                    aside(&scheduling, memory::give_heap_back);
                }
            }
        });
    }
}

/// It may take some milliseconds, where there is much of it. Without a thread it is left.
fn aside(scheduling: &ProcessScheduling, give_back: fn()) {
    let scheduling = scheduling.clone();
    let give = move || {
        priority::apply(&scheduling);
        give_back();
    };
    let _ = std::thread::Builder::new().name("memory".into()).spawn(give);
}
