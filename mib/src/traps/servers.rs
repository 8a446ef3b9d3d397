//! Notifications of real servers and of quorums.

use keepwatch_bus::Event;
use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::subject::{RealKey, ServiceKey};
use keepwatch_bus::world::Service;
use snmp_agentx::VarBind;

use super::{CHECK_TRAPS, Known, Trap};
use crate::cells::{integer, truth};
use crate::keepalived::{ROOT, told};
use crate::source::View;

/// virtualServerQuorumStatus.
const MET: i32 = 1;
const LOST: i32 = 2;
const SHUTDOWN: i32 = 3;

impl Known {
    /// Takes the fact in, and tells what follows from it.
    pub(super) fn of_service(
        &mut self,
        event: &Event,
        fact: &ServiceFact,
        view: View<'_>,
    ) -> Vec<Vec<VarBind>> {
        match fact {
            // What of it is up goes down, as in keepalived: who has acted on that it is up must hear that it is gone.
            ServiceFact::RealServerUnconfigured { real } => {
                let told = self.falls(event, *real, view).into_iter().collect();
                self.take_in(event, *real);
                told
            }
            ServiceFact::VirtualServerUnconfigured { service } => {
                let heir = self.heir(service);
                let told = if heir.is_some() { Vec::new() } else { self.leaves(event, service, LOST, view) };
                self.forget(event, service, heir);
                told
            }
            ServiceFact::VirtualServerRenamed { service, from } => {
                self.world.apply(event);
                // Those of an entry that is new are known by what was known of the one before.
                if let Some(known) = self.world.services.get(service) {
                    self.up.insert(*service, known.reals.values().filter(|real| real.up).count());
                }
                self.groups.values_mut().filter(|first| *first == from).for_each(|first| *first = *service);
                Vec::new()
            }
            ServiceFact::VirtualServerRemoved { .. } if self.world.stopping => self.stops(event, view),
            ServiceFact::VirtualServerConfigured { service, settings } => {
                // It may have stood for another group than it is of now.
                let before = self.world.services.get(service).map(|known| &known.settings.key);
                if let Some(key) = before.filter(|key| **key != settings.key)
                    && self.groups.get(key) == Some(service)
                {
                    self.groups.remove(key);
                }
                if settings.group().is_some() {
                    self.groups.entry(settings.key.clone()).or_insert(*service);
                }
                self.world.apply(event);
                Vec::new()
            }
            ServiceFact::RealServerConfigured { real, .. } => {
                self.take_in(event, *real);
                Vec::new()
            }
            ServiceFact::RealServerUp { real } | ServiceFact::RealServerDown { real } => {
                self.take_in(event, *real);
                let up = matches!(fact, ServiceFact::RealServerUp { .. });
                self.stands_for_all(&real.service)
                    .then(|| self.real_server(view, real, up))
                    .flatten()
                    .into_iter()
                    .collect()
            }
            _ => {
                self.world.apply(event);
                self.changed(fact, view).into_iter().collect()
            }
        }
    }

    fn changed(&self, fact: &ServiceFact, view: View<'_>) -> Option<Vec<VarBind>> {
        match fact {
            ServiceFact::QuorumGained { service, .. } if self.stands_for_all(service) => {
                self.quorum(view, service, MET)
            }
            ServiceFact::QuorumLost { service, .. } if self.stands_for_all(service) => {
                let status = if self.world.stopping { SHUTDOWN } else { LOST };
                self.quorum(view, service, status)
            }
            _ => None,
        }
    }

    /// Takes in what happens to a real server, and counts who is up.
    fn take_in(&mut self, event: &Event, key: RealKey) {
        let before = self.is_up(&key);
        self.world.apply(event);
        match (before, self.is_up(&key)) {
            (false, true) => *self.up.entry(key.service).or_default() += 1,
            (true, false) => {
                let up = self.up.entry(key.service).or_default();
                *up = up.saturating_sub(1);
            }
            (false, false) | (true, true) => (),
        }
    }

    fn is_up(&self, key: &RealKey) -> bool {
        let real = self.world.services.get(&key.service).and_then(|service| service.reals.get(&key.real));
        real.is_some_and(|real| real.up)
    }

    /// Whether it is told of this entry: of a virtual server group one stands for all.
    fn stands_for_all(&self, key: &ServiceKey) -> bool {
        let Some(service) = self.world.services.get(key) else { return false };
        service.settings.group().is_none() || self.groups.get(&service.settings.key) == Some(key)
    }

    /// A real server that is up goes down with this event, and is told so.
    fn falls(&mut self, event: &Event, key: RealKey, view: View<'_>) -> Option<Vec<VarBind>> {
        if !self.is_up(&key) || !self.stands_for_all(&key.service) {
            return None;
        }
        let fact = ServiceFact::RealServerDown { real: key }.into();
        self.take_in(&Event { fact, ..event.clone() }, key);
        self.real_server(view, &key, false)
    }

    /// A virtual server goes: its real servers one after the other, and then its quorum: if it has that, or at the end.
    fn leaves(&mut self, event: &Event, key: &ServiceKey, status: i32, view: View<'_>) -> Vec<Vec<VarBind>> {
        let Some(service) = self.world.services.get(key).filter(|_| self.stands_for_all(key)) else {
            return Vec::new();
        };
        let is_told = service.quorum || status == SHUTDOWN;
        let up: Vec<_> = service.reals.values().filter(|real| real.up).map(|real| real.address).collect();
        let falls = |real| self.falls(event, RealKey { service: *key, real }, view);
        let mut told: Vec<_> = up.into_iter().filter_map(falls).collect();
        told.extend(self.quorum(view, key, status).filter(|_| is_told));
        told
    }

    /// With the first that is gone at a stop all are told of, in the order of the configuration.
    fn stops(&mut self, event: &Event, view: View<'_>) -> Vec<Vec<VarBind>> {
        let all: Vec<_> = self.world.services.values().map(|service| service.key).collect();
        let told = all.iter().flat_map(|key| self.leaves(event, key, SHUTDOWN, view)).collect();
        self.world.services = Default::default();
        self.up.clear();
        told
    }

    /// A virtual server is no more; if it stood for its group, the heir does.
    fn forget(&mut self, event: &Event, key: &ServiceKey, heir: Option<ServiceKey>) {
        let stood = self.world.services.get(key).filter(|_| self.stands_for_all(key));
        if let Some(group) = stood.map(|service| service.settings.key.clone()) {
            match heir {
                Some(heir) => drop(self.groups.insert(group, heir)),
                None => drop(self.groups.remove(&group)),
            }
        }
        self.up.remove(key);
        self.world.apply(event);
    }

    /// Another entry of the virtual server group that this one is of.
    fn heir(&self, of: &ServiceKey) -> Option<ServiceKey> {
        let gone = self.world.services.get(of).filter(|service| service.settings.group().is_some())?;
        let same = |service: &&Service| service.settings.key == gone.settings.key && service.key != *of;
        self.world.services.values().find(same).map(|service| service.key)
    }

    /// realServerStateChange.
    fn real_server(&self, view: View<'_>, key: &RealKey, up: bool) -> Option<Vec<VarBind>> {
        let service = told::ServiceRow { view, service: self.world.services.get(&key.service)? };
        let real = service.service.reals.get(&key.real)?;
        let row = told::RealRow { view, service: service.service, address: real.address, server: Some(real) };
        let mut trap = Trap::new(&ROOT, &CHECK_TRAPS, 1);
        for column in [&told::REAL_ADDRESS_TYPE, &told::REAL_ADDRESS, &told::REAL_PORT] {
            trap.cell(&told::REALS, column, &row);
        }
        trap.put(&told::REALS, &told::REAL_STATUS, truth(up));
        trap.service(&service);
        trap.reals(&service, self.reals_up(&key.service));
        Some(trap.finish(view))
    }

    /// virtualServerQuorumStateChange.
    fn quorum(&self, view: View<'_>, key: &ServiceKey, status: i32) -> Option<Vec<VarBind>> {
        let service = told::ServiceRow { view, service: self.world.services.get(key)? };
        let mut trap = Trap::new(&ROOT, &CHECK_TRAPS, 2);
        trap.service(&service);
        trap.put(&told::SERVICES, &told::QUORUM_STATUS, integer(status));
        trap.cell(&told::SERVICES, &told::QUORUM, &service);
        trap.reals(&service, self.reals_up(key));
        Some(trap.finish(view))
    }

    fn reals_up(&self, key: &ServiceKey) -> usize {
        self.up.get(key).copied().unwrap_or_default()
    }
}
