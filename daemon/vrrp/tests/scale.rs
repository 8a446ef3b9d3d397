//! Thousands of virtual routers: the work for one event must not grow with their number. No times are asserted tighter
//! than an order of magnitude; quadratic work would miss these bounds by far.

mod lan;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{EventId, Fact};
use keepwatch_model::{InterfaceAddress, VirtualRouterId};
use keepwatch_vrrp::{
    Datagram, Definitions, LinkId, LinkState, Node, Outbox, Output, RouterDefinition, RouterSpec,
};

/// The man page's largest example: 254 ids on each of 256 interfaces.
const LINKS: u16 = 256;
const IDS: u8 = 254;

/// Keeps the packets.
#[derive(Default)]
struct Wire {
    events: u64,
    sent: Vec<(LinkId, Vec<u8>)>,
}

impl Outbox for Wire {
    fn publish(&mut self, _: Option<EventId>, _: Fact) -> EventId {
        self.events += 1;
        EventId(self.events)
    }

    fn act(&mut self, output: Output<'_>) {
        if let Output::Send(sent) = output {
            self.sent.push((sent.link, sent.packet.to_vec()));
        }
    }
}

fn definitions(priority: u8) -> Definitions {
    let mut routers = Vec::new();
    for link in 0..LINKS {
        for id in 1..=IDS {
            let vip = Ipv4Addr::from(0x0b00_0000 + u32::from(link) * 256 + u32::from(id));
            let addresses = Arc::from([InterfaceAddress::host(vip.into())]);
            let name = format!("VI_{link}_{id}").as_str().into();
            let interface = format!("eth{link}").as_str().into();
            let mut spec = RouterSpec::new(name, interface, VirtualRouterId(id), addresses);
            spec.priority.0 = priority;
            routers.push(RouterDefinition::detached(spec));
        }
    }
    Definitions { routers, ..Definitions::default() }
}

fn host(now: Instant, number: u8, out: &mut Wire) -> Node {
    let mut node = Node::new(Arc::new(RouterCounters::default()));
    for link in 0..LINKS {
        let id = node.link(&format!("eth{link}").as_str().into());
        node.link_changed(now, id, LinkState::Up, None, out);
        node.address_added(now, id, [10, (link >> 8) as u8, link as u8, number].into(), out);
    }
    node
}

#[test]
fn sixty_five_thousand_routers_start_elect_and_listen_without_quadratic_work() {
    let began = Instant::now();
    let (mut wire_a, mut wire_b) = (Wire::default(), Wire::default());
    let mut now = began;
    let (mut a, mut b) = (host(now, 1, &mut wire_a), host(now, 2, &mut wire_b));
    a.apply(now, definitions(200), None, &mut wire_a);
    b.apply(now, definitions(100), None, &mut wire_b);
    let all = usize::from(LINKS) * usize::from(IDS);
    for _ in 0..6 {
        now += Duration::from_secs(1);
        a.handle_timeouts(now, &mut wire_a);
        for (link, packet) in wire_a.sent.drain(..) {
            if let Ok(datagram) = Datagram::from_ipv4(link, &packet) {
                b.receive(now, datagram, &mut wire_b);
            }
        }
        b.handle_timeouts(now, &mut wire_b);
    }
    let masters = |node: &Node| node.routers().filter(|router| router.state() == VrrpState::Master).count();
    assert_eq!((masters(&a), masters(&b)), (all, 0));
    let events = wire_b.events;
    b.apply(now, definitions(100), None, &mut wire_b);
    assert_eq!(wire_b.events, events, "a reload of the same is not noticed");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
