//! SNMP. In: what the configuration and the command line want served. Out: the session with the master agent.
//!
//! While there is something to serve it has a thread of its own: a walk is one short request after the other, and on the
//! runtime of many threads waking a second one for each would cost more than the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{Bus, Hub, Reader};
use keepwatch_config::Config;
use keepwatch_mib::{Parts, SetRequest};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::worker::settings::Settings;

/// What it may take to say good-bye.
const STOP_WITHIN: Duration = Duration::from_millis(400);

/// The subagent.
pub(in crate::worker) struct Snmp {
    wanted: watch::Sender<Option<keepwatch_mib::Settings>>,
    done: oneshot::Receiver<()>,
    reader: Reader,
    /// Whether there is a thread for it.
    runs: Arc<AtomicBool>,
    asked: Option<mpsc::UnboundedReceiver<SetRequest>>,
}

impl Snmp {
    /// Sets it going; it serves nothing before [`Snmp::apply`].
    pub(in crate::worker) fn start(hub: &mut Hub, reader: Reader, bus: &Bus) -> Self {
        let wanted = watch::Sender::new(None);
        let (ask, asked) = mpsc::unbounded_channel();
        let events = hub.deliver("snmp", keepwatch_mib::traps::concern);
        let agent = keepwatch_mib::run(wanted.subscribe(), reader.clone(), bus.downgrade(), events, ask);
        let (ended, done) = oneshot::channel();
        let runs = Arc::new(AtomicBool::new(true));
        let (running, bus) = (runs.clone(), bus.downgrade());
        tokio::spawn(async move {
            if let Err(error) = agent.await {
                running.store(false, Ordering::Relaxed);
                let (consumer, error) = ("snmp".into(), error.to_string());
                bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
            }
            // Nobody may be left who waits for it.
            let _ = ended.send(());
        });
        Self { wanted, done, reader, runs, asked: Some(asked) }
    }

    /// What managers set, for whoever acts; once.
    pub(in crate::worker) fn take_asked(&mut self) -> Option<mpsc::UnboundedReceiver<SetRequest>> {
        self.asked.take()
    }

    /// This is served from now on.
    pub(in crate::worker) fn apply(&self, settings: &Settings, config: &Config, bus: &Bus) {
        let vrrp = settings.vrrp();
        let running = Parts { vrrp, checker: settings.checkers(), rfc_v2: vrrp, rfc_v3: vrrp };
        let socket = settings.cli.snmp_agent_socket.as_deref();
        let wanted = keepwatch_mib::Settings::of(config, settings.cli.snmp, socket, running);
        let had_failed = self.reader.world().failed_consumers.contains_key("snmp");
        if wanted.is_ok() && self.runs.load(Ordering::Relaxed) && had_failed {
            bus.publish(None, ConsumerFact::ConsumerWorks { consumer: "snmp".into() });
        }
        let wanted = wanted.unwrap_or_else(|error| {
            let (consumer, error) = ("snmp".into(), error.to_string());
            bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
            None
        });
        self.wanted.send_replace(wanted);
    }

    /// Waits for its end, which it comes to after the hub's.
    pub(in crate::worker) async fn stop(self) {
        // What takes longer ends with the process.
        let _ = timeout(STOP_WITHIN, self.done).await;
    }
}
