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
use keepwatch_config::model::{Global, Name};
use keepwatch_vrrp::runner::{self, RunnerSettings, Tidings, VrrpHandle};
use keepwatch_vrrp::{Amendment, Definitions, Notice, Release};
use nix::time::{ClockId, clock_gettime};
use tokio::time::timeout;

use crate::cli::DataplaneKind;
use crate::worker::parts::local_igmp::LocalIgmp;
use crate::worker::pulse::ToSupervisor;
use crate::worker::settings::Settings;

/// What taking every address off may take. The thread itself is done within about two seconds.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// The VRRP side.
pub(in crate::worker) struct VirtualRouters {
    thread: VrrpHandle,
    addresses: Beat,
    /// How long the machine had been running when this began.
    uptime: Duration,
    igmp: LocalIgmp,
    /// Nothing of the host is changed.
    shadow: bool,
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
        supervisor: ToSupervisor,
    ) -> Result<(Self, Receiver<Notice>)> {
        let addresses = Beat::default();
        let shadow = settings.dataplane() == DataplaneKind::Shadow;
        let runner = RunnerSettings {
            scheduling: config.global.processes.urgent(&config.global.processes.vrrp),
            auto_priority: config.global.processes.auto_priority,
            auto_priority_delay: config.global.processes.auto_priority_delay.0,
            buffers: config.global.receive_buffers.clone(),
            strangers: reader.counters().router.clone(),
            shadow,
            addresses: addresses.clone(),
        };
        let (thread, notices) = runner::spawn(runner, bus.clone()).context("starting VRRP")?;
        Ok((Self { thread, addresses, uptime: uptime(), igmp: LocalIgmp::new(supervisor), shadow }, notices))
    }

    /// Where it is told of what they follow.
    pub(in crate::worker) fn tidings(&self) -> Tidings {
        self.thread.tidings()
    }

    /// Makes the definitions of `config` true; what did not change sees nothing.
    pub(in crate::worker) fn apply(&self, config: &Config, counters: &Counters, cause: EventId) {
        let mut definitions = Definitions::from_config(config, counters);
        definitions.startup_delay = startup_delay(&config.global, self.uptime);
        self.igmp.disable(config.global.disable_local_igmp && !self.shadow);
        self.thread.apply(definitions, Some(cause));
    }

    /// Changes one thing of a virtual router.
    pub(in crate::worker) fn amend(&self, instance: Name, amendment: Amendment, cause: EventId) {
        self.thread.amend(instance, amendment, Some(cause));
    }

    /// Asks that the addresses of one be announced.
    pub(in crate::worker) fn announce(&self, instance: Name, cause: Option<EventId>) {
        self.thread.announce(instance, cause);
    }

    /// See [`VrrpHandle::turns_every`].
    pub(in crate::worker) fn turns_every(&self, pause: Duration) {
        self.thread.turns_every(pause);
    }

    /// For the supervisor.
    pub(in crate::worker) fn beat(&self) -> Arc<AtomicU64> {
        self.thread.heartbeat_counter()
    }

    /// How the thread that changes addresses shows that it lives: it may have to wait for the kernel.
    pub(in crate::worker) fn addresses_beat(&self) -> (&'static str, Beat) {
        (beat::ADDRESSES, self.addresses.clone())
    }

    /// Stops it: masters resign and take their addresses off, unless they shall stay. Whether that was done.
    pub(in crate::worker) async fn stop(self, settings: &Settings, cause: EventId) -> bool {
        let release = if settings.cli.dont_release_vrrp { Release::Nothing } else { Release::Everything };
        // Both errors mean that there is nothing left to wait for: it hangs, or is gone.
        let done = timeout(STOP_WITHIN, self.thread.stop(release, Some(cause))).await;
        self.igmp.disable(false);
        matches!(done, Ok(Ok(())))
    }
}

/// How long instances wait, of a daemon that began when the machine had been running for `uptime`: the later of
/// `vrrp_startup_delay` and `vrrp_delay_after_boot`.
fn startup_delay(global: &Global, uptime: Duration) -> Duration {
    global.vrrp_startup_delay.max(global.vrrp_delay_after_boot.saturating_sub(uptime))
}

/// How long the machine has been running, suspended or not: what `vrrp_delay_after_boot` counts from.
fn uptime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_the_delays_after_the_start_and_after_boot_counts() {
        let seconds = Duration::from_secs;
        for (start, boot, uptime, expected) in
            [(0, 0, 10, 0), (5, 0, 10, 5), (0, 60, 10, 50), (5, 60, 10, 50), (5, 60, 58, 5), (0, 60, 600, 0)]
        {
            let global = Global {
                vrrp_startup_delay: seconds(start),
                vrrp_delay_after_boot: seconds(boot),
                ..Global::default()
            };
            assert_eq!(startup_delay(&global, seconds(uptime)), seconds(expected), "{start} {boot} {uptime}");
        }
    }
}
