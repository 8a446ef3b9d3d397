//! Real servers that a reload takes away while they are well: they get no new connections at once, and go when those that
//! they have are over, or soon in any case. They are told as removed when they get no connections any more. The kernel would drop every packet of those without a word, and a request that
//! is under way would hang. Of a persistent service they go at once all the same: a client that has a template there would
//! be sent to one with weight 0 as well, for as long as it asks (`expire_quiescent_template`).
//!
//! In: operations that would take them away, and what the kernel says of their connections. Out: operations that do not. What
//! health or quorum take away goes at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    statistics::Activity,
    table::{Destination, Operation, ServiceKey, Table},
};

/// How often it is looked whether connections are over.
pub(crate) const LOOK: Duration = Duration::from_millis(250);
/// One stays this long at least: connections that are about to end do not count as active any more.
const LEAST: Duration = Duration::from_secs(1);
/// And at most.
const MOST: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    since: BTreeMap<(ServiceKey, SocketAddr), Instant>,
    due: BTreeSet<(ServiceKey, SocketAddr)>,
}

/// Connections of the real servers that are there.
pub(crate) type Activities = BTreeMap<(ServiceKey, SocketAddr), Activity>;

/// An operation in place of another, and whether nothing is to be told of it.
pub(crate) type Softened = (Operation, bool);

impl Leaving {
    /// Nobody is about to leave.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// The services that anybody leaves.
    pub(crate) fn services(&self) -> BTreeSet<ServiceKey> {
        self.since.keys().map(|(service, _)| *service).collect()
    }

    /// Lets go of nobody at once who is not `configured` any more and serves, as `believed` has it; but of whoever is not
    /// `known` as one that we have put there.
    pub(crate) fn soften(
        &mut self,
        now: Instant,
        operations: Vec<Operation>,
        believed: &Table,
        configured: impl Fn(&ServiceKey, SocketAddr) -> bool,
        known: impl Fn(&ServiceKey, SocketAddr) -> bool,
    ) -> Vec<Softened> {
        let soften = |operation: Operation| {
            let Operation::DeleteDestination(service, place) = operation else {
                if let Some(place) = operation.place() {
                    // It is wanted again.
                    self.forget(*operation.service(), place);
                }
                return Some((operation, false));
            };
            let service_there = believed.services.get(&service);
            let there = service_there.and_then(|there| there.destinations.get(&place));
            let persistent = service_there.is_some_and(|there| there.service.persistence.is_some());
            let key = (service, place);
            match there {
                _ if configured(&service, place) => {
                    self.forget(service, place);
                    Some((operation, false))
                }
                // That it is out was told when it got no connections any more.
                _ if self.due.contains(&key) => {
                    self.forget(service, place);
                    Some((operation, true))
                }
                Some(_) if persistent => {
                    self.forget(service, place);
                    Some((operation, false))
                }
                // Those that leave are told as removed: nobody knows them any more.
                Some(there)
                    if there.is_live() && (self.since.contains_key(&key) || known(&service, place)) =>
                {
                    self.since.entry(key).or_insert(now);
                    let quiet = Destination { weight: 0, ..*there };
                    Some((Operation::SetDestination(service, place, quiet), false))
                }
                // It goes later.
                Some(_) if self.since.contains_key(&key) => None,
                Some(_) | None => Some((operation, false)),
            }
        };
        operations.into_iter().filter_map(soften).collect()
    }

    /// Forgets whoever is wanted again, which asks for no operation if he is wanted as he is; gives whether anybody was.
    pub(crate) fn welcome(&mut self, configured: impl Fn(&ServiceKey, SocketAddr) -> bool) -> bool {
        let before = self.since.len();
        self.since.retain(|(service, place), _| !configured(service, *place));
        self.due.retain(|key| self.since.contains_key(key));
        self.since.len() < before
    }

    /// Takes in what there is; gives the services of those who go now.
    pub(crate) fn look(&mut self, now: Instant, there: &Activities) -> BTreeSet<ServiceKey> {
        // Of those that are gone nothing is left to do.
        self.since.retain(|key, _| there.contains_key(key));
        let over = |key: &(ServiceKey, SocketAddr), since: Instant| {
            let here = now.saturating_duration_since(since);
            let active = there.get(key).map_or(0, |activity| activity.active);
            here >= MOST || (here >= LEAST && active == 0)
        };
        let due = self.since.iter().filter(|(key, since)| over(key, **since)).map(|(key, _)| *key);
        self.due.extend(due.collect::<Vec<_>>());
        self.due.retain(|key| self.since.contains_key(key));
        self.due.iter().map(|(service, _)| *service).collect()
    }

    fn forget(&mut self, service: ServiceKey, place: SocketAddr) {
        self.since.remove(&(service, place));
        self.due.remove(&(service, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{
        Family, Forwarding, Granularity, Persistence, Protocol, Service, ServiceFlags, VirtualService,
    };

    const PLACE: ([u8; 4], u16) = ([192, 168, 0, 2], 80);

    fn service() -> ServiceKey {
        ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 }
    }

    fn table(weight: u32) -> Table {
        let destination = Destination {
            weight,
            forwarding: Forwarding::Masquerade,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let service_of =
            Service { scheduler: "rr".into(), flags: ServiceFlags::default(), persistence: None };
        let one = VirtualService { service: service_of, destinations: [(PLACE.into(), destination)].into() };
        Table { services: [(service(), one)].into() }
    }

    fn there(active: u32) -> Activities {
        [((service(), PLACE.into()), Activity { active, ..Activity::default() })].into()
    }

    fn ours(_: &ServiceKey, _: SocketAddr) -> bool {
        true
    }

    fn delete() -> Vec<Operation> {
        vec![Operation::DeleteDestination(service(), PLACE.into())]
    }

    #[test]
    fn one_that_a_reload_takes_away_goes_when_its_connections_are_over() {
        let (mut leaving, start) = (Leaving::default(), Instant::now());
        let softened = leaving.soften(start, delete(), &table(3), |_, _| false, ours);
        assert!(
            matches!(softened.as_slice(), [(Operation::SetDestination(_, _, how), false)] if how.weight == 0)
        );
        assert_eq!(leaving.soften(start, delete(), &table(0), |_, _| false, ours), []);
        assert!(leaving.look(start, &there(0)).is_empty(), "not at once");
        assert!(leaving.look(start + LEAST, &there(1)).is_empty(), "it has a connection");
        assert_eq!(leaving.look(start + LEAST * 2, &there(0)), [service()].into());
        assert_eq!(
            leaving.soften(start, delete(), &table(0), |_, _| false, ours),
            [(delete().remove(0), true)]
        );
        assert!(leaving.is_empty());
    }

    #[test]
    fn one_whose_connections_do_not_end_goes_all_the_same_and_one_that_is_wanted_again_stays() {
        let (mut leaving, start) = (Leaving::default(), Instant::now());
        leaving.soften(start, delete(), &table(3), |_, _| false, ours);
        assert_eq!(leaving.look(start + MOST, &there(7)), [service()].into());
        let how = table(3).services[&service()].destinations[&PLACE.into()];
        leaving.soften(
            start,
            vec![Operation::SetDestination(service(), PLACE.into(), how)],
            &table(0),
            |_, _| true,
            ours,
        );
        assert!(leaving.is_empty());
        leaving.soften(start, delete(), &table(3), |_, _| false, ours);
        assert!(
            leaving.look(start, &Activities::new()).is_empty() && leaving.is_empty(),
            "it is not there any more"
        );
    }

    #[test]
    fn one_that_is_down_goes_at_once() {
        let mut leaving = Leaving::default();
        let softened = leaving.soften(Instant::now(), delete(), &table(3), |_, _| true, ours);
        assert_eq!(softened, [(delete().remove(0), false)]);
    }

    #[test]
    fn one_that_is_wanted_again_as_it_is_is_not_looked_at_for_ever() {
        let (mut leaving, start) = (Leaving::default(), Instant::now());
        leaving.soften(start, delete(), &table(3), |_, _| false, ours);
        leaving.look(start + MOST, &there(0));
        assert!(!leaving.welcome(|_, _| false) && !leaving.is_empty());
        assert!(leaving.welcome(|_, _| true) && leaving.is_empty());
    }

    #[test]
    fn one_of_a_persistent_service_goes_at_once() {
        let mut persistent = table(3);
        let service_there = persistent.services.get_mut(&service()).unwrap();
        service_there.service.persistence = Some(Persistence {
            timeout: Duration::from_secs(60),
            granularity: Granularity::single(Family::Inet),
            engine: None,
        });
        let mut leaving = Leaving::default();
        let softened = leaving.soften(Instant::now(), delete(), &persistent, |_, _| false, ours);
        assert_eq!(softened, [(delete().remove(0), false)]);
    }

    #[test]
    fn a_stranger_goes_at_once() {
        let mut leaving = Leaving::default();
        let softened = leaving.soften(Instant::now(), delete(), &table(3), |_, _| false, |_, _| false);
        assert_eq!(softened, [(delete().remove(0), false)]);
        assert!(leaving.is_empty());
    }
}
