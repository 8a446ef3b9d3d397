//! Counters: atomics whose handles a publisher gets once, with the definition of what it is to run. Prometheus,
//! SNMP and the dumps read the same atomics, so they can never disagree, and counting costs one instruction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::RwLock;
use serde::Serialize;

use crate::fact::AdvertError;
use crate::subject::{CheckerKey, Name, RealKey, ServiceKey};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Serialize for Counter {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(self.get())
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Serialize for Gauge {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(self.get())
    }
}

/// What one virtual router counts; the names are those of keepalived's statistics.
#[derive(Debug, Default, Serialize)]
pub struct VrrpCounters {
    /// Valid advertisements received.
    pub adverts_received: Counter,
    /// Advertisements sent.
    pub adverts_sent: Counter,
    /// Times it became master.
    pub became_master: Counter,
    /// Times it stopped being master.
    pub released_master: Counter,
    /// Advertisements with priority 0 received.
    pub priority_zero_received: Counter,
    /// Advertisements with priority 0 sent.
    pub priority_zero_sent: Counter,
    /// Packets with a wrong length.
    pub packet_length_errors: Counter,
    /// Packets with another advertisement interval.
    pub interval_errors: Counter,
    /// Packets with a TTL other than 255.
    pub ttl_errors: Counter,
    /// Packets of an unknown type.
    pub invalid_type: Counter,
    /// Packets with other addresses.
    pub address_list_errors: Counter,
    /// Packets with an unknown authentication type.
    pub invalid_auth_type: Counter,
    /// Packets with another authentication type.
    pub auth_type_mismatch: Counter,
    /// Packets with a wrong password or digest.
    pub auth_failures: Counter,
    /// Packets with a wrong checksum.
    pub checksum_errors: Counter,
    /// Packets of another version.
    pub version_errors: Counter,
    /// Packets with a virtual router id that nobody has.
    pub vrid_errors: Counter,
    /// Gratuitous ARP and neighbour advertisement frames sent.
    pub announcements_sent: Counter,
    /// Advertisements that left more than half an interval late.
    pub adverts_late: Counter,
    /// Advertisements that the kernel did not take.
    pub send_errors: Counter,
    /// Advertisements that left as frames, because the kernel had no room to send them as IP packets.
    pub adverts_detoured: Counter,
}

impl VrrpCounters {
    /// The counter of one kind of refused packet.
    pub fn error(&self, error: AdvertError) -> &Counter {
        match error {
            AdvertError::PacketLength => &self.packet_length_errors,
            AdvertError::Checksum => &self.checksum_errors,
            AdvertError::Version => &self.version_errors,
            AdvertError::VirtualRouterId => &self.vrid_errors,
            AdvertError::Ttl => &self.ttl_errors,
            AdvertError::Type => &self.invalid_type,
            AdvertError::Interval => &self.interval_errors,
            AdvertError::AddressList => &self.address_list_errors,
            AdvertError::AuthTypeInvalid => &self.invalid_auth_type,
            AdvertError::AuthTypeMismatch => &self.auth_type_mismatch,
            AdvertError::AuthFailure => &self.auth_failures,
        }
    }
}

/// Packets that belong to no virtual router here (VRRPV3-MIB's router-wide counters).
#[derive(Debug, Default, Serialize)]
pub struct RouterCounters {
    /// Packets with a wrong checksum.
    pub checksum_errors: Counter,
    /// Packets of an unknown version.
    pub version_errors: Counter,
    /// Packets with a virtual router id that nobody here has.
    pub vrid_errors: Counter,
    /// Packets too short to say whose they are.
    pub packet_length_errors: Counter,
}

/// What one health checker counts.
#[derive(Debug, Default, Serialize)]
pub struct CheckerCounters {
    /// Checks that succeeded.
    pub succeeded: Counter,
    /// Checks that failed, each try counted.
    pub failed: Counter,
    /// Sum of the time that checks took, microseconds.
    pub took_microseconds: Counter,
    /// How long the last check took, microseconds.
    pub last_took_microseconds: Gauge,
}

/// What IPVS counts for a virtual server or for one real server, as last read from the kernel.
#[derive(Debug, Default, Serialize)]
pub struct ServiceCounters {
    /// Connections scheduled.
    pub connections: Gauge,
    /// Packets in.
    pub packets_in: Gauge,
    /// Packets out.
    pub packets_out: Gauge,
    /// Bytes in.
    pub bytes_in: Gauge,
    /// Bytes out.
    pub bytes_out: Gauge,
    /// Connections a second.
    pub connections_per_second: Gauge,
    /// Packets in a second.
    pub packets_in_per_second: Gauge,
    /// Packets out a second.
    pub packets_out_per_second: Gauge,
    /// Bytes in a second.
    pub bytes_in_per_second: Gauge,
    /// Bytes out a second.
    pub bytes_out_per_second: Gauge,
    /// Active connections (real servers only).
    pub active: Gauge,
    /// Inactive connections (real servers only).
    pub inactive: Gauge,
    /// Persistent connections (real servers only).
    pub persistent: Gauge,
}

/// A family of counters, one a subject.
#[derive(Debug)]
pub struct Family<K, C>(RwLock<BTreeMap<K, Arc<C>>>);

impl<K, C> Default for Family<K, C> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Ord + Clone, C: Default> Family<K, C> {
    /// The counters of `key`, new if it has none. Takes a lock: not for the VRRP thread.
    pub fn resolve(&self, key: &K) -> Arc<C> {
        if let Some(known) = self.0.read().get(key) {
            return known.clone();
        }
        self.0.write().entry(key.clone()).or_default().clone()
    }

    /// The counters of `key`, if it has any.
    pub fn get(&self, key: &K) -> Option<Arc<C>> {
        self.0.read().get(key).cloned()
    }

    /// All, in the order of the keys.
    pub fn all(&self) -> Vec<(K, Arc<C>)> {
        self.0.read().iter().map(|(k, c)| (k.clone(), c.clone())).collect()
    }

    /// Forgets all whose key does not satisfy `keep`: after a reload took them away.
    pub fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.0.write().retain(|k, _| keep(k));
    }
}

/// Every counter there is.
#[derive(Debug, Default)]
pub struct Counters {
    /// By virtual router.
    pub vrrp: Family<Name, VrrpCounters>,
    /// Of packets that belong to none.
    pub router: Arc<RouterCounters>,
    /// By checker.
    pub checkers: Family<CheckerKey, CheckerCounters>,
    /// By virtual server.
    pub services: Family<ServiceKey, ServiceCounters>,
    /// By real server.
    pub reals: Family<RealKey, ServiceCounters>,
    /// Events, by [`crate::Fact::kind`].
    pub events: Family<&'static str, Counter>,
    /// Events missed, by watching consumer.
    pub missed: Family<Name, Counter>,
}
