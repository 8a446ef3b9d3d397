//! Gives back what a start or a reload needed of memory, once that has settled.

use keepwatch_net::memory;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::sleep;

/// Whether it is planned.
#[derive(Default)]
pub(super) struct Settled(Option<AbortHandle>);

impl Settled {
    /// Something has begun that takes memory for a while: gives that back later. To be called on a runtime.
    pub(super) fn soon(&mut self) {
        if let Some(planned) = self.0.take() {
            planned.abort();
        }
        let later = async {
            sleep(memory::SETTLED_AFTER).await;
            // It may take some milliseconds, where there is much of it.
            let _ = spawn_blocking(memory::give_back).await;
        };
        self.0 = Some(tokio::spawn(later).abort_handle());
    }
}
