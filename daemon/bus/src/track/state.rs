//! How everything that is tracked stands, and what that means for a virtual router.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use keepwatch_model::{Follow, Level as TrackedLevel, Meaning, Tracker as Settings, Tracking};
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::configured::Configured;
use crate::link::Interface;
use crate::subject::{Name, TrackedKey, TrackedKind};
use crate::vrrp::Instance;
use crate::world::{Change, Ordered, World};

/// A tracked script, file or process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracker {
    /// What the configuration says.
    pub settings: Configured<Settings>,
    /// How it stands.
    pub level: TrackedLevel,
    /// What that was seen by, once it was.
    pub evidence: Option<Evidence>,
    /// Last change of its level.
    pub changed: Option<Change>,
}

/// How something that is tracked stands, whatever it is.
#[derive(Clone)]
pub struct Standing<'a> {
    /// What it is.
    pub key: TrackedKey,
    /// How it stands.
    pub level: TrackedLevel,
    /// Last change of its level.
    pub changed: Option<Change>,
    /// What that was seen by, or why it is down.
    pub evidence: Option<&'a dyn fmt::Display>,
}

impl Tracker {
    /// What it is.
    pub fn key(&self) -> TrackedKey {
        self.settings.key()
    }
}

/// Everything that is tracked, of each kind in the order of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trackers {
    /// `vrrp_script`.
    pub scripts: Ordered<Name, Tracker>,
    /// `track_file`.
    pub files: Ordered<Name, Tracker>,
    /// `vrrp_track_process`.
    pub processes: Ordered<Name, Tracker>,
    /// `bfd_instance`.
    pub bfds: Ordered<Name, Tracker>,
    /// `vrrp_script`s that are followed and can't be run, or not safely: they are not watched.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Name, LeftOut>,
}

/// A script that is followed and is not watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Why not.
    pub why: String,
    /// Who goes on without it.
    pub followers: Vec<Name>,
    /// Since when.
    pub changed: Change,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&left_out(&self.why, &self.followers))
    }
}

/// `others than root can change `/x`; VI_1 and VI_2 go on without it`.
pub(super) fn left_out(why: &str, followers: &[Name]) -> String {
    match followers {
        [] => why.to_owned(),
        [one] => format!("{why}; {one} goes on without it"),
        [first @ .., last] => format!("{why}; {} and {last} go on without it", first.join(", ")),
    }
}

impl Trackers {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Tracker> {
        self.scripts
            .values()
            .chain(self.files.values())
            .chain(self.processes.values())
            .chain(self.bfds.values())
    }

    /// One of them.
    pub fn get(&self, kind: TrackedKind, name: &Name) -> Option<&Tracker> {
        self.of(kind)?.get(name)
    }

    fn of(&self, kind: TrackedKind) -> Option<&Ordered<Name, Tracker>> {
        match kind {
            TrackedKind::Script => Some(&self.scripts),
            TrackedKind::File => Some(&self.files),
            TrackedKind::Process => Some(&self.processes),
            TrackedKind::Bfd => Some(&self.bfds),
            TrackedKind::Link => None,
        }
    }

    pub(super) fn of_mut(&mut self, kind: TrackedKind) -> Option<&mut Ordered<Name, Tracker>> {
        match kind {
            TrackedKind::Script => Some(&mut self.scripts),
            TrackedKind::File => Some(&mut self.files),
            TrackedKind::Process => Some(&mut self.processes),
            TrackedKind::Bfd => Some(&mut self.bfds),
            TrackedKind::Link => None,
        }
    }
}

/// Something that counts for a virtual router at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Influence {
    /// What.
    pub tracker: TrackedKey,
    /// What it means.
    pub meaning: Meaning,
    /// When it became so.
    pub changed: Option<Change>,
    /// What that is seen by.
    pub evidence: String,
}

impl World {
    /// Everything that is tracked: what has a tracker of its own, then the interfaces that are followed by name.
    pub fn tracked(&self) -> impl Iterator<Item = Standing<'_>> {
        let trackers = self.trackers.all().map(|tracker| Standing {
            key: tracker.key(),
            level: tracker.level,
            changed: tracker.changed,
            evidence: tracker.evidence.as_ref().map(|evidence| evidence as &dyn fmt::Display),
        });
        let links = self.tracked_interfaces().map(|interface| Standing {
            key: TrackedKey { kind: TrackedKind::Link, name: interface.name.clone() },
            level: if interface.up { TrackedLevel::Up } else { TrackedLevel::Down },
            changed: Some(interface.changed),
            evidence: interface.down_reason.as_ref().map(|reason| reason as &dyn fmt::Display),
        });
        trackers.chain(links)
    }

    /// The interfaces that virtual routers or sync groups follow by name (`track_interface`).
    pub fn tracked_interfaces(&self) -> impl Iterator<Item = &Interface> {
        let instances = self.instances.values().map(|instance| &*instance.settings.tracking);
        let groups = self.groups.values().map(|group| &group.settings.tracking);
        let lines = instances.chain(groups).flat_map(Tracking::lines);
        let names: HashSet<&Name> =
            lines.filter(|(kind, _)| *kind == TrackedKind::Link).map(|(_, line)| &line.name).collect();
        self.interfaces.values().filter(move |interface| names.contains(&interface.name))
    }

    /// What makes a virtual router's priority another one than its configured one, or keeps it in fault: faults first.
    pub fn influences(&self, instance: &Instance) -> Vec<Influence> {
        let group = instance.settings.group.as_ref().and_then(|name| self.groups.get(name));
        let follows = Follow::of(&instance.settings, group.map(|group| &*group.settings.model));
        let mut all: Vec<Influence> = follows.iter().filter_map(|follow| self.influence(follow)).collect();
        all.sort_by_key(|influence| !influence.meaning.fault);
        all
    }

    fn influence(&self, follow: &Follow) -> Option<Influence> {
        let (level, changed, evidence) = match follow.kind {
            TrackedKind::Link => {
                let interface = self.interfaces.get(&follow.name)?;
                let level = if interface.up { TrackedLevel::Up } else { TrackedLevel::Down };
                let reason = interface.down_reason.map_or_else(|| "up".into(), |reason| reason.to_string());
                (level, Some(interface.changed), reason)
            }
            TrackedKind::Script | TrackedKind::File | TrackedKind::Process | TrackedKind::Bfd => {
                let tracker = self.trackers.get(follow.kind, &follow.name)?;
                let evidence = tracker.evidence.as_ref().map_or_else(String::new, ToString::to_string);
                let number = match tracker.level {
                    TrackedLevel::Number(number) if follow.weight == 0 => format!("{number} in "),
                    TrackedLevel::Number(number) if follow.reverse => {
                        format!("{number} × {}, reversed, in ", follow.weight)
                    }
                    TrackedLevel::Number(number) => format!("{number} × {} in ", follow.weight),
                    TrackedLevel::Undecided | TrackedLevel::Up | TrackedLevel::Down => String::new(),
                };
                (tracker.level, tracker.changed, number + &evidence)
            }
        };
        let meaning = follow.at(level);
        let tracker = TrackedKey { kind: follow.kind, name: follow.name.clone() };
        (meaning != Meaning::default()).then_some(Influence { tracker, meaning, changed, evidence })
    }
}
