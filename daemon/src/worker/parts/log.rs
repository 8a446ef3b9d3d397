//! From events to log lines. In: every event, in order. Out: its rendering, on the sinks' queues, which never wait.

use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::line::Level;
use keepwatch_bus::{Event, Hub};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Complaint;
use crate::cli::Cli;
use crate::logging::queue::Queue;
use crate::logging::sink::Line;
use crate::logging::{LogSettings, Severity};

/// What the sinks may take at the end.
const LAST_LINES: Duration = Duration::from_millis(300);
/// What may be waited for that.
const STOP_WITHIN: Duration = Duration::from_millis(400);

/// The log.
pub(in crate::worker) struct Log(JoinHandle<()>);

impl Log {
    /// Opens the sinks that the command line names; also says which could not be opened.
    pub(in crate::worker) fn start(cli: &Cli, hub: &mut Hub) -> (Self, Vec<Complaint>) {
        let (queue, complaints) = Queue::open(&LogSettings::of(cli));
        let log = Self(tokio::spawn(run(hub.deliver(), queue)));
        (log, complaints.into_iter().map(|why| ("log".into(), why)).collect())
    }

    /// Waits until the last line is written; to be called after the hub has ended.
    pub(in crate::worker) async fn stop(self) {
        let _ = timeout(STOP_WITHIN, self.0).await;
    }
}

/// Writes until the hub ends, then lets the sinks finish.
async fn run(mut events: UnboundedReceiver<Arc<Event>>, mut queue: Queue) {
    while let Some(event) = events.recv().await {
        if let Some(line) = event.line() {
            queue.write(&Line { at: event.at, severity: severity(line.level), text: line.text });
        }
    }
    // The last thing that this process does; its waiting delays nobody.
    let _ = tokio::task::spawn_blocking(move || queue.close(LAST_LINES)).await;
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Detail => Severity::Debug,
        Level::Info => Severity::Info,
        Level::Warning => Severity::Warning,
        Level::Error => Severity::Error,
    }
}
