//! What has been told of the table: facts about it come from here, when something was done and not before.
//!
//! In go steps that the data plane has done or refused, and what a run before this one had left; out come facts with
//! their causes, each once. A virtual server that comes back after somebody had deleted it was told of already: that is
//! drift, and the reconciler's to tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use keepwatch_bus::fact::{IpvsFact, ServiceFact};
use keepwatch_bus::{Bus, EventId, FlatMap, subject::RealKey};

use crate::{
    director::Director,
    step::{Occupant, Step},
    table::{Operation, ServiceKey, Table},
};

/// Who stands where in a service, and with which weight.
type Places = FlatMap<SocketAddr, Standing>;

/// What stands at a place. There may be tens of thousands.
struct Standing {
    weight: u32,
    /// In order, without repetition; none if it is just the real server of that address.
    others: Option<Box<[Occupant]>>,
}

impl Standing {
    fn new(place: SocketAddr, occupants: &[Occupant], weight: u32) -> Self {
        let others = (*occupants != [Occupant::Real(place)]).then(|| {
            let sorted: BTreeSet<_> = occupants.iter().copied().collect();
            sorted.into_iter().collect()
        });
        Self { weight, others }
    }

    /// Of a place that nobody stands at any more.
    fn nobody() -> Self {
        Self { weight: 0, others: Some(Box::default()) }
    }

    fn is_taken(&self) -> bool {
        self.others.as_ref().is_none_or(|others| !others.is_empty())
    }

    fn occupants(&self, place: SocketAddr) -> Vec<Occupant> {
        self.others.as_ref().map_or_else(|| vec![Occupant::Real(place)], |others| others.to_vec())
    }
}

/// See the module.
pub(crate) struct Ledger {
    bus: Bus,
    /// Nothing is done: what would have been is told with a fact of its own, from which the others follow.
    shadow: bool,
    services: BTreeMap<ServiceKey, Places>,
    /// Services with places that nobody stands at any more. Those go together: thousands of servers may leave one service.
    left: BTreeSet<ServiceKey>,
    /// The service that was added last, what demanded it, and the event that says so.
    added: Option<(ServiceKey, Option<EventId>, EventId)>,
}

impl Ledger {
    pub(crate) fn new(bus: Bus, shadow: bool) -> Self {
        Self { bus, shadow, services: BTreeMap::new(), left: BTreeSet::new(), added: None }
    }

    /// Tells what was done together; gives of each step whether that was anything new, or is told already.
    pub(crate) fn done(&mut self, steps: &[Step]) -> Vec<bool> {
        self.added = None;
        let told = steps.iter().map(|step| step.quiet || self.is_done(step)).collect();
        for service in std::mem::take(&mut self.left) {
            if let Some(places) = self.services.get_mut(&service) {
                places.retain(|_, standing| standing.is_taken());
            }
        }
        told
    }

    fn is_done(&mut self, step: &Step) -> bool {
        let cause = match self.shadow {
            true => {
                let operation = step.operation.to_string();
                Some(self.bus.publish(step.cause, IpvsFact::IpvsWithheld { operation }))
            }
            false => step.cause,
        };
        match &step.operation {
            Operation::AddService(service, _) => {
                let told = self.enter(*service, false, cause);
                self.added = told.map(|event| (*service, step.cause, event));
                told.is_some()
            }
            Operation::SetService(..) => false,
            Operation::DeleteService(service) => self.leave(*service, cause),
            Operation::AddDestination(service, place, how)
            | Operation::SetDestination(service, place, how) => {
                // Those that come with their service come because of it.
                let cause = match self.added {
                    Some((added, why, event)) if added == *service && why == step.cause && !self.shadow => {
                        Some(event)
                    }
                    Some(_) | None => cause,
                };
                self.stand(*service, *place, &step.occupants, how.weight, (cause, false))
            }
            Operation::DeleteDestination(service, place) => {
                self.stand(*service, *place, &[], 0, (cause, false))
            }
        }
    }

    /// Tells that something was refused. What can't be put there (again) is not there.
    pub(crate) fn refused(&mut self, step: &Step, error: &str) {
        let ((service, real), change) = (step.subject(), step.change());
        let fact = IpvsFact::IpvsRefused { service, real, change, error: error.to_owned() };
        let refused = Some(self.bus.publish(step.cause, fact));
        match &step.operation {
            Operation::AddService(service, _) => drop(self.leave(*service, refused)),
            Operation::AddDestination(service, place, _) => {
                self.stand(*service, *place, &[], 0, (refused, false));
            }
            Operation::SetService(..)
            | Operation::DeleteService(_)
            | Operation::SetDestination(..)
            | Operation::DeleteDestination(..) => (),
        }
    }

    /// Tells what is there without our having put it there: left by a run that ended badly, or put there by others.
    pub(crate) fn adopt(&mut self, director: &Director, actual: &Table) {
        for (service, there) in &actual.services {
            if !director.owns(service) {
                continue;
            }
            let cause = director.cause(service, None);
            let entered = self.enter(*service, true, cause);
            for (place, how) in &there.destinations {
                let occupants = director.occupants(service, *place);
                let places = self.services.get(service);
                let standing = places.and_then(|places| places.get(place));
                let known = standing.map(|standing| standing.occupants(*place)).unwrap_or_default();
                if !occupants.iter().all(|occupant| known.contains(occupant)) {
                    let cause = entered.or_else(|| director.cause(service, occupants.first()));
                    self.stand(*service, *place, &occupants, how.weight, (cause, true));
                }
            }
        }
    }

    /// Whether anybody of ours stands at a place, as far as was told.
    pub(crate) fn knows(&self, service: &ServiceKey, place: SocketAddr) -> bool {
        let standing = self.services.get(service).and_then(|places| places.get(&place));
        standing.is_some_and(Standing::is_taken)
    }

    /// What was told of these services is not so any more: they were told as unconfigured.
    pub(crate) fn forget(&mut self, services: &BTreeSet<ServiceKey>) {
        self.services.retain(|service, _| !services.contains(service));
    }

    /// Tells that the table was emptied.
    pub(crate) fn emptied(&mut self, cause: Option<EventId>) {
        for service in self.services.keys().copied().collect::<Vec<_>>() {
            self.leave(service, cause);
        }
    }

    fn enter(&mut self, service: ServiceKey, adopted: bool, cause: Option<EventId>) -> Option<EventId> {
        if self.services.contains_key(&service) {
            return None;
        }
        self.services.insert(service, Places::new());
        Some(self.bus.publish(cause, ServiceFact::VirtualServerAdded { service, adopted }))
    }

    fn leave(&mut self, service: ServiceKey, cause: Option<EventId>) -> bool {
        let was_there = self.services.remove(&service).is_some();
        if was_there {
            self.bus.publish(cause, ServiceFact::VirtualServerRemoved { service });
        }
        was_there
    }

    /// Tells who stands at a place now that was not there before, or with another weight, and who is gone from it;
    /// gives whether that was anything.
    fn stand(
        &mut self,
        service: ServiceKey,
        place: SocketAddr,
        occupants: &[Occupant],
        weight: u32,
        (cause, adopted): (Option<EventId>, bool),
    ) -> bool {
        if !occupants.is_empty() {
            // It was there without our knowing: somebody else has put it there.
            self.enter(service, true, cause);
        }
        let Some(places) = self.services.get_mut(&service) else { return false };
        let before = match occupants {
            [] => {
                self.left.insert(service);
                places.get_mut(&place).map(|standing| std::mem::replace(standing, Standing::nobody()))
            }
            _ => places.insert(place, Standing::new(place, occupants, weight)),
        };
        let stood = before.as_ref().map(|standing| standing.occupants(place)).unwrap_or_default();
        let weighed = |who| before.as_ref().filter(|_| stood.contains(who)).map(|standing| standing.weight);
        let mut facts = Vec::new();
        for who in stood.iter().filter(|who| !occupants.contains(who)) {
            facts.extend(change(service, *who, weighed(who), None, adopted));
        }
        for who in occupants {
            facts.extend(change(service, *who, weighed(who), Some(weight), adopted));
        }
        let told = !facts.is_empty();
        for fact in facts {
            self.bus.publish(cause, fact);
        }
        told
    }
}

/// What is told of an occupant whose weight was one and is another; none is for one that is not there.
fn change(
    service: ServiceKey,
    who: Occupant,
    before: Option<u32>,
    now: Option<u32>,
    adopted: bool,
) -> Option<ServiceFact> {
    match who {
        Occupant::Real(real) => {
            let real = RealKey { service, real };
            match (before, now) {
                (None, Some(weight)) => {
                    Some(ServiceFact::RealServerAdded { real, weight: signed(weight), adopted })
                }
                (Some(_), None) => Some(ServiceFact::RealServerRemoved { real }),
                (Some(from), Some(to)) if from != to => {
                    let (from, to) = (signed(from), signed(to));
                    Some(ServiceFact::RealServerWeightChanged { real, from, to })
                }
                (Some(_), Some(_)) | (None, None) => None,
            }
        }
        // One that waits with weight 0 does not serve.
        Occupant::Sorry(sorry) => match (before.unwrap_or(0) > 0, now.unwrap_or(0) > 0) {
            (false, true) => Some(ServiceFact::SorryServerAdded { service, sorry }),
            (true, false) => Some(ServiceFact::SorryServerRemoved { service, sorry }),
            (true, true) | (false, false) => None,
        },
    }
}

fn signed(weight: u32) -> i32 {
    i32::try_from(weight).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keepwatch_bus::{BusSettings, Hub};
    use nix::time::{ClockId, clock_gettime};

    use super::*;
    use crate::{
        fixture::VIP,
        table::{Destination, Forwarding},
    };

    /// The processor's time that it takes to tell of the steps, whatever else the machine does.
    fn cost(ledger: &mut Ledger, steps: &[Step]) -> Duration {
        let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let before = now();
        assert!(ledger.done(steps).into_iter().all(|told| told));
        now() - before
    }

    #[test]
    fn thousands_that_leave_together_cost_little_more_than_when_they_came() {
        let how = Destination {
            weight: 1,
            forwarding: Forwarding::Masquerade,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let servers = (0..20_000_u32).map(|n| SocketAddr::from((std::net::Ipv4Addr::from_bits(n), 80)));
        let step = |operation, real| Step {
            operation,
            occupants: vec![Occupant::Real(real)],
            cause: None,
            quiet: false,
        };
        let (coming, leaving): (Vec<_>, Vec<_>) = servers
            .map(|real| {
                let (comes, leaves) =
                    (Operation::AddDestination(VIP, real, how), Operation::DeleteDestination(VIP, real));
                (step(comes, real), step(leaves, real))
            })
            .unzip();
        let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
        let mut ledger = Ledger::new(bus, false);
        let came = cost(&mut ledger, &coming);
        let left = cost(&mut ledger, &leaving);
        assert!(ledger.services[&VIP].is_empty());
        // One by one from the front each moves all others: some twenty times as much.
        assert!(left < came * 5, "{came:?} to come, {left:?} to leave");
    }

    #[test]
    fn who_comes_back_before_the_places_are_cleared_is_told_again() {
        let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
        let mut ledger = Ledger::new(bus, false);
        let how = Destination {
            weight: 1,
            forwarding: Forwarding::Masquerade,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let real: SocketAddr = ([192, 168, 0, 1], 80).into();
        let step =
            |operation| Step { operation, occupants: vec![Occupant::Real(real)], cause: None, quiet: false };
        let comes = step(Operation::AddDestination(VIP, real, how));
        let leaves = step(Operation::DeleteDestination(VIP, real));
        assert_eq!(
            ledger.done(&[comes.clone(), leaves.clone(), comes, leaves.clone(), leaves]),
            [true, true, true, true, false]
        );
        assert!(!ledger.knows(&VIP, real) && ledger.services[&VIP].is_empty());
    }
}
