//! The table of virtual servers as the kernel knows it: which packets are spread over which machines, and how.
//!
//! The same type serves for what we want (computed from configuration and health) and for what there is (read from
//! the kernel): `crate::diff` tells the two apart. A [`Table`] can also be changed by [`Operation`]s by itself, with
//! the answers that the kernel would give; that is the whole of the memory data plane.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use keepwatch_bus::FlatMap;
pub use keepwatch_bus::subject::{Family, Protocol, ServiceKey};

/// Clients this close together are one client to persistence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// A network mask, of an IPv4 service.
    Mask(Ipv4Addr),
    /// A prefix length from 1 to 128, of an IPv6 service.
    Prefix(u8),
}

impl Granularity {
    /// Every address is a client of its own.
    #[must_use]
    pub fn single(family: Family) -> Self {
        match family {
            Family::Inet => Self::Mask(Ipv4Addr::BROADCAST),
            Family::Inet6 => Self::Prefix(128),
        }
    }
}

/// A client that was here before goes to the same real server again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// For how long after the client's last connection; whole seconds.
    pub timeout: Duration,
    /// What counts as the same client.
    pub granularity: Granularity,
    /// Persistence engine, such as `sip`.
    pub engine: Option<String>,
}

/// Flags of a service that change how its scheduler works (`IP_VS_SVC_F_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceFlags(u32);

impl ServiceFlags {
    /// Every datagram is scheduled by itself (UDP only).
    pub const ONE_PACKET: Self = Self(0x0004);
    /// First flag of the scheduler: `sh-fallback`, `mh-fallback`.
    pub const SCHEDULER_1: Self = Self(0x0008);
    /// Second flag of the scheduler: `sh-port`, `mh-port`.
    pub const SCHEDULER_2: Self = Self(0x0010);
    /// Third flag of the scheduler.
    pub const SCHEDULER_3: Self = Self(0x0020);

    const ALL: u32 = 0x003c;

    /// Takes from the kernel's word those flags that a user may set.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL)
    }

    /// The kernel's word.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl std::ops::BitOr for ServiceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How a virtual service treats what arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The scheduler's name, such as `rr` or `wlc`.
    pub scheduler: String,
    /// The scheduler's flags.
    pub flags: ServiceFlags,
    /// Whether clients come back to their server.
    pub persistence: Option<Persistence>,
}

/// What wraps a packet on its way through a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encapsulation {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation.
    Gue {
        /// UDP port at the real server.
        port: u16,
        /// `IP_VS_TUNNEL_ENCAP_FLAG_*`: bit 0 checksum, bit 1 remote checksum.
        flags: u16,
    },
    /// Generic routing encapsulation.
    Gre {
        /// `IP_VS_TUNNEL_ENCAP_FLAG_*`: bit 0 checksum.
        flags: u16,
    },
}

/// How packets get to a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Addresses are rewritten, both ways (NAT).
    Masquerade,
    /// The server is this machine; only the kernel says so.
    Local,
    /// Through a tunnel (TUN).
    Tunnel(Encapsulation),
    /// Unchanged, to the server's link-layer address (DR).
    DirectRouting,
    /// Past the cache; only the kernel says so.
    Bypass,
    /// In a way that we do not know: the kernel keeps whatever anybody has put there.
    Unknown {
        /// `IP_VS_CONN_F_FWD_MASK` of the connection flags.
        method: u32,
        /// `IP_VS_CONN_F_TUNNEL_TYPE_*`.
        tunnel: u8,
    },
}

/// A real server in a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Its share of new connections; none at 0, while old ones go on.
    pub weight: u32,
    /// How packets get there.
    pub forwarding: Forwarding,
    /// No new connections from this many on; 0 for no limit.
    pub upper_threshold: u32,
    /// New connections again below this many; 0 for three quarters of the upper one.
    pub lower_threshold: u32,
}

impl Destination {
    /// Whether it takes new connections.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.weight > 0
    }
}

/// A virtual service and its real servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualService {
    /// How it treats what arrives.
    pub service: Service,
    /// The machines behind it.
    pub destinations: FlatMap<SocketAddr, Destination>,
}

impl VirtualService {
    /// Whether any real server takes new connections.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.destinations.values().any(Destination::is_live)
    }
}

/// One change of a table; each is one message to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Makes a service, without real servers.
    AddService(ServiceKey, Service),
    /// Changes how a service treats what arrives.
    SetService(ServiceKey, Service),
    /// Removes a service and its real servers.
    DeleteService(ServiceKey),
    /// Puts a real server into a service.
    AddDestination(ServiceKey, SocketAddr, Destination),
    /// Changes a real server in a service.
    SetDestination(ServiceKey, SocketAddr, Destination),
    /// Takes a real server out of a service.
    DeleteDestination(ServiceKey, SocketAddr),
}

impl Operation {
    /// The service that is changed.
    #[must_use]
    pub fn service(&self) -> &ServiceKey {
        match self {
            Self::AddService(service, _)
            | Self::SetService(service, _)
            | Self::DeleteService(service)
            | Self::AddDestination(service, ..)
            | Self::SetDestination(service, ..)
            | Self::DeleteDestination(service, _) => service,
        }
    }

    /// The place in it that is changed; none if it is the service itself.
    #[must_use]
    pub fn place(&self) -> Option<SocketAddr> {
        match self {
            Self::AddService(..) | Self::SetService(..) | Self::DeleteService(_) => None,
            Self::AddDestination(_, place, _)
            | Self::SetDestination(_, place, _)
            | Self::DeleteDestination(_, place) => Some(*place),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddService(service, how) => write!(f, "add service {service} ({})", how.scheduler),
            Self::SetService(service, how) => write!(f, "change service {service} ({})", how.scheduler),
            Self::DeleteService(service) => write!(f, "delete service {service}"),
            Self::AddDestination(service, server, how) => {
                write!(f, "add real server {server} to {service} (weight {})", how.weight)
            }
            Self::SetDestination(service, server, how) => {
                write!(f, "change real server {server} of {service} (weight {})", how.weight)
            }
            Self::DeleteDestination(service, server) => {
                write!(f, "delete real server {server} from {service}")
            }
        }
    }
}

/// Why a table did not take an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What should be added is there already (the kernel's EEXIST).
    #[error("it is there already")]
    Exists,
    /// The service is not there (the kernel's ESRCH).
    #[error("there is no such service")]
    NoService,
    /// The real server is not there (the kernel's ENOENT).
    #[error("there is no such real server")]
    NoDestination,
}

/// Virtual services by their key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The services; a plain map, to be filled and read freely.
    pub services: BTreeMap<ServiceKey, VirtualService>,
}

impl Table {
    /// Does what the operation says.
    ///
    /// # Errors
    /// As the kernel would: what is there can't be added, what is not there can't be changed or removed.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Refused> {
        match operation {
            Operation::AddService(key, service) => match self.services.entry(*key) {
                Entry::Occupied(_) => Err(Refused::Exists),
                Entry::Vacant(place) => {
                    place.insert(VirtualService { service: service.clone(), destinations: FlatMap::new() });
                    Ok(())
                }
            },
            Operation::SetService(key, service) => {
                self.service(key)?.service = service.clone();
                Ok(())
            }
            Operation::DeleteService(key) => self.services.remove(key).map(drop).ok_or(Refused::NoService),
            Operation::AddDestination(key, server, destination) => {
                let destinations = &mut self.service(key)?.destinations;
                if destinations.contains_key(server) {
                    return Err(Refused::Exists);
                }
                destinations.insert(*server, *destination);
                Ok(())
            }
            Operation::SetDestination(key, server, destination) => {
                *self.service(key)?.destinations.get_mut(server).ok_or(Refused::NoDestination)? =
                    *destination;
                Ok(())
            }
            Operation::DeleteDestination(key, server) => {
                self.service(key)?.destinations.remove(server).map(drop).ok_or(Refused::NoDestination)
            }
        }
    }

    /// Does operations one after the other; gives back those that were refused, by their places. Real servers that leave a
    /// service one after the other, as all do at a switch to the sorry server, leave its map together.
    pub fn apply_all<'a>(
        &mut self,
        operations: impl IntoIterator<Item = &'a Operation>,
    ) -> Vec<(usize, Refused)> {
        let operations: Vec<_> = operations.into_iter().enumerate().collect();
        let mut refused = Vec::new();
        let leaves = |operation: &Operation| match operation {
            Operation::DeleteDestination(service, _) => Some(*service),
            _ => None,
        };
        for together in operations
            .chunk_by(|(_, one), (_, next)| leaves(one).is_some_and(|from| leaves(next) == Some(from)))
        {
            match together {
                [(_, Operation::DeleteDestination(from, _)), _, ..] => {
                    self.remove_all(from, together, &mut refused);
                }
                _ => refused.extend(together.iter().filter_map(|(n, op)| Some((*n, self.apply(op).err()?)))),
            }
        }
        refused
    }

    fn remove_all(
        &mut self,
        service: &ServiceKey,
        operations: &[(usize, &Operation)],
        refused: &mut Vec<(usize, Refused)>,
    ) {
        let Ok(VirtualService { destinations, .. }) = self.service(service) else {
            refused.extend(operations.iter().map(|(n, _)| (*n, Refused::NoService)));
            return;
        };
        let mut gone = BTreeSet::new();
        for (n, operation) in operations {
            let server = operation.place().filter(|server| destinations.contains_key(server));
            if !server.is_some_and(|server| gone.insert(server)) {
                refused.push((*n, Refused::NoDestination));
            }
        }
        destinations.retain(|server, _| !gone.contains(server));
    }

    fn service(&mut self, key: &ServiceKey) -> Result<&mut VirtualService, Refused> {
        self.services.get_mut(key).ok_or(Refused::NoService)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};

    use super::*;
    use crate::fixture::VIP;

    /// The processor's time that it takes, whatever else the machine does.
    fn cost(work: impl FnOnce()) -> Duration {
        let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let before = now();
        work();
        now() - before
    }

    #[test]
    fn thousands_that_leave_together_cost_little_more_than_when_they_came() {
        let service =
            Service { scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None };
        let how = Destination {
            weight: 1,
            forwarding: Forwarding::Masquerade,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let servers = (0..20_000_u32).map(|n| SocketAddr::from((Ipv4Addr::from_bits(n), 80)));
        let (coming, leaving): (Vec<_>, Vec<_>) = servers
            .map(|to| (Operation::AddDestination(VIP, to, how), Operation::DeleteDestination(VIP, to)))
            .unzip();
        let mut table = Table::default();
        table.apply(&Operation::AddService(VIP, service)).unwrap();
        let came = cost(|| assert_eq!(table.apply_all(&coming), []));
        let left = cost(|| assert_eq!(table.apply_all(&leaving), []));
        assert!(table.services[&VIP].destinations.is_empty());
        // One by one from the front each moves all others: more than a hundred times as much.
        assert!(left < came * 20, "{came:?} to come, {left:?} to leave");
    }
}
