//! D-Bus. In: the configuration's names, every event. Out: objects and signals on the system bus; and what somebody there
//! asks for.

use std::time::Duration;

use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_dbus::{Asked, Names};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What the last signals may take.
const STOP_WITHIN: Duration = Duration::from_millis(500);

/// The daemon on the system bus.
pub(in crate::worker) struct Dbus {
    wanted: watch::Sender<Option<Names>>,
    task: JoinHandle<()>,
}

impl Dbus {
    /// Sets it going; it is on no bus before [`Dbus::apply`]. What is asked for there arrives at the receiver.
    pub(in crate::worker) fn start(
        hub: &mut Hub,
        reader: Reader,
        bus: &Bus,
    ) -> (Self, mpsc::UnboundedReceiver<Asked>) {
        let wanted = watch::Sender::new(None);
        let (asked, requests) = mpsc::unbounded_channel();
        let task = keepwatch_dbus::run(
            hub.deliver("D-Bus", keepwatch_dbus::concerns),
            wanted.subscribe(),
            reader,
            bus.downgrade(),
            asked,
        );
        (Self { wanted, task: tokio::spawn(task) }, requests)
    }

    /// It is on the bus as `config` says from now on.
    pub(in crate::worker) fn apply(&self, config: &Config) {
        let names = Names::of(&config.global);
        self.wanted.send_if_modified(|known| {
            let changes = *known != names;
            if changes {
                *known = names;
            }
            changes
        });
    }

    /// Waits for the last signals.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(STOP_WITHIN, &mut self.task).await;
        self.task.abort();
    }
}
