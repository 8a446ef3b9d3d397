//! SNMP. In: what the configuration and the command line want served. Out: the session with the master agent.

use std::time::Duration;

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_mib::Parts;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::worker::settings::Settings;

/// What it may take to say good-bye.
const STOP_WITHIN: Duration = Duration::from_millis(400);

/// The subagent.
pub(in crate::worker) struct Snmp {
    wanted: watch::Sender<Option<keepwatch_mib::Settings>>,
    task: JoinHandle<()>,
}

impl Snmp {
    /// Sets it going; it serves nothing before [`Snmp::apply`].
    pub(in crate::worker) fn start(hub: &mut Hub, reader: Reader, bus: &Bus) -> Self {
        let wanted = watch::Sender::new(None);
        let task = keepwatch_mib::run(wanted.subscribe(), reader, bus.downgrade(), hub.deliver());
        Self { wanted, task: tokio::spawn(task) }
    }

    /// This is served from now on.
    pub(in crate::worker) fn apply(&self, settings: &Settings, config: &Config, bus: &Bus) {
        let vrrp = settings.vrrp();
        let running = Parts { vrrp, checker: settings.checkers(), rfc_v2: vrrp, rfc_v3: vrrp };
        let socket = settings.cli.snmp_agent_socket.as_deref();
        let wanted =
            keepwatch_mib::Settings::of(config, settings.cli.snmp, socket, running).unwrap_or_else(|error| {
                let (consumer, error) = ("snmp".into(), error.to_string());
                bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
                None
            });
        self.wanted.send_replace(wanted);
    }

    /// Waits for its end, which it comes to after the hub's.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(STOP_WITHIN, &mut self.task).await;
        self.task.abort();
    }
}
