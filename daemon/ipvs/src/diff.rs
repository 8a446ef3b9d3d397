//! What must be done to make one table into another: the heart of the reconciler, without I/O.
//!
//! In go the desired table and the actual one; out come the fewest operations that lead from one to the other, in an
//! order in which a service that has a live real server before and after has one at every step between.

use std::collections::BTreeSet;

use crate::table::{Destination, Forwarding, Operation, ServiceKey, Table, VirtualService};

/// Operations that turn `actual` into `desired`, one for every service and real server that differs.
///
/// Services appear before others disappear. Within a service, machines that take connections come before machines
/// that stop taking them, and those are removed last.
#[must_use]
pub fn diff(desired: &Table, actual: &Table) -> Vec<Operation> {
    diff_of(desired.services.keys().chain(actual.services.keys()), desired, actual)
}

/// The same for some services, which may be named twice.
pub(crate) fn diff_of<'a>(
    services: impl IntoIterator<Item = &'a ServiceKey>,
    desired: &Table,
    actual: &Table,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut gone = Vec::new();
    for key in services.into_iter().collect::<BTreeSet<_>>() {
        match (desired.services.get(key), actual.services.get(key)) {
            (Some(wanted), Some(present)) => change(*key, wanted, present, &mut operations),
            (Some(wanted), None) => create(*key, wanted, &mut operations),
            (None, Some(_)) => gone.push(Operation::DeleteService(*key)),
            (None, None) => (),
        }
    }
    operations.append(&mut gone);
    operations
}

fn create(key: ServiceKey, wanted: &VirtualService, operations: &mut Vec<Operation>) {
    operations.push(Operation::AddService(key, wanted.service.clone()));
    operations.extend(
        wanted.destinations.iter().map(|(server, how)| Operation::AddDestination(key, *server, *how)),
    );
}

fn change(
    key: ServiceKey,
    wanted: &VirtualService,
    present: &VirtualService,
    operations: &mut Vec<Operation>,
) {
    if wanted.service != present.service {
        operations.push(Operation::SetService(key, wanted.service.clone()));
    }
    let mut dying = Vec::new();
    for (server, how) in &wanted.destinations {
        let operation = match present.destinations.get(server) {
            None => Operation::AddDestination(key, *server, *how),
            Some(is) if !is_same(how, is) => Operation::SetDestination(key, *server, *how),
            Some(_) => continue,
        };
        if how.is_live() { operations.push(operation) } else { dying.push(operation) }
    }
    operations.append(&mut dying);
    let gone = present.destinations.keys().filter(|server| !wanted.destinations.contains_key(server));
    operations.extend(gone.map(|server| Operation::DeleteDestination(key, *server)));
}

/// Whether the kernel's entry is what was asked for. A kernel that finds the real server to be itself says so in place
/// of the forwarding method; asking again would change nothing.
fn is_same(wanted: &Destination, is: &Destination) -> bool {
    let forwarding = if is.forwarding == Forwarding::Local { wanted.forwarding } else { is.forwarding };
    *wanted == Destination { forwarding, ..*is }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use proptest::{collection::btree_map, option, prelude::*};

    use super::*;
    use crate::table::{Encapsulation, Family, Granularity, Persistence, Protocol, Service, ServiceFlags};

    fn keys() -> impl Strategy<Value = ServiceKey> {
        prop_oneof![
            (0..3u8, 80..82u16).prop_map(|(n, port)| ServiceKey::Address {
                protocol: Protocol::Tcp,
                address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)),
                port,
            }),
            (1..3u32).prop_map(|fwmark| ServiceKey::Fwmark { fwmark, family: Family::Inet6 }),
        ]
    }

    fn services() -> impl Strategy<Value = Service> {
        let persistence = option::of((1..3u64).prop_map(|minutes| Persistence {
            timeout: std::time::Duration::from_secs(minutes * 60),
            granularity: Granularity::single(Family::Inet),
            engine: None,
        }));
        (prop_oneof!["rr", "wlc"], persistence).prop_map(|(scheduler, persistence)| Service {
            scheduler,
            flags: ServiceFlags::default(),
            persistence,
        })
    }

    fn destinations() -> impl Strategy<Value = Destination> {
        let forwarding =
            prop_oneof![Just(Forwarding::Masquerade), Just(Forwarding::Tunnel(Encapsulation::Ipip))];
        (0..3u32, forwarding).prop_map(|(weight, forwarding)| Destination {
            weight,
            forwarding,
            upper_threshold: 0,
            lower_threshold: 0,
        })
    }

    fn tables() -> impl Strategy<Value = Table> {
        let servers = (0..5u8).prop_map(|n| SocketAddr::from(([192, 168, 0, n], 80)));
        let virtual_services = (services(), btree_map(servers, destinations(), 0..5))
            .prop_map(|(service, all)| VirtualService { service, destinations: all.into_iter().collect() });
        btree_map(keys(), virtual_services, 0..6).prop_map(|services| Table { services })
    }

    proptest! {
        #[test]
        fn the_operations_lead_to_the_desired_table(desired in tables(), mut actual in tables()) {
            for operation in diff(&desired, &actual) {
                prop_assert_eq!(actual.apply(&operation), Ok(()), "{}", operation);
            }
            prop_assert_eq!(actual, desired);
        }

        #[test]
        fn done_together_they_do_what_they_do_one_by_one(
            tables in (tables(), tables(), tables()),
            mut one in tables(),
        ) {
            // Some of them twice, and some for a table that is not there.
            let (a, b, c) = tables;
            let operations = [diff(&a, &b), diff(&c, &b), diff(&c, &a)].concat();
            let mut all = one.clone();
            let refused = all.apply_all(&operations);
            let each = operations.iter().enumerate().filter_map(|(n, op)| Some((n, one.apply(op).err()?)));
            prop_assert_eq!(refused, each.collect::<Vec<_>>());
            prop_assert_eq!(all, one);
        }

        #[test]
        fn a_service_that_is_live_before_and_after_is_live_all_the_way(desired in tables(), mut actual in tables()) {
            let live = |table: &Table, key| table.services.get(key).is_some_and(VirtualService::is_live);
            let guarded: Vec<_> =
                desired.services.keys().filter(|key| live(&desired, key) && live(&actual, key)).copied().collect();
            for operation in diff(&desired, &actual) {
                actual.apply(&operation).unwrap();
                for key in &guarded {
                    prop_assert!(live(&actual, key), "{} is dead after: {}", key, operation);
                }
            }
        }

        #[test]
        fn nothing_is_touched_twice_and_nothing_without_need(desired in tables(), actual in tables()) {
            let operations = diff(&desired, &actual);
            let mut touched = std::collections::BTreeSet::new();
            for operation in &operations {
                let server = match operation {
                    Operation::AddDestination(_, server, _)
                    | Operation::SetDestination(_, server, _)
                    | Operation::DeleteDestination(_, server) => Some(*server),
                    Operation::AddService(..) | Operation::SetService(..) | Operation::DeleteService(_) => None,
                };
                prop_assert!(touched.insert((*operation.service(), server)), "{} comes twice", operation);
            }
            prop_assert!(diff(&desired, &desired).is_empty());
        }
    }

    #[test]
    fn a_real_server_that_the_kernel_calls_local_is_left_as_it_is() {
        let wanted = Destination {
            weight: 1,
            forwarding: Forwarding::DirectRouting,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        assert!(is_same(&wanted, &Destination { forwarding: Forwarding::Local, ..wanted }));
        assert!(!is_same(&wanted, &Destination { weight: 2, forwarding: Forwarding::Local, ..wanted }));
    }
}
