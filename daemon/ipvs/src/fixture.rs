//! A virtual server for tests: 10.0.0.1:80 with real servers 192.168.0.N.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use keepwatch_bus::{
    settings::{RealServerSettings, ServiceSettings},
    subject::{self, Protocol, ServiceKey},
};

use crate::{
    definition::{Definition, Server},
    table::{Forwarding, Service, ServiceFlags},
};

pub(crate) const VIP: ServiceKey = ServiceKey::Address {
    address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    port: 80,
    protocol: Protocol::Tcp,
};

pub(crate) fn web(n: u8) -> SocketAddr {
    ([192, 168, 0, n], 8080).into()
}

pub(crate) fn server(weight: u32) -> Server {
    Server {
        weight,
        forwarding: Forwarding::Masquerade,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        starts_up: true,
        checked: true,
        settings: RealServerSettings {
            position: 1,
            weight: 1,
            forwarding: subject::Forwarding::Nat,
            inhibit_on_failure: false,
            upper_threshold: 0,
            lower_threshold: 0,
            scripts: (None, None),
            virtualhost: None,
            smtp_alert: false,
            checkers: Vec::new(),
            details: Default::default(),
        },
    }
}

pub(crate) fn definition(servers: impl IntoIterator<Item = (u8, Server)>) -> Definition {
    Definition {
        key: VIP,
        entries: vec![VIP],
        service: Service { scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None },
        quorum: 1,
        hysteresis: 0,
        servers: servers.into_iter().map(|(n, server)| (web(n), server)).collect(),
        sorry: None,
        settings: ServiceSettings {
            position: 1,
            scheduler: "rr".to_owned(),
            forwarding: subject::Forwarding::Nat,
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
        },
    }
}
