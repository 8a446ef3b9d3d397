//! All checkers, whose turn it is, and what their results mean for their real servers; without I/O.
//!
//! Drive it like this: [`Roster::apply`] gives it the definitions, at the start and after each reload;
//! [`Roster::deadline`] says when the next check is due, [`Roster::due`] takes out what is due, and
//! [`Roster::conclude`] takes each result. What checks come to is published on the bus; what the director must know is
//! returned as [`HealthChange`]s.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use keepwatch_bus::fact::{Failure, FailureReason, ServiceFact};
use keepwatch_bus::{
    Bus, Counters, EventId, Health,
    counters::CheckerCounters,
    histogram::{Histogram, Works},
    subject::{CheckerKey, Name, RealKey, ServiceKey},
};
use keepwatch_model::{Checker, CheckerKind, Config, FileCheck, FileNumbers, HttpGet, Ssl};
use keepwatch_process::Manner;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    kinds::{Probe, Workshop},
    outcome::{Checked, Observed, Outcome, WeightSaid},
    tries::{Tries, Verdict},
};

/// keepalived's pause between its start and the first check.
const BOOTSTRAP: Duration = Duration::from_secs(1);

/// One checker of one real server.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Which one it is.
    pub key: CheckerKey,
    /// What it does, and when.
    pub checker: Arc<Checker>,
    /// The weight that is configured for the real server.
    pub weight: i32,
    /// What a checker that speaks TLS shows and trusts.
    pub ssl: Option<Arc<Ssl>>,
    /// How commands are run.
    pub manner: Manner,
    /// Where it counts.
    pub counters: Arc<CheckerCounters>,
    /// How long checks of this kind take, for the whole virtual server.
    pub latency: Arc<Histogram<Works>>,
}

/// A `FILE_CHECK`: a real server that follows the number in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Which one it is.
    pub key: CheckerKey,
    /// Which file, and what its number means.
    pub check: FileCheck,
}

/// The real servers of a configuration that follow files. A virtual server that answers to nothing is left out.
#[must_use]
pub fn followers(config: &Config) -> Vec<Follower> {
    let kind: Name = FileCheck::KEYWORD.into();
    let mut followers = Vec::new();
    for (server, services) in config.services() {
        let Some(service) = services.first().copied() else { continue };
        for real in &server.real_servers {
            for (index, check) in (0u16..).zip(&real.file_checks) {
                let real = RealKey { service, real: real.address };
                let key = CheckerKey { real, kind: kind.clone(), index };
                followers.push(Follower { key, check: check.clone() });
            }
        }
    }
    followers
}

/// The definitions of a configuration's checkers. A virtual server that answers to nothing is not checked. `umask` is the
/// command line's, for commands.
#[must_use]
pub fn definitions(config: &Config, counters: &Counters, umask: Option<u32>) -> Vec<Definition> {
    let manner = Manner::of(&config.global, umask);
    let mut definitions = Vec::new();
    // One name for each kind, however many checkers there are.
    let mut kinds: BTreeMap<&'static str, Name> = BTreeMap::new();
    let ssl = config.ssl.clone().map(Arc::new);
    for (server, services) in config.services() {
        let Some(service) = services.first().copied() else { continue };
        for real in &server.real_servers {
            for (index, checker) in (0u16..).zip(&real.checkers) {
                let keyword = checker.kind.keyword();
                let kind = kinds.entry(keyword).or_insert_with(|| keyword.into()).clone();
                let key = CheckerKey { real: RealKey { service, real: real.address }, kind, index };
                let latency = counters.checks.resolve(&(service, key.kind.clone()));
                let counters = counters.checkers.resolve(&key);
                let weight = i32::try_from(real.weight.0).unwrap_or(i32::MAX);
                let speaks_tls = matches!(&checker.kind, CheckerKind::Http(HttpGet { tls: true, .. }));
                let ssl = ssl.clone().filter(|_| speaks_tls);
                let checker = Arc::new(checker.clone());
                definitions.push(Definition { key, checker, weight, ssl, manner, counters, latency });
            }
        }
    }
    definitions
}

/// What the checkers of a real server say is other than before; or they have all said for the first time that it is up,
/// as was thought: a director that had doubts knows then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthChange {
    /// Virtual server and real server.
    pub real: RealKey,
    /// What they say.
    pub health: Health,
    /// The event that it follows from.
    pub cause: Option<EventId>,
}

/// A checker's number, never used twice: a result that comes after its checker is gone finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CheckerId(u64);

/// A check that is to be made now.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) id: CheckerId,
    pub(crate) probe: Probe,
}

struct Entry {
    definition: Definition,
    probe: Probe,
    tries: Tries,
    /// What it says of the weight of its real server.
    weight: WeightSaid,
    /// When it is its turn; none while a check is under way, or while it rests.
    next: Option<Instant>,
    /// A check is under way.
    flying: bool,
    /// The last event of its story: the failed try before this one.
    last: Option<EventId>,
    /// The last reason for not running, said once.
    not_run: Option<Box<str>>,
    /// Why it is down, as was told, and why it failed last: another reason is told once it is no passing one.
    failing: Option<(FailureReason, FailureReason)>,
}

struct Real {
    checkers: Vec<CheckerId>,
    files: Vec<Follower>,
    health: Health,
    /// Whether anything was said of it yet.
    reported: bool,
}

/// See the module.
pub(crate) struct Roster {
    bus: Bus,
    entries: BTreeMap<CheckerId, Box<Entry>>,
    reals: BTreeMap<RealKey, Real>,
    queue: BTreeSet<(Instant, CheckerId)>,
    /// What stands in files; in those too that no real server follows, for a reload may have one follow them.
    levels: FileNumbers,
    /// Who follows which of them.
    following: BTreeMap<Name, BTreeSet<RealKey>>,
    /// Virtual servers whose checkers rest.
    resting: BTreeSet<ServiceKey>,
    numbers: u64,
    random: SmallRng,
}

impl Roster {
    /// An empty roster; `seed` decides over the first checks' random delays.
    pub(crate) fn new(bus: Bus, seed: u64) -> Self {
        Self {
            bus,
            entries: BTreeMap::new(),
            reals: BTreeMap::new(),
            queue: BTreeSet::new(),
            levels: FileNumbers::new(),
            following: BTreeMap::new(),
            resting: BTreeSet::new(),
            numbers: 0,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    /// Takes over new definitions. A checker that stays keeps what it knows and when it is its turn; one that only
    /// changed its timing keeps what it knows. `cause` is the event that says so.
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        definitions: Vec<Definition>,
        followers: Vec<Follower>,
        cause: Option<EventId>,
    ) -> Vec<HealthChange> {
        let mut followed = self.follow(followers);
        let mut old = std::mem::take(&mut self.entries);
        let mut old_reals = std::mem::take(&mut self.reals);
        self.queue.clear();
        let mut wanted: Vec<_> =
            definitions.into_iter().filter(|definition| definition.checker.kind.is_acted_on()).collect();
        wanted.sort_by_key(|definition| definition.key.real);
        let mut wanted = wanted.into_iter().peekable();
        let mut changes = Vec::new();
        let mut workshop = Workshop::default();
        let mut reals = Vec::new();
        while let Some(first) = wanted.next() {
            let real = first.key.real;
            let others = std::iter::from_fn(|| wanted.next_if(|definition| definition.key.real == real));
            let before = old_reals.remove(&real);
            let known = before.as_ref().map(|before| before.health);
            let before_reported = before.as_ref().is_some_and(|before| before.reported);
            let mut candidates = before.map(|before| before.checkers).unwrap_or_default();
            let mut checkers = Vec::with_capacity(1);
            for definition in std::iter::once(first).chain(others) {
                let entry = match take_match(&mut old, &mut candidates, &definition) {
                    Some((id, entry)) => {
                        self.enter(id, entry.redefined(now, definition, &mut workshop));
                        id
                    }
                    None => self.hire(now, definition, known.map(|known| known.up), &mut workshop),
                };
                checkers.push(entry);
            }
            let files = followed.remove(&real).unwrap_or_default();
            let health = self.health(&checkers, &files);
            if known.is_some_and(|known| known != health) {
                changes.push(HealthChange { real, health, cause });
            }
            let reported = before_reported || known.is_some_and(|known| known != health);
            reals.push((real, Real { checkers, files, health, reported }));
        }
        // Those that only follow files: what these say is known by now, and is all that there is to know.
        for (real, files) in followed {
            let known = old_reals.remove(&real).map(|before| before.health);
            let health = self.health(&[], &files);
            if known.map_or(health.up, |known| known != health) {
                changes.push(HealthChange { real, health, cause });
            }
            reals.push((real, Real { checkers: Vec::new(), files, health, reported: true }));
        }
        self.reals = reals.into_iter().collect();
        // Without checkers there is nobody left to say anything of the server.
        for (real, _) in old_reals.into_iter().filter(|(_, before)| before.health != Health::UP) {
            changes.push(HealthChange { real, health: Health::UP, cause });
        }
        changes
    }

    fn follow(&mut self, followers: Vec<Follower>) -> BTreeMap<RealKey, Vec<Follower>> {
        self.following.clear();
        let mut followed: BTreeMap<RealKey, Vec<Follower>> = BTreeMap::new();
        for follower in followers {
            let name = follower.check.track_file.clone();
            self.following.entry(name).or_default().insert(follower.key.real);
            followed.entry(follower.key.real).or_default().push(follower);
        }
        followed
    }

    /// Takes the number that stands in a file now, and the event that says so.
    pub(crate) fn number(&mut self, name: &Name, number: i32, cause: Option<EventId>) -> Vec<HealthChange> {
        let before = self.levels.insert(name.clone(), number);
        let reals = self.following.get(name).into_iter().flatten().copied().collect::<Vec<_>>();
        if before == Some(number) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        for key in reals {
            let files = self.reals.get(&key).map(|real| real.files.as_slice()).unwrap_or_default();
            let (mut cause, mut fails) = (cause, false);
            for Follower { key, check } in files.iter().filter(|follower| follower.check.track_file == *name)
            {
                let held = before.map(|before| check.at(before).is_some());
                let (checker, took) = (key.clone(), Duration::ZERO);
                let fact = match (held, check.at(number)) {
                    (Some(true), Some(_)) | (Some(false), None) => continue,
                    (Some(false) | None, Some(_)) => ServiceFact::CheckSucceeded { checker, took },
                    (Some(true) | None, None) => {
                        fails = true;
                        let text = format!("the number in {name} is {number}");
                        let failure = Failure::new(FailureReason::Followed, text);
                        let (attempt, attempts, log_always) = (1, 1, false);
                        ServiceFact::CheckFailed { checker, failure, attempt, attempts, log_always, took }
                    }
                };
                cause = Some(self.bus.publish(cause, fact));
            }
            changes.extend(self.settle(key, fails, cause));
        }
        changes
    }

    /// The checkers of these virtual servers rest from now on, and no others. What is under way comes to its end.
    pub(crate) fn rest(&mut self, now: Instant, resting: BTreeSet<ServiceKey>) {
        let before = std::mem::replace(&mut self.resting, resting);
        for (id, entry) in &mut self.entries {
            let service = &entry.definition.key.real.service;
            match (before.contains(service), self.resting.contains(service)) {
                (false, true) => {
                    if let Some(next) = entry.next.take() {
                        self.queue.remove(&(next, *id));
                    }
                }
                // Whoever takes over an address wants to know soon, but not of everybody in the same moment.
                (true, false) if !entry.flying => {
                    let soon = entry.definition.checker.delay_loop.min(BOOTSTRAP);
                    let next = now + soon.mul_f64(self.random.random::<f64>());
                    entry.next = Some(next);
                    self.queue.insert((next, *id));
                }
                (true | false, _) => {}
            }
        }
    }

    /// When the next check is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out the checks that are due; each must be given back by [`Self::conclude`].
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        while let Some((at, id)) = self.queue.first().copied()
            && at <= now
        {
            self.queue.remove(&(at, id));
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.next = None;
                entry.flying = true;
                due.push(Due { id, probe: entry.probe.clone() });
            }
        }
        due
    }

    /// Takes the result of a check.
    pub(crate) fn conclude(
        &mut self,
        now: Instant,
        id: CheckerId,
        checked: Checked,
        took: Duration,
    ) -> Option<HealthChange> {
        let Checked { outcome, observed } = checked;
        let entry = self.entries.get_mut(&id)?;
        entry.count(&outcome, took);
        let before = entry.weight;
        let checker = &entry.definition.checker;
        let (verdict, pause) = match &outcome {
            Outcome::Succeeded { weight } => {
                entry.weight = *weight;
                entry.tries.conclude(true, checker)
            }
            Outcome::Failed(_) => entry.tries.conclude(false, checker),
            Outcome::NotRun(_) => (Verdict::Unchanged, checker.delay_loop),
        };
        let news = entry.weight != before || matches!(verdict, Verdict::Up | Verdict::Down { .. });
        entry.tell(&self.bus, &outcome, verdict, news, took);
        entry.tell_observed(&self.bus, observed);
        if matches!(verdict, Verdict::Down { .. }) {
            // What it said of the weight it said of a server that was well.
            entry.weight = WeightSaid::Nothing;
        }
        let (cause, real) = (entry.last, entry.definition.key.real);
        entry.flying = false;
        if !self.resting.contains(&real.service) {
            let spent = if entry.probe.counts_from_its_start() { took } else { Duration::ZERO };
            let next = now + pause.saturating_sub(spent);
            entry.next = Some(next);
            self.queue.insert((next, id));
        }
        let fails = matches!(verdict, Verdict::Down { .. });
        if news { self.settle(real, fails, cause) } else { None }
    }

    /// What these checkers, all of one real server, say of it together.
    fn health(&self, checkers: &[CheckerId], files: &[Follower]) -> Health {
        let all = checkers.iter().filter_map(|id| self.entries.get(id));
        let followed = FileCheck::all_at(files.iter().map(|follower| &follower.check), &self.levels);
        let begin = Health { up: followed.is_some(), weight: followed.unwrap_or(0) };
        all.fold(begin, |health, entry| Health {
            up: health.up && entry.tries.is_up(),
            weight: health.weight.saturating_add(entry.weight.above(entry.definition.weight)),
        })
    }

    /// Reports a real server whose checkers together think otherwise than before, or are sure for the first time.
    /// `fails`: one of them has just come to the verdict that it is down.
    fn settle(&mut self, key: RealKey, fails: bool, cause: Option<EventId>) -> Option<HealthChange> {
        let Real { checkers, files, .. } = self.reals.get(&key)?;
        let health = self.health(checkers, files);
        let all_have_run =
            checkers.iter().filter_map(|id| self.entries.get(id)).all(|entry| entry.tries.has_run());
        let real = self.reals.get_mut(&key)?;
        let is_news = std::mem::replace(&mut real.health, health) != health;
        let first = !real.reported;
        real.reported |= is_news || fails;
        // Of one that had to succeed first it is news that it has failed.
        let is_news = is_news || (health.up && all_have_run) || (fails && first);
        is_news.then_some(HealthChange { real: key, health, cause })
    }

    /// A checker that was not there before; `others_up` is what its real server was, if that was there.
    fn hire(
        &mut self,
        now: Instant,
        definition: Definition,
        others_up: Option<bool>,
        workshop: &mut Workshop,
    ) -> CheckerId {
        self.numbers += 1;
        let id = CheckerId(self.numbers);
        let warmup = definition.checker.warmup.mul_f64(self.random.random::<f64>());
        let tries = match others_up {
            Some(up) => Tries::joining(&definition.checker, up),
            None => Tries::new(&definition.checker),
        };
        let rests = self.resting.contains(&definition.key.real.service);
        let next = (!rests).then(|| now + BOOTSTRAP + warmup);
        let probe = Probe::new(&definition, workshop);
        let entry = Entry {
            definition,
            probe,
            tries,
            weight: WeightSaid::Nothing,
            next,
            flying: false,
            last: None,
            not_run: None,
            failing: None,
        };
        self.enter(id, Box::new(entry));
        id
    }

    fn enter(&mut self, id: CheckerId, entry: Box<Entry>) {
        self.queue.extend(entry.next.map(|next| (next, id)));
        self.entries.insert(id, entry);
    }
}

impl Entry {
    fn redefined(
        mut self: Box<Self>,
        now: Instant,
        definition: Definition,
        workshop: &mut Workshop,
    ) -> Box<Self> {
        // A shorter pause takes effect at once, a longer one after the check that is planned.
        self.next = self.next.map(|next| next.min(now + definition.checker.delay_loop.max(BOOTSTRAP)));
        // The files that TLS needs may be others than before, though they have the same names.
        let reads_files = definition.ssl.is_some() || self.definition.ssl.is_some();
        let differs =
            self.definition.checker != definition.checker || self.definition.manner != definition.manner;
        if reads_files || differs {
            self.probe = Probe::new(&definition, workshop);
        }
        self.definition = definition;
        self
    }

    fn count(&self, outcome: &Outcome, took: Duration) {
        let counters = &self.definition.counters;
        match outcome {
            Outcome::Succeeded { .. } => counters.succeeded.inc(),
            Outcome::Failed(failure) => {
                counters.failed.inc();
                counters.failures.inc(failure.reason);
            }
            Outcome::NotRun(_) => return,
        }
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counters.took_microseconds.add(microseconds);
        counters.last_took_microseconds.set(i64::try_from(microseconds).unwrap_or(i64::MAX));
        self.definition.latency.observe(took);
    }

    fn tell(&mut self, bus: &Bus, outcome: &Outcome, verdict: Verdict, news: bool, took: Duration) {
        let checker = self.definition.key.clone();
        match (outcome, verdict) {
            (Outcome::Succeeded { .. }, _) if news => {
                self.last = Some(bus.publish(None, ServiceFact::CheckSucceeded { checker, took }));
            }
            (Outcome::Failed(failure), Verdict::Doubtful { attempt } | Verdict::Down { attempt }) => {
                let attempts = Tries::attempts(verdict, &self.definition.checker);
                // The first try is a root; those after it follow from the one before.
                let cause = self.last.filter(|_| attempt > 1);
                self.fail(bus, cause, failure, (attempt, attempts), took);
            }
            // It is down, and now for another reason.
            (Outcome::Failed(failure), _)
                if self
                    .failing
                    .is_some_and(|(told, last)| told != failure.reason && last == failure.reason) =>
            {
                self.failing = None;
                self.fail(bus, self.last, failure, (1, 1), took);
            }
            (Outcome::NotRun(error), _) if self.not_run.as_deref() != Some(error) => {
                self.not_run = Some(error.as_str().into());
                bus.publish(None, ServiceFact::CheckNotRun { checker, error: error.clone() });
            }
            _ => (),
        }
        match outcome {
            Outcome::NotRun(_) => return,
            Outcome::Succeeded { .. } => self.failing = None,
            Outcome::Failed(failure) if !self.tries.is_up() => {
                let told = self.failing.map_or(failure.reason, |(told, _)| told);
                self.failing = Some((told, failure.reason));
            }
            Outcome::Failed(_) => (),
        }
        self.not_run = None;
    }

    /// Tells of what was seen on the way.
    fn tell_observed(&self, bus: &Bus, observed: Vec<Observed>) {
        for seen in observed {
            let checker = self.definition.key.clone();
            let fact = match seen {
                Observed::Digest { url, digest } => ServiceFact::PageDigestSeen { checker, url, digest },
                Observed::Certificate(certificate) => ServiceFact::CertificateSeen { checker, certificate },
            };
            bus.publish(self.last, fact);
        }
    }

    /// Tells of a failure: try `attempt` of `attempts`.
    fn fail(
        &mut self,
        bus: &Bus,
        cause: Option<EventId>,
        failure: &Failure,
        (attempt, attempts): (u32, u32),
        took: Duration,
    ) {
        let fact = ServiceFact::CheckFailed {
            checker: self.definition.key.clone(),
            failure: failure.clone(),
            attempt,
            attempts,
            log_always: self.definition.checker.log_all_failures,
            took,
        };
        self.last = Some(bus.publish(cause, fact));
    }
}

/// Finds the checker that a definition continues: the same one, else one that checks the same thing.
fn take_match(
    old: &mut BTreeMap<CheckerId, Box<Entry>>,
    candidates: &mut Vec<CheckerId>,
    definition: &Definition,
) -> Option<(CheckerId, Box<Entry>)> {
    let same =
        |id: &CheckerId| old.get(id).is_some_and(|entry| entry.definition.checker == definition.checker);
    let alike = |id: &CheckerId| {
        old.get(id).is_some_and(|entry| entry.definition.checker.kind == definition.checker.kind)
    };
    let place = candidates.iter().position(same).or_else(|| candidates.iter().position(alike))?;
    let id = candidates.remove(place);
    old.remove(&id).map(|entry| (id, entry))
}

#[cfg(test)]
mod tests;
