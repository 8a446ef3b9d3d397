//! One virtual server: who is up, whether that is enough, and who should serve.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::{
    Bus, EventId, FlatMap, Health,
    subject::{RealKey, ServiceKey},
};

use crate::{
    definition::{Definition, Server, destination_address, reaches},
    step::Occupant,
    table::{Destination, Table, VirtualService},
};

/// See the module.
pub(super) struct VirtualServer {
    definition: Definition,
    reals: FlatMap<SocketAddr, Real>,
    /// The weight that is up.
    live: i64,
    quorum: bool,
    sorry: bool,
    /// Its checkers rest.
    resting: bool,
    /// The event that last changed its definition.
    cause: Option<EventId>,
    /// The event that last let the sorry server in or out.
    sorry_cause: Option<EventId>,
}

/// Why it is looked at whether there is a quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// The virtual server is new.
    Start,
    /// It is configured otherwise than before.
    Redefined,
    /// Its real servers are otherwise than before.
    Health,
}

/// What is known of a real server.
struct Real {
    health: Health,
    /// Whether it has been told that it is down, if it is.
    told: bool,
    /// The event that last changed its place in the table; none if that is its virtual server's.
    cause: Option<EventId>,
}

impl Real {
    /// One of which its checkers have said nothing yet.
    fn new(server: &Server) -> Self {
        Self { health: server.starts, told: false, cause: None }
    }

    /// One that a run before this one had taken out.
    fn doubted() -> Self {
        Self { health: Health::DOWN, told: true, cause: None }
    }

    /// Its weight when it serves.
    fn weight(&self, server: &Server) -> u32 {
        server.weight.saturating_add_signed(self.health.weight).min(i32::MAX.unsigned_abs())
    }

    /// What it adds to the weight that is up.
    fn live(&self, server: &Server) -> i64 {
        if self.health.up { self.weight(server).into() } else { 0 }
    }
}

impl VirtualServer {
    /// One that is new, and that was told as configured. `existing` is what is in the table already.
    pub(super) fn begin(definition: Definition, existing: &Table, bus: &Bus, cause: Option<EventId>) -> Self {
        let doubted = doubted(&definition, existing);
        let reals = definition.servers.iter();
        let reals = reals.map(|(address, server)| match doubted.contains(address) {
            true => (*address, Real::doubted()),
            false => (*address, Real::new(server)),
        });
        let reals = reals.collect();
        let mut this = Self {
            definition,
            reals,
            live: 0,
            quorum: false,
            sorry: false,
            resting: false,
            cause,
            sorry_cause: cause,
        };
        this.live = this.live_weight();
        for address in doubted {
            this.say(bus, cause, |service| ServiceFact::RealServerDown {
                real: RealKey { service, real: address },
            });
        }
        this.judge(Occasion::Start, bus, cause);
        this
    }

    /// The same one with another definition; what is known of its real servers stays known. That entries have left it was
    /// told.
    pub(super) fn redefine(mut self, definition: Definition, bus: &Bus, cause: Option<EventId>) -> Self {
        let old = std::mem::replace(&mut self.definition, definition);
        self.cause = cause;
        for (address, server) in &self.definition.servers {
            let real = self.reals.get_or_insert_with(*address, || Real::new(server));
            let before = old.servers.get(address);
            if let Some(before) = before {
                real.health = real.health.with_weight(before.weight, server.weight);
            }
            if before != Some(server) {
                real.cause = cause;
            }
        }
        self.reals.retain(|address, _| self.definition.servers.contains_key(address));
        self.live = self.live_weight();
        let entries: [BTreeSet<_>; 2] = [&old, &self.definition].map(|d| d.entries.iter().copied().collect());
        let [before, after] = entries;
        for entry in after.difference(&before) {
            let up = |address: &SocketAddr, server: &Server| {
                self.reals.get(address).map_or(server.starts.up, |real| real.health.up)
            };
            configured(&self.definition, *entry, up, (bus, cause));
            if self.resting {
                bus.publish(cause, ServiceFact::ChecksSuspended { service: *entry });
            }
        }
        self.tell_settings(&old, bus, cause);
        let gone = old.servers.iter().filter(|(real, _)| !self.definition.servers.contains_key(real));
        let mut gone: Vec<_> = gone.map(|(real, server)| (server.settings.position, *real)).collect();
        // Consumers keep them in the order of the configuration: what is taken from its end moves nothing else.
        gone.sort_unstable_by(|one, other| other.cmp(one));
        for (_, real) in gone {
            self.say(bus, cause, |service| ServiceFact::RealServerUnconfigured {
                real: RealKey { service, real },
            });
        }
        if old.sorry != self.definition.sorry {
            self.sorry_cause = cause;
            self.sorry &= self.definition.sorry.is_some();
        }
        let told = self.judge(Occasion::Redefined, bus, cause);
        if !told && !self.quorum {
            let Definition { quorum, hysteresis, .. } = self.definition;
            for service in after.difference(&before) {
                let (service, weight) = (*service, self.live);
                bus.publish(cause, ServiceFact::QuorumAwaited { service, quorum, hysteresis, weight });
            }
        }
        self
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Takes in what the checkers of a real server say; gives whether that changes anything in the table.
    pub(super) fn health(
        &mut self,
        address: SocketAddr,
        health: Health,
        bus: &Bus,
        cause: Option<EventId>,
    ) -> bool {
        let (Some(real), Some(server)) =
            (self.reals.get_mut(&address), self.definition.servers.get(&address))
        else {
            return false;
        };
        let before = std::mem::replace(&mut real.health, health);
        let told_before = std::mem::replace(&mut real.told, !health.up);
        // One that has to succeed first (`alpha`) is down from the start; that it failed is news.
        if before == health && (health.up || told_before) {
            return false;
        }
        self.live += real.live(server) - Real { health: before, told: false, cause: None }.live(server);
        let told = match (before.up, health.up) {
            (false, true) => self.say(bus, cause, |service| ServiceFact::RealServerUp {
                real: RealKey { service, real: address },
            }),
            (_, false) if !told_before => self.say(bus, cause, |service| ServiceFact::RealServerDown {
                real: RealKey { service, real: address },
            }),
            (true, true) | (_, false) => None,
        };
        let cause = told.or(cause);
        if let Some(real) = self.reals.get_mut(&address) {
            real.cause = cause;
        }
        self.judge(Occasion::Health, bus, cause);
        true
    }

    /// Its checkers rest from now on, or no longer, because of this address.
    pub(super) fn rest(&mut self, resting: bool, address: Option<IpAddr>, bus: &Bus) {
        if std::mem::replace(&mut self.resting, resting) != resting {
            self.say(bus, None, |service| match resting {
                true => ServiceFact::ChecksSuspended { service },
                false => ServiceFact::ChecksResumed { service, address },
            });
        }
    }

    /// What should be in the table at one of its entries.
    pub(super) fn entry(&self, key: &ServiceKey) -> VirtualService {
        let mut destinations: FlatMap<SocketAddr, Destination> = FlatMap::new();
        if let Some((place, destination)) = self.sorry_destination(key) {
            destinations.insert(place, destination);
        }
        for (address, server, real) in self.definition.servers.beside(&self.reals) {
            let Some(weight) = real.and_then(|real| self.wanted(real, server)) else { continue };
            if !reaches(key, address.ip(), server.forwarding) {
                continue;
            }
            let destination = Destination {
                weight,
                forwarding: server.forwarding,
                upper_threshold: server.upper_threshold,
                lower_threshold: server.lower_threshold,
            };
            let place = destination_address(key, *address, server.forwarding);
            // A sorry server that is a real server too serves as whichever of the two is live.
            let known = destinations.get_or_insert_with(place, || destination);
            if !known.is_live() {
                *known = destination;
            }
        }
        VirtualService { service: self.definition.service_of(key), destinations }
    }

    /// Who should stand at a place of one of its entries, where [`Self::entry`] has somebody.
    pub(super) fn occupants(&self, key: &ServiceKey, place: SocketAddr) -> Vec<Occupant> {
        let sorry = self.sorry_at(key, place);
        if self.sorry
            && let Some(sorry) = sorry
        {
            return vec![sorry];
        }
        let wanted = |address: &SocketAddr, server: &Server| {
            self.reals.get(address).is_some_and(|real| self.wanted(real, server).is_some())
        };
        let mut all: Vec<_> = self.reals_at(key, place, wanted).map(Occupant::Real).collect();
        if all.is_empty() {
            all.extend(sorry);
        }
        all
    }

    /// Whom the configuration puts at a place of one of its entries, whether they should stand there now or not.
    pub(super) fn named(&self, key: &ServiceKey, place: SocketAddr) -> Vec<Occupant> {
        let reals = self.reals_at(key, place, |_, _| true).map(Occupant::Real);
        reals.chain(self.sorry_at(key, place)).collect()
    }

    /// The event that demands what is done to this occupant, or to the virtual server itself.
    pub(super) fn cause(&self, occupant: Option<&Occupant>) -> Option<EventId> {
        match occupant {
            Some(Occupant::Real(address)) => {
                self.reals.get(address).and_then(|real| real.cause).or(self.cause)
            }
            Some(Occupant::Sorry(_)) => self.sorry_cause,
            None => self.cause,
        }
    }

    /// Real servers whose place is this one. Places have the address of their real server, and mostly its port.
    fn reals_at(
        &self,
        key: &ServiceKey,
        place: SocketAddr,
        which: impl Fn(&SocketAddr, &Server) -> bool,
    ) -> impl Iterator<Item = SocketAddr> {
        let [first, last] = [0, u16::MAX].map(|port| SocketAddr::new(place.ip(), port));
        let near = self.definition.servers.from(&first).take_while(move |(address, _)| **address <= last);
        near.filter(move |(address, server)| {
            destination_address(key, **address, server.forwarding) == place && which(address, server)
        })
        .map(|(address, _)| *address)
    }

    fn sorry_at(&self, key: &ServiceKey, place: SocketAddr) -> Option<Occupant> {
        let sorry = self.definition.sorry.as_ref()?;
        let is_here = destination_address(key, sorry.address, sorry.forwarding) == place;
        is_here.then_some(Occupant::Sorry(sorry.address))
    }

    fn sorry_destination(&self, key: &ServiceKey) -> Option<(SocketAddr, Destination)> {
        let sorry = self.definition.sorry.as_ref()?;
        let there = (self.sorry || sorry.inhibit) && reaches(key, sorry.address.ip(), sorry.forwarding);
        let destination = Destination {
            weight: self.sorry.into(),
            forwarding: sorry.forwarding,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        there.then(|| (destination_address(key, sorry.address, sorry.forwarding), destination))
    }

    /// The weight that a real server should have in the table; none if it should not be there.
    fn wanted(&self, real: &Real, server: &Server) -> Option<u32> {
        match real.health.up && !self.sorry {
            true => Some(real.weight(server)),
            false => server.inhibit.then_some(0),
        }
    }

    fn live_weight(&self) -> i64 {
        let servers = self.definition.servers.beside(&self.reals);
        servers.filter_map(|(_, server, real)| Some(real?.live(server))).sum()
    }

    /// Looks whether the quorum was gained or lost, and lets the sorry server in or out; whether anything was told.
    fn judge(&mut self, occasion: Occasion, bus: &Bus, cause: Option<EventId>) -> bool {
        let Definition { quorum, hysteresis, .. } = self.definition;
        let weight = self.live;
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
            self.set_sorry(false, told);
            return true;
        }
        let never_was = !self.quorum && !self.sorry;
        let is_news = match occasion {
            Occasion::Start => never_was,
            // A sorry server may be new to a virtual server that has been without quorum for long.
            Occasion::Redefined => never_was && self.definition.sorry.is_some(),
            Occasion::Health => false,
        };
        let is_told = is_news || (self.quorum && short);
        if is_told {
            self.quorum = false;
            // As in keepalived: nobody is told that a quorum is missing that never was, unless somebody stands in.
            let silent = occasion == Occasion::Start && self.definition.sorry.is_none();
            let told = self.say(bus, cause, |service| match silent {
                true => ServiceFact::QuorumAwaited { service, quorum, hysteresis, weight },
                false => ServiceFact::QuorumLost { service, quorum, hysteresis, weight },
            });
            self.set_sorry(true, told);
        }
        is_told
    }

    fn set_sorry(&mut self, serves: bool, cause: Option<EventId>) {
        if self.definition.sorry.is_none() || self.sorry == serves {
            return;
        }
        self.sorry = serves;
        self.sorry_cause = cause;
        // Real servers that are up come and go with it; the others are where they were.
        for real in self.reals.values_mut().filter(|real| real.health.up) {
            real.cause = cause;
        }
    }

    /// Tells what is configured otherwise than before.
    fn tell_settings(&self, old: &Definition, bus: &Bus, cause: Option<EventId>) {
        if self.definition.settings != old.settings {
            self.say(bus, cause, |service| {
                let settings = self.definition.settings.clone();
                ServiceFact::VirtualServerConfigured { service, settings }
            });
        }
        for (real, server) in &self.definition.servers {
            let same = |old: &Server| old.settings == server.settings && old.checked == server.checked;
            if !old.servers.get(real).is_some_and(same) {
                self.say(bus, cause, |service| real_configured(service, *real, server, server.starts.up));
            }
        }
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
}

/// Tells of an entry that is new, and which of its real servers are up.
pub(super) fn configured(
    definition: &Definition,
    service: ServiceKey,
    up: impl Fn(&SocketAddr, &Server) -> bool,
    (bus, cause): (&Bus, Option<EventId>),
) {
    let settings = definition.settings.clone();
    bus.publish(cause, ServiceFact::VirtualServerConfigured { service, settings });
    for (address, server) in &definition.servers {
        bus.publish(cause, real_configured(service, *address, server, up(address, server)));
    }
}

fn real_configured(service: ServiceKey, real: SocketAddr, server: &Server, up: bool) -> ServiceFact {
    ServiceFact::RealServerConfigured {
        real: RealKey { service, real },
        starts_up: up,
        checked: server.checked,
        settings: server.settings.clone(),
    }
}

/// The real servers that the run before this one had taken out, as far as the table tells.
fn doubted(definition: &Definition, existing: &Table) -> BTreeSet<SocketAddr> {
    // All entries of a group had the same real servers; some of its entries may be new.
    let known = definition.entries.iter().find_map(|entry| Some((entry, existing.services.get(entry)?)));
    let Some((entry, before)) = known else { return BTreeSet::new() };
    let was_out = |address: &SocketAddr, server: &Server| {
        let place = destination_address(entry, *address, server.forwarding);
        match before.destinations.get(&place) {
            None => true,
            Some(known) => server.inhibit && server.weight > 0 && !known.is_live(),
        }
    };
    let servers = definition.servers.iter();
    servers
        .filter(|(address, server)| server.checked && server.starts.up && was_out(address, server))
        .map(|(address, _)| *address)
        .collect()
}
