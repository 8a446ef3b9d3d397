//! What virtual routers follow: interfaces, scripts, files, processes, BFD sessions, all in one way; and what it means for
//! them. Goes in: the lines of an instance and of its group, merged once ([`Follow::of`]); and the [`Level`] of a thing.
//! Comes out: whether that is a fault, and by how much the priority changes ([`Meaning`]).
//!
//! | level | weight 0 | weight > 0 | weight < 0 | with `reverse` |
//! |---|---|---|---|---|
//! | up | – | + weight | – | weight 0: a fault; else the other sign |
//! | down | a fault | – | + weight | weight 0: nothing; else the other sign |
//! | the number n | a fault unless 0 | + n × weight | + n × weight | weight 0: a fault if 0; else the other sign |
//! | undecided | the router does not start | – | – | |
//!
//! A product of −254 or less is a fault, and no weight; one above 253 counts as 253. A router keeps the weight that a number
//! last had while it is a fault.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Instance, LinkTarget, Name, Priority, SyncGroup, Tracked, Tracking};

/// What kind of thing is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackedKind {
    /// An interface (`track_interface`, and those that addresses stand on).
    #[serde(rename = "interface")]
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

impl fmt::Display for TrackedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "interface",
            Self::Script => "script",
            Self::File => "file",
            Self::Process => "process",
            Self::Bfd => "BFD session",
        })
    }
}

/// How a thing stands. As long as nobody has said anything of it, it counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided => f.write_str("undecided"),
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// One thing that a router follows, and how much it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Its kind.
    pub kind: TrackedKind,
    /// Its name in the configuration.
    pub name: Name,
    /// −254 to 254; 0 makes it a matter of fault or not.
    pub weight: i32,
    /// What else were a success counts as the failure.
    pub reverse: bool,
}

/// What one thing at one level means for a router that follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// It is a fault.
    pub fault: bool,
    /// It has weight 0 and is undecided.
    pub undecided: bool,
    /// What the priority changes by.
    pub weight: i32,
}

impl Follow {
    /// The greatest change of a priority by one thing; as much less is a fault.
    const MOST: i32 = 253;

    /// Everything that an instance follows: what its own blocks name, those of its group, and the interfaces that its
    /// addresses stand on. As in keepalived, weights of the group's own lines always count: only those of a member's lines
    /// need `sync_group_tracking_weight`, and were taken off when the file was read, as were a group's with an owner in it.
    /// An owner follows nothing with a weight.
    pub fn of(instance: &Instance, group: Option<&SyncGroup>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        let of_group = group.map(|group| &group.tracking);
        for tracking in [Some(&*instance.tracking), of_group].into_iter().flatten() {
            for (kind, line) in tracking.lines() {
                let (name, weight) = (line.name.clone(), line.weight);
                let follow = Self { kind, name, weight, reverse: line.reverse };
                match merged.iter_mut().find(|other| (other.kind, &other.name) == (kind, &line.name)) {
                    // Named in both: the fault wins, else the group's weight.
                    Some(other) if other.weight != 0 => *other = follow,
                    Some(_) => {}
                    None => merged.push(follow),
                }
            }
        }
        if instance.priority == Priority::OWNER {
            merged.retain(|follow| follow.weight == 0);
        }
        for address in instance.addresses.iter().chain(&instance.excluded_addresses) {
            let LinkTarget::Named(interface) = &address.link else { continue };
            let known = Some(interface) == instance.interface.as_ref()
                || merged.iter().any(|other| (other.kind, &other.name) == (TrackedKind::Link, interface));
            if !known && !address.no_track {
                let (kind, name) = (TrackedKind::Link, interface.clone());
                merged.push(Self { kind, name, weight: 0, reverse: false });
            }
        }
        merged
    }

    /// What it means at a level.
    pub fn at(&self, level: Level) -> Meaning {
        let sign = if self.reverse { -1 } else { 1 };
        let mut meaning = Meaning::default();
        match level {
            Level::Undecided => meaning.undecided = self.weight == 0,
            Level::Up | Level::Down if self.weight == 0 => {
                meaning.fault = (level == Level::Up) == self.reverse;
            }
            Level::Up => meaning.weight = sign * self.weight.max(0),
            Level::Down => meaning.weight = sign * self.weight.min(0),
            Level::Number(number) if self.weight == 0 => meaning.fault = (number == 0) == self.reverse,
            Level::Number(number) => {
                let product = i64::from(sign) * i64::from(number) * i64::from(self.weight);
                meaning.fault = product < i64::from(-Self::MOST);
                meaning.weight = if meaning.fault { 0 } else { product.min(i64::from(Self::MOST)) as i32 };
            }
        }
        meaning
    }
}

impl Tracking {
    /// All lines, each with the kind of what it names.
    pub fn lines(&self) -> impl Iterator<Item = (TrackedKind, &Tracked)> {
        let Self { interfaces, scripts, files, processes, bfds } = self;
        let all = [
            (TrackedKind::Link, interfaces),
            (TrackedKind::Script, scripts),
            (TrackedKind::File, files),
            (TrackedKind::Process, processes),
            (TrackedKind::Bfd, bfds),
        ];
        all.into_iter().flat_map(|(kind, list)| list.iter().map(move |line| (kind, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_level_means() {
        let fault = Meaning { fault: true, ..Meaning::default() };
        let nothing = Meaning::default();
        let weight = |weight| Meaning { weight, ..Meaning::default() };
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
            (Level::Number(-254), 1, false, fault),
            (Level::Number(i32::MAX), -253, false, fault),
            (Level::Number(i32::MIN), -253, false, weight(253)),
            (Level::Undecided, 0, false, Meaning { undecided: true, ..nothing }),
            (Level::Undecided, -20, false, nothing),
        ] {
            let follow = Follow { kind: TrackedKind::Script, name: "x".into(), weight: line, reverse };
            assert_eq!(follow.at(level), expected, "{level:?} {line} {reverse}");
        }
    }
}
