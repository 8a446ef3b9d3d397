//! What routers follow: interfaces, scripts, files, processes, BFD sessions, all in one way. Goes in: the lines of an
//! instance and of its group, merged once; and the level of each thing, whenever whoever watches it says so. Comes out:
//! for each router whether that is a fault, and by how much its priority changes. A new kind of thing is a new
//! [`TrackedKind`] and nothing else.
//!
//! | level | weight 0 | weight > 0 | weight < 0 | with `reverse` |
//! |---|---|---|---|---|
//! | up | – | + weight | – | weight 0: a fault; else the other sign |
//! | down | a fault | – | + weight | weight 0: nothing; else the other sign |
//! | the number n | a fault unless 0 | + n × weight | + n × weight | weight 0: a fault if 0; else the other sign |
//! | undecided | the router does not start | – | – | |
//!
//! A product of −254 or less is a fault; one above 253 counts as 253.

mod merge;

use std::collections::HashMap;

use keepwatch_bus::EventId;
use keepwatch_bus::subject::Name;

use crate::ids::{RouterId, TrackedId};

pub(crate) use merge::merge;

/// What kind of thing is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackedKind {
    /// An interface (`track_interface`, and those that addresses stand on). The machine watches these by itself.
    Link,
    /// A `vrrp_script`.
    Script,
    /// A `track_file`.
    File,
    /// A `vrrp_track_process`.
    Process,
    /// A `bfd_instance`.
    Bfd,
}

/// How a thing stands. As long as nobody has said anything of it, it counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is watched, and its first result is still to come.
    Undecided,
    /// As it should be.
    Up,
    /// Not so.
    Down,
    /// A number: what stands in a file.
    Number(i32),
}

/// One thing that a router follows, and how much it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Its kind.
    pub kind: TrackedKind,
    /// Its name in the configuration.
    pub name: Name,
    /// −253 to 253; 0 makes it a matter of fault or not.
    pub weight: i32,
    /// What else were a success counts as the failure.
    pub reverse: bool,
}

/// The greatest change of a priority by one thing; as much less is a fault.
const MOST: i32 = 253;

/// What the things that a router follows mean for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Some of them are a fault.
    pub(crate) fault: bool,
    /// Something of weight 0 is undecided.
    pub(crate) undecided: bool,
    /// What the priority changes by.
    pub(crate) weight: i32,
    /// The event that told of the fault.
    pub(crate) told: Option<EventId>,
}

impl Follow {
    /// What this thing alone means at a level.
    fn standing(&self, level: Level) -> Standing {
        let sign = if self.reverse { -1 } else { 1 };
        let mut standing = Standing::default();
        match level {
            Level::Undecided => standing.undecided = self.weight == 0,
            Level::Up | Level::Down if self.weight == 0 => {
                standing.fault = (level == Level::Up) == self.reverse;
            }
            Level::Up => standing.weight = sign * self.weight.max(0),
            Level::Down => standing.weight = sign * self.weight.min(0),
            Level::Number(number) if self.weight == 0 => standing.fault = (number == 0) == self.reverse,
            Level::Number(number) => {
                let product = i64::from(sign) * i64::from(number) * i64::from(self.weight);
                standing.fault = product < i64::from(-MOST);
                standing.weight = product.clamp(i64::from(-MOST), i64::from(MOST)) as i32;
            }
        }
        standing
    }
}

/// One thing that somebody follows.
#[derive(Debug, Default)]
struct Thing {
    level: Option<Level>,
    /// The event that last told how it stands.
    told: Option<EventId>,
    followers: Vec<RouterId>,
}

/// Everything that was ever followed or reported.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    ids: HashMap<(TrackedKind, Name), TrackedId>,
    things: Vec<Thing>,
}

impl Followed {
    pub(crate) fn intern(&mut self, kind: TrackedKind, name: &Name) -> TrackedId {
        *self.ids.entry((kind, name.clone())).or_insert_with(|| {
            self.things.push(Thing::default());
            TrackedId(self.things.len() as u32 - 1)
        })
    }

    fn thing(&mut self, id: TrackedId) -> Option<&mut Thing> {
        self.things.get_mut(id.0 as usize)
    }

    /// How a thing stands now; who has to hear of it, if that is news.
    pub(crate) fn set(&mut self, id: TrackedId, level: Level, told: Option<EventId>) -> Vec<RouterId> {
        let Some(thing) = self.thing(id) else { return Vec::new() };
        thing.told = told.or(thing.told);
        if thing.level.replace(level) == Some(level) { Vec::new() } else { thing.followers.clone() }
    }

    pub(crate) fn follow(&mut self, id: TrackedId, router: RouterId) {
        if let Some(thing) = self.thing(id) {
            thing.followers.push(router);
        }
    }

    pub(crate) fn unfollow(&mut self, id: TrackedId, router: RouterId) {
        if let Some(thing) = self.thing(id) {
            thing.followers.retain(|other| *other != router);
        }
    }

    /// What all of these mean together.
    pub(crate) fn standing(&self, follows: &[Follow]) -> Standing {
        let mut all = Standing::default();
        for follow in follows {
            let id = self.ids.get(&(follow.kind, follow.name.clone()));
            let Some(thing) = id.and_then(|id| self.things.get(id.0 as usize)) else { continue };
            let Some(level) = thing.level else { continue };
            let one = follow.standing(level);
            if one.fault && all.told.is_none() {
                all.told = thing.told;
            }
            all.fault |= one.fault;
            all.undecided |= one.undecided;
            all.weight = all.weight.saturating_add(one.weight);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_level_means() {
        let fault = Standing { fault: true, ..Standing::default() };
        let nothing = Standing::default();
        let weight = |weight| Standing { weight, ..Standing::default() };
        // facts of keepalived 2.4.3
        for (level, line, reverse, expected) in [
            (Level::Up, 0, false, nothing),
            (Level::Down, 0, false, fault),
            (Level::Up, 0, true, fault),
            (Level::Down, 0, true, nothing),
            (Level::Up, 30, false, weight(30)),
            (Level::Down, 30, false, nothing),
            (Level::Up, -30, false, nothing),
            (Level::Down, -30, false, weight(-30)),
            (Level::Up, 30, true, weight(-30)),
            (Level::Down, 30, true, nothing),
            (Level::Down, -30, true, weight(30)),
            (Level::Number(0), 0, false, nothing),
            (Level::Number(7), 0, false, fault),
            (Level::Number(0), 0, true, fault),
            (Level::Number(-7), 0, true, nothing),
            (Level::Number(5), 2, false, weight(10)),
            (Level::Number(5), 2, true, weight(-10)),
            (Level::Number(200), 2, false, weight(253)),
            (Level::Number(-253), 1, false, weight(-253)),
            (Level::Number(-254), 1, false, Standing { fault: true, ..weight(-253) }),
            (Level::Number(i32::MAX), -253, false, Standing { fault: true, ..weight(-253) }),
            (Level::Number(i32::MIN), -253, false, weight(253)),
            (Level::Undecided, 0, false, Standing { undecided: true, ..nothing }),
            (Level::Undecided, -20, false, nothing),
        ] {
            let follow = Follow { kind: TrackedKind::Script, name: "x".into(), weight: line, reverse };
            assert_eq!(follow.standing(level), expected, "{level:?} {line} {reverse}");
        }
    }
}
