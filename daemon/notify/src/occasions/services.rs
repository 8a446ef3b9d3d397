//! The part of virtual and real servers.

use std::collections::HashMap;
use std::net::SocketAddr;

use keepwatch_bus::FlatMap;
use keepwatch_bus::subject::{Name, RealKey, ServiceKey};
use keepwatch_model::VirtualServer;

use super::About;

/// Virtual servers, in the order in which they were told.
#[derive(Debug, Default)]
pub(super) struct Services {
    all: HashMap<ServiceKey, Service>,
    /// Counts those that came, to keep their order.
    came: u64,
}

#[derive(Debug, Default)]
struct Service {
    place: u64,
    /// The virtual server group that it stands for.
    group: Option<Name>,
    /// `omega`.
    omega: bool,
    /// It has a sorry server.
    sorry: bool,
    /// Whether it has quorum, once that was said.
    quorum: Option<bool>,
    reals: FlatMap<SocketAddr, Real>,
}

#[derive(Clone, Copy, Debug)]
struct Real {
    up: bool,
    /// Something was said of it since it began.
    told: bool,
}

impl Service {
    fn real(&mut self, address: SocketAddr) -> Option<&mut Real> {
        self.reals.get_mut(&address)
    }

    fn about_real(&self, real: RealKey, up: bool) -> About {
        About::Real { real, group: self.group.clone(), up }
    }

    fn about(&self, service: ServiceKey, up: bool) -> About {
        About::Service { service, group: self.group.clone(), up }
    }

    /// What of it is up goes down.
    fn down(&self, service: ServiceKey) -> Vec<About> {
        let reals = self.reals.iter().filter(|(_, real)| real.up);
        let reals = reals.map(|(real, _)| self.about_real(RealKey { service, real: *real }, false));
        let quorum = (self.quorum == Some(true)).then(|| self.about(service, false));
        reals.chain(quorum).collect()
    }
}

impl Services {
    pub(super) fn configured(&mut self, service: ServiceKey, settings: &VirtualServer) {
        self.came += 1;
        let came = self.came;
        let known = self.all.entry(service).or_insert_with(|| Service { place: came, ..Service::default() });
        known.group = settings.group().cloned();
        known.omega = settings.omega;
        known.sorry = settings.sorry_server.is_some();
    }

    pub(super) fn renamed(&mut self, service: ServiceKey, from: ServiceKey) {
        if let Some(known) = self.all.remove(&from) {
            self.all.insert(service, known);
        }
    }

    pub(super) fn removed(&mut self, service: ServiceKey) -> Vec<About> {
        self.all.remove(&service).map(|known| known.down(service)).unwrap_or_default()
    }

    /// `tell`: that one begins up is news.
    pub(super) fn real_configured(&mut self, real: RealKey, up: bool, tell: bool) -> Option<About> {
        let service = self.all.get_mut(&real.service)?;
        if service.real(real.real).is_some() {
            return None;
        }
        service.reals.insert(real.real, Real { up, told: false });
        (up && tell).then(|| service.about_real(real, up))
    }

    pub(super) fn real_removed(&mut self, real: RealKey) -> Option<About> {
        let service = self.all.get_mut(&real.service)?;
        let known = service.reals.remove(&real.real)?;
        known.up.then(|| service.about_real(real, false))
    }

    pub(super) fn real_changed(&mut self, real: RealKey, up: bool) -> Option<About> {
        let service = self.all.get_mut(&real.service)?;
        let known = service.real(real.real)?;
        known.told = true;
        let news = std::mem::replace(&mut known.up, up) != up;
        news.then(|| service.about_real(real, up))
    }

    /// That one which begins down is down is news once a check has said it.
    pub(super) fn check_gave_up(&mut self, real: RealKey) -> Option<About> {
        let service = self.all.get_mut(&real.service)?;
        let known = service.real(real.real)?;
        let first = !known.up && !std::mem::replace(&mut known.told, true);
        first.then(|| service.about_real(real, false))
    }

    pub(super) fn quorum(&mut self, service: ServiceKey, up: bool) -> Option<About> {
        let known = self.all.get_mut(&service)?;
        let news = match known.quorum.replace(up) {
            Some(before) => before != up,
            None => up || known.sorry,
        };
        news.then(|| known.about(service, up))
    }

    /// A clean stop: what has `omega` and is up is told that it goes down.
    pub(super) fn stopping(&self) -> Vec<About> {
        let mut all: Vec<_> = self.all.iter().filter(|(_, service)| service.omega).collect();
        all.sort_by_key(|(_, service)| service.place);
        all.into_iter().flat_map(|(key, service)| service.down(*key)).collect()
    }
}
