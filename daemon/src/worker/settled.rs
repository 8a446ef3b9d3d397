//! Gives back what a start or a reload needed of memory, once that has settled.

use keepwatch_model::ProcessScheduling;
use keepwatch_net::memory;
use keepwatch_vrrp::runner::priority;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Whether it is planned, and how it is done.
pub(super) struct Settled {
    planned: Option<AbortHandle>,
    scheduling: ProcessScheduling,
}

impl Settled {
    /// The scheduling is that of the thread of the virtual routers: it may have to wait for a lock of the heap that is held
    /// meanwhile, and whoever holds that must not wait for a processor.
    pub(super) fn new(scheduling: ProcessScheduling) -> Self {
        Self { planned: None, scheduling }
    }

    /// Something has begun that takes memory for a while: gives that back later. To be called on a runtime.
    pub(super) fn soon(&mut self) {
        if let Some(planned) = self.planned.take() {
            planned.abort();
        }
        let scheduling = self.scheduling.clone();
        let later = async {
            sleep(memory::SETTLED_AFTER).await;
            // It may take some milliseconds, where there is much of it. Without a thread it is left.
            let _ = std::thread::Builder::new().name("memory".into()).spawn(move || {
                priority::apply(&scheduling);
                memory::give_back();
            });
        };
        self.planned = Some(tokio::spawn(later).abort_handle());
    }
}
