//! Scripts, files, processes and BFD sessions that virtual routers follow. In: configurations. Out: their levels, on the bus and then to
//! the virtual routers.

use std::sync::Arc;

use keepwatch_bus::{Bus, Counters, EventId};
use keepwatch_config::Config;
use keepwatch_track::Sessions;
use keepwatch_vrrp::runner::{Tidings, priority};

use crate::cli::DataplaneKind;
use crate::worker::settings::Settings;

/// What is tracked.
pub(in crate::worker) struct Trackers(keepwatch_track::Trackers);

impl Trackers {
    /// Tracks nothing before [`Trackers::apply`].
    pub(in crate::worker) fn start(settings: &Settings, bus: &Bus, routers: Tidings) -> Self {
        let tell = move |tracker: keepwatch_bus::subject::TrackedKey, level, cause| {
            routers.tracked(tracker.kind, tracker.name, level, cause);
        };
        let sessions = match settings.dataplane() {
            DataplaneKind::Shadow => Sessions::DoNotRun("in shadow mode nothing is sent"),
            _ => Sessions::Run(priority::apply),
        };
        Self(keepwatch_track::Trackers::new(bus.clone(), Arc::new(tell), sessions))
    }

    /// Tracks what `config` follows from now on. To be called before the virtual routers are told of it, so that they
    /// begin with the right priorities.
    pub(in crate::worker) fn apply(
        &mut self,
        settings: &Settings,
        config: &Config,
        counters: &Counters,
        cause: EventId,
    ) {
        self.0.apply(config, settings.cli.umask, counters, Some(cause));
    }

    /// Tracks nothing any more; scripts that run are ended, and neighbours of BFD sessions told.
    pub(in crate::worker) async fn stop(self) {
        self.0.stop().await;
    }
}
