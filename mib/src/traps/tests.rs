//! What of a virtual server is told depends on what it stands for: an address, a mark or a group.

use keepwatch_bus::fact::ServiceFact;
use keepwatch_bus::subject::{Family, Protocol, RealKey, ServiceKey};
use keepwatch_bus::{Configured, Counters, World, sample};
use keepwatch_model::{VirtualServer, VirtualServerKey};

use super::*;
use crate::rfc::Order;

/// The objects of the checker part that tell of this virtual server's real server, and of its quorum: name and value.
fn told(key: ServiceKey, model: VirtualServer) -> [Vec<(String, String)>; 2] {
    let mut world = World::default();
    let real = RealKey { service: key, real: "192.168.0.2:80".parse().unwrap() };
    let configured =
        ServiceFact::VirtualServerConfigured { service: key, settings: Configured::new(1, model) };
    let settings = Configured::new(1, sample::real_server());
    let server = ServiceFact::RealServerConfigured { real, starts_up: true, checked: true, settings };
    let lost = ServiceFact::QuorumLost { service: key, quorum: 1, hysteresis: 0, weight: 0 };
    let facts = [configured, server, ServiceFact::RealServerDown { real }, lost];
    let counters = Counters::default();
    let mut all = (1..).zip(facts).flat_map(|(id, fact)| {
        let event = sample::event(id, None, fact);
        world.apply(&event);
        let order = Order::of(&world);
        let view = View { world: &world, counters: &counters, order: &order };
        notifications(&event, view, Parts::KEEPALIVED, &Routers::default())
    });
    let shown = |binds: Vec<VarBind>| {
        let of_service = binds.into_iter().filter_map(|bind| {
            let name = bind.name.to_string();
            let column = name.strip_prefix("1.3.6.1.4.1.9586.100.5.3.3.1.")?.to_owned();
            Some((column, format!("{:?}", bind.value)))
        });
        of_service.collect::<Vec<_>>()
    };
    let both = [all.next().unwrap(), all.next().unwrap()].map(shown);
    assert!(all.next().is_none());
    both
}

fn columns(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(column, _)| column.as_str()).collect()
}

fn value_of<'t>(told: &'t [(String, String)], column: &str) -> &'t str {
    told.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value)
}

#[test]
fn an_address_a_mark_and_a_group_are_told_by_what_they_have() {
    let address = |protocol| ServiceKey::Address { protocol, address: "10.0.0.1".parse().unwrap(), port: 80 };
    let (tcp, sctp) = (address(Protocol::Tcp), address(Protocol::Sctp));
    let mark = ServiceKey::Fwmark { fwmark: 7, family: Family::Inet };
    let group =
        |protocol| VirtualServerKey::Group { name: "SG".into(), protocol, family: Some(Family::Inet) };
    for (key, model, of_service, protocol) in [
        (tcp, tcp.into(), &["2", "5", "6", "7", "8"][..], 1),
        (sctp, sctp.into(), &["2", "5", "6", "7", "8"], 3),
        // As in keepalived's, although a mark has no protocol.
        (mark, mark.into(), &["2", "4", "8"], 2),
        (tcp, group(Protocol::Tcp), &["2", "3", "8"], 1),
        // The group's, and not that of a mark in it.
        (mark, group(Protocol::Sctp), &["2", "3", "8"], 3),
    ] {
        let [server, quorum] = told(key, VirtualServer::new(model));
        assert_eq!(columns(&server), [of_service, &["21", "20"]].concat());
        assert_eq!(columns(&quorum), [of_service, &["23", "22", "21", "20"]].concat());
        for told in [&server, &quorum] {
            assert_eq!(value_of(told, "8"), format!("{:?}", value::integer(protocol)), "{key} {told:?}");
        }
    }
}
