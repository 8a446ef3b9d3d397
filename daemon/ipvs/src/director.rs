//! Which real servers of a virtual server are in the table: quorum, sorry server, `inhibit_on_failure`; without I/O.
//!
//! In go definitions and what checkers say of real servers; out come facts with their causes, and the table that should
//! be, from [`Director::desired`]. The rules are keepalived's:
//!
//! - A real server is in the table while it is up; with `inhibit_on_failure` it stays there, with weight 0.
//! - The quorum is gained when the weight that is up reaches quorum + hysteresis, and lost when it falls below
//!   quorum − hysteresis, or to nothing.
//! - What a run before this one left in the table is adopted. A real server that its checkers had taken out stays out
//!   until they say that it is up: a crash must not send traffic to the dead.
//! - Without quorum the sorry server serves, if there is one, and the real servers are out even if they are up.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::{
    Bus, EventId,
    subject::{RealKey, ServiceKey},
};

use crate::{
    definition::{Definition, Server, destination_address, reaches},
    table::{Destination, Table, VirtualService},
};

/// All virtual servers.
pub(crate) struct Director {
    bus: Bus,
    servers: BTreeMap<ServiceKey, VirtualServer>,
}

struct VirtualServer {
    definition: Definition,
    up: BTreeMap<SocketAddr, bool>,
    /// Real servers that are down only because the run before this one thought so.
    doubted: BTreeSet<SocketAddr>,
    quorum: bool,
    sorry: bool,
}

/// The real servers that are in the table, with their weights.
type Pool = BTreeMap<SocketAddr, u32>;

impl Director {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, servers: BTreeMap::new() }
    }

    /// Takes over new definitions; what did not change sees nothing. `existing` is what is in the kernel that nobody
    /// of this run put there: it is adopted.
    pub(crate) fn apply(&mut self, definitions: Vec<Definition>, existing: &Table, cause: Option<EventId>) {
        let mut old = std::mem::take(&mut self.servers);
        for definition in definitions {
            let key = definition.key;
            let server = match old.remove(&key) {
                Some(server) if server.definition == definition => VirtualServer { definition, ..server },
                Some(server) => server.redefine(definition, &self.bus, cause),
                None => VirtualServer::begin(definition, existing, &self.bus, cause),
            };
            self.servers.insert(key, server);
        }
        for server in old.into_values() {
            for entry in &server.definition.entries {
                leave(*entry, &self.bus, cause);
            }
        }
    }

    /// Takes in what the checkers of a real server say.
    pub(crate) fn health(&mut self, real: &RealKey, up: bool, cause: Option<EventId>) {
        if let Some(server) = self.servers.get_mut(&real.service) {
            server.health(real.real, up, &self.bus, cause);
        }
    }

    /// The table as it should be.
    pub(crate) fn desired(&self) -> Table {
        Table { services: self.servers.values().flat_map(VirtualServer::entries).collect() }
    }

    /// Lets go of everything: the table should be empty. The configuration has not changed, so nothing is said of it.
    pub(crate) fn release(&mut self, cause: Option<EventId>) {
        for server in std::mem::take(&mut self.servers).into_values() {
            for service in &server.definition.entries {
                self.bus.publish(cause, ServiceFact::VirtualServerRemoved { service: *service });
            }
        }
    }

    /// The definitions that are in force.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.servers.values().map(|server| &server.definition)
    }

    /// To which virtual server an entry of the table belongs.
    pub(crate) fn owner(&self, entry: &ServiceKey) -> Option<&Definition> {
        self.definitions().find(|definition| definition.entries.contains(entry))
    }
}

impl VirtualServer {
    fn begin(definition: Definition, existing: &Table, bus: &Bus, cause: Option<EventId>) -> Self {
        let doubted = doubted(&definition, existing);
        let up = definition.servers.iter();
        let up = up.map(|(address, server)| (*address, server.starts_up && !doubted.contains(address)));
        let mut this = Self { up: up.collect(), doubted, definition, quorum: false, sorry: false };
        let told: Vec<_> =
            this.definition.entries.iter().map(|entry| this.enter(*entry, existing, bus, cause)).collect();
        let cause = told.first().copied().or(cause);
        for address in &this.doubted {
            this.say(bus, cause, |service| ServiceFact::RealServerDown {
                real: RealKey { service, real: *address },
            });
        }
        this.judge(true, bus, cause);
        this
    }

    /// Tells of an entry that is new in the table; gives the event that says that it was added.
    fn enter(&self, service: ServiceKey, existing: &Table, bus: &Bus, cause: Option<EventId>) -> EventId {
        let Definition { settings, servers, .. } = &self.definition;
        bus.publish(
            cause,
            ServiceFact::VirtualServerConfigured { service, settings: Box::new(settings.clone()) },
        );
        for (address, server) in servers {
            let (real, settings) = (RealKey { service, real: *address }, Box::new(server.settings.clone()));
            let (starts_up, checked) = (server.starts_up, server.checked);
            bus.publish(cause, ServiceFact::RealServerConfigured { real, starts_up, checked, settings });
        }
        let before = existing.services.get(&service);
        let cause =
            bus.publish(cause, ServiceFact::VirtualServerAdded { service, adopted: before.is_some() });
        for (address, weight) in self.pool() {
            let adopted = before.zip(servers.get(&address)).is_some_and(|(before, server)| {
                before.destinations.contains_key(&destination_address(&service, address, server.forwarding))
            });
            let real = RealKey { service, real: address };
            bus.publish(Some(cause), ServiceFact::RealServerAdded { real, weight: signed(weight), adopted });
        }
        cause
    }

    fn redefine(self, definition: Definition, bus: &Bus, cause: Option<EventId>) -> Self {
        let pool = self.pool();
        let old = self.definition;
        let up = definition.servers.iter();
        let up =
            up.map(|(address, server)| (*address, self.up.get(address).copied().unwrap_or(server.starts_up)));
        let doubted =
            self.doubted.into_iter().filter(|address| definition.servers.contains_key(address)).collect();
        let mut this = Self { up: up.collect(), doubted, definition, quorum: self.quorum, sorry: self.sorry };
        for entry in old.entries.iter().filter(|entry| !this.definition.entries.contains(entry)) {
            leave(*entry, bus, cause);
        }
        this.tell_settings(&old, bus, cause);
        let (old_sorry, new_sorry) = (sorry_address(&old), sorry_address(&this.definition));
        if this.sorry && new_sorry != old_sorry {
            if let Some(sorry) = old_sorry {
                this.say(bus, cause, |service| ServiceFact::SorryServerRemoved { service, sorry });
            }
            this.sorry = new_sorry.is_some();
            if let Some(sorry) = new_sorry {
                this.say(bus, cause, |service| ServiceFact::SorryServerAdded { service, sorry });
            }
        }
        this.tell_pool(&pool, bus, cause);
        for real in old.servers.keys().filter(|real| !this.definition.servers.contains_key(real)) {
            this.say(bus, cause, |service| ServiceFact::RealServerUnconfigured {
                real: RealKey { service, real: *real },
            });
        }
        for entry in this.definition.entries.iter().filter(|entry| !old.entries.contains(entry)) {
            this.enter(*entry, &Table::default(), bus, cause);
        }
        // A sorry server may be new to a virtual server that has been without quorum for long.
        this.judge(this.definition.sorry.is_some(), bus, cause);
        this
    }

    /// Tells what is configured otherwise than before.
    fn tell_settings(&self, old: &Definition, bus: &Bus, cause: Option<EventId>) {
        if self.definition.settings != old.settings {
            self.say(bus, cause, |service| {
                let settings = Box::new(self.definition.settings.clone());
                ServiceFact::VirtualServerConfigured { service, settings }
            });
        }
        for (real, server) in &self.definition.servers {
            if old.servers.get(real).is_none_or(|old| old.settings != server.settings) {
                self.say(bus, cause, |service| {
                    let (real, settings) =
                        (RealKey { service, real: *real }, Box::new(server.settings.clone()));
                    let (starts_up, checked) = (server.starts_up, server.checked);
                    ServiceFact::RealServerConfigured { real, starts_up, checked, settings }
                });
            }
        }
    }

    fn health(&mut self, address: SocketAddr, up: bool, bus: &Bus, cause: Option<EventId>) {
        let pool = self.pool();
        let doubted = self.doubted.remove(&address);
        match self.up.get_mut(&address) {
            Some(known) if *known != up => *known = up,
            Some(_) | None => return,
        }
        // The checkers have said it of a group's first entry, unless they know nothing of our doubts; the same is true
        // of the others.
        for service in self.definition.entries.iter().skip(usize::from(!doubted)) {
            let real = RealKey { service: *service, real: address };
            let fact =
                if up { ServiceFact::RealServerUp { real } } else { ServiceFact::RealServerDown { real } };
            bus.publish(cause, fact);
        }
        let told = self.tell_pool(&pool, bus, cause);
        self.judge(false, bus, told.or(cause));
    }

    /// Publishes a fact about each entry; gives the first event, which stands for all of them.
    fn say(
        &self,
        bus: &Bus,
        cause: Option<EventId>,
        fact: impl Fn(ServiceKey) -> ServiceFact,
    ) -> Option<EventId> {
        let told = self.definition.entries.iter().map(|entry| bus.publish(cause, fact(*entry)));
        told.reduce(|first, _| first)
    }

    /// Looks whether the quorum was gained or lost, and lets the sorry server in or out.
    fn judge(&mut self, begins: bool, bus: &Bus, cause: Option<EventId>) {
        let Definition { quorum, hysteresis, .. } = self.definition;
        let weight = self.live_weight();
        let reached = weight >= i64::from(quorum) + i64::from(hysteresis);
        let short = weight == 0 || weight < i64::from(quorum) - i64::from(hysteresis);
        if !self.quorum && reached {
            self.quorum = true;
            let told = self.say(bus, cause, |service| ServiceFact::QuorumGained {
                service,
                quorum,
                hysteresis,
                weight,
            });
            self.set_sorry(false, bus, told);
        } else if (self.quorum && short) || (begins && !self.quorum && !self.sorry) {
            self.quorum = false;
            let told = self.say(bus, cause, |service| ServiceFact::QuorumLost {
                service,
                quorum,
                hysteresis,
                weight,
            });
            self.set_sorry(true, bus, told);
        }
    }

    fn set_sorry(&mut self, serves: bool, bus: &Bus, cause: Option<EventId>) {
        let Some(sorry) = sorry_address(&self.definition) else { return };
        if self.sorry == serves {
            return;
        }
        let pool = self.pool();
        self.sorry = serves;
        self.say(bus, cause, |service| match serves {
            true => ServiceFact::SorryServerAdded { service, sorry },
            false => ServiceFact::SorryServerRemoved { service, sorry },
        });
        self.tell_pool(&pool, bus, cause);
    }

    /// Publishes what is different in the pool since `before`; gives the last event.
    fn tell_pool(&self, before: &Pool, bus: &Bus, cause: Option<EventId>) -> Option<EventId> {
        let now = self.pool();
        let mut last = None;
        for (address, weight) in &now {
            let to = signed(*weight);
            let real = |service| RealKey { service, real: *address };
            last = match before.get(address) {
                Some(same) if same == weight => last,
                Some(from) => self.say(bus, cause, |service| ServiceFact::RealServerWeightChanged {
                    real: real(service),
                    from: signed(*from),
                    to,
                }),
                None => self.say(bus, cause, |service| ServiceFact::RealServerAdded {
                    real: real(service),
                    weight: to,
                    adopted: false,
                }),
            };
        }
        for address in before.keys().filter(|address| !now.contains_key(address)) {
            let real = |service| RealKey { service, real: *address };
            last = self.say(bus, cause, |service| ServiceFact::RealServerRemoved { real: real(service) });
        }
        last
    }

    fn live_weight(&self) -> i64 {
        let live = self.definition.servers.iter().filter(|(address, _)| self.is_up(address));
        live.map(|(_, server)| i64::from(server.weight)).sum()
    }

    fn is_up(&self, address: &SocketAddr) -> bool {
        self.up.get(address).copied().unwrap_or_default()
    }

    fn pool(&self) -> Pool {
        let servers = self.definition.servers.iter();
        servers
            .filter_map(|(address, server)| match self.is_up(address) && !self.sorry {
                true => Some((*address, server.weight)),
                false => server.inhibit.then_some((*address, 0)),
            })
            .collect()
    }

    /// Its part of the table.
    fn entries(&self) -> Vec<(ServiceKey, VirtualService)> {
        let pool = self.pool();
        let entry = |key: &ServiceKey| {
            let mut destinations: BTreeMap<SocketAddr, Destination> = BTreeMap::new();
            if let Some(sorry) = self.definition.sorry.as_ref().filter(|sorry| {
                (self.sorry || sorry.inhibit) && reaches(key, sorry.address.ip(), sorry.forwarding)
            }) {
                let destination = Destination {
                    weight: self.sorry.into(),
                    forwarding: sorry.forwarding,
                    upper_threshold: 0,
                    lower_threshold: 0,
                };
                destinations.insert(destination_address(key, sorry.address, sorry.forwarding), destination);
            }
            for (address, weight) in &pool {
                let Some(server) = self.definition.servers.get(address) else { continue };
                if !reaches(key, address.ip(), server.forwarding) {
                    continue;
                }
                let destination = Destination {
                    weight: *weight,
                    forwarding: server.forwarding,
                    upper_threshold: server.upper_threshold,
                    lower_threshold: server.lower_threshold,
                };
                let place = destination_address(key, *address, server.forwarding);
                // A sorry server that is a real server too serves as whichever of the two is live.
                let known = destinations.entry(place).or_insert(destination);
                if !known.is_live() {
                    *known = destination;
                }
            }
            (*key, VirtualService { service: self.definition.service_of(key), destinations })
        };
        self.definition.entries.iter().map(entry).collect()
    }
}

/// Tells of an entry that is gone from the table, because it is gone from the configuration.
fn leave(service: ServiceKey, bus: &Bus, cause: Option<EventId>) {
    bus.publish(cause, ServiceFact::VirtualServerRemoved { service });
    bus.publish(cause, ServiceFact::VirtualServerUnconfigured { service });
}

/// The real servers that the run before this one had taken out, as far as the table tells.
fn doubted(definition: &Definition, existing: &Table) -> BTreeSet<SocketAddr> {
    let Some(before) = existing.services.get(&definition.key) else { return BTreeSet::new() };
    let was_out = |address: &SocketAddr, server: &Server| {
        let place = destination_address(&definition.key, *address, server.forwarding);
        match before.destinations.get(&place) {
            None => true,
            Some(known) => server.inhibit && server.weight > 0 && !known.is_live(),
        }
    };
    let servers = definition.servers.iter();
    servers
        .filter(|(address, server)| server.checked && server.starts_up && was_out(address, server))
        .map(|(address, _)| *address)
        .collect()
}

fn sorry_address(definition: &Definition) -> Option<SocketAddr> {
    definition.sorry.as_ref().map(|sorry| sorry.address)
}

/// Weights are at most 65535 in every configuration.
fn signed(weight: u32) -> i32 {
    i32::try_from(weight).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
