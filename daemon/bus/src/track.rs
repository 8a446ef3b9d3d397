//! What virtual routers follow besides interfaces: scripts, files, processes, BFD sessions. Their verdicts, and what these stand on.

mod evidence;
mod state;

use std::fmt::Write;
use std::time::Duration;

use keepwatch_model::{Level as TrackedLevel, Tracker as Settings};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::configured::Configured;
use crate::line::{Level, Written};
use crate::subject::{Name, TrackedKey, TrackedKind};
use crate::world::{Change, World};

use evidence::milliseconds;
pub use evidence::{Evidence, FileContent, ScriptRun, Session, SessionWhy, Verdict};
pub use state::{Influence, LeftOut, Standing, Tracker, Trackers};

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
    /// A `vrrp_script` that instances or groups follow can't be run, or not safely, and is not watched: they go on without
    /// it.
    TrackerLeftOut {
        /// What.
        tracker: TrackedKey,
        /// Why.
        why: String,
        /// Who goes on without it.
        followers: Vec<Name>,
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
                if tracker.kind == TrackedKind::Script {
                    w.trackers.left_out.remove(&tracker.name);
                }
            }
            Self::TrackerLeftOut { tracker, why, followers } => {
                let known = w.trackers.left_out.get(&tracker.name).filter(|known| known.why == *why);
                // Who misses it may change; since when it is missed does not.
                let changed = known.map_or(change, |known| known.changed);
                let left_out = LeftOut { why: why.clone(), followers: followers.clone(), changed };
                w.trackers.left_out.insert(tracker.name.clone(), left_out);
            }
            Self::TrackerUnconfigured { tracker } => {
                if tracker.kind == TrackedKind::Script {
                    w.trackers.left_out.remove(&tracker.name);
                }
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
            // keepalived's word for it.
            Self::TrackerLeftOut { tracker, why, followers } => (
                Level::Warning,
                write!(out, "Disabling track {tracker}: {}", state::left_out(why, followers)),
            ),
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
                     every {} ms, more rarely where very many run",
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
