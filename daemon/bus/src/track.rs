//! What virtual routers follow besides interfaces: scripts, files, processes, BFD sessions. Their verdicts, and what these stand on.

use std::collections::HashSet;
use std::fmt::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use keepwatch_model::{
    BfdDiagnostic, BfdState, Follow, Level as TrackedLevel, Meaning, Tracker as Settings, Tracking,
};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::configured::Configured;
use crate::line::{Level, Written};
use crate::link::Interface;
use crate::subject::{Name, TrackedKey, TrackedKind};
use crate::vrrp::Instance;
use crate::world::{Change, Ordered, World};

/// What happens to tracked scripts, files and processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TrackFact {
    /// Something that virtual routers follow was defined, or redefined by a reload. What nobody follows is not watched,
    /// and not told of.
    TrackerConfigured {
        /// What.
        tracker: TrackedKey,
        /// All that the configuration says of it.
        settings: Configured<Settings>,
    },
    /// A reload took it away, or nobody follows it any more.
    TrackerUnconfigured {
        /// What.
        tracker: TrackedKey,
    },
    /// It stands otherwise now than before: what virtual routers go by.
    TrackerChanged {
        /// What.
        tracker: TrackedKey,
        /// How it stands now.
        level: TrackedLevel,
        /// What that was seen by.
        evidence: Evidence,
    },
    /// A tracked script ended with another exit status than before. It may take more of these to change its verdict.
    TrackScriptReturned {
        /// Its name.
        script: Name,
        /// The run.
        run: ScriptRun,
    },
    /// A tracked script was not run though its time had come, since the run before has not ended. Published for the first
    /// one that is left out, not for those after it.
    TrackScriptSkipped {
        /// Its name.
        script: Name,
        /// How long the other run has taken until now.
        running: Duration,
    },
    /// A BFD session that is up goes by other times than before, since the neighbour has said what it can do.
    SessionAgreed {
        /// Its name.
        session: Name,
        /// Time between two packets of this side, before jitter.
        transmit: Duration,
        /// How long the neighbour may be silent.
        detection: Duration,
    },
    /// The kernel does not tell of changes, so that they are looked for: published once.
    TrackingPolled {
        /// What is looked at, and how often.
        what: TrackedKind,
        /// Between two looks.
        every: Duration,
        /// What the kernel said.
        error: String,
    },
}

/// What the verdict on something was seen by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Nothing yet: `init_fail`.
    Assumed,
    /// A run of a script.
    Run(ScriptRun),
    /// A look at a file.
    Read {
        /// The file.
        file: PathBuf,
        /// What was in it.
        found: FileContent,
    },
    /// The processes that were counted.
    Counted {
        /// How many.
        processes: u32,
        /// At least so many should be there.
        quorum: u16,
        /// At most so many should be there.
        quorum_max: Option<u16>,
    },
    /// A BFD session.
    Session(Session),
}

/// What is known of a BFD session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// With whom.
    pub neighbour: IpAddr,
    /// Why it stands as it does.
    pub why: SessionWhy,
    /// What this side says of why it last left Up.
    #[serde(default)]
    pub diagnostic: BfdDiagnostic,
    /// What the neighbour says of that.
    #[serde(default)]
    pub remote_diagnostic: BfdDiagnostic,
}

/// Why a BFD session is up or down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionWhy {
    /// Nothing has been heard of the neighbour yet.
    Unheard,
    /// Both sides hear each other.
    Agreed {
        /// Time between two packets of this side, before jitter.
        transmit: Duration,
        /// How long the neighbour may be silent.
        detection: Duration,
    },
    /// The neighbour was silent for too long.
    Silence {
        /// How long it might have been.
        detection: Duration,
        /// How much later this was noticed.
        overdue: Duration,
    },
    /// The neighbour said that its side is in this state.
    Neighbour(BfdState),
    /// Packets can't be sent, or not be received, and why.
    Hindered(String),
}

/// A run of a tracked script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptRun {
    /// How it ended.
    pub verdict: Verdict,
    /// The last line that it wrote, empty if none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_line: String,
    /// How long it took.
    pub took: Duration,
}

/// How a run of a tracked script ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// With this exit status; 0 is success, all else a failure.
    Exited(i32),
    /// By a signal of this number.
    Killed(i32),
    /// It was not done within `timeout`.
    TimedOut,
    /// It could not be run, and why.
    NotRun(String),
}

impl Verdict {
    /// Whether it counts for `rise`, else for `fall`.
    pub fn is_success(&self) -> bool {
        match self {
            Self::Exited(status) => *status == 0,
            Self::Killed(_) | Self::TimedOut | Self::NotRun(_) => false,
        }
    }
}

/// What a tracked file has in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileContent {
    /// A number.
    Number,
    /// No number: that counts as 0.
    NoNumber,
    /// Nothing: that counts as 0.
    Empty,
    /// It is not there: that counts as 0.
    Missing,
    /// A number that is too large to be one: what stood there before counts.
    TooLarge,
    /// It can't be read, and why: that counts as 0.
    Unreadable(String),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assumed => f.write_str("it has not been run yet (init_fail)"),
            Self::Run(run) => run.fmt(f),
            Self::Read { file, found } => {
                let file = file.display();
                match found {
                    FileContent::Number => file.fmt(f),
                    FileContent::NoNumber => write!(f, "{file} has no number in it"),
                    FileContent::Empty => write!(f, "{file} is empty"),
                    FileContent::Missing => write!(f, "{file} is not there"),
                    FileContent::TooLarge => write!(f, "{file} has too large a number in it"),
                    FileContent::Unreadable(error) => write!(f, "{file} can't be read: {error}"),
                }
            }
            Self::Counted { processes, quorum, quorum_max } => {
                let s = if *processes == 1 { "" } else { "es" };
                write!(f, "{processes} process{s}, ")?;
                match quorum_max {
                    Some(most) if most == quorum => write!(f, "{quorum} wanted"),
                    Some(most) => write!(f, "{quorum} to {most} wanted"),
                    None => write!(f, "{quorum} wanted"),
                }
            }
            Self::Session(session) => session.fmt(f),
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let neighbour = self.neighbour;
        match &self.why {
            SessionWhy::Unheard => write!(f, "nothing heard of {neighbour} yet"),
            SessionWhy::Agreed { transmit, detection } => {
                write!(
                    f,
                    "{neighbour} answers: a packet each {} ms, down after {} ms of silence",
                    milliseconds(*transmit),
                    milliseconds(*detection)
                )
            }
            SessionWhy::Silence { detection, .. } => {
                write!(f, "nothing heard of {neighbour} for {} ms", milliseconds(*detection))
            }
            SessionWhy::Neighbour(state) => {
                write!(f, "{neighbour} says that its side is {state}")?;
                if self.remote_diagnostic != BfdDiagnostic::NONE {
                    write!(f, " ({})", self.remote_diagnostic)?;
                }
                Ok(())
            }
            SessionWhy::Hindered(error) => f.write_str(error),
        }
    }
}

impl fmt::Display for ScriptRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Exited(status) => write!(f, "exit {status}")?,
            Verdict::Killed(signal) => write!(f, "killed by signal {signal}")?,
            Verdict::TimedOut => write!(f, "timed out after {:.1} s", self.took.as_secs_f64())?,
            Verdict::NotRun(error) => write!(f, "can't be run: {error}")?,
        }
        if self.last_line.is_empty() { Ok(()) } else { write!(f, ": {}", self.last_line) }
    }
}

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

    fn of_mut(&mut self, kind: TrackedKind) -> Option<&mut Ordered<Name, Tracker>> {
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

impl TrackFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::TrackerConfigured { tracker, settings } => {
                let Some(map) = w.trackers.of_mut(tracker.kind) else { return };
                let settings = settings.clone();
                match map.get_mut(&tracker.name) {
                    Some(known) => known.settings = settings,
                    None => {
                        let level = TrackedLevel::Undecided;
                        let new = Tracker { settings, level, evidence: None, changed: None };
                        map.insert(tracker.name.clone(), new);
                    }
                }
                map.settle(&tracker.name);
            }
            Self::TrackerUnconfigured { tracker } => {
                if let Some(map) = w.trackers.of_mut(tracker.kind) {
                    map.remove(&tracker.name);
                }
            }
            Self::TrackerChanged { tracker, level, evidence } => {
                let known = w.trackers.of_mut(tracker.kind).and_then(|map| map.get_mut(&tracker.name));
                if let Some(known) = known {
                    known.level = *level;
                    known.evidence = Some(evidence.clone());
                    known.changed = Some(change);
                }
            }
            // A verdict that stands is seen by the newest run that bears it out.
            Self::TrackScriptReturned { script, run } => {
                if let Some(known) = w.trackers.scripts.get_mut(script)
                    && known.level
                        == if run.verdict.is_success() { TrackedLevel::Up } else { TrackedLevel::Down }
                {
                    known.evidence = Some(Evidence::Run(run.clone()));
                }
            }
            Self::SessionAgreed { session, transmit, detection } => {
                if let Some(known) = w.trackers.bfds.get_mut(session)
                    && let Some(Evidence::Session(Session { why: why @ SessionWhy::Agreed { .. }, .. })) =
                        &mut known.evidence
                {
                    *why = SessionWhy::Agreed { transmit: *transmit, detection: *detection };
                }
            }
            // These happened and leave no state behind.
            Self::TrackScriptSkipped { .. } | Self::TrackingPolled { .. } => {}
        }
    }

    /// Writes its line; none for what only describes the configuration.
    pub(crate) fn line(&self, out: &mut String) -> Option<Written> {
        Some(match self {
            Self::TrackerConfigured { .. } => return None,
            Self::TrackerUnconfigured { tracker } => {
                (Level::Info, write!(out, "{tracker} is tracked no longer"))
            }
            Self::TrackerChanged { tracker, level, evidence } => changed(out, tracker, *level, evidence),
            Self::TrackScriptReturned { script, run } => match run.verdict {
                Verdict::Exited(status) => {
                    (Level::Info, write!(out, "Script `{script}` now returning {status}"))
                }
                Verdict::Killed(_) | Verdict::TimedOut | Verdict::NotRun(_) => {
                    (Level::Info, write!(out, "Script `{script}`: {run}"))
                }
            },
            Self::TrackScriptSkipped { script, running } => (
                Level::Info,
                write!(
                    out,
                    "Track script {script} is already running, expect idle - skipping run (it has run for {:.1} s)",
                    running.as_secs_f64()
                ),
            ),
            Self::SessionAgreed { session, transmit, detection } => (
                Level::Detail,
                write!(
                    out,
                    "({session}) BFD: a packet each {} ms, down after {} ms of silence",
                    milliseconds(*transmit),
                    milliseconds(*detection)
                ),
            ),
            Self::TrackingPolled { what: TrackedKind::Process, every, error } => (
                Level::Warning,
                write!(
                    out,
                    "The kernel does not tell of processes here ({error}): those that are tracked are looked for \
                     every {} ms",
                    every.as_millis()
                ),
            ),
            Self::TrackingPolled { what, every, error } => (
                Level::Warning,
                write!(
                    out,
                    "The kernel does not tell of every tracked {what} ({error}): they are looked at every {} ms",
                    every.as_millis()
                ),
            ),
        })
    }
}

fn changed(out: &mut String, tracker: &TrackedKey, level: TrackedLevel, evidence: &Evidence) -> Written {
    let name = &tracker.name;
    match evidence {
        Evidence::Run(run) => {
            let last = if run.last_line.is_empty() { "" } else { ": " };
            let ScriptRun { verdict, last_line, .. } = run;
            let written = match verdict {
                Verdict::Exited(0) => write!(out, "VRRP_Script({name}) succeeded"),
                Verdict::Exited(status) => {
                    write!(out, "VRRP_Script({name}) failed (exited with status {status}){last}{last_line}")
                }
                Verdict::Killed(signal) => {
                    write!(out, "VRRP_Script({name}) failed (due to signal {signal}){last}{last_line}")
                }
                Verdict::TimedOut => write!(out, "VRRP_Script({name}) timed_out{last}{last_line}"),
                Verdict::NotRun(error) => write!(out, "VRRP_Script({name}) failed (can't be run: {error})"),
            };
            (Level::Info, written)
        }
        Evidence::Assumed => (
            Level::Info,
            write!(out, "VRRP_Script({name}) counts as failing until its first run (init_fail)"),
        ),
        Evidence::Counted { processes, .. } => {
            let what = if level == TrackedLevel::Up { "gained" } else { "lost" };
            (Level::Info, write!(out, "Quorum {what} for tracked process {name} ({processes} there)"))
        }
        Evidence::Session(session) => session_changed(out, name, level, session),
        // Such a file may change a thousand times a second.
        Evidence::Read { .. } => {
            (Level::Detail, write!(out, "Tracked file {name} is now {level} ({evidence})"))
        }
    }
}

fn session_changed(out: &mut String, name: &Name, level: TrackedLevel, session: &Session) -> Written {
    let Session { why, diagnostic, remote_diagnostic, .. } = session;
    match why {
        SessionWhy::Unheard => (Level::Detail, write!(out, "({name}) BFD: {session}")),
        SessionWhy::Hindered(_) => (Level::Warning, write!(out, "({name}) BFD session can't run: {session}")),
        _ if level == TrackedLevel::Up => {
            (Level::Info, write!(out, "({name}) Entering Up state ({session})"))
        }
        _ => (
            Level::Info,
            write!(
                out,
                "({name}) Entering Down state (Local diagnostic - {diagnostic}, Remote diagnostic - \
                 {remote_diagnostic}): {session}"
            ),
        ),
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
