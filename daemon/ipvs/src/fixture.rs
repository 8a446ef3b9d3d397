//! A virtual server for tests: 10.0.0.1:80 with real servers 192.168.0.N.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use keepwatch_bus::{
    Configured, Health,
    subject::{Protocol, ServiceKey},
};
use keepwatch_model::{RealServer, VirtualServer};

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
        starts: Health::UP,
        checked: true,
        settings: Configured::new(1, RealServer::new(web(1))),
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
        settings: Configured::new(
            1,
            VirtualServer { scheduler: "rr".into(), ..VirtualServer::new(VIP.into()) },
        ),
    }
}
