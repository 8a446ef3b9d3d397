//! How a loop shows that it lives: it beats each time that it goes round, and says before it does something that may
//! take long what that is. Whoever watches asks [`Beat::count`] and [`Beat::call`]; nobody waits for anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

/// The checkers' part, in facts and metrics.
pub const CHECKERS: &str = "checkers";
/// The IPVS engine's part, in facts and metrics.
pub const IPVS: &str = "ipvs";
/// The part that puts virtual addresses on interfaces and announces them, in facts and metrics.
pub const ADDRESSES: &str = "addresses";
/// The thread of BFD sessions, in facts and metrics.
pub const BFD: &str = "bfd";
/// The parts that adverts do not depend on, and whose standing still is told.
pub const PARTS: [&str; 4] = [CHECKERS, IPVS, ADDRESSES, BFD];

/// A loop's beat; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Beat(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicU64,
    call: Mutex<Option<(&'static str, Instant)>>,
}

/// Something that may take long, from [`Beat::begin`] until this is dropped.
#[derive(Debug)]
pub struct Call(Beat);

impl Beat {
    /// The loop goes round: at least once a second.
    pub fn beat(&self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has gone round.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Begins something that may take long; one at a time.
    #[must_use = "it ends when this is dropped"]
    pub fn begin(&self, what: &'static str) -> Call {
        *self.0.call.lock() = Some((what, Instant::now()));
        Call(self.clone())
    }

    /// What it is doing, and since when.
    pub fn call(&self) -> Option<(&'static str, Instant)> {
        *self.0.call.lock()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        *self.0.0.call.lock() = None;
    }
}
