//! Scripts, files, processes and BFD sessions that virtual routers follow, and files and sessions that real servers do. In:
//! configurations. Out: their levels, on the bus and then to the virtual routers and the checkers.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keepwatch_bus::beat::{self, Beat};
use keepwatch_bus::subject::{TrackedKey, TrackedKind};
use keepwatch_bus::{Bus, Counters, EventId};
use keepwatch_check::Checkers;
use keepwatch_config::Config;
use keepwatch_config::model::{Level, Levels, ProcessScheduling};
use keepwatch_track::Sessions;
use keepwatch_vrrp::runner::{Tidings, priority};

use crate::cli::DataplaneKind;
use crate::stage;
use crate::worker::settings::Settings;

/// What is tracked.
pub(in crate::worker) struct Trackers(keepwatch_track::Trackers);

impl Trackers {
    /// Tracks nothing before [`Trackers::apply`].
    pub(in crate::worker) fn start(
        settings: &Settings,
        bus: &Bus,
        routers: Option<Tidings>,
        followed: Followed,
    ) -> Self {
        // The virtual routers first: their way has no lock, and what happens to a BFD session is told by its own thread.
        let tell = move |tracker: TrackedKey, level, cause| {
            if let Some(routers) = &routers {
                routers.tracked(tracker.kind, tracker.name.clone(), level, cause);
            }
            if matches!(tracker.kind, TrackedKind::File | TrackedKind::Bfd) {
                followed.told(&tracker, level, cause);
            }
        };
        let sessions = match settings.dataplane() {
            DataplaneKind::Shadow => Sessions::DoNotRun("in shadow mode nothing is sent"),
            _ => Sessions::Run(become_part),
        };
        Self(keepwatch_track::Trackers::new(bus.clone(), Arc::new(tell), sessions))
    }

    /// Tracks what `config` follows from now on. To be called before virtual routers and checkers are told of it, so
    /// that they begin with the right priorities and weights.
    pub(in crate::worker) fn apply(
        &mut self,
        settings: &Settings,
        config: &Config,
        counters: &Counters,
        cause: EventId,
    ) {
        // What does not run follows nothing.
        let mut config = Cow::Borrowed(config);
        if !settings.vrrp() {
            let config = config.to_mut();
            config.instances.clear();
            config.sync_groups.clear();
            config.left_out_scripts.clear();
        }
        if !settings.checkers() {
            config.to_mut().virtual_servers.clear();
        }
        // In shadow the files are followed by another daemon too, which they are not to be changed under.
        if settings.dataplane() == DataplaneKind::Shadow {
            config.to_mut().track_files.iter_mut().for_each(|file| file.init = None);
        }
        self.0.apply(&config, settings.cli.umask, counters, Some(cause));
    }

    /// How the thread of BFD sessions shows that it lives, while there is one.
    pub(in crate::worker) fn beat(&self) -> Option<(&'static str, Beat)> {
        Some((beat::BFD, self.0.bfd_beat()?))
    }

    /// Tracks nothing any more; scripts that run are ended, and neighbours of BFD sessions told.
    pub(in crate::worker) async fn stop(self) {
        self.0.stop().await;
    }
}

/// A thread takes the scheduling of its part, and its name in lists of processes.
fn become_part(scheduling: &ProcessScheduling, name: Option<&str>) {
    priority::apply(scheduling);
    if let Some(name) = name {
        stage::name_process(name);
    }
}

/// How things stand that real servers may follow: tracked files and BFD sessions. Clones share what they know.
#[derive(Clone, Default)]
pub(in crate::worker) struct Followed(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    levels: Levels,
    /// Who is told of changes, once there is somebody.
    checkers: Option<Checkers>,
}

impl Followed {
    /// What is known now.
    pub(super) fn levels(&self) -> Levels {
        self.known().levels.clone()
    }

    /// Has these be told what is known, and every change from now on.
    pub(super) fn tell(&self, checkers: Checkers) {
        let mut known = self.known();
        for (tracked, level) in &known.levels {
            checkers.level(tracked.clone(), *level, None);
        }
        known.checkers = Some(checkers);
    }

    /// Tells nobody any more.
    pub(super) fn be_silent(&self) {
        self.known().checkers = None;
    }

    fn told(&self, tracked: &TrackedKey, level: Level, cause: Option<EventId>) {
        let mut known = self.known();
        known.levels.insert(tracked.clone(), level);
        if let Some(checkers) = &known.checkers {
            checkers.level(tracked.clone(), level, cause);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
