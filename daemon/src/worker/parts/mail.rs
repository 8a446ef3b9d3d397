//! Mail. In: the configuration's mail settings, every event. Out: mails, on a task of their own.

use std::time::Duration;

use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_notify::MailSettings;
use keepwatch_notify::postman::{self, Patience};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long mail about the end may be tried.
const LAST_MAIL: Duration = Duration::from_secs(1);

/// The postman.
pub(in crate::worker) struct Mail {
    wanted: watch::Sender<Option<MailSettings>>,
    task: JoinHandle<()>,
}

impl Mail {
    /// Sets it going; it sends nothing before [`Mail::apply`].
    pub(in crate::worker) fn start(hub: &mut Hub, reader: Reader, bus: &Bus) -> Self {
        let wanted = watch::Sender::new(None);
        let patience = Patience { farewell: LAST_MAIL, ..Patience::default() };
        let task = postman::run(hub.deliver(), wanted.subscribe(), reader, bus.downgrade(), patience);
        Self { wanted, task: tokio::spawn(task) }
    }

    /// Mails are sent as `config` says from now on.
    pub(in crate::worker) fn apply(&self, config: &Config) {
        self.wanted.send_replace(MailSettings::of(config));
    }

    /// Waits for the last mail: it has bounded itself since it heard that the daemon stops.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(LAST_MAIL, &mut self.task).await;
        self.task.abort();
    }
}
