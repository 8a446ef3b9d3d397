//! Any sequence of packets and pauses against a router of each version: no panic, and no timer left in the past.
//! Input: records of one byte of pause (milliseconds × 8), one of length, then the message.
#![no_main]

use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::{EventId, Fact};
use keepwatch_model::{InterfaceAddress, VirtualRouterId};
use keepwatch_vrrp::spec::{Authentication, RouterSpec, Version};
use keepwatch_vrrp::wire::GROUP_V4;
use keepwatch_vrrp::{Datagram, Definitions, LinkState, Node, Outbox, Output, RouterDefinition};
use libfuzzer_sys::fuzz_target;

struct Nowhere(u64);

impl Outbox for Nowhere {
    fn publish(&mut self, _: Option<EventId>, _: Fact) -> EventId {
        self.0 += 1;
        EventId(self.0)
    }
    fn act(&mut self, _: Output<'_>) {}
}

fuzz_target!(|bytes: &[u8]| {
    let mut out = Nowhere(0);
    let mut now = Instant::now();
    let mut node = Node::new(Arc::new(RouterCounters::default()));
    let link = node.link(&"eth0".into());
    node.link_changed(now, link, LinkState::Up, None, &mut out);
    node.address_added(now, link, [10, 0, 0, 1].into(), &mut out);
    node.apply(now, definitions(), None, &mut out);
    let mut rest = bytes;
    while let [pause, len, tail @ ..] = rest {
        now += Duration::from_millis(u64::from(*pause) * 8);
        let (message, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        let datagram = Datagram {
            link,
            source: [10, 0, 0, 2].into(),
            destination: GROUP_V4.into(),
            ttl: Some(255),
            ah: None,
            message,
        };
        node.receive(now, datagram, &mut out);
        node.handle_timeouts(now, &mut out);
        assert!(node.next_deadline().is_none_or(|deadline| deadline > now));
    }
});

fn definitions() -> Definitions {
    let routers = [
        Version::V2 { authentication: Authentication::None },
        Version::V2 { authentication: Authentication::Password(*b"12345678") },
        Version::V2 { authentication: Authentication::Ah(*b"12345678") },
        Version::V3 { checksum_as_v2: true },
    ];
    let routers = routers.into_iter().zip(1..).map(|(version, vrid)| {
        let address = InterfaceAddress::host([10, 0, 0, 100 + vrid].into());
        let name = format!("VI_{vrid}").as_str().into();
        let mut spec = RouterSpec::new(name, "eth0".into(), VirtualRouterId(vrid), Arc::from([address]));
        spec.version = version;
        RouterDefinition::detached(spec)
    });
    Definitions { routers: routers.collect(), ..Definitions::default() }
}
