//! All checkers, whose turn it is, and what their results mean for their real servers; without I/O.
//!
//! Drive it like this: [`Roster::apply`] gives it the definitions, at the start and after each reload;
//! [`Roster::deadline`] says when the next check is due, [`Roster::due`] takes out what is due, and
//! [`Roster::conclude`] takes each result. What checks come to is published on the bus; what the director must know is
//! returned as [`HealthChange`]s.

mod crew;
mod entry;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::{
    Bus, EventId, FlatMap, Health,
    subject::{RealKey, ServiceKey, TrackedKey},
};
use keepwatch_model::{Followed, Level, Levels};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use self::crew::Crew;
use self::entry::Entry;
use self::turns::Turns;
use crate::{
    definition::Definition,
    followers::{Follower, Following},
    kinds::{Probe, Workshop},
    outcome::{Checked, Outcome, WeightSaid},
    tries::{Tries, Verdict},
};

/// keepalived's pause between its start and the first check.
const BOOTSTRAP: Duration = Duration::from_secs(1);

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

#[cfg(test)]
impl CheckerId {
    /// Of this number.
    pub(crate) fn of(number: u64) -> Self {
        Self(number)
    }
}

/// A check that is to be made now.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) id: CheckerId,
    pub(crate) probe: Probe,
    /// Since when.
    pub(crate) at: Instant,
    /// It was well when it was last looked at.
    pub(crate) trusted: bool,
}

struct Real {
    checkers: Crew,
    follows: Box<[Following]>,
    health: Health,
    /// Whether anything was said of it yet.
    reported: bool,
}

/// See the module.
pub(crate) struct Roster {
    bus: Bus,
    entries: FlatMap<CheckerId, Box<Entry>>,
    reals: FlatMap<RealKey, Real>,
    turns: Turns,
    /// How files and sessions stand; those too that no real server follows, for a reload may have one follow them.
    levels: Levels,
    /// Who follows which of them.
    following: BTreeMap<TrackedKey, BTreeSet<RealKey>>,
    /// Real servers that follow something of which nothing was told yet, and when it will be.
    first_words: BTreeSet<(Instant, RealKey)>,
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
            entries: FlatMap::new(),
            reals: FlatMap::new(),
            turns: Turns::default(),
            levels: Levels::new(),
            following: BTreeMap::new(),
            first_words: BTreeSet::new(),
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
        let mut followed = self.follow(now, followers);
        let mut old: BTreeMap<_, _> = std::mem::take(&mut self.entries).into_iter().collect();
        let mut old_reals: BTreeMap<_, _> = std::mem::take(&mut self.reals).into_iter().collect();
        self.turns.clear(definitions.len());
        let mut wanted = definitions;
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
            let mut candidates = before.map(|before| before.checkers.to_vec()).unwrap_or_default();
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
            let follows = followed.remove(&real).unwrap_or_default().into_boxed_slice();
            let health = self.health(&checkers, &follows);
            if known.is_some_and(|known| known != health) {
                changes.push(HealthChange { real, health, cause });
            }
            let reported = before_reported || known.is_some_and(|known| known != health);
            reals.push((real, Real { checkers: checkers.into(), follows, health, reported }));
        }
        // Those that only follow: what is followed has said all that there is to know by now.
        for (real, follows) in followed {
            let before = old_reals.remove(&real);
            let known = before.as_ref().map(|before| before.health);
            let health = self.health(&[], &follows);
            if known.map_or(health.up, |known| known != health) {
                changes.push(HealthChange { real, health, cause });
            }
            // The director may have begun with another level of what is followed than is known by now, or have had the
            // server before anything was followed: then it hears by the first word that the server is down.
            let reported = before.is_some_and(|before| before.reported);
            let (checkers, follows) = (Vec::new().into(), follows.into());
            reals.push((real, Real { checkers, follows, health, reported }));
        }
        self.reals = reals.into_iter().collect();
        // Without checkers there is nobody left to say anything of the server.
        for (real, _) in old_reals.into_iter().filter(|(_, before)| before.health != Health::UP) {
            changes.push(HealthChange { real, health: Health::UP, cause });
        }
        changes
    }

    /// Virtual servers have other keys from now on; that is all. To be called before the definitions that name them so.
    pub(crate) fn rename(&mut self, renamed: &BTreeMap<ServiceKey, ServiceKey>) {
        if renamed.is_empty() {
            return;
        }
        let now = |service: ServiceKey| *renamed.get(&service).unwrap_or(&service);
        let reals = std::mem::take(&mut self.reals).into_iter();
        self.reals = reals.map(|(key, real)| (RealKey { service: now(key.service), ..key }, real)).collect();
        self.resting = std::mem::take(&mut self.resting).into_iter().map(now).collect();
    }

    /// Who follows what from now on. What was told of before needs no first word.
    fn follow(&mut self, now: Instant, followers: Vec<Follower>) -> BTreeMap<RealKey, Vec<Following>> {
        self.following.clear();
        self.first_words.clear();
        let mut followed: BTreeMap<RealKey, Vec<Following>> = BTreeMap::new();
        for follower in followers {
            let real = follower.key.real;
            self.following.entry(follower.followed.tracked()).or_default().insert(real);
            let before = self.reals.get(&real).map(|real| &*real.follows).unwrap_or_default();
            let following = Following::after(before, follower);
            if !following.is_told() {
                self.first_words.insert((now + BOOTSTRAP, real));
            }
            followed.entry(real).or_default().push(following);
        }
        followed
    }

    /// Takes how a thing stands now, and the event that says so.
    pub(crate) fn level(
        &mut self,
        tracked: &TrackedKey,
        level: Level,
        cause: Option<EventId>,
    ) -> Vec<HealthChange> {
        if self.levels.insert(tracked.clone(), level) == Some(level) {
            return Vec::new();
        }
        let reals = self.following.get(tracked).into_iter().flatten().copied().collect::<Vec<_>>();
        reals.into_iter().filter_map(|real| self.settle_followed(real, Some(tracked), cause)).collect()
    }

    /// A real server has another weight than its definition says, until the next [`Self::apply`]: what a checker says is the
    /// weight is so much more or less than this one.
    pub(crate) fn weigh(
        &mut self,
        key: RealKey,
        weight: u32,
        cause: Option<EventId>,
    ) -> Option<HealthChange> {
        let Real { checkers, health: before, .. } = self.reals.get(&key)?;
        let before = *before;
        for id in checkers.iter() {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.definition.weight = i32::try_from(weight).unwrap_or(i32::MAX);
            }
        }
        self.settle(key, false, cause).filter(|change| change.health != before)
    }

    /// Tells of what a real server follows, of one thing or of all, as far as it says something new; and what that means
    /// for it.
    fn settle_followed(
        &mut self,
        key: RealKey,
        only: Option<&TrackedKey>,
        mut cause: Option<EventId>,
    ) -> Option<HealthChange> {
        let mut fails = false;
        for following in self.reals.get_mut(&key).map(|real| &mut real.follows).into_iter().flatten() {
            let tracked = following.tracked();
            if only.is_none_or(|only| tracked == *only)
                && let Some(level) = self.levels.get(&tracked)
                && let Some(fact) = following.says(*level)
            {
                fails |= matches!(fact, ServiceFact::CheckFailed { .. });
                cause = Some(self.bus.publish(cause, fact));
            }
        }
        self.settle(key, fails, cause)
    }

    /// The checkers of these virtual servers rest from now on, and no others. What is under way comes to its end.
    pub(crate) fn rest(&mut self, now: Instant, resting: BTreeSet<ServiceKey>) {
        let before = std::mem::replace(&mut self.resting, resting);
        for (id, entry) in self.entries.iter_mut() {
            let service = &entry.definition.key.real.service;
            match (before.contains(service), self.resting.contains(service)) {
                (false, true) => {
                    entry.next = None;
                }
                // Whoever takes over an address wants to know soon, but not of everybody in the same moment.
                (true, false) if !entry.flying => {
                    let soon = entry.definition.checker.delay_loop.min(BOOTSTRAP);
                    let next = now + soon.mul_f64(self.random.random::<f64>());
                    entry.next = Some(next);
                    self.turns.plan(next, *id);
                }
                (true | false, _) => {}
            }
        }
    }

    /// When the next check is due.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let turn = self.turns.first(meant(&self.entries)).map(|(at, _)| at);
        turn.into_iter().chain(self.first_words.first().map(|(at, _)| *at)).min()
    }

    /// Says the first word of what real servers follow, where it is due: after the table is as it should be, as that of
    /// checkers.
    pub(crate) fn say_first_words(&mut self, now: Instant) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        while let Some((at, real)) = self.first_words.first().copied()
            && at <= now
        {
            self.first_words.pop_first();
            changes.extend(self.settle_followed(real, None, None));
        }
        changes
    }

    /// Whether a checker is at work still: a reload may have taken it away.
    pub(crate) fn has(&self, id: CheckerId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Takes out the checks that are due; each must be given back by [`Self::conclude`].
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        while let Some(id) = self.turns.due(now, meant(&self.entries)) {
            if let Some(entry) = self.entries.get_mut(&id) {
                let at = entry.next.take().unwrap_or(now);
                entry.flying = true;
                let trusted = entry.tries.is_well();
                due.push(Due { id, probe: entry.probe.clone(), at, trusted });
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
            self.turns.plan(next, id);
        }
        let fails = matches!(verdict, Verdict::Down { .. });
        if news { self.settle(real, fails, cause) } else { None }
    }

    /// What these checkers, all of one real server, say of it together.
    fn health(&self, checkers: &[CheckerId], follows: &[Following]) -> Health {
        let all = checkers.iter().filter_map(|id| self.entries.get(id));
        let followed = Followed::all_at(follows.iter().map(Following::followed), &self.levels);
        let begin = Health { up: followed.is_some(), weight: followed.unwrap_or(0), fixed: 0 };
        all.fold(begin, |health, entry| Health {
            up: health.up && entry.tries.is_up(),
            weight: health.weight.saturating_add(entry.weight.above(entry.definition.weight)),
            fixed: health.fixed.saturating_add(matches!(entry.weight, WeightSaid::Exactly(_)).into()),
        })
    }

    /// Reports a real server whose checkers together think otherwise than before, or are sure for the first time.
    /// `fails`: one of them has just come to the verdict that it is down.
    fn settle(&mut self, key: RealKey, fails: bool, cause: Option<EventId>) -> Option<HealthChange> {
        let Real { checkers, follows, .. } = self.reals.get(&key)?;
        let health = self.health(checkers, follows);
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
        if let Some(next) = entry.next {
            self.turns.plan(next, id);
        }
        self.entries.insert(id, entry);
    }

    /// The turns that are planned.
    #[cfg(test)]
    fn planned(&self) -> BTreeSet<(Instant, CheckerId)> {
        self.entries.iter().filter_map(|(id, entry)| Some((entry.next?, *id))).collect()
    }
}

/// Whether a turn is that of a checker still.
fn meant(entries: &FlatMap<CheckerId, Box<Entry>>) -> impl Fn(Instant, CheckerId) -> bool {
    |at, id| entries.get(&id).is_some_and(|entry| entry.next == Some(at))
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
