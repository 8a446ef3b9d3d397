//! The task: from the watcher to the two queues.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{Event, Reader, Watcher, WeakBus};
use keepwatch_deliver::{Courier, Patience, made_aside};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::watch;

use crate::carrier::{Collector, Signal};
use crate::chains::Chains;
use crate::records::{self, Described};
use crate::settings::{Settings, Target};

/// How long what waits is still tried when the daemon ends. Nobody may wait long for that.
const FAREWELL: Duration = Duration::from_millis(700);
/// The two queues in facts and metrics.
const TRACES: &str = "otlp traces";
const LOGS: &str = "otlp logs";
/// How long a batch is tried.
const KEEP: Duration = Duration::from_secs(600);

/// Sends what `watcher` sees to where `settings` say, until the hub ends; they may change at any time. What becomes of it
/// is counted, and told on `bus`, which is not kept alive.
pub async fn run(
    mut watcher: Watcher,
    mut settings: watch::Receiver<Option<Settings>>,
    reader: Reader,
    bus: WeakBus,
) {
    let mut sending = Sending::none();
    loop {
        let changed = tokio::select! {
            // A change first: what happens after it is sent by it. Events last: there may be no end of them.
            biased;
            Ok(()) = settings.changed() => true,
            () = step(&mut sending.traces) => false,
            () = step(&mut sending.logs) => false,
            seen = watcher.next() => {
                let Some(seen) = seen else { break };
                sending.note(&seen.event, &reader);
                false
            }
        };
        if changed {
            let wanted = settings.borrow_and_update().clone();
            sending.dismiss();
            sending = Sending::start(wanted, &reader, &bus).await;
        }
    }
    sending.finish().await;
}

async fn step<S: Signal>(courier: &mut Option<Courier<Collector<S>>>) {
    match courier {
        Some(courier) => courier.step().await,
        None => std::future::pending().await,
    }
}

/// What is sent, at one time.
struct Sending {
    chains: Option<Chains>,
    traces: Option<Courier<Collector<Span>>>,
    logs: Option<Courier<Collector<LogRecord>>>,
}

impl Sending {
    fn none() -> Self {
        Self { chains: None, traces: None, logs: None }
    }

    async fn start(wanted: Option<Settings>, reader: &Reader, bus: &WeakBus) -> Self {
        let Some(settings) = wanted else {
            [TRACES, LOGS].into_iter().for_each(|name| ends(name, reader, bus));
            return Self::none();
        };
        let host = settings.resource.iter().find(|(name, _)| name == "host.name");
        let host = host.map_or("", |(_, host)| host);
        let chains = Some(Chains::new(host, settings.sampler, settings.one_check_in));
        let settings = Arc::new(settings);
        let traces = courier(TRACES, settings.traces.clone(), &settings, reader, bus).await;
        let logs = courier(LOGS, settings.logs.clone(), &settings, reader, bus).await;
        Self { chains, traces, logs }
    }

    fn note(&mut self, event: &Arc<Event>, reader: &Reader) {
        let Some(chains) = &mut self.chains else { return };
        let line = event.line();
        let mut told = Vec::new();
        let place = chains.note(event, line.is_some(), &reader.history(), &mut told);
        let mut described = line.map(|line| Described::new(event, line));
        if let Some(traces) = &mut self.traces {
            for told in told {
                // Those before the last were held back until now.
                let described = match &described {
                    Some(described) if told.event.id == event.id => Some(described.clone()),
                    _ => told.event.line().map(|line| Described::new(&told.event, line)),
                };
                if let Some(described) = described {
                    traces.offer(records::span(&told, described));
                }
            }
        }
        if let (Some(logs), Some(described)) = (&mut self.logs, described.take()) {
            logs.offer(records::log(event, described, place, Timestamp::now()));
        }
    }

    /// Other settings: what waits is not sent any more.
    fn dismiss(&mut self) {
        if let Some(traces) = self.traces.take() {
            traces.dismiss();
        }
        if let Some(logs) = self.logs.take() {
            logs.dismiss();
        }
    }

    async fn finish(self) {
        let traces = async {
            if let Some(traces) = self.traces {
                traces.finish().await;
            }
        };
        let logs = async {
            if let Some(logs) = self.logs {
                logs.finish().await;
            }
        };
        tokio::join!(traces, logs);
    }
}

/// If it had failed, that is over.
fn works(name: &'static str, reader: &Reader, bus: &WeakBus) {
    let had_failed = reader.world().failed_consumers.contains_key(name);
    if had_failed {
        bus.publish(None, ConsumerFact::ConsumerWorks { consumer: name.into() });
    }
}

/// It is not wanted any more: nothing is counted of it.
fn ends(name: &'static str, reader: &Reader, bus: &WeakBus) {
    works(name, reader, bus);
    reader.counters().deliveries.forget(&name.into());
}

/// Made aside: the system's certificates may have to be read.
async fn courier<S: Signal>(
    name: &'static str,
    target: Option<Target>,
    settings: &Arc<Settings>,
    reader: &Reader,
    bus: &WeakBus,
) -> Option<Courier<Collector<S>>> {
    let Some(target) = target else {
        ends(name, reader, bus);
        return None;
    };
    let (batch, capacity) = (target.batch, target.queue);
    let settings = settings.clone();
    let made = made_aside(move || Collector::<S>::new(&target, &settings)).await;
    let failed = |error: String| {
        bus.publish(None, ConsumerFact::ConsumerFailed { consumer: name.into(), error });
    };
    let collector = match made {
        Ok(collector) => collector,
        Err(error) => {
            failed(error);
            return None;
        }
    };
    works(name, reader, bus);
    let patience = Patience { capacity, keep: KEEP, farewell: FAREWELL, ..Patience::default() };
    Some(Courier::new(name.into(), collector, batch, patience, reader.counters(), bus.clone()))
}
