//! Samples for tests, here and in the crates of the publishers and consumers: parts of the model with keepalived's own
//! defaults that a test changes where it must, and events out of the air. Compiled with the feature `test-support` only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_model::{
    CheckTiming, Checker, CheckerKind, Connection, Instance, Name, RealServer, SyncGroup, VirtualRouterId,
    VirtualServer,
};

use crate::event::{Event, EventId};
use crate::fact::Fact;
use crate::subject::{Protocol, RealKey, ServiceKey, VirtualAddress};

/// An event of this number at a fixed time, the first second of 2026.
pub fn event(id: u64, cause: Option<EventId>, fact: impl Into<Fact>) -> Event {
    let at = Timestamp::constant(1_767_225_600, 0);
    Event { id: EventId(id), at, mono: 0, cause, fact: fact.into() }
}

/// `VI_1`: number 51 on eth0, priority 100, version 2, one second, no address.
pub fn instance() -> Instance {
    Instance::new("VI_1".into(), "eth0".into(), VirtualRouterId(51))
}

/// `VG_1`, a sync group of these.
pub fn group(members: &[&str]) -> SyncGroup {
    SyncGroup::new("VG_1".into(), members.iter().map(|member| Name::from(*member)).collect())
}

/// A virtual server: 10.0.0.100, TCP port 80.
pub fn service() -> VirtualServer {
    VirtualServer::new(service_key((Ipv4Addr::new(10, 0, 0, 100), 80)).into())
}

/// A real server of weight 1 at 10.0.1.1:8080, looked at by a `TCP_CHECK`.
pub fn real_server() -> RealServer {
    let address = SocketAddr::from(([10, 0, 1, 1], 8080));
    RealServer { checkers: vec![tcp_check(address).into()], ..RealServer::new(address) }
}

/// A `TCP_CHECK` of this address.
pub fn tcp_check(connect_to: SocketAddr) -> Checker {
    let connection = Connection {
        connect_to,
        bind_to: None,
        bind_port: None,
        bind_interface: None,
        fwmark: None,
        connect_timeout: CheckTiming::CONNECT_TIMEOUT,
    };
    Checker {
        kind: CheckerKind::Tcp(connection),
        delay_loop: Duration::from_secs(60),
        warmup: Duration::from_secs(60),
        retry: 1,
        delay_before_retry: Duration::from_secs(1),
        alpha: false,
        log_all_failures: false,
    }
}

/// A virtual address on an interface.
pub fn virtual_address(address: impl Into<IpAddr>, prefix: u8, interface: &str) -> VirtualAddress {
    VirtualAddress { address: address.into(), prefix, interface: interface.into() }
}

/// The key of a TCP service.
pub fn service_key(at: impl Into<SocketAddr>) -> ServiceKey {
    let at = at.into();
    ServiceKey::Address { address: at.ip(), port: at.port(), protocol: Protocol::Tcp }
}

/// The key of a real server of a TCP service.
pub fn real_key(service: impl Into<SocketAddr>, real: impl Into<SocketAddr>) -> RealKey {
    RealKey { service: service_key(service), real: real.into() }
}
