//! The one task that runs all checks: it keeps the [`Roster`], starts a short task for each check that is due, and
//! passes on what their results mean.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use keepwatch_bus::Bus;
use keepwatch_model::CheckerKind;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinSet,
    time::sleep,
};

use crate::{
    roster::{CheckerId, Definition, Due, HealthChange, Roster},
    tcp,
    tries::Outcome,
};

/// The longest pause between two heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// What checkers find out about real servers, in order; for the IPVS engine.
pub type Health = UnboundedReceiver<HealthChange>;

/// The checkers that run. They stop when this handle and its clones are gone.
#[derive(Debug, Clone)]
pub struct Checkers {
    definitions: UnboundedSender<Vec<Definition>>,
    heartbeat: Arc<AtomicU64>,
}

impl Checkers {
    /// Starts the scheduler, without checkers, on the runtime of the caller. `seed` decides over the random delays of
    /// first checks (`warmup`).
    #[must_use]
    pub fn start(bus: Bus, seed: u64) -> (Self, Health) {
        let (definitions, orders) = mpsc::unbounded_channel();
        let (changes, health) = mpsc::unbounded_channel();
        let heartbeat = Arc::new(AtomicU64::new(0));
        tokio::spawn(run(Roster::new(bus, seed), orders, changes, heartbeat.clone()));
        (Self { definitions, heartbeat }, health)
    }

    /// Replaces all definitions. A checker that does not change goes on as if nothing had happened; a server that is
    /// down stays down until its checkers have succeeded.
    pub fn apply(&self, definitions: Vec<Definition>) {
        // The task ends only with the runtime; then there is nothing left to check for.
        let _ = self.definitions.send(definitions);
    }

    /// A number that rises at least every second while the scheduler is alive.
    #[must_use]
    pub fn heartbeat(&self) -> Arc<AtomicU64> {
        self.heartbeat.clone()
    }
}

struct Finished {
    id: CheckerId,
    outcome: Outcome,
    took: Duration,
}

async fn run(
    mut roster: Roster,
    mut orders: UnboundedReceiver<Vec<Definition>>,
    changes: UnboundedSender<HealthChange>,
    heartbeat: Arc<AtomicU64>,
) {
    let mut checks = JoinSet::new();
    loop {
        heartbeat.fetch_add(1, Ordering::Relaxed);
        for due in roster.due(Instant::now()) {
            checks.spawn(make(due));
        }
        let pause = roster
            .deadline()
            .map_or(HEARTBEAT, |at| at.saturating_duration_since(Instant::now()).min(HEARTBEAT));
        let news = tokio::select! {
            order = orders.recv() => match order {
                Some(definitions) => roster.apply(Instant::now(), definitions),
                None => return,
            },
            Some(finished) = checks.join_next() => match finished {
                Ok(Finished { id, outcome, took }) => {
                    roster.conclude(Instant::now(), id, outcome, took).into_iter().collect()
                }
                // A check is only cancelled when all of this ends.
                Err(_) => Vec::new(),
            },
            () = sleep(pause) => Vec::new(),
        };
        for change in news {
            // Without a director the checks still count, and still say what they see.
            let _ = changes.send(change);
        }
    }
}

async fn make(due: Due) -> Finished {
    let started = Instant::now();
    let outcome = match &due.kind {
        CheckerKind::Tcp(settings) => tcp::check(settings).await,
        CheckerKind::Http(_)
        | CheckerKind::Smtp(_)
        | CheckerKind::Dns(_)
        | CheckerKind::Misc(_)
        | CheckerKind::Ping(_)
        | CheckerKind::Udp(_) => Outcome::NotRun(format!("{} is not built yet", due.kind.keyword())),
    };
    Finished { id: due.id, outcome, took: started.elapsed() }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use keepwatch_bus::{
        BusSettings, Hub,
        subject::{CheckerKey, Protocol, RealKey, ServiceKey},
    };
    use keepwatch_model::{Checker, Connection};
    use tokio::time::timeout;

    use super::*;
    use crate::tries::tests::tcp_checker;

    fn definition(address: SocketAddr) -> Definition {
        let service =
            ServiceKey::Address { address: [10, 0, 0, 1].into(), port: 80, protocol: Protocol::Tcp };
        let template = tcp_checker(1, false);
        let CheckerKind::Tcp(check) = template.kind else { panic!("not a TCP_CHECK") };
        let short = Duration::from_millis(20);
        let checker = Checker {
            kind: CheckerKind::Tcp(Connection { connect_to: address, ..check }),
            delay_loop: short,
            delay_before_retry: short,
            ..template
        };
        let key = CheckerKey { real: RealKey { service, real: address }, kind: "TCP_CHECK".into(), index: 0 };
        Definition { key, checker, counters: Arc::default() }
    }

    #[tokio::test]
    async fn a_server_that_goes_and_comes_back_is_reported_over_the_channel() {
        let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
        let (checkers, mut health) = Checkers::start(bus, 1);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let definition = definition(listener.local_addr().unwrap());
        checkers.apply(vec![definition.clone()]);
        let patience = Duration::from_secs(20);
        let counted = async {
            while definition.counters.succeeded.get() < 3 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(patience, counted).await.expect("no check succeeds");
        let sure = health.recv().await.unwrap();
        assert!(sure.up);
        drop(listener);
        let change = timeout(patience, health.recv()).await.expect("nobody misses the server").unwrap();
        assert!(!change.up);
        let _listener = TcpListener::bind(definition.key.real.real).unwrap();
        let change = timeout(patience, health.recv()).await.expect("nobody sees it come back").unwrap();
        assert!(change.up && change.real == definition.key.real && change.cause.is_some());
        assert!(checkers.heartbeat().load(Ordering::Relaxed) > 0);
    }
}
