//! Samples for tests, here and in the crates of the publishers and consumers: settings with keepalived's own defaults
//! that a test changes where it must, and events out of the air. Compiled with the feature `test-support` only.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_model::Forwarding;

use crate::event::{Event, EventId};
use crate::fact::Fact;
use crate::settings::{AuthKind, GroupSettings, InstanceSettings, RealServerSettings, ServiceSettings};
use crate::subject::{Family, Name, Protocol, RealKey, ServiceKey, VirtualAddress, VrrpState};

/// An event of this number at a fixed time, the first second of 2026.
pub fn event(id: u64, cause: Option<EventId>, fact: impl Into<Fact>) -> Event {
    let at = Timestamp::constant(1_767_225_600, 0);
    Event { id: EventId(id), at, mono: 0, cause, fact: fact.into() }
}

/// The first virtual router of a configuration: number 51 on eth0, priority 100, version 2, one second, no address.
pub fn instance() -> InstanceSettings {
    InstanceSettings {
        position: 1,
        interface: Some("eth0".into()),
        vrid: 51,
        version: 2,
        family: Family::Inet,
        initial_state: VrrpState::Backup,
        priority: 100,
        advert_interval: Duration::from_secs(1),
        preempt: true,
        preempt_delay: Duration::ZERO,
        auth: AuthKind::None,
        source: None,
        addresses: Vec::new(),
        excluded_addresses: Vec::new(),
        garp_master_delay: Duration::from_secs(5),
        garp_master_repeat: 5,
        garp_master_refresh: Duration::ZERO,
        garp_master_refresh_repeat: 1,
        garp_lower_prio_delay: Duration::from_secs(5),
        garp_lower_prio_repeat: 5,
        smtp_alert: false,
        accept: true,
        group: None,
        lvs_sync_daemon_interface: None,
        details: Default::default(),
    }
}

/// The first sync group of a configuration.
pub fn group(members: &[&str]) -> GroupSettings {
    let members = members.iter().map(|member| Name::from(*member)).collect();
    GroupSettings { position: 1, members, smtp_alert: false, details: Default::default() }
}

/// The first virtual server of a configuration.
pub fn service() -> ServiceSettings {
    ServiceSettings {
        position: 1,
        scheduler: "wlc".into(),
        forwarding: Forwarding::Nat,
        persistence: None,
        granularity: None,
        delay_loop: Duration::from_secs(60),
        quorum: 1,
        hysteresis: 0,
        alpha: false,
        omega: false,
        one_packet: false,
        virtualhost: None,
        sorry_server: None,
        quorum_scripts: (None, None),
        smtp_alert: false,
        details: Default::default(),
    }
}

/// The first real server of a virtual server: weight 1, looked at by a `TCP_CHECK`.
pub fn real_server() -> RealServerSettings {
    RealServerSettings {
        position: 1,
        weight: 1,
        forwarding: Forwarding::Nat,
        inhibit_on_failure: false,
        upper_threshold: 0,
        lower_threshold: 0,
        scripts: (None, None),
        virtualhost: None,
        smtp_alert: false,
        checkers: vec!["TCP_CHECK".into()],
        details: Default::default(),
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
