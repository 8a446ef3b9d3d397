//! Maps whose values hold their own key are written as a list of the values: JSON has no keys but strings.

use std::hash::Hash;
use std::net::SocketAddr;

use indexmap::IndexMap;
use serde::de::Deserialize;
use serde::{Deserializer, Serialize, Serializer};

use super::{Group, Instance, Interface, RealServer, RoutingKey, RoutingState, Service, Tracker};
use crate::subject::{Name, ServiceKey};

/// A value that holds its own key.
pub trait Keyed<K> {
    /// It.
    fn key(&self) -> K;
}

impl Keyed<Name> for Interface {
    fn key(&self) -> Name {
        self.name.clone()
    }
}
impl Keyed<Name> for Instance {
    fn key(&self) -> Name {
        self.name.clone()
    }
}
impl Keyed<Name> for Group {
    fn key(&self) -> Name {
        self.name.clone()
    }
}
impl Keyed<Name> for Tracker {
    fn key(&self) -> Name {
        self.settings.key().name
    }
}
impl Keyed<RoutingKey> for RoutingState {
    fn key(&self) -> RoutingKey {
        (self.instance.clone(), self.entry.to_string())
    }
}
impl Keyed<ServiceKey> for Service {
    fn key(&self) -> ServiceKey {
        self.key
    }
}
impl Keyed<SocketAddr> for RealServer {
    fn key(&self) -> SocketAddr {
        self.address
    }
}

pub(crate) fn serialize<S: Serializer, K, V: Serialize>(
    map: &IndexMap<K, V>,
    s: S,
) -> Result<S::Ok, S::Error> {
    s.collect_seq(map.values())
}

pub(crate) fn deserialize<'de, D, K, V>(d: D) -> Result<IndexMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Hash + Eq,
    V: Deserialize<'de> + Keyed<K>,
{
    Ok(Vec::<V>::deserialize(d)?.into_iter().map(|v| (v.key(), v)).collect())
}
