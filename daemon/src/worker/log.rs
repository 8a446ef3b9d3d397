//! From events to log lines. In: every event, in order. Out: its rendering, on the sinks' queues, which never wait.

use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::Event;
use keepwatch_bus::line::Level;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::logging::Severity;
use crate::logging::queue::Queue;
use crate::logging::sink::Line;

/// What the sinks may take at the end.
const LAST_LINES: Duration = Duration::from_millis(300);

/// Writes until the hub ends, then lets the sinks finish.
pub(super) async fn run(mut events: UnboundedReceiver<Arc<Event>>, mut queue: Queue) {
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
