//! Keywords of which each changes one thing: checksums of old, ids that nobody has.

use std::net::IpAddr;
use std::sync::Arc;

use keepwatch_bus::Fact;
use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::Name;
use keepwatch_model::{InterfaceAddress, UnicastChecksum, UnicastPeer, VirtualRouterId};
use keepwatch_vrrp::spec::{Transport, Version};
use keepwatch_vrrp::wire::GROUP_V4;
use keepwatch_vrrp::{Datagram, Definitions, LinkState, Node, RouterSpec};

use super::lan::{Did, Recorder};
use super::{ms, one};

/// A node at 10.9.0.1 that runs this, after it has become master; what it did since.
fn alone(spec: RouterSpec) -> (Node, Recorder) {
    let (mut node, mut out) = (Node::new(Arc::new(RouterCounters::default())), Recorder::default());
    let now = std::time::Instant::now();
    let link = node.link(&Name::from("eth0"));
    node.link_changed(now, link, LinkState::Up, None, &mut out);
    node.address_added(now, link, [10, 9, 0, 1].into(), &mut out);
    node.apply(now, one(spec), None, &mut out);
    node.handle_timeouts(now + ms(3_700), &mut out);
    (node, out)
}

#[test]
fn the_checksum_of_unicast_is_that_of_keepalived_2_4_3_in_each_of_its_forms() {
    for (vrid, checksum, expected) in [
        (0x47, UnicastChecksum::Detect, "3147640100644b550a090064"),
        (0x48, UnicastChecksum::Old, "314864010064754b0a090065"),
        (0x49, UnicastChecksum::Never, "3149640100644b510a090066"),
    ] {
        let vip = InterfaceAddress::host(IpAddr::from([10, 9, 0, 100 + vrid - 0x47]));
        let mut spec = RouterSpec::new("VI_1".into(), "eth0".into(), VirtualRouterId(vrid), Arc::from([vip]));
        spec.version = Version::V3 { checksum_as_v2: false };
        spec.unicast_checksum = checksum;
        let peer = UnicastPeer { address: [10, 9, 0, 2].into(), min_ttl: None, max_ttl: None };
        spec.transport = Transport::Unicast { peers: [peer].into(), ttl: 255, check_source: false };
        let (_, out) = alone(spec);
        let sent = out.did.iter().find_map(|did| match did {
            Did::Sent { packet, .. } => Some(packet[20..].to_vec()),
            _ => None,
        });
        let hex: String = sent.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected, "{checksum:?}");
    }
}

#[test]
fn ids_that_nobody_has_are_told_if_that_is_wanted_and_not_again_and_again() {
    for wanted in [false, true] {
        let (mut node, mut out) = (Node::new(Arc::new(RouterCounters::default())), Recorder::default());
        let now = std::time::Instant::now();
        let link = node.link(&Name::from("eth0"));
        node.link_changed(now, link, LinkState::Up, None, &mut out);
        node.apply(now, Definitions { tell_unknown: wanted, ..Definitions::default() }, None, &mut out);
        for at in [0, 1_000, 9_999, 10_000] {
            let message = [0x21, 77, 100, 0, 0, 1, 0, 0];
            let datagram = Datagram {
                link,
                source: [10, 9, 0, 2].into(),
                destination: GROUP_V4.into(),
                ttl: Some(255),
                ah: None,
                message: &message,
            };
            node.receive(now + ms(at), datagram, &mut out);
        }
        let told = out.did.iter().filter(|did| {
            matches!(did, Did::Published { fact: Fact::Vrrp(VrrpFact::UnknownVrid { interface: Some(on), vrid: 77, .. }), .. } if &**on == "eth0")
        });
        assert_eq!(told.count(), if wanted { 2 } else { 0 });
    }
}
