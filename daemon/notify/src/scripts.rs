//! Notify scripts: the commands that a configuration wants run when a virtual router, sync group, real server or
//! virtual server changes.
//!
//! [`ScriptSettings`] hold them; the [`Roster`] (pure) says for each event which [`Order`]s follow from it; [`run`] carries
//! them out, each in a process group of its own, as the user that the configuration names, and publishes how they ended.
//! As in keepalived they are started at once and run side by side, so a script that hangs keeps no other one waiting
//! (until very many hang). They have no terminal, no input, and nobody reads their output.

use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::{Event, Fact, WeakBus};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

mod execute;
mod roster;
mod security;
mod settings;

pub use roster::{Order, Roster};
pub use security::Insecure;
pub use settings::{RealScripts, RouterScripts, ScriptSettings, ServiceScripts};

/// Bounds of what scripts may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Scripts that run at a time; further ones wait for their turn in order.
    pub running: usize,
    /// How long a script may run before it is killed with everything it started.
    pub time: Duration,
    /// After `DaemonStopping`: how long scripts are still started and waited for. Then those that still run are asked to
    /// end (SIGTERM), as keepalived does it.
    pub farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { running: 128, time: Duration::from_secs(3600), farewell: Duration::from_secs(1) }
    }
}

/// Runs scripts as `events` (a queue from `Hub::deliver`) call for, until the queue ends or a while after
/// `DaemonStopping`. `settings` may change at any time, before the facts of a reload are published.
pub async fn run(
    mut events: UnboundedReceiver<Arc<Event>>,
    mut settings: watch::Receiver<Arc<ScriptSettings>>,
    bus: WeakBus,
    bounds: Bounds,
) {
    let mut roster = Roster::new(Arc::clone(&settings.borrow_and_update()));
    let places = Arc::new(Semaphore::new(bounds.running.max(1)));
    let mut running = JoinSet::new();
    let mut end: Option<Instant> = None;
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { break };
                // An error means that nobody will change them any more.
                if settings.has_changed().unwrap_or(false) {
                    roster.change(Arc::clone(&settings.borrow_and_update()));
                }
                if let Fact::Daemon(DaemonFact::DaemonStopping { .. }) = event.fact {
                    end = Some(Instant::now() + bounds.farewell);
                }
                let secure = roster.settings().enable_script_security;
                for order in roster.note(&event) {
                    let (places, bus, limit) = (Arc::clone(&places), bus.clone(), bounds.time);
                    running.spawn(async move {
                        let Ok(_place) = places.acquire().await else { return };
                        let cause = Some(order.event);
                        bus.publish(cause, execute::carry_out(order, secure, limit).await);
                    });
                }
            }
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = until(end) => break,
        }
    }
    let last = end.unwrap_or_else(|| Instant::now() + bounds.farewell);
    // Those that are not done by then are asked to end when `running` is dropped.
    let _ = tokio::time::timeout_at(last, async { while running.join_next().await.is_some() {} }).await;
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
