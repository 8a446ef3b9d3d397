//! Webhooks. In: the receivers of the configuration, every event. Out: requests, on a task of their own.

use std::time::Duration;

use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_notify::webhook::{self, WebhookSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What may be waited for at the end; it bounds itself to a little less.
const STOP_WITHIN: Duration = Duration::from_millis(800);

/// Whoever posts.
pub(in crate::worker) struct Webhooks {
    wanted: watch::Sender<Option<WebhookSettings>>,
    task: JoinHandle<()>,
}

impl Webhooks {
    /// Sets it going; it posts nothing before [`Webhooks::apply`].
    pub(in crate::worker) fn start(hub: &mut Hub, reader: Reader, bus: &Bus) -> Self {
        let wanted = watch::Sender::new(None);
        let task = webhook::run(hub.deliver_all("webhooks"), wanted.subscribe(), reader, bus.downgrade());
        Self { wanted, task: tokio::spawn(task) }
    }

    /// These are the receivers from now on; what waits for one that stays the same goes on waiting.
    pub(in crate::worker) fn apply(&self, config: &Config) {
        let settings = WebhookSettings::of(config, &super::host_name());
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != settings;
            *wanted = settings;
            differs
        });
    }

    /// Waits for the last message; to be called after the hub has ended.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(STOP_WITHIN, &mut self.task).await;
        self.task.abort();
    }
}
