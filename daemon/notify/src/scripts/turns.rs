//! Whose turn it is. Pure: orders, ends and the time in, [`Act`]s out.
//!
//! Scripts of one [`Subject`] run one at a time, in the order of events, so that the last one to end belongs to the last
//! state. Subjects do not wait for each other. A script may take its time: after a while that is told, and no more,
//! as long as nobody waits behind it. One that keeps another waiting is ended when its time is over, never before
//! the next begins: otherwise it might finish later, and undo what that one did. Scripts of one and the same event can't
//! contradict each other, so the second of them waits a moment only, and begins beside the first. Where many begin at
//! once a few begin later; what has run for a moment does not count for that.
//!
//! Call [`Turns::order`], [`Turns::ended`] and [`Turns::stop`] as these things happen, and [`Turns::act`] after each of
//! them and when [`Turns::due`] has come.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::roster::{Order, Subject};

/// How long scripts may take, and how many begin at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// After this time it is told that a script still runs.
    pub overdue: Duration,
    /// How long a script may run that keeps another one of its subject waiting.
    pub time: Duration,
    /// How long a script waits for another one of the same event.
    pub beside: Duration,
    /// Scripts of one subject that wait, at most; then the oldest of them is given up.
    pub waiting: usize,
    /// From asking it to end to killing it.
    pub grace: Duration,
    /// Scripts that have just begun, at most; the next begin as these end or have run for [`settled`](Self::settled).
    pub beginning: usize,
    /// How long a script counts as having just begun.
    pub settled: Duration,
    /// After `DaemonStopping`: how long scripts are still started and waited for.
    pub farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            overdue: Duration::from_secs(10),
            time: Duration::from_secs(60),
            beside: Duration::from_secs(2),
            waiting: 1000,
            grace: Duration::from_secs(2),
            beginning: 64,
            settled: Duration::from_millis(500),
            farewell: Duration::from_secs(1),
        }
    }
}

/// The number of a script that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Begin this script.
    Start(Ticket, Order),
    /// Tell that this script still runs, and how many wait for it.
    Tell(Order, Duration, usize),
    /// End this script, killing it after the grace.
    End(Ticket, Duration),
    /// This script was killed, and is still there: the kernel holds it. It is not waited for any longer.
    Abandon(Ticket, Order, Duration),
    /// This one is not run any more: the daemon ends, and there is time for the last ones only.
    GiveUp(Order),
}

/// One that can't even be killed is waited for as long as this after the grace.
const UNDEAD: Duration = Duration::from_secs(3);

/// Everything that runs or waits.
#[derive(Debug)]
pub(super) struct Turns {
    bounds: Bounds,
    lines: HashMap<Subject, Line>,
    /// Subjects whose next script can begin.
    ready: VecDeque<Subject>,
    running: HashMap<Ticket, Turn>,
    alarms: BTreeSet<(Instant, Ticket)>,
    /// What has just begun, oldest first.
    fresh: VecDeque<(Instant, Ticket)>,
    next: u64,
    /// A clean stop: who keeps another waiting is ended at this time.
    impatient: Option<Instant>,
}

/// One subject.
#[derive(Debug, Default)]
struct Line {
    /// More than one if they are of one event.
    running: Vec<Ticket>,
    waiting: VecDeque<Order>,
}

/// A script that runs.
#[derive(Debug)]
struct Turn {
    order: Order,
    since: Instant,
    told: bool,
    asked: Option<Instant>,
}

impl Turns {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lines: HashMap::new(),
            ready: VecDeque::new(),
            running: HashMap::new(),
            alarms: BTreeSet::new(),
            fresh: VecDeque::new(),
            next: 0,
            impatient: None,
        }
    }

    /// Nothing runs and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// A script is to be run. Returns the one that is given up for it, if too many wait.
    pub(super) fn order(&mut self, now: Instant, order: Order) -> Option<Order> {
        let subject = order.subject.clone();
        let line = self.lines.entry(subject.clone()).or_default();
        let too_many = line.waiting.len() >= self.bounds.waiting.max(1);
        let given_up = if too_many { line.waiting.pop_front() } else { None };
        line.waiting.push_back(order);
        if line.running.is_empty() && line.waiting.len() == 1 && given_up.is_none() {
            self.ready.push_back(subject);
        }
        self.alarms.extend(line.running.iter().map(|running| (now, *running)));
        given_up
    }

    /// A script has ended, or was not run.
    pub(super) fn ended(&mut self, ticket: Ticket) -> Option<Order> {
        let order = self.running.remove(&ticket)?.order;
        self.fresh.retain(|(_, fresh)| *fresh != ticket);
        if let Some(line) = self.lines.get_mut(&order.subject) {
            line.running.retain(|running| *running != ticket);
            match (line.running.is_empty(), line.waiting.is_empty()) {
                (true, true) => drop(self.lines.remove(&order.subject)),
                (true, false) => self.ready.push_back(order.subject.clone()),
                (false, _) => {}
            }
        }
        Some(order)
    }

    /// The daemon is about to end: half of the farewell is for those that run and who waits behind them. Who then still
    /// runs is ended, and the other half is for the last ones of each subject.
    pub(super) fn stop(&mut self, now: Instant) {
        let impatient = now + self.bounds.farewell / 2;
        self.impatient = Some(impatient);
        self.bounds.grace = self.bounds.grace.min(self.bounds.farewell / 8);
        // There is no time any more for those of one event to wait for each other.
        self.bounds.beside = Duration::ZERO;
        // Who was asked to end with the longer grace is asked once more.
        self.running.values_mut().for_each(|turn| turn.asked = None);
        self.alarms.extend(self.running.keys().flat_map(|ticket| [(now, *ticket), (impatient, *ticket)]));
    }

    /// Nothing is begun any more: gives what still waits, in order of events.
    pub(super) fn give_up(&mut self) -> Vec<Order> {
        let mut left: Vec<Order> =
            self.lines.values_mut().flat_map(|line| std::mem::take(&mut line.waiting)).collect();
        left.sort_by_key(|order| order.event);
        left
    }

    /// When [`Self::act`] has something to do, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let room = self.fresh.front().map(|(since, _)| *since + self.bounds.settled);
        let room = room.filter(|_| !self.ready.is_empty());
        alarm.into_iter().chain(room).min()
    }

    /// What is to be done now.
    pub(super) fn act(&mut self, now: Instant) -> Vec<Act> {
        let mut acts = Vec::new();
        while let Some((at, ticket)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.alarms.remove(&(at, ticket));
            self.look_at(ticket, now, &mut acts);
        }
        while self.fresh.front().is_some_and(|(since, _)| *since + self.bounds.settled <= now) {
            self.fresh.pop_front();
        }
        while self.fresh.len() < self.bounds.beginning.max(1) || self.impatient.is_some() {
            let Some(subject) = self.ready.pop_front() else { break };
            if self.impatient.is_some_and(|at| at <= now) {
                acts.extend(self.skip_to_the_last(&subject).into_iter().map(Act::GiveUp));
            }
            acts.extend(self.begin(&subject, now));
        }
        acts
    }

    fn begin(&mut self, subject: &Subject, now: Instant) -> Option<Act> {
        let line = self.lines.get_mut(subject)?;
        let next = line.waiting.front()?.event;
        if line
            .running
            .iter()
            .any(|beside| self.running.get(beside).is_none_or(|turn| turn.order.event != next))
        {
            return None;
        }
        let order = line.waiting.pop_front()?;
        let ticket = Ticket(self.next);
        self.next += 1;
        line.running.push(ticket);
        self.running.insert(ticket, Turn { order: order.clone(), since: now, told: false, asked: None });
        self.fresh.push_back((now, ticket));
        self.set_alarm(ticket, now);
        if self.bounds.beside.is_zero() {
            // The next one of the same event, if there is one.
            self.ready.push_back(subject.clone());
        }
        Some(Act::Start(ticket, order))
    }

    /// Who waits behind a script.
    fn behind(&self, turn: &Turn) -> Behind {
        let waiting = self.lines.get(&turn.order.subject).map(|line| &line.waiting);
        let own = |order: &Order| order.event == turn.order.event;
        Behind {
            count: waiting.map_or(0, VecDeque::len),
            another: waiting.is_some_and(|waiting| waiting.iter().any(|order| !own(order))),
            its_own: waiting.is_some_and(|waiting| waiting.front().is_some_and(own)),
        }
    }

    /// When it has to end if another event's script waits.
    fn limit(&self, turn: &Turn) -> Instant {
        let limit = turn.since + self.bounds.time;
        self.impatient.map_or(limit, |impatient| impatient.min(limit))
    }

    fn look_at(&mut self, ticket: Ticket, now: Instant, acts: &mut Vec<Act>) {
        let Some(turn) = self.running.get(&ticket) else { return };
        let (behind, ran) = (self.behind(turn), now.saturating_duration_since(turn.since));
        if turn.asked.is_some_and(|asked| asked + self.bounds.grace + UNDEAD <= now) {
            acts.extend(self.ended(ticket).map(|order| Act::Abandon(ticket, order, ran)));
            return;
        }
        let tell = !turn.told && ran >= self.bounds.overdue;
        let end = turn.asked.is_none() && behind.another && self.limit(turn) <= now;
        if behind.its_own && ran >= self.bounds.beside {
            self.ready.push_back(turn.order.subject.clone());
        }
        if let Some(turn) = self.running.get_mut(&ticket) {
            if tell {
                turn.told = true;
                acts.push(Act::Tell(turn.order.clone(), ran, behind.count));
            }
            if end {
                turn.asked = Some(now);
                acts.push(Act::End(ticket, self.bounds.grace));
            }
        }
        if end
            && self.impatient.is_some()
            && let Some(subject) = self.running.get(&ticket).map(|turn| turn.order.subject.clone())
        {
            acts.extend(self.skip_to_the_last(&subject).into_iter().map(Act::GiveUp));
        }
        self.set_alarm(ticket, now);
    }

    /// Of what waits for a subject's turn, only what belongs to the last event stays: at a stop that is what tells of the stop.
    fn skip_to_the_last(&mut self, subject: &Subject) -> VecDeque<Order> {
        let Some(line) = self.lines.get_mut(subject) else { return VecDeque::new() };
        let Some(last) = line.waiting.back().map(|order| order.event) else { return VecDeque::new() };
        let (stay, skipped) =
            std::mem::take(&mut line.waiting).into_iter().partition(|order| order.event == last);
        line.waiting = stay;
        skipped
    }

    /// The next time at which something is due for a script, later than now.
    fn set_alarm(&mut self, ticket: Ticket, now: Instant) {
        let Some(turn) = self.running.get(&ticket) else { return };
        let behind = self.behind(turn);
        let times = [
            Some(turn.since + self.bounds.overdue).filter(|_| !turn.told),
            Some(turn.since + self.bounds.beside).filter(|_| behind.its_own),
            Some(self.limit(turn)).filter(|_| behind.another && turn.asked.is_none()),
            turn.asked.map(|asked| asked + self.bounds.grace + UNDEAD),
        ];
        let next = times.into_iter().flatten().filter(|at| *at > now).min();
        self.alarms.extend(next.map(|at| (at, ticket)));
    }
}

/// Who waits behind a script that runs.
struct Behind {
    count: usize,
    /// Somebody of another event.
    another: bool,
    /// Next comes one of the same event.
    its_own: bool,
}

#[cfg(test)]
mod tests;
