//! Which real servers of a virtual server should be in the table: quorum, sorry server, `inhibit_on_failure`; without
//! I/O.
//!
//! In go definitions and what checkers say of real servers; out come facts about health and quorum, and the table that
//! should be: [`Director::take_dirty`] says which of its entries may be other than before, [`Director::desired`] what
//! they should be, and [`Director::step`] whom an operation is about and which event demands it. That something was
//! done to the table is said by who did it. The rules are keepalived's:
//!
//! - A real server is in the table while it is up; with `inhibit_on_failure` it stays there, with weight 0.
//! - The quorum is gained when the weight that is up reaches quorum + hysteresis, and lost when it falls below
//!   quorum − hysteresis, or to nothing.
//! - What a run before this one left in the table is adopted. A real server that its checkers had taken out stays out
//!   until they say that it is up: a crash must not send traffic to the dead.
//! - Without quorum the sorry server serves, if there is one, and the real servers are out even if they are up.

mod virtual_server;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
};

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::{
    Bus, Configured, EventId, Health,
    subject::{RealKey, ServiceKey},
};
use keepwatch_model as model;

use self::virtual_server::{VirtualServer, configured};
use crate::{
    definition::{Definition, Server},
    desk::Here,
    step::{Occupant, Step},
    table::{Operation, Table},
};

/// All virtual servers.
pub(crate) struct Director {
    bus: Bus,
    servers: BTreeMap<ServiceKey, VirtualServer>,
    /// To which virtual server an entry belongs, of those whose key is another one.
    owners: BTreeMap<ServiceKey, ServiceKey>,
    /// Groups that the last definitions know by another entry: what checkers said just before names the one of before.
    renamed: Renamed,
    /// Entries that may be other than when they were last taken.
    dirty: BTreeSet<ServiceKey>,
    /// The event that last changed the definitions.
    cause: Option<EventId>,
}

/// Groups that are known by another entry than before: by which they were, and by which they are.
pub type Renamed = BTreeMap<ServiceKey, ServiceKey>;

/// What new definitions have brought.
#[derive(Default)]
pub(crate) struct Defined {
    /// Those that are to begin.
    pub(crate) new: Vec<Definition>,
    /// The entries that were told as configured anew.
    pub(crate) told: BTreeSet<ServiceKey>,
    /// Groups that have lost the entry by which they were known.
    pub(crate) renamed: Renamed,
}

impl Director {
    pub(crate) fn new(bus: Bus) -> Self {
        let (servers, owners, renamed, dirty) = Default::default();
        Self { bus, servers, owners, renamed, dirty, cause: None }
    }

    /// Takes over new definitions; what did not change sees nothing. Those that are new are told of, for checkers may find
    /// something of them at any time, and given back for [`Self::begin`], which must know what is in the table. A group is the
    /// same one whatever entries it has.
    pub(crate) fn define(&mut self, definitions: Vec<Definition>, cause: Option<EventId>) -> Defined {
        self.cause = cause;
        self.owners.clear();
        let old = std::mem::take(&mut self.servers);
        let (pairs, mut gone) = continued(old, definitions);
        let renamed: Renamed =
            pairs.iter().filter_map(|(before, now)| renamed(before.as_ref()?, now)).collect();
        // Consumers keep them in the order of the configuration: what is taken from its end moves nothing else.
        gone.sort_by_key(|server| std::cmp::Reverse(server.definition().settings.position));
        let mut leaving: Vec<ServiceKey> =
            gone.iter().flat_map(|server| &server.definition().entries).copied().collect();
        for (before, definition) in &pairs {
            let after: BTreeSet<_> = definition.entries.iter().collect();
            let before = before.iter().flat_map(|server| &server.definition().entries);
            leaving.extend(before.filter(|entry| !after.contains(entry)));
        }
        // Those by which groups are known go once another one is known in their place.
        leaving.sort_by_key(|entry| renamed.contains_key(entry));
        // Before anything is told of who comes: that may be the same entry, of another virtual server.
        let mut moves = renamed.iter();
        for service in leaving {
            if renamed.contains_key(&service) {
                moves.by_ref().for_each(|moved| self.tell_renamed(moved, cause));
            }
            self.dirty.insert(service);
            self.bus.publish(cause, ServiceFact::VirtualServerUnconfigured { service });
        }
        moves.for_each(|moved| self.tell_renamed(moved, cause));
        let mut defined = Defined { renamed: renamed.clone(), ..Defined::default() };
        self.renamed = renamed;
        for (before, definition) in pairs {
            let key = definition.key;
            self.owners.extend(definition.entries.iter().skip(1).map(|entry| (*entry, key)));
            let server = match before {
                Some(server) if server.definition() == &definition => server,
                Some(server) => {
                    let before: BTreeSet<_> = server.definition().entries.iter().copied().collect();
                    self.dirty.extend(&before);
                    self.dirty.extend(&definition.entries);
                    defined.told.extend(definition.entries.iter().filter(|entry| !before.contains(entry)));
                    server.redefine(definition, &self.bus, cause)
                }
                None => {
                    defined.told.extend(&definition.entries);
                    let up = |_: &SocketAddr, server: &Server| server.starts.up;
                    let tell = |entry: &ServiceKey| configured(&definition, *entry, up, (&self.bus, cause));
                    definition.entries.iter().for_each(tell);
                    defined.new.push(definition);
                    continue;
                }
            };
            self.servers.insert(key, server);
        }
        defined
    }

    fn tell_renamed(&self, (from, service): (&ServiceKey, &ServiceKey), cause: Option<EventId>) {
        let (from, service) = (*from, *service);
        self.bus.publish(cause, ServiceFact::VirtualServerRenamed { service, from });
    }

    /// Lets those begin that are new. `existing` is what is in the kernel that nobody of this run put there: it is adopted.
    pub(crate) fn begin(&mut self, new: Vec<Definition>, existing: &Table) {
        for definition in new {
            self.dirty.extend(&definition.entries);
            let key = definition.key;
            let server = VirtualServer::begin(definition, existing, &self.bus, self.cause);
            self.servers.insert(key, server);
        }
    }

    /// Takes in what the checkers of a real server say.
    pub(crate) fn health(&mut self, real: &RealKey, health: Health, cause: Option<EventId>) {
        // The entry that another was known by before may be somebody else's now.
        let key = match self.servers.contains_key(&real.service) {
            true => &real.service,
            false => self.renamed.get(&real.service).unwrap_or(&real.service),
        };
        if let Some(server) = self.servers.get_mut(key)
            && server.health(real.real, health, &self.bus, cause)
        {
            self.dirty.extend(&server.definition().entries);
        }
    }

    /// Gives a real server another weight, as a reload with that weight would.
    pub(crate) fn weigh(&mut self, real: &RealKey, weight: u32, cause: Option<EventId>) {
        let key = *self.owners.get(&real.service).unwrap_or(&real.service);
        let Some(server) = self.servers.remove(&key) else { return };
        let mut definition = server.definition().clone();
        if let Some(server) = definition.servers.get_mut(&real.real) {
            server.weight = weight;
            let settings =
                model::RealServer { weight: model::Weight(weight), ..(*server.settings.model).clone() };
            server.settings = Configured::new(server.settings.position, settings);
        }
        self.dirty.extend(&definition.entries);
        self.servers.insert(key, server.redefine(definition, &self.bus, cause));
    }

    /// Takes in whose checkers rest, and says so; their real servers stay what they are.
    pub(crate) fn rest(&mut self, here: &Here) {
        for (key, server) in &mut self.servers {
            match here.get(key) {
                Some(None) => server.rest(true, None, &self.bus),
                Some(Some(address)) => server.rest(false, Some(*address), &self.bus),
                None => server.rest(false, None, &self.bus),
            }
        }
    }

    /// Lets go of everything: the table should be empty. The configuration has not changed, so nothing is said of it.
    pub(crate) fn release(&mut self, cause: Option<EventId>) {
        self.cause = cause;
        self.owners.clear();
        self.renamed.clear();
        for server in std::mem::take(&mut self.servers).into_values() {
            self.dirty.extend(&server.definition().entries);
        }
    }

    /// The entries that may be other than when this was last asked.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.dirty)
    }

    /// The table as it should be.
    pub(crate) fn desired(&self) -> Table {
        let entries = self
            .servers
            .values()
            .flat_map(|server| server.definition().entries.iter().map(|entry| (*entry, server.entry(entry))));
        Table { services: entries.collect() }
    }

    /// The part of it that is about these entries.
    pub(crate) fn desired_of(&self, entries: &BTreeSet<ServiceKey>) -> Table {
        let wanted = entries.iter().filter_map(|entry| Some((*entry, self.owner(entry)?.entry(entry))));
        Table { services: wanted.collect() }
    }

    /// An operation with whom it is about and what demands it.
    pub(crate) fn step(&self, operation: Operation) -> Step {
        let occupants = match &operation {
            Operation::AddService(..) | Operation::SetService(..) | Operation::DeleteService(_) => Vec::new(),
            Operation::AddDestination(entry, place, _) | Operation::SetDestination(entry, place, _) => {
                self.occupants(entry, *place)
            }
            Operation::DeleteDestination(entry, place) => {
                self.owner(entry).map(|owner| owner.named(entry, *place)).unwrap_or_default()
            }
        };
        let cause = self.cause(operation.service(), occupants.first());
        Step { operation, occupants, cause, quiet: false }
    }

    /// Whether the configuration puts anybody at a place of an entry, whether he should stand there now or not.
    pub(crate) fn names(&self, entry: &ServiceKey, place: SocketAddr) -> bool {
        self.owner(entry).is_some_and(|owner| !owner.named(entry, place).is_empty())
    }

    /// Whether an entry is one of ours.
    pub(crate) fn owns(&self, entry: &ServiceKey) -> bool {
        self.owner(entry).is_some()
    }

    /// Who should stand at a place where [`Self::desired`] has somebody.
    pub(crate) fn occupants(&self, entry: &ServiceKey, place: SocketAddr) -> Vec<Occupant> {
        self.owner(entry).map(|owner| owner.occupants(entry, place)).unwrap_or_default()
    }

    /// The event that last changed what is defined.
    pub(crate) fn last_cause(&self) -> Option<EventId> {
        self.cause
    }

    /// The event that demands what is done to an entry, or to one who stands there.
    pub(crate) fn cause(&self, entry: &ServiceKey, occupant: Option<&Occupant>) -> Option<EventId> {
        self.owner(entry).map_or(self.cause, |owner| owner.cause(occupant))
    }

    /// Whether anything may be other than when [`Self::take_dirty`] was last called.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The definitions that are in force.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.servers.values().map(VirtualServer::definition)
    }

    fn owner(&self, entry: &ServiceKey) -> Option<&VirtualServer> {
        self.servers.get(self.owners.get(entry).unwrap_or(entry))
    }
}

/// Each definition with the virtual server that it continues, and those that nobody continues. That is the one of the same
/// name; else, for people rename their groups, the one that is known by the same entry.
fn continued(
    mut old: BTreeMap<ServiceKey, VirtualServer>,
    definitions: Vec<Definition>,
) -> (Vec<(Option<VirtualServer>, Definition)>, Vec<VirtualServer>) {
    let names = old.iter().map(|(key, server)| (server.definition().settings.key.lasting(), *key));
    let names: HashMap<_, _> = names.collect();
    let named: Vec<_> =
        definitions.iter().map(|now| names.get(&now.settings.key.lasting()).copied()).collect();
    // Two that have changed places are two new ones: what is told of one entry would be about two.
    let moving = named.iter().zip(&definitions);
    let moving = moving.filter_map(|(key, now)| key.filter(|key| *key != now.key)).collect::<BTreeSet<_>>();
    let by_name = named.iter().zip(&definitions).map(|(key, now)| {
        let key = key.filter(|key| *key == now.key || !moving.contains(&now.key))?;
        old.remove(&key)
    });
    let by_name: Vec<_> = by_name.collect();
    let pairs = by_name.into_iter().zip(definitions);
    let pairs = pairs.map(|(before, now)| (before.or_else(|| old.remove(&now.key)), now)).collect();
    (pairs, old.into_values().collect())
}

/// Whether a group is known by another entry than before.
fn renamed(before: &VirtualServer, now: &Definition) -> Option<(ServiceKey, ServiceKey)> {
    let from = before.definition().key;
    (from != now.key).then_some((from, now.key))
}

#[cfg(test)]
mod tests;
