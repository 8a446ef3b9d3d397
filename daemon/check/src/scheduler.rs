//! The one task that runs all checks: it keeps the [`Roster`], starts a short task for each check that is due (but opens
//! connections itself where that is all there is to a check), and passes on what their results mean.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use keepwatch_bus::{
    Bus, Counters, EventId,
    beat::Beat,
    counters::Peak,
    histogram::{Delays, Histogram},
    subject::{RealKey, ServiceKey, TrackedKey},
};
use keepwatch_model::Level;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{Id, JoinError, JoinSet},
    time::sleep,
};

use crate::{
    definition::Definition,
    followers::Follower,
    openings::Openings,
    outcome::{Checked, Outcome},
    room::Room,
    roster::{CheckerId, Due, HealthChange, Roster},
};

/// Checks that are due within so long of each other are begun together, where there are many: whoever looks for each by itself
/// looks more than it checks.
const GRAIN: Duration = Duration::from_millis(4);
/// So many checks in a turn are many.
const MANY: usize = 4;
/// The longest pause between two heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Checks that are begun before it is looked at what those before have come to: what they took should be theirs.
const AT_A_TIME: usize = 16;

/// What checkers find out about real servers, in order; for the IPVS engine.
pub type HealthChanges = UnboundedReceiver<HealthChange>;

/// What the scheduler is told.
enum Order {
    /// All definitions, and the event that says so.
    Apply(Vec<Definition>, Vec<Follower>, Option<EventId>),
    /// How something stands now that may be followed.
    Level(TrackedKey, Level, Option<EventId>),
    /// A real server has another weight.
    Weight(RealKey, u32, Option<EventId>),
    /// Whose checkers rest.
    Rest(BTreeSet<ServiceKey>),
    /// Nothing is to be checked any more.
    Stop,
}

/// The checkers that run. They stop when they are told to, or when this handle and its clones are gone.
#[derive(Debug, Clone)]
pub struct Checkers {
    orders: UnboundedSender<Order>,
    beat: Beat,
}

impl Checkers {
    /// Starts the scheduler, without checkers, on the runtime of the caller. `seed` decides over the random delays of
    /// first checks (`warmup`); `counters` are told how late checks begin, and how many are under way.
    #[must_use]
    pub fn start(bus: Bus, counters: &Counters, seed: u64) -> (Self, HealthChanges) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (changes, health) = mpsc::unbounded_channel();
        let beat = Beat::default();
        let flight = Flight::new(counters);
        tokio::spawn(run((Roster::new(bus, seed), flight), inbox, changes, beat.clone()));
        (Self { orders, beat }, health)
    }

    /// Replaces all definitions. A checker that does not change goes on as if nothing had happened; a server that is
    /// down stays down until its checkers have succeeded. `cause` is the event that says so.
    pub fn apply(&self, definitions: Vec<Definition>, followers: Vec<Follower>, cause: Option<EventId>) {
        self.order(Order::Apply(definitions, followers, cause));
    }

    /// Tells what stands in a `track_file`, or how a `bfd_instance` stands now. Real servers that follow one of which
    /// nothing was told are down.
    pub fn level(&self, tracked: TrackedKey, level: Level, cause: Option<EventId>) {
        self.order(Order::Level(tracked, level, cause));
    }

    /// Tells that a real server has another weight until the next [`Checkers::apply`], and by which event: what its checkers
    /// say of the weight is counted from the one that is configured.
    pub fn weigh(&self, real: RealKey, weight: u32, cause: Option<EventId>) {
        self.order(Order::Weight(real, weight, cause));
    }

    /// Has the checkers of these virtual servers rest, and those of all others work.
    pub fn rest(&self, services: BTreeSet<ServiceKey>) {
        self.order(Order::Rest(services));
    }

    /// Stops them all, whoever has a clone of this handle; what is ordered afterwards is left undone.
    pub fn stop(self) {
        self.order(Order::Stop);
    }

    fn order(&self, order: Order) {
        // The task has been stopped, or the runtime has ended: there is nothing left to check for.
        let _ = self.orders.send(order);
    }

    /// How the scheduler shows that it lives.
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }
}

struct Finished {
    checked: Checked,
    took: Duration,
}

/// Checks that are under way, and those that wait for it.
struct Flight {
    room: Room,
    tasks: JoinSet<Finished>,
    /// Whose check a task makes.
    of_tasks: HashMap<Id, CheckerId>,
    /// None if this process had no descriptor for it.
    openings: Option<Openings>,
    delays: Arc<Histogram<Delays>>,
    at_once: Arc<Peak>,
}

impl Flight {
    fn new(counters: &Counters) -> Self {
        let mut room = Room::of(0);
        room.measure();
        Self {
            room,
            tasks: JoinSet::new(),
            of_tasks: HashMap::new(),
            openings: Openings::new().ok(),
            delays: counters.check_delays.clone(),
            at_once: counters.checks_at_once.clone(),
        }
    }

    /// Begins some of those that wait and have room; gives whether there are more, and who has ended already.
    fn begin(&mut self) -> (bool, Vec<(CheckerId, Finished)>) {
        let mut ended = Vec::new();
        for _ in 0..AT_A_TIME {
            let Some(due) = self.room.next() else { return (false, ended) };
            let (id, now) = (due.id, Instant::now());
            self.delays.observe(now.saturating_duration_since(due.at));
            match self.openings.as_mut().zip(due.probe.only_connects()) {
                Some((openings, settings)) => {
                    if let Err(outcome) = openings.begin(id, settings, now) {
                        let finished = Finished { checked: outcome.into(), took: Duration::ZERO };
                        ended.push((id, finished));
                    }
                }
                None => {
                    self.of_tasks.insert(self.tasks.spawn(make(due)).id(), id);
                }
            }
        }
        (true, ended)
    }

    /// When the first connection has had its time to open.
    fn deadline(&self) -> Option<Instant> {
        self.openings.as_ref().and_then(Openings::deadline)
    }
}

/// Waits so long. If there is more to do, it only lets others of this thread do theirs: a timer, even one of no time, ends
/// with the next millisecond.
async fn rest(more: bool, pause: Duration) {
    if more { tokio::task::yield_now().await } else { sleep(pause).await }
}

/// Waits until there may be news of connections.
async fn opens(openings: Option<&Openings>) {
    match openings {
        Some(openings) => openings.wait().await,
        None => std::future::pending().await,
    }
}

async fn run(
    (mut roster, mut flight): (Roster, Flight),
    mut orders: UnboundedReceiver<Order>,
    changes: UnboundedSender<HealthChange>,
    beat: Beat,
) {
    // Until when those gather that are due next.
    let mut gather = Instant::now();
    // Without a director the checks still count, and still say what they see.
    let tell = |news: HealthChange| drop(changes.send(news));
    loop {
        beat.beat();
        roster.say_first_words(Instant::now()).into_iter().for_each(tell);
        let now = Instant::now();
        if now >= gather {
            let due = roster.due(now);
            gather = if due.len() >= MANY { now + GRAIN } else { now };
            due.into_iter().for_each(|due| flight.room.push(due));
        }
        let (more, ended) = flight.begin();
        flight.at_once.note(flight.room.under_way() as u64);
        let Flight { room, openings, .. } = &mut flight;
        let mut conclude = |id, finished: Finished| {
            room.ended(id);
            roster.conclude(Instant::now(), id, finished.checked, finished.took).into_iter().for_each(tell);
        };
        ended.into_iter().for_each(|(id, finished)| conclude(id, finished));
        if let Some(openings) = openings {
            openings.news(|(id, outcome, took)| conclude(id, Finished { checked: outcome.into(), took }));
        }
        let turn = roster.deadline().map(|at| at.max(gather));
        let next = turn.into_iter().chain(flight.deadline()).min();
        let pause = next.map_or(HEARTBEAT, |at| at.saturating_duration_since(Instant::now()).min(HEARTBEAT));
        let Flight { room, tasks, of_tasks, openings, .. } = &mut flight;
        let news = tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Apply(definitions, followers, cause)) => {
                    room.measure();
                    let changes = roster.apply(Instant::now(), definitions, followers, cause);
                    room.keep(|id| roster.has(id));
                    changes
                }
                Some(Order::Level(tracked, level, cause)) => roster.level(&tracked, level, cause),
                Some(Order::Weight(real, weight, cause)) => {
                    roster.weigh(real, weight, cause).into_iter().collect()
                }
                Some(Order::Rest(services)) => {
                    roster.rest(Instant::now(), services);
                    Vec::new()
                }
                Some(Order::Stop) | None => return,
            },
            Some(ended) = tasks.join_next_with_id() => match finished(ended, of_tasks) {
                Some((id, Finished { checked, took })) => {
                    room.ended(id);
                    roster.conclude(Instant::now(), id, checked, took).into_iter().collect()
                }
                None => Vec::new(),
            },
            () = opens(openings.as_ref()) => Vec::new(),
            () = rest(more, pause) => Vec::new(),
        };
        news.into_iter().for_each(tell);
    }
}

async fn make(due: Due) -> Finished {
    let started = Instant::now();
    let checked = due.probe.check().await;
    Finished { checked, took: started.elapsed() }
}

/// Whose check has ended, and how. One that panicked says nothing of the real server; its checker goes on.
fn finished(
    ended: Result<(Id, Finished), JoinError>,
    flying: &mut HashMap<Id, CheckerId>,
) -> Option<(CheckerId, Finished)> {
    match ended {
        Ok((task, finished)) => Some((flying.remove(&task)?, finished)),
        Err(error) => {
            let mistake = Outcome::NotRun("a mistake of ours: the check panicked".to_owned());
            let finished = Finished { checked: mistake.into(), took: Duration::ZERO };
            Some((flying.remove(&error.id())?, finished))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use keepwatch_bus::{
        BusSettings, Health, Hub,
        subject::{CheckerKey, Protocol, RealKey, ServiceKey},
    };
    use keepwatch_model::{Checker, CheckerKind, Connection};
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
        let key = CheckerKey::new(RealKey { service, real: address }, "TCP_CHECK", 0);
        Definition {
            key,
            checker: checker.into(),
            weight: 1,
            ssl: None,
            manner: keepwatch_process::Manner::default(),
            counters: Arc::default(),
            latency: Arc::default(),
        }
    }

    #[tokio::test]
    async fn a_check_that_panics_condemns_nobody_and_leaves_its_checker_at_work() {
        let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
        let mut roster = Roster::new(bus, 1);
        let start = Instant::now();
        roster.apply(start, vec![definition(([127, 0, 0, 1], 9).into())], Vec::new(), None);
        let due = roster.due(start + Duration::from_secs(2)).pop().expect("nothing is due");
        let (mut checks, mut flying) = (JoinSet::new(), HashMap::new());
        flying.insert(checks.spawn(async { panic!("on purpose") }).id(), due.id);
        let ended = checks.join_next_with_id().await.unwrap();
        let (id, Finished { checked, took }) = finished(ended, &mut flying).expect("nobody's check");
        assert_eq!(roster.conclude(start, id, checked, took), None);
        assert!(flying.is_empty() && roster.deadline().is_some());
    }

    #[tokio::test]
    async fn checks_that_fail_at_once_hold_nobody_up() {
        let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
        let mut roster = Roster::new(bus, 1);
        let start = Instant::now();
        // None of these has an address to go out from.
        let foreign = |number: u8| {
            let mut definition = definition(([127, 0, 0, number], 9).into());
            let CheckerKind::Tcp(check) = definition.checker.kind.clone() else { panic!("not a TCP_CHECK") };
            let kind = CheckerKind::Tcp(Connection { bind_to: Some([192, 0, 2, 1].into()), ..check });
            definition.checker = Checker { kind, ..Checker::clone(&definition.checker) }.into();
            definition
        };
        roster.apply(start, (1..=40).map(foreign).collect(), Vec::new(), None);
        let mut flight = Flight::new(&Counters::default());
        roster.due(start + Duration::from_secs(2)).into_iter().for_each(|due| flight.room.push(due));
        let (more, ended) = flight.begin();
        assert!(more && ended.len() == AT_A_TIME, "{more}, {}", ended.len());
    }

    #[tokio::test]
    async fn a_server_that_goes_and_comes_back_is_reported_over_the_channel() {
        let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
        let (checkers, mut health) = Checkers::start(bus, &Counters::default(), 1);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let definition = definition(listener.local_addr().unwrap());
        checkers.apply(vec![definition.clone()], Vec::new(), None);
        let patience = Duration::from_secs(20);
        let counted = async {
            while definition.counters.succeeded.get() < 3 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(patience, counted).await.expect("no check succeeds");
        let sure = health.recv().await.unwrap();
        assert_eq!(sure.health, Health::UP);
        drop(listener);
        let change = timeout(patience, health.recv()).await.expect("nobody misses the server").unwrap();
        assert_eq!(change.health, Health::DOWN);
        let _listener = TcpListener::bind(definition.key.real.real).unwrap();
        let change = timeout(patience, health.recv()).await.expect("nobody sees it come back").unwrap();
        assert_eq!((change.health, change.real), (Health::UP, definition.key.real));
        assert!(change.cause.is_some() && checkers.beat().count() > 0);
    }
}
