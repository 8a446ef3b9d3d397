//! How everything that has a state was during the last day: folded from events, in one place, with bounded memory. In:
//! events in the order of the bus. Out: for each virtual router, virtual server and real server its changes, oldest
//! first.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;

use jiff::Timestamp;
use keepwatch_bus::fact::{DaemonFact, ServiceFact, VrrpFact};
use keepwatch_bus::subject::{CheckerKey, Name, RealKey, ServiceKey, TrackedKey, VrrpState};
use keepwatch_bus::world::{RealState, Service};
use keepwatch_bus::{Event, Fact, FlatMap, World};
use keepwatch_model as model;

/// How far back is remembered, in milliseconds.
const DAY: i64 = 86_400_000;
/// Most changes that are kept of one subject; older ones are forgotten.
const MOST: usize = 64;

/// Whom a row of the page is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A virtual router.
    Router(Name),
    /// A virtual server.
    Service(ServiceKey),
    /// A real server of one.
    Real(RealKey),
    /// A sync group, which has no timeline of its own: it is what its members are.
    Group(Name),
    /// Something that is tracked, likewise without one.
    Tracker(TrackedKey),
}

/// How the page's script finds the row.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router(name) => write!(f, "router {name}"),
            Self::Service(key) => write!(f, "service {key}"),
            Self::Real(key) => write!(f, "real {} {}", key.service, key.real),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Tracker(key) => write!(f, "tracker {key}"),
        }
    }
}

/// What a subject was for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody knows: keepwatch did not run.
    Unknown,
    /// A virtual router in this state.
    Router(VrrpState),
    /// A real server in this state.
    Real(RealState),
    /// A virtual server with its quorum.
    Quorum,
    /// A virtual server without it.
    NoQuorum,
    /// A virtual server whose sorry server serves.
    Sorry,
}

impl Stage {
    fn of(service: &Service) -> Self {
        Self::of_service(service.quorum, service.sorry)
    }

    fn of_service(quorum: bool, sorry: bool) -> Self {
        match (quorum, sorry) {
            (_, true) => Self::Sorry,
            (true, false) => Self::Quorum,
            (false, false) => Self::NoQuorum,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not known"),
            Self::Router(state) => state.fmt(f),
            Self::Real(state) => state.fmt(f),
            Self::Quorum => f.write_str("quorum"),
            Self::NoQuorum => f.write_str("no quorum"),
            Self::Sorry => f.write_str("sorry server"),
        }
    }
}

/// A change: since when (milliseconds since 1970), and what from then on.
pub(crate) type Turn = (i64, Stage);

/// The changes of one subject, oldest first. Nearly all of very many have but one: they began to be up.
#[derive(Clone, Debug, Default)]
enum Turns {
    #[default]
    None,
    One(Turn),
    /// Boxed, so that all others take no more than one turn does.
    #[allow(clippy::box_collection)]
    Many(Box<VecDeque<Turn>>),
}

impl Turns {
    fn iter(&self) -> impl DoubleEndedIterator<Item = Turn> + '_ {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(turn) => (Some(*turn), None),
            Self::Many(turns) => (None, Some(turns)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|turns| turns.iter().copied()))
    }

    fn last(&self) -> Option<Turn> {
        self.iter().next_back()
    }

    fn push(&mut self, turn: Turn) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(turn),
            Self::One(first) => Self::Many(Box::new([first, turn].into())),
            Self::Many(mut turns) => {
                turns.push_back(turn);
                Self::Many(turns)
            }
        };
    }

    /// Forgets the oldest ones that are not needed any more at this time.
    fn forget(&mut self, at: i64) {
        if let Self::Many(turns) = self {
            while turns.len() > MOST || turns.get(1).is_some_and(|(since, _)| *since < at - DAY) {
                turns.pop_front();
            }
            if let (1, Some(last)) = (turns.len(), turns.back().copied()) {
                *self = Self::One(last);
            }
        }
    }
}

/// The changes of one subject, and how it is.
#[derive(Clone, Debug, Default)]
struct Lane {
    turns: Turns,
    /// Of a real server: whether checkers hold, and whether there are any. Of a virtual server: quorum and sorry server.
    flags: (bool, bool),
    resting: bool,
    /// How many checkers a real server has.
    checkers: u8,
    /// Those of them whose checks can't be made, by their places; of places beyond 31 that is not known here.
    hindered: u32,
}

impl Lane {
    fn turn(&mut self, at: i64, stage: Stage) {
        let last = self.turns.last();
        if last.is_some_and(|(_, known)| known == stage) || (last.is_none() && stage == Stage::Unknown) {
            return;
        }
        // A clock that was set back must not make a span that ends before it begins.
        let at = last.map_or(at, |(since, _)| at.max(since));
        self.turns.push((at, stage));
        self.turns.forget(at);
    }

    fn is_unknown(&self) -> bool {
        self.turns.last().is_none_or(|(_, stage)| stage == Stage::Unknown)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Timelines {
    routers: HashMap<Name, Lane>,
    services: HashMap<ServiceKey, Lane>,
    /// By their virtual server.
    reals: HashMap<ServiceKey, FlatMap<SocketAddr, Lane>>,
    /// The sorry servers that serve.
    sorry: HashMap<ServiceKey, SocketAddr>,
    /// When the last event was published.
    last: i64,
}

impl Timelines {
    /// The changes of this one during the last day, oldest first.
    pub(crate) fn turns(&self, subject: &Subject) -> impl DoubleEndedIterator<Item = Turn> + '_ {
        let lane = match subject {
            Subject::Router(name) => self.routers.get(name),
            Subject::Service(key) => self.services.get(key),
            Subject::Real(key) => self.reals.get(&key.service).and_then(|reals| reals.get(&key.real)),
            Subject::Group(_) | Subject::Tracker(_) => None,
        };
        lane.into_iter().flat_map(|lane| lane.turns.iter())
    }

    /// Folds one event in. What is no change of a state changes nothing here.
    pub(crate) fn apply(&mut self, event: &Event) {
        let at = event.at.as_millisecond();
        match &event.fact {
            // Of what was between its last word and now nobody knows.
            Fact::Daemon(DaemonFact::DaemonStarted { .. }) => {
                self.end(if self.last == 0 { at } else { self.last }, at)
            }
            Fact::Daemon(DaemonFact::DaemonStopping { .. }) => self.end(at, at),
            Fact::Vrrp(fact) => self.router(at, fact),
            Fact::Service(fact) => self.service(at, fact),
            _ => {}
        }
        self.last = at;
    }

    /// Nothing is known of anything since `since`; what was not heard of for a day is forgotten.
    fn end(&mut self, since: i64, now: i64) {
        let reals = self.reals.values_mut().flat_map(FlatMap::values_mut);
        let lanes = self.routers.values_mut().chain(self.services.values_mut()).chain(reals);
        lanes.for_each(|lane| lane.turn(since, Stage::Unknown));
        let kept = |lane: &Lane| lane.turns.last().is_some_and(|(since, _)| since > now - DAY);
        self.routers.retain(|_, lane| kept(lane));
        self.services.retain(|_, lane| kept(lane));
        self.retain_reals(|_, lane| kept(lane));
    }

    fn retain_reals(&mut self, wanted: impl Fn(&RealKey, &Lane) -> bool) {
        self.reals.retain(|service, reals| {
            reals.retain(|real, lane| wanted(&RealKey { service: *service, real: *real }, lane));
            !reals.is_empty()
        });
    }

    fn real_lane(&mut self, key: &RealKey) -> &mut Lane {
        self.reals.entry(key.service).or_default().get_or_insert_with(key.real, Lane::default)
    }

    fn router(&mut self, at: i64, fact: &VrrpFact) {
        match fact {
            VrrpFact::InstanceConfigured { instance, .. } => {
                let lane = self.routers.entry(instance.clone()).or_default();
                if lane.is_unknown() {
                    lane.turn(at, Stage::Router(VrrpState::Init));
                }
            }
            VrrpFact::InstanceUnconfigured { instance } => {
                self.routers.remove(instance);
            }
            VrrpFact::InstanceRenamed { instance, from } => {
                if let Some(lane) = self.routers.remove(from) {
                    self.routers.insert(instance.clone(), lane);
                }
            }
            VrrpFact::StateChanged { instance, to, .. } => {
                self.routers.entry(instance.clone()).or_default().turn(at, Stage::Router(*to));
            }
            _ => {}
        }
    }

    fn service(&mut self, at: i64, fact: &ServiceFact) {
        match fact {
            ServiceFact::VirtualServerConfigured { service, .. } => {
                let lane = self.services.entry(*service).or_default();
                if lane.is_unknown() {
                    (lane.flags, lane.resting) = ((true, false), false);
                    lane.turn(at, Stage::Quorum);
                }
            }
            ServiceFact::VirtualServerRenamed { service, from } => {
                if let Some(lane) = self.services.get(from).cloned() {
                    self.services.entry(*service).or_insert(lane);
                }
                if let Some(lanes) = self.reals.get(from).cloned() {
                    self.reals.entry(*service).or_insert(lanes);
                }
            }
            ServiceFact::VirtualServerUnconfigured { service } => {
                self.services.remove(service);
                self.reals.remove(service);
                self.sorry.remove(service);
            }
            ServiceFact::QuorumGained { service, .. } => self.quorum(at, service, Some(true), None),
            ServiceFact::QuorumLost { service, .. } | ServiceFact::QuorumAwaited { service, .. } => {
                self.quorum(at, service, Some(false), None);
            }
            ServiceFact::SorryServerAdded { service, sorry } => {
                self.sorry.insert(*service, *sorry);
                self.quorum(at, service, None, Some(true));
            }
            // After a reload that names another one the one of before goes when the new one serves.
            ServiceFact::SorryServerRemoved { service, sorry }
                if self.sorry.get(service).is_none_or(|serves| serves == sorry) =>
            {
                self.sorry.remove(service);
                self.quorum(at, service, None, Some(false));
            }
            ServiceFact::VirtualServerRemoved { service } if self.sorry.contains_key(service) => {
                self.sorry.remove(service);
                self.quorum(at, service, None, Some(false));
            }
            ServiceFact::RealServerConfigured { real, starts_up, checked, settings } => {
                let lane = self.real_lane(real);
                let up = if lane.is_unknown() { *starts_up } else { lane.flags.0 };
                lane.flags = (up, *checked);
                lane.checkers = checkers_of(settings);
                lane.turn(at, lane.real());
            }
            ServiceFact::CheckNotRun { checker, .. } => self.hinder(at, checker, true),
            ServiceFact::CheckSucceeded { checker, .. } | ServiceFact::CheckFailed { checker, .. } => {
                self.hinder(at, checker, false);
            }
            ServiceFact::RealServerUnconfigured { real } => {
                if let Some(reals) = self.reals.get_mut(&real.service) {
                    reals.remove(&real.real);
                }
            }
            ServiceFact::RealServerUp { real } => self.real(at, real, true),
            ServiceFact::RealServerDown { real } => self.real(at, real, false),
            ServiceFact::ChecksSuspended { service } => self.rest(at, service, true),
            ServiceFact::ChecksResumed { service, .. } => self.rest(at, service, false),
            _ => {}
        }
    }

    fn quorum(&mut self, at: i64, service: &ServiceKey, quorum: Option<bool>, sorry: Option<bool>) {
        let lane = self.services.entry(*service).or_default();
        lane.flags = (quorum.unwrap_or(lane.flags.0), sorry.unwrap_or(lane.flags.1));
        lane.turn(at, Stage::of_service(lane.flags.0, lane.flags.1));
    }

    fn real(&mut self, at: i64, real: &RealKey, up: bool) {
        let reals = self.reals.get_mut(&real.service);
        if let Some(lane) = reals.and_then(|reals| reals.get_mut(&real.real)) {
            lane.flags.0 = up;
            lane.turn(at, lane.real());
        }
    }

    /// A check can't be made, or could.
    fn hinder(&mut self, at: i64, checker: &CheckerKey, hindered: bool) {
        let reals = self.reals.get_mut(&checker.real.service);
        let Some(lane) = reals.and_then(|reals| reals.get_mut(&checker.real.real)) else { return };
        let before = lane.hindered;
        let place = place_of(checker);
        lane.hindered = if hindered { before | place } else { before & !place };
        if lane.hindered != before {
            lane.turn(at, lane.real());
        }
    }

    fn rest(&mut self, at: i64, service: &ServiceKey, resting: bool) {
        for lane in self.reals.get_mut(service).into_iter().flat_map(FlatMap::values_mut) {
            lane.resting = resting;
            lane.turn(at, lane.real());
        }
    }

    /// Makes the present right by the world: after events were missed, or were no longer held.
    pub(crate) fn settle(&mut self, world: &World, now: Timestamp) {
        let at = now.as_millisecond();
        for instance in world.instances.values() {
            self.routers.entry(instance.name.clone()).or_default().turn(at, Stage::Router(instance.state));
        }
        self.routers.retain(|name, lane| lane.is_unknown() || world.instances.contains_key(name));
        let serving = world.services.values().filter(|service| service.sorry);
        let sorry = serving.filter_map(|s| Some((s.key, s.settings.sorry_server.as_ref()?.address)));
        self.sorry = sorry.collect();
        for service in world.services.values() {
            let lane = self.services.entry(service.key).or_default();
            lane.flags = (service.quorum, service.sorry);
            lane.turn(at, Stage::of(service));
            for real in service.reals.values() {
                let key = RealKey { service: service.key, real: real.address };
                let lane = self.real_lane(&key);
                (lane.flags, lane.resting) = ((real.up, real.checked), real.resting);
                lane.checkers = checkers_of(&real.settings);
                lane.hindered = real.hindrances().fold(0, |places, (key, _)| places | place_of(key));
                lane.turn(at, Stage::Real(real.state()));
            }
        }
        self.services.retain(|key, lane| lane.is_unknown() || world.services.contains_key(key));
        self.retain_reals(|key, lane| lane.is_unknown() || world.real(key).is_some());
    }
}

impl Lane {
    fn real(&self) -> Stage {
        let hindered = self.hindered != 0 && self.hindered.count_ones() >= self.checkers.into();
        Stage::Real(RealState::of(self.flags.0, self.flags.1 && !self.resting && !hindered))
    }
}

fn checkers_of(settings: &model::RealServer) -> u8 {
    u8::try_from(settings.checkers.len() + settings.followed().count()).unwrap_or(u8::MAX)
}

/// The place of a checker among those of its real server, as a bit.
fn place_of(checker: &CheckerKey) -> u32 {
    1u32.checked_shl(checker.index.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
