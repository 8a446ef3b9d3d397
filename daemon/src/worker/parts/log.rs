//! From events to log lines. In: every event, in order. Out: its rendering, on the sinks' queues, which never wait; less of
//! it where less is wanted, and a count of what repeats.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::line::Level;
use keepwatch_bus::{Deliveries, Event, Fact, Hub};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Complaint;
use crate::cli::Cli;
use crate::logging::levels::Levels;
use crate::logging::queue::Queue;
use crate::logging::repeats::Repeats;
use crate::logging::sink::Line;
use crate::logging::{LogSettings, Severity};

/// What the sinks may take at the end.
const LAST_LINES: Duration = Duration::from_millis(300);
/// What may be waited for that.
const STOP_WITHIN: Duration = Duration::from_millis(400);
/// How often it is looked whether something has ceased to repeat.
const LOOK: Duration = Duration::from_secs(1);

/// The log.
pub(in crate::worker) struct Log {
    task: JoinHandle<()>,
    levels: Arc<Levels>,
}

impl Log {
    /// Opens the sinks that the command line names; also says which could not be opened.
    pub(in crate::worker) fn start(cli: &Cli, hub: &mut Hub) -> (Self, Vec<Complaint>) {
        let (queue, complaints) = Queue::open(&LogSettings::of(cli));
        let levels = Arc::new(Levels::new(if cli.log_detail > 0 { Level::Detail } else { Level::Info }));
        levels.set(&cli.log_level);
        let task = tokio::spawn(run(hub.deliver_all("log"), queue, levels.clone()));
        (Self { task, levels }, complaints.into_iter().map(|why| ("Log file".into(), why)).collect())
    }

    /// How much is logged, to be looked at and changed.
    pub(in crate::worker) fn levels(&self) -> Arc<Levels> {
        self.levels.clone()
    }

    /// Waits until the last line is written; to be called after the hub has ended.
    pub(in crate::worker) async fn stop(self) {
        let _ = timeout(STOP_WITHIN, self.task).await;
    }
}

/// Writes until the hub ends, then lets the sinks finish.
async fn run(mut events: Deliveries, mut queue: Queue, levels: Arc<Levels>) {
    let mut repeats = Repeats::default();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = look.tick() => {
                repeats.over(Instant::now()).iter().for_each(|line| queue.write(line));
                continue;
            }
        };
        let Some(event) = event else { break };
        let change = is_a_change(&event.fact);
        if let Some(line) = line(event, &levels)
            && (change || repeats.admits(Instant::now(), &line))
        {
            queue.write(&line);
        }
    }
    repeats.all().iter().for_each(|line| queue.write(line));
    // The last thing that this process does; its waiting delays nobody.
    let _ = tokio::task::spawn_blocking(move || queue.close(LAST_LINES)).await;
}

/// Whether it is a change of state: of what flaps each line is written, for people go by their order.
fn is_a_change(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Vrrp(
            VrrpFact::StateChanged { .. }
                | VrrpFact::GroupStateChanged { .. }
                | VrrpFact::PriorityChanged { .. }
        ) | Fact::Service(
            ServiceFact::RealServerUp { .. }
                | ServiceFact::RealServerDown { .. }
                | ServiceFact::RealServerAdded { .. }
                | ServiceFact::RealServerRemoved { .. }
                | ServiceFact::QuorumGained { .. }
                | ServiceFact::QuorumLost { .. }
        )
    )
}

/// The line of an event, if it is to be written.
fn line(event: Arc<Event>, levels: &Levels) -> Option<Line> {
    let line = event.line()?;
    levels.wants(event.fact.subsystem(), line.level).then(|| Line {
        at: event.at,
        severity: severity(line.level),
        text: line.text,
        event: Some(event),
    })
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Detail => Severity::Debug,
        Level::Info => Severity::Info,
        Level::Warning => Severity::Warning,
        Level::Error => Severity::Error,
    }
}
