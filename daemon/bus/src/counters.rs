//! Counters: atomics whose handles a publisher gets once, with the definition of what it is to run. Prometheus,
//! SNMP and the dumps read the same atomics, so they can never disagree, and counting costs one instruction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use keepwatch_model::Config;
use parking_lot::RwLock;
use serde::Serialize;

use crate::fact::AdvertError;
use crate::histogram::{Delays, Histogram, Noted, Works};
use crate::service::FailureCounts;
use crate::subject::{CheckerKey, Name, RealKey, ServiceKey};
use crate::tally::Tallies;
use crate::times::VrrpTimes;

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

    /// Adds to it.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
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

/// One number of a struct of counters, and how it is shown: a row of that struct's `TABLE`.
pub struct Counted<C: 'static, N: 'static = Counter> {
    /// The field.
    pub field: &'static str,
    /// Its metric family, or what tells it from the others of one family.
    pub metric: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The number.
    pub get: fn(&C) -> &N,
}

/// A struct of counters together with the table of them: field, metric family, help. Whatever shows counters goes over
/// the table, so a new one is one line here.
macro_rules! counters {
    ($(#[$meta:meta])* $name:ident of $number:ident { $($field:ident = $metric:literal: $help:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Serialize)]
        pub struct $name {
            $(#[doc = $help] pub $field: $number,)*
        }

        impl $name {
            /// Each of them, in this order.
            pub const TABLE: &[Counted<Self, $number>] = &[
                $(Counted { field: stringify!($field), metric: $metric, help: $help, get: |c| &c.$field },)*
            ];
        }
    };
}

counters! {
    /// What one virtual router counts; the names of fields are those of keepalived's statistics. Metrics that the
    /// keepalived exporter has keep its names.
    VrrpCounters of Counter {
        adverts_received = "keepalived_advertisements_received_total": "Advertisements received",
        adverts_sent = "keepalived_advertisements_sent_total": "Advertisements sent",
        became_master = "keepalived_become_master_total": "Times the virtual router became master",
        released_master = "keepalived_release_master_total": "Times the virtual router stopped being master",
        packet_length_errors = "keepalived_packet_length_errors_total": "Packets of a wrong length",
        interval_errors = "keepalived_advertisements_interval_errors_total": "Packets with another advertisement interval",
        ttl_errors = "keepalived_ip_ttl_errors_total": "Packets with a TTL other than 255",
        invalid_type = "keepalived_invalid_type_received_total": "Packets of an unknown type",
        address_list_errors = "keepalived_address_list_errors_total": "Packets with other addresses",
        invalid_auth_type = "keepalived_authentication_invalid_total": "Packets with an unknown authentication type",
        auth_type_mismatch = "keepalived_authentication_mismatch_total": "Packets with another authentication type",
        auth_failures = "keepalived_authentication_failure_total": "Packets with a wrong password or digest",
        auth_ext_missing = "keepwatch_vrrp_auth_ext_missing_total": "Packets without the signature that auth_hmac wants",
        auth_ext_malformed = "keepwatch_vrrp_auth_ext_malformed_total": "Packets with a malformed signature",
        auth_ext_stale = "keepwatch_vrrp_auth_ext_stale_total": "Packets signed too long ago, or in the future",
        auth_ext_unknown_key = "keepwatch_vrrp_auth_ext_unknown_key_total": "Packets signed with an unknown key",
        auth_ext_invalid_hmac = "keepwatch_vrrp_auth_ext_invalid_hmac_total": "Packets with a wrong signature",
        auth_ext_replay = "keepwatch_vrrp_auth_ext_replay_total": "Packets with a signature that was seen before",
        priority_zero_received = "keepalived_priority_zero_received_total": "Advertisements with priority 0 received",
        priority_zero_sent = "keepalived_priority_zero_sent_total": "Advertisements with priority 0 sent",
        adverts_late = "keepwatch_vrrp_adverts_late_total": "Advertisements that left more than half an interval late",
        send_errors = "keepwatch_vrrp_send_errors_total": "Advertisements that the kernel did not take",
        adverts_detoured = "keepwatch_vrrp_adverts_detoured_total": "Advertisements that left as frames, because the kernel had no room to send them as IP packets",
        announcements_sent = "keepwatch_vrrp_announcements_sent_total": "Gratuitous ARP and neighbour advertisement frames sent",
        checksum_errors = "keepwatch_vrrp_checksum_errors_total": "Packets with a wrong checksum",
        version_errors = "keepwatch_vrrp_version_errors_total": "Packets of another version",
        vrid_errors = "keepwatch_vrrp_vrid_errors_total": "Packets with another virtual router id",
    }
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
            AdvertError::AuthExtMissing => &self.auth_ext_missing,
            AdvertError::AuthExtMalformed => &self.auth_ext_malformed,
            AdvertError::AuthExtStale => &self.auth_ext_stale,
            AdvertError::AuthExtUnknownKey => &self.auth_ext_unknown_key,
            AdvertError::AuthExtInvalidHmac => &self.auth_ext_invalid_hmac,
            AdvertError::AuthExtReplay => &self.auth_ext_replay,
        }
    }
}

counters! {
    /// Packets that belong to no virtual router here (VRRPV3-MIB's router-wide counters): one metric family, and these
    /// are its `error`.
    RouterCounters of Counter {
        checksum_errors = "checksum": "Packets with a wrong checksum",
        version_errors = "version": "Packets of an unknown version",
        vrid_errors = "vrid": "Packets with a virtual router id that nobody here has",
        packet_length_errors = "packet_length": "Packets too short to say whose they are",
    }
}

/// What one tracked script counts.
#[derive(Debug, Default, Serialize)]
pub struct TrackScriptCounters {
    /// Runs that succeeded.
    pub succeeded: Counter,
    /// Runs that failed, in whatever way.
    pub failed: Counter,
    /// Of these, the ones that were ended by their time-out.
    pub timed_out: Counter,
    /// Runs left out because the one before had not ended.
    pub skipped: Counter,
    /// Sum of the time that runs took, microseconds.
    pub took_microseconds: Counter,
    /// How long the last run took, microseconds.
    pub last_took_microseconds: Gauge,
    /// 0 while it is idle, 1 while it runs, 2 when it has been asked to end, 3 when it has been killed.
    pub state: Gauge,
}

/// What one health checker counts.
#[derive(Debug, Default, Serialize)]
pub struct CheckerCounters {
    /// Checks that succeeded.
    pub succeeded: Counter,
    /// Checks that failed, each try counted.
    pub failed: Counter,
    /// Those, by reason.
    pub failures: FailureCounts,
    /// Sum of the time that checks took, microseconds.
    pub took_microseconds: Counter,
    /// How long the last check took, microseconds.
    pub last_took_microseconds: Gauge,
}

counters! {
    /// What IPVS counts for a virtual server or for one real server, as last read from the kernel. Metric families have
    /// `keepwatch_virtual_server_` or `keepwatch_real_server_` before these names; what ends in `_total` only rises, and
    /// rates, which Prometheus makes of those itself, have none.
    ServiceCounters of Gauge {
        connections = "connections_total": "Connections that IPVS scheduled",
        packets_in = "packets_in_total": "Packets from clients",
        packets_out = "packets_out_total": "Packets to clients (NAT only)",
        bytes_in = "bytes_in_total": "Bytes from clients",
        bytes_out = "bytes_out_total": "Bytes to clients (NAT only)",
        active = "active_connections": "Active connections",
        inactive = "inactive_connections": "Inactive connections",
        persistent = "persistent_connections": "Persistent connections",
        connections_per_second = "": "Connections a second",
        packets_in_per_second = "": "Packets from clients a second",
        packets_out_per_second = "": "Packets to clients a second (NAT only)",
        bytes_in_per_second = "": "Bytes from clients a second",
        bytes_out_per_second = "": "Bytes to clients a second (NAT only)",
    }
}

counters! {
    /// What is counted of a FIFO.
    FifoCounters of Counter {
        lines = "keepwatch_fifo_lines_total": "Lines written into a FIFO",
        lost = "keepwatch_fifo_lines_lost_total": "Lines for a FIFO that were lost, because nobody read it",
    }
}

counters! {
    /// What is counted of a destination that events are delivered to: a webhook, an OTLP collector, the managers of SNMP.
    DeliveryCounters of Counter {
        delivered = "keepwatch_delivery_delivered_total": "Messages that a receiver of events took",
        lost = "keepwatch_delivery_lost_total": "Messages for a receiver of events that it will not get",
        failed_tries = "keepwatch_delivery_failed_tries_total": "Tries to hand messages to a receiver of events that failed",
    }
}

/// What notifications of SNMP are as a [delivery](Counters::deliveries).
pub const SNMP_TRAPS: &str = "snmp traps";

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

    /// The same, with the key as it is known here: who keeps that keeps no copy of its own.
    pub fn resolve_shared(&self, key: &K) -> (K, Arc<C>) {
        if let Some((key, known)) = self.0.read().get_key_value(key) {
            return (key.clone(), known.clone());
        }
        (key.clone(), self.resolve(key))
    }

    /// The counters of `key`, if it has any.
    pub fn get(&self, key: &K) -> Option<Arc<C>> {
        self.0.read().get(key).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.read().len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }

    /// Shows all, in the order of the keys. No other one may be made meanwhile: what is done with each is short.
    pub fn each(&self, mut show: impl FnMut(&K, &C)) {
        self.0.read().iter().for_each(|(key, counters)| show(key, counters));
    }

    /// All, in the order of the keys.
    pub fn all(&self) -> Vec<(K, Arc<C>)> {
        self.0.read().iter().map(|(k, c)| (k.clone(), c.clone())).collect()
    }

    /// Forgets the counters of `key`: there is no such thing any more.
    pub fn forget(&self, key: &K) {
        self.0.write().remove(key);
    }

    /// Forgets all whose key does not satisfy `keep`: after a reload took them away.
    pub fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.0.write().retain(|k, _| keep(k));
    }
}

/// The largest of the numbers that came since it was last taken.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    /// Here comes one.
    pub fn note(&self, number: u64) {
        self.0.fetch_max(number, Ordering::Relaxed);
    }

    /// The largest that came since this was last called; 0 if none did.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Whether somebody wants figures that are read from the kernel only when they are wanted.
#[derive(Debug, Default)]
pub struct Demand(AtomicBool);

impl Demand {
    /// Says that they are wanted. Returns at once: those that there are now may be old, and the next ones are not.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether anybody has asked and nobody has seen to it yet.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether anybody asked since this was last called.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Every counter there is.
#[derive(Debug, Default)]
pub struct Counters {
    /// Asked for by whoever shows what IPVS counts, and wants it fresh.
    pub traffic_demand: Arc<Demand>,
    /// By virtual router.
    pub vrrp: Family<Name, VrrpCounters>,
    /// Times, by virtual router.
    pub times: Family<Name, VrrpTimes>,
    /// Of packets that belong to none.
    pub router: Arc<RouterCounters>,
    /// Of virtual routers that a reload took away: part of sums over all, which do not go back.
    pub gone: RouterCounters,
    /// By tracked script.
    pub track_scripts: Family<Name, TrackScriptCounters>,
    /// By checker.
    pub checkers: Family<CheckerKey, CheckerCounters>,
    /// How long the checks of one kind take, by virtual server: all its real servers together, or there would be too many.
    pub checks: Family<(ServiceKey, Name), Histogram<Works>>,
    /// How much later checks begin than they are due, all of them together: they wait for their turn, and for room.
    pub check_delays: Arc<Histogram<Delays>>,
    /// Checks that were under way at once.
    pub checks_at_once: Arc<Peak>,
    /// By virtual server.
    pub services: Family<ServiceKey, ServiceCounters>,
    /// By real server, once IPVS has counted something of it: all are 0 of one that is not here. Who reads the table forgets
    /// those that a reload took away: whoever did so before its last look would find them back after it.
    pub reals: Arc<Family<RealKey, ServiceCounters>>,
    /// By FIFO: its path.
    pub fifos: Family<Name, FifoCounters>,
    /// Mails that wait for the mail server, the one that is under way among them.
    pub mails_waiting: Gauge,
    /// By destination that events are delivered to.
    pub deliveries: Family<Name, DeliveryCounters>,
    /// Events, by [`crate::Fact::kind`].
    pub events: Family<&'static str, Noted>,
    /// What else is counted of events.
    pub tallies: Tallies,
    /// Events that wait, by delivering consumer.
    pub waiting: Family<Name, Gauge>,
    /// Events missed, by consumer.
    pub missed: Family<Name, Counter>,
}

impl Counters {
    /// Forgets what is counted of anything that is not in this configuration. Call it after a reload's publishers have
    /// resolved theirs: what they hold of what is gone counts on unseen, until they let it go too.
    pub fn keep(&self, config: &Config) {
        let instances: HashSet<&Name> = config.instances.iter().map(|instance| &instance.name).collect();
        let (mut services, mut reals) = (HashSet::new(), HashMap::new());
        for (server, entries) in config.services() {
            for service in entries {
                services.insert(service);
                let all = server.real_servers.iter().map(|real| (real.address, &*real.checkers));
                reals.extend(all.map(|(real, checkers)| (RealKey { service, real }, checkers)));
            }
        }
        let fifos = &config.global.notify_fifos;
        let fifos: Vec<_> = [&fifos.all, &fifos.vrrp, &fifos.lvs].into_iter().flatten().collect();
        self.fifos.retain(|path| fifos.iter().any(|fifo| fifo.path.to_string_lossy() == **path));
        let webhooks = &config.observability.webhooks;
        self.deliveries.retain(|name| match name.strip_prefix("webhook ") {
            Some(webhook) => webhooks.iter().any(|known| *known.name == *webhook),
            // Of OTLP, which the environment may ask for, and of SNMP, which the command line may: they see to it.
            None => true,
        });
        self.keep_sums(|name| instances.contains(name));
        self.vrrp.retain(|name| instances.contains(name));
        self.times.retain(|name| instances.contains(name));
        self.tallies.keep(config);
        self.checks.retain(|(service, _)| services.contains(service));
        let scripts: HashSet<&Name> = config.track_scripts.iter().map(|script| &script.name).collect();
        self.track_scripts.retain(|name| scripts.contains(name));
        self.services.retain(|service| services.contains(service));
        self.checkers.retain(|key| {
            let checkers = reals.get(&key.real);
            checkers
                .and_then(|all| all.get(usize::from(key.index)))
                .is_some_and(|c| c.kind.keyword() == &*key.kind)
        });
    }

    /// What those that go have counted of packets whose sum over all virtual routers a MIB shows is kept for that sum.
    fn keep_sums(&self, stays: impl Fn(&Name) -> bool) {
        for (_, gone) in self.vrrp.all().into_iter().filter(|(name, _)| !stays(name)) {
            self.gone.checksum_errors.add(gone.checksum_errors.get());
            self.gone.version_errors.add(gone.version_errors.get());
            self.gone.vrid_errors.add(gone.vrid_errors.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_model::{Instance, RealServer, SorryServer, VirtualRouterId, VirtualServer};

    use super::*;
    use crate::sample;

    fn config(instances: &[&str], reals: &[u8]) -> Config {
        let service = sample::service_key(([10, 0, 0, 1], 80));
        let real_servers = reals.iter().map(|n| {
            let address = ([10, 0, 1, *n], 80).into();
            RealServer { checkers: vec![sample::tcp_check(address).into()], ..RealServer::new(address) }
        });
        let server = VirtualServer {
            sorry_server: Some(SorryServer::new(([10, 0, 2, 1], 80).into())),
            real_servers: real_servers.collect(),
            ..VirtualServer::new(service.into())
        };
        let instance = |name: &&str| Instance::new((*name).into(), "eth0".into(), VirtualRouterId(1));
        Config {
            instances: instances.iter().map(instance).collect(),
            virtual_servers: if reals.is_empty() { Vec::new() } else { vec![server] },
            ..Config::default()
        }
    }

    #[test]
    fn what_a_reload_took_away_is_counted_no_longer_and_what_stays_counts_on() {
        let counters = Counters::default();
        let real = |n| sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, n], 80));
        let checker = |n, kind: &str| CheckerKey::new(real(n), kind, 0);
        for name in ["stays", "goes"] {
            counters.vrrp.resolve(&name.into()).adverts_sent.inc();
            counters.vrrp.resolve(&name.into()).checksum_errors.inc();
        }
        counters.services.resolve(&real(1).service);
        for key in [checker(1, "TCP_CHECK"), checker(1, "HTTP_GET"), checker(2, "TCP_CHECK")] {
            counters.checkers.resolve(&key);
        }

        counters.deliveries.resolve(&"webhook goes".into());
        counters.deliveries.resolve(&"otlp logs".into());

        counters.keep(&config(&["stays"], &[1]));
        let deliveries: Vec<_> = counters.deliveries.all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(deliveries, ["otlp logs".into()]);
        let vrrp = counters.vrrp.all();
        assert_eq!(
            vrrp.iter().map(|(name, c)| (&**name, c.adverts_sent.get())).collect::<Vec<_>>(),
            [("stays", 1)]
        );
        assert_eq!(counters.gone.checksum_errors.get(), 1, "the sum of all does not go back");
        let left: Vec<_> = counters.checkers.all().into_iter().map(|(key, _)| key).collect();
        assert_eq!(left, [checker(1, "TCP_CHECK")], "nor a checker of another kind in its place");

        counters.keep(&config(&["stays"], &[]));
        assert!(counters.services.all().is_empty());
        assert!(counters.checkers.all().is_empty());
    }

    #[test]
    fn every_counter_is_in_its_table_once() {
        let families: std::collections::BTreeSet<&str> =
            VrrpCounters::TABLE.iter().map(|row| row.metric).collect();
        assert_eq!(families.len(), VrrpCounters::TABLE.len());
        let counters = VrrpCounters::default();
        for (n, row) in (1..).zip(VrrpCounters::TABLE) {
            (row.get)(&counters).add(n);
        }
        let json = serde_json::to_value(&counters).unwrap_or_default();
        for (n, row) in (1u64..).zip(VrrpCounters::TABLE) {
            assert_eq!(json[row.field], n, "{}", row.field);
        }
    }
}
