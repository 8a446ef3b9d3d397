//! Gives back what a start or a reload needed of memory, once that has settled.

use keepwatch_model::ProcessScheduling;
use keepwatch_net::memory;
use keepwatch_vrrp::runner::priority;
use tokio::time::{Instant, sleep_until};

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
        let scheduling = self.scheduling.clone();
        // It may take some milliseconds, where there is much of it. Without a thread it is left.
        let _ = std::thread::Builder::new().name("memory".into()).spawn(move || {
            priority::apply(&scheduling);
            memory::give_back();
        });
        memory::give_back_stack();
    }
}
