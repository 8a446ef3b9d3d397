//! Notify scripts. In: the configuration's scripts, every event. Out: processes.

use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::{Bus, Hub};
use keepwatch_config::Config;
use keepwatch_notify::scripts::{self, Bounds, ScriptSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long scripts about the end are started and waited for.
const LAST_SCRIPTS: Duration = Duration::from_secs(1);

/// By then they are gone, since it was told.
const GONE: Duration = LAST_SCRIPTS.saturating_add(scripts::LAST_KILL);

/// Whoever runs the scripts.
pub(in crate::worker) struct Scripts {
    wanted: watch::Sender<Arc<ScriptSettings>>,
    task: JoinHandle<()>,
}

impl Scripts {
    /// Sets it going; it runs nothing before [`Scripts::apply`].
    pub(in crate::worker) fn start(hub: &mut Hub, bus: &Bus) -> Self {
        let wanted = watch::Sender::new(Arc::default());
        let bounds = Bounds { farewell: LAST_SCRIPTS, ..Bounds::default() };
        let task = scripts::run(
            hub.deliver("scripts", keepwatch_notify::occasions::concern),
            wanted.subscribe(),
            bus.downgrade(),
            bounds,
        );
        Self { wanted, task: tokio::spawn(task) }
    }

    /// These scripts are run from now on, with this umask unless the configuration alone says one.
    pub(in crate::worker) fn apply(&self, config: &Config, umask: Option<u32>) {
        self.wanted.send_replace(Arc::new(ScriptSettings::of(config, umask)));
    }

    /// Waits for the last ones: they have been bounded since it was told that the daemon stops.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(GONE, &mut self.task).await;
        self.task.abort();
    }
}
