//! OpenTelemetry. In: what the configuration and the environment say, every event. Out: batches to the collector, on a task
//! of its own.

use std::time::Duration;

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{Bus, Reader};
use keepwatch_config::Config;
use keepwatch_otlp::settings::Sender;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What may be waited for at the end; it bounds itself to a little less.
const STOP_WITHIN: Duration = Duration::from_millis(800);

/// The exporter.
pub(in crate::worker) struct Otlp {
    wanted: watch::Sender<Option<keepwatch_otlp::Settings>>,
    reader: Reader,
    task: JoinHandle<()>,
}

impl Otlp {
    /// Sets it going; it sends nothing before [`Otlp::apply`].
    pub(in crate::worker) fn start(reader: &Reader, bus: &Bus) -> Self {
        let wanted = watch::Sender::new(None);
        let watcher = reader.watch("otlp");
        let task = keepwatch_otlp::run(watcher, wanted.subscribe(), reader.clone(), bus.downgrade());
        Self { wanted, reader: reader.clone(), task: tokio::spawn(task) }
    }

    /// This is sent from now on. What waits goes on waiting where nothing has changed.
    pub(in crate::worker) fn apply(&self, config: &Config, bus: &Bus) {
        let sender = Sender {
            host: super::host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
        };
        let settings = keepwatch_otlp::Settings::of(config, &sender, |name| std::env::var(name).ok());
        let had_failed = self.reader.world().failed_consumers.contains_key("otlp");
        if settings.is_ok() && had_failed {
            bus.publish(None, ConsumerFact::ConsumerWorks { consumer: "otlp".into() });
        }
        let settings = settings.unwrap_or_else(|error| {
            let (consumer, error) = ("otlp".into(), error.to_string());
            bus.publish(None, ConsumerFact::ConsumerFailed { consumer, error });
            None
        });
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != settings;
            *wanted = settings;
            differs
        });
    }

    /// Waits for the last batch; to be called after the hub has ended.
    pub(in crate::worker) async fn stop(mut self) {
        let _ = timeout(STOP_WITHIN, &mut self.task).await;
        self.task.abort();
    }
}
