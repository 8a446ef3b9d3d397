//! Notify scripts: the commands that a configuration wants run when a virtual router, sync group, real server or
//! virtual server changes.
//!
//! [`ScriptSettings`] hold them; the [`Roster`] (pure) says for each event which [`Order`]s follow from it; `turns` (pure)
//! says when it is whose turn: those of one subject one after the other, in the order of events; [`run`] has them
//! carried out by `keepwatch-process` and publishes how they ended, with the last that a failing one wrote.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact, ScriptOutcome};
use keepwatch_bus::{Deliveries, Fact, WeakBus};
use keepwatch_process::{Command, End, Finished, NotRun, Stopper};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use self::turns::{Act, Ticket, Turns};

mod roster;
mod settings;
mod turns;

pub use roster::{Order, Roster, Subject};
pub use settings::{RealScripts, RouterScripts, ScriptSettings, ServiceScripts};
pub use turns::Bounds;

/// At the very end: from asking what still runs to end to killing it.
const LAST_GRACE: Duration = Duration::from_millis(300);
/// What [`run`] takes at most after its farewell, to end what still runs.
pub const LAST_KILL: Duration = Duration::from_millis(800);

type Attempt = BoxFuture<'static, (Ticket, Result<Finished, NotRun>)>;

/// Runs scripts as `events` (a queue from `Hub::deliver`) call for, until the queue ends or a while after
/// `DaemonStopping`. `settings` may change at any time, before the facts of a reload are published.
pub async fn run(
    mut events: Deliveries,
    mut settings: watch::Receiver<Arc<ScriptSettings>>,
    bus: WeakBus,
    bounds: Bounds,
) {
    let mut roster = Roster::new(Arc::clone(&settings.borrow_and_update()));
    let farewell = bounds.farewell;
    let mut office = Office::new(bounds, bus);
    let mut closed = false;
    let mut end: Option<Instant> = None;
    loop {
        office.act(roster.settings());
        if closed && office.turns.is_idle() {
            return;
        }
        tokio::select! {
            event = events.recv(), if !closed => match event {
                Some(event) => {
                    // An error means that nobody will change them any more.
                    if settings.has_changed().unwrap_or(false) {
                        roster.change(Arc::clone(&settings.borrow_and_update()));
                    }
                    match event.fact {
                        Fact::Daemon(DaemonFact::DaemonStopping { .. }) => {
                            end = Some(Instant::now() + farewell);
                            office.turns.stop(now());
                        }
                        // Nothing more happens that could be told.
                        Fact::Daemon(DaemonFact::DaemonStopped { .. }) => closed = true,
                        _ => {}
                    }
                    roster.note(&event).into_iter().for_each(|order| office.order(order));
                }
                None => {
                    closed = true;
                    end = end.or(Some(Instant::now() + farewell));
                }
            },
            Some((ticket, result)) = office.attempts.next() => office.ended(ticket, result),
            () = until(office.turns.due().map(Instant::from_std)) => {}
            () = until(end) => break,
        }
    }
    office.close().await;
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Why a script is not run at a stop.
const TOO_LATE: &str = "the daemon ended before its turn came";

/// The scripts that run, and who waits for them.
struct Office {
    turns: Turns,
    attempts: FuturesUnordered<Attempt>,
    stoppers: HashMap<Ticket, Stopper>,
    bus: WeakBus,
    grace: Duration,
}

impl Office {
    fn new(bounds: Bounds, bus: WeakBus) -> Self {
        let grace = bounds.grace;
        Self {
            turns: Turns::new(bounds),
            attempts: FuturesUnordered::new(),
            stoppers: HashMap::new(),
            bus,
            grace,
        }
    }

    /// A script is to be run when it is its turn.
    fn order(&mut self, order: Order) {
        if let Some(given_up) = self.turns.order(now(), order) {
            self.not_run(given_up, "too many later ones of the same wait for their turn");
        }
    }

    fn not_run(&self, order: Order, error: &str) {
        let Order { argv, about, event, .. } = order;
        let fact = ConsumerFact::ScriptNotRun { script: argv.join(" "), about, error: error.to_owned() };
        self.bus.publish(Some(event), fact);
    }

    /// Does what is to be done now.
    fn act(&mut self, settings: &ScriptSettings) {
        for act in self.turns.act(now()) {
            match act {
                Act::Start(ticket, order) => self.start(ticket, &order, settings),
                Act::Tell(order, running, waiting) => {
                    let (script, about) = (order.argv.join(" "), order.about);
                    let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
                    let fact = ConsumerFact::ScriptOverdue { script, about, running, waiting };
                    self.bus.publish(Some(order.event), fact);
                }
                Act::End(ticket, grace) => self.stop(ticket, grace),
                Act::GiveUp(order) => self.not_run(order, TOO_LATE),
                Act::Abandon(ticket, order, took) => {
                    self.stoppers.remove(&ticket);
                    self.tell(order, Ok(Finished { end: End::Stopped, took, output: String::new() }));
                }
            }
        }
    }

    fn start(&mut self, ticket: Ticket, order: &Order, settings: &ScriptSettings) {
        let command = Command::of_script(&order.script(), settings.manner);
        let running = keepwatch_process::run(Command { grace: self.grace, ..command });
        self.stoppers.insert(ticket, running.stopper());
        self.attempts.push(Box::pin(async move { (ticket, running.await) }));
    }

    fn stop(&self, ticket: Ticket, grace: Duration) {
        if let Some(stopper) = self.stoppers.get(&ticket) {
            stopper.stop(grace);
        }
    }

    /// A script has ended; nobody waits any more for one that was abandoned.
    fn ended(&mut self, ticket: Ticket, result: Result<Finished, NotRun>) {
        self.stoppers.remove(&ticket);
        if let Some(order) = self.turns.ended(ticket) {
            self.tell(order, result);
        }
    }

    fn tell(&self, order: Order, result: Result<Finished, NotRun>) {
        self.bus.publish(Some(order.event), told(order.argv.join(" "), order.about, result));
    }

    /// Ends what still runs, and tells that, and what is not run any more.
    async fn close(mut self) {
        for order in self.turns.give_up() {
            self.not_run(order, TOO_LATE);
        }
        self.stoppers.values().for_each(|stopper| stopper.stop(LAST_GRACE));
        let all = async {
            while let Some((ticket, result)) = self.attempts.next().await {
                self.ended(ticket, result);
            }
        };
        // What the kernel holds even now is left to it.
        let _ = timeout(LAST_KILL, all).await;
    }
}

/// The fact of how a script ended, or that it was not run.
pub fn told(script: String, about: String, result: Result<Finished, NotRun>) -> ConsumerFact {
    match result {
        Err(error) => ConsumerFact::ScriptNotRun { script, about, error: error.to_string() },
        Ok(Finished { end, took, output }) => {
            let outcome = outcome(end);
            let well = outcome == ScriptOutcome::Exited { status: 0 };
            let output = if well { String::new() } else { output };
            ConsumerFact::ScriptExited { script, about, outcome, took, output }
        }
    }
}

/// How a command ended, as facts say it.
pub(crate) fn outcome(end: End) -> ScriptOutcome {
    match end {
        End::Exited(status) => ScriptOutcome::Exited { status },
        End::Killed(signal) => ScriptOutcome::Killed { signal },
        End::TimedOut | End::Stopped => ScriptOutcome::TimedOut,
    }
}

#[cfg(test)]
mod tests;
