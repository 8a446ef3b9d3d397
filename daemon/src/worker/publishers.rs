//! What acts: the virtual routers, and the virtual servers with their checkers. In: configurations. Out: both sides
//! running, each told of what it must know of the other. No protocol here: only who is told what, in which order.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Result;
use keepwatch_bus::beat::Beat;
use keepwatch_bus::fact::ManagerSet;
use keepwatch_bus::{Bus, EventId, Reader};
use keepwatch_config::Config;
use keepwatch_config::model::{Name, Priority};
use keepwatch_mib::SetRequest;
use keepwatch_vrrp::Amendment;

use super::parts::services::Services;
use super::parts::trackers::{Followed, Trackers};
use super::parts::virtual_routers::VirtualRouters;
use super::pulse::ToSupervisor;
use super::settings::Settings;

/// Both sides, as far as they run.
pub(super) struct Publishers {
    /// What both follow.
    trackers: Option<Trackers>,
    routers: Option<VirtualRouters>,
    services: Option<Services>,
}

impl Publishers {
    /// Has groups of virtual servers be known as they are, whatever else a configuration that follows says of them.
    pub(super) fn keep_names(&self, config: &mut Config) {
        if let Some(services) = &self.services {
            config.keep_leads(services.groups());
        }
    }

    /// Starts what the command line lets run.
    ///
    /// # Errors
    /// When the virtual routers can't be run. That the kernel has no IPVS is no error: it is told, and the virtual
    /// routers run all the same.
    pub(super) fn start(
        settings: &Settings,
        config: &Config,
        bus: &Bus,
        reader: &Reader,
        cause: EventId,
        supervisor: &ToSupervisor,
    ) -> Result<Self> {
        let start = || VirtualRouters::start(settings, config, bus, reader, supervisor.clone());
        let routers = settings.vrrp().then(start);
        let (routers, notices) = routers.transpose()?.unzip();
        let followed = Followed::default();
        let tidings = routers.as_ref().map(VirtualRouters::tidings);
        let trackers = Trackers::start(settings, bus, tidings, followed.clone());
        let mut this = Self { trackers: Some(trackers), routers, services: None };
        this.apply(settings, config, reader, cause);
        this.services = settings
            .checkers()
            .then(|| Services::start(settings, config, bus, reader, notices, followed, cause));
        Ok(this)
    }

    /// Makes `config` true; what did not change sees nothing.
    pub(super) fn apply(&mut self, settings: &Settings, config: &Config, reader: &Reader, cause: EventId) {
        if let Some(trackers) = &mut self.trackers {
            trackers.apply(settings, config, reader.counters(), cause);
        }
        if let Some(routers) = &self.routers {
            routers.apply(config, reader.counters(), cause);
        }
        if let Some(services) = &mut self.services {
            services.apply(config, reader.counters(), cause);
        }
    }

    /// Does what a manager set, until the next [`Publishers::apply`].
    pub(super) fn obey(&self, SetRequest { set, cause }: SetRequest) {
        match set {
            ManagerSet::Priority { instance, to, .. } => {
                self.amend(instance, Amendment::Priority(Priority(to)), cause);
            }
            ManagerSet::Preempt { instance, to } => self.amend(instance, Amendment::Preempt(to), cause),
            ManagerSet::Weight { real, to, .. } => {
                if let Some(services) = &self.services {
                    services.weigh(real, to.into(), cause);
                }
            }
        }
    }

    fn amend(&self, instance: Name, amendment: Amendment, cause: EventId) {
        if let Some(routers) = &self.routers {
            routers.amend(instance, amendment, cause);
        }
    }

    /// Asks that the addresses of a virtual router be announced.
    pub(super) fn announce(&self, instance: Name, cause: Option<EventId>) {
        if let Some(routers) = &self.routers {
            routers.announce(instance, cause);
        }
    }

    /// From now on the VRRP thread pauses no longer than this.
    pub(super) fn turns_every(&self, pause: Duration) {
        if let Some(routers) = &self.routers {
            routers.turns_every(pause);
        }
    }

    /// The beat of the VRRP thread.
    pub(super) fn beat(&self) -> Option<Arc<AtomicU64>> {
        self.routers.as_ref().map(VirtualRouters::beat)
    }

    /// The beats of what adverts do not depend on, as far as it runs now.
    pub(super) fn aside(&self) -> Vec<(&'static str, Beat)> {
        let services = self.services.iter().flat_map(Services::beats);
        let followed = self.trackers.as_ref().and_then(Trackers::beat);
        services.chain(self.routers.as_ref().map(VirtualRouters::addresses_beat)).chain(followed).collect()
    }

    /// Stops everything, and takes away what the command line does not want left. Whether the virtual routers have done so.
    pub(super) async fn stop(&mut self, settings: &Settings, cause: EventId) -> bool {
        // Nothing that is followed counts any more.
        if let Some(trackers) = self.trackers.take() {
            trackers.stop().await;
        }
        let (routers, services) = (self.routers.take(), self.services.take());
        let stop_routers = async {
            match routers {
                Some(routers) => routers.stop(settings, cause).await,
                None => true,
            }
        };
        let stop_services = async {
            if let Some(services) = services {
                services.stop(settings, cause).await;
            }
        };
        tokio::join!(stop_routers, stop_services).0
    }
}
