//! Scripts, files and processes that virtual routers follow. In: configurations. Out: their levels, on the bus and then to
//! the virtual routers.

use std::sync::Arc;

use keepwatch_bus::{Bus, Counters, EventId};
use keepwatch_config::Config;
use keepwatch_vrrp::runner::Tidings;

use crate::worker::settings::Settings;

/// What is tracked.
pub(in crate::worker) struct Trackers(keepwatch_track::Trackers);

impl Trackers {
    /// Tracks nothing before [`Trackers::apply`].
    pub(in crate::worker) fn start(bus: &Bus, routers: Tidings) -> Self {
        let tell = move |tracker: keepwatch_bus::subject::TrackedKey, level, cause| {
            routers.tracked(tracker.kind, tracker.name, level, cause);
        };
        Self(keepwatch_track::Trackers::new(bus.clone(), Arc::new(tell)))
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
}
