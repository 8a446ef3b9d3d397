//! The VRRP side: starts its thread, hands it definitions, stops it. In: configurations. Out: a running thread, and
//! its notices for those who follow it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result};
use keepwatch_bus::beat::{self, Beat};
use keepwatch_bus::mailbox::Receiver;
use keepwatch_bus::{Bus, Counters, EventId, Reader};
use keepwatch_config::Config;
use keepwatch_vrrp::runner::{self, RunnerSettings, Tidings, VrrpHandle};
use keepwatch_vrrp::{Definitions, Notice, Release};
use tokio::time::timeout;

use crate::cli::DataplaneKind;
use crate::worker::settings::Settings;

/// What taking every address off may take. The thread itself is done within about two seconds.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// The VRRP side.
pub(in crate::worker) struct VirtualRouters {
    thread: VrrpHandle,
    addresses: Beat,
}

impl VirtualRouters {
    /// Starts the thread, without definitions; also returns where it tells of changes of state.
    ///
    /// # Errors
    /// When the system refuses sockets or the thread: without the right capabilities, most likely.
    pub(in crate::worker) fn start(
        settings: &Settings,
        config: &Config,
        bus: &Bus,
        reader: &Reader,
    ) -> Result<(Self, Receiver<Notice>)> {
        let addresses = Beat::default();
        let runner = RunnerSettings {
            scheduling: config.global.processes.vrrp.clone(),
            strangers: reader.counters().router.clone(),
            shadow: settings.dataplane() == DataplaneKind::Shadow,
            addresses: addresses.clone(),
        };
        let (thread, notices) = runner::spawn(runner, bus.clone()).context("starting VRRP")?;
        Ok((Self { thread, addresses }, notices))
    }

    /// Where it is told of what they follow.
    pub(in crate::worker) fn tidings(&self) -> Tidings {
        self.thread.tidings()
    }

    /// Makes the definitions of `config` true; what did not change sees nothing.
    pub(in crate::worker) fn apply(&self, config: &Config, counters: &Counters, cause: EventId) {
        self.thread.apply(Definitions::from_config(config, counters), Some(cause));
    }

    /// For the supervisor.
    pub(in crate::worker) fn beat(&self) -> Arc<AtomicU64> {
        self.thread.heartbeat_counter()
    }

    /// How the thread that changes addresses shows that it lives: it may have to wait for the kernel.
    pub(in crate::worker) fn addresses_beat(&self) -> (&'static str, Beat) {
        (beat::ADDRESSES, self.addresses.clone())
    }

    /// Stops it: masters resign and take their addresses off, unless they shall stay.
    pub(in crate::worker) async fn stop(self, settings: &Settings, cause: EventId) {
        let release = if settings.cli.dont_release_vrrp { Release::Nothing } else { Release::Everything };
        // Both errors mean that there is nothing left to wait for.
        let _ = timeout(STOP_WITHIN, self.thread.stop(release, Some(cause))).await;
    }
}
