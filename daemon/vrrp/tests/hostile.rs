//! Millions of random and mutated packets: nothing panics, nothing grows, nobody is talked out of or into mastership
//! without the right checksum, version and password. Deterministic: the same seeds every run. Ten million packets take
//! a few seconds; `daemon/vrrp/fuzz` looks further.
#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

mod lan;

use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::{RouterCounters, VrrpCounters};
use keepwatch_bus::fact::AdvertError;
use keepwatch_bus::subject::Family;
use keepwatch_bus::{EventId, Fact};
use keepwatch_model::{InterfaceAddress, VirtualRouterId};
use keepwatch_vrrp::spec::{Authentication, Version};
use keepwatch_vrrp::wire::{GROUP_V4, GROUP_V6, Seal};
use keepwatch_vrrp::{Datagram, Definitions, LinkId, LinkState, Node, Outbox, Output, RouterSpec};
use lan::{Dice, definition, spec};

/// Thrown in all, shared out over the cores.
const PACKETS: u64 = 10_000_000;

/// Counts, keeps the last packets, forgets everything else.
#[derive(Default)]
struct Sink {
    events: u64,
    sent: Vec<Vec<u8>>,
}

impl Outbox for Sink {
    fn publish(&mut self, _: Option<EventId>, _: Fact) -> EventId {
        self.events += 1;
        EventId(self.events)
    }

    fn act(&mut self, output: Output<'_>) {
        if let Output::Send(sent) = output {
            if self.sent.len() == 16 {
                self.sent.remove(0);
            }
            self.sent.push(sent.packet.to_vec());
        }
    }
}

/// Every kind of router there is, each with its own id.
fn routers() -> Vec<RouterSpec> {
    let v2 = |authentication| Version::V2 { authentication };
    let mut routers = Vec::new();
    for (vrid, version) in [
        (1, v2(Authentication::None)),
        (2, v2(Authentication::Password(*b"12345678"))),
        (5, v2(Authentication::Ah(*b"12345678"))),
        (3, Version::V3 { checksum_as_v2: false }),
        (4, Version::V3 { checksum_as_v2: true }),
    ] {
        for priority in [100, 255] {
            let mut spec = spec(&format!("VI_{vrid}_{priority}"), 0, priority);
            spec.vrid = VirtualRouterId(vrid + if priority == 255 { 10 } else { 0 });
            spec.version = version.clone();
            routers.push(spec);
        }
    }
    let mut six = spec("VI_6", 0, 100);
    six.family = Family::Inet6;
    six.version = Version::V3 { checksum_as_v2: false };
    six.transport = keepwatch_vrrp::spec::Transport::Multicast { group: GROUP_V6.into() };
    six.addresses =
        ["fe80::100", "2001:db8::100"].map(|a| InterfaceAddress::host(a.parse().expect("an address"))).into();
    six.advertised = 2;
    routers.push(six);
    routers
}

fn node(now: Instant, out: &mut Sink) -> (Node, LinkId) {
    let mut node = Node::new(Arc::new(RouterCounters::default()));
    let link = node.link(&"eth0".into());
    node.link_changed(now, link, LinkState::Up, None, out);
    node.address_added(now, link, [10, 0, 0, 1].into(), out);
    let link_local: std::net::IpAddr = "fe80::1".parse().expect("an address");
    node.address_added(now, link, link_local.into(), out);
    let routers = routers().into_iter().map(definition).collect();
    node.apply(now, Definitions { routers, ..Definitions::default() }, None, out);
    (node, link)
}

/// Noise, or a packet of our own with a few bytes changed, the checksum made to fit every other time.
fn packet(dice: &mut Dice, sent: &[Vec<u8>], bytes: &mut Vec<u8>) {
    bytes.clear();
    if sent.is_empty() || dice.chance(20) {
        let len = dice.below(80);
        bytes.extend((0..len).map(|_| dice.roll() as u8));
        if dice.chance(50) && bytes.len() >= 20 {
            bytes[0] = 0x45;
            bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        }
        return;
    }
    bytes.extend(dice.pick(sent));
    for _ in 0..dice.below(4) {
        let at = dice.below(bytes.len() as u64) as usize;
        bytes[at] = match dice.below(3) {
            0 => dice.roll() as u8,
            1 => bytes[at] ^ (1 << dice.below(8)),
            _ => *dice.pick(&[0, 1, 2, 3, 0x21, 0x31, 255]),
        };
    }
    match dice.below(20) {
        0 => bytes.truncate(dice.below(bytes.len() as u64) as usize),
        1 => bytes.extend([0; 7]),
        _ => {}
    }
    if dice.chance(50) && bytes.len() >= 28 && bytes[0] == 0x45 {
        fix_checksum(bytes);
    }
    if dice.chance(50) && bytes.len() > 44 && bytes[9] == 51 {
        // As somebody who knows the password would: the next number, and the value made to fit.
        bytes[31] = bytes[31].wrapping_add(1);
        Seal::new(b"12345678", false).close(bytes);
    }
}

fn fix_checksum(packet: &mut [u8]) {
    if packet[9] == 51 {
        return;
    }
    packet[26..28].fill(0);
    let mut sum: u32 = 0;
    if packet[20] >> 4 == 3 {
        sum += packet[12..20].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum::<u32>();
        sum += 112 + (packet.len() as u32 - 20);
    }
    let words = packet[20..].chunks(2);
    sum += words.map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[26..28].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// Throws `count` packets at a node, time passing meanwhile; returns the events that they caused and the time passed.
/// What is thrown must be varied enough to be believed now and then, and to be refused for every reason.
fn bombard(seed: u64, count: u64) -> (u64, Duration) {
    let mut dice = Dice(seed);
    let mut out = Sink::default();
    let start = Instant::now();
    let mut now = start;
    let (mut node, link) = node(now, &mut out);
    let mut bytes = Vec::with_capacity(128);
    for _ in 0..count {
        now += Duration::from_micros(dice.below(2_000));
        packet(&mut dice, &out.sent, &mut bytes);
        if dice.chance(10) {
            let datagram = Datagram {
                link,
                source: "fe80::2".parse().expect("an address"),
                destination: GROUP_V6.into(),
                ttl: Some(255),
                ah: None,
                message: bytes.get(20..).unwrap_or(&bytes),
            };
            node.receive(now, datagram, &mut out);
        } else if let Ok(mut datagram) = Datagram::from_ipv4(link, &bytes) {
            if dice.chance(80) {
                datagram.destination = GROUP_V4.into();
                datagram.ttl = Some(255);
            }
            node.receive(now, datagram, &mut out);
        }
        if node.next_deadline().is_some_and(|deadline| deadline <= now) {
            node.handle_timeouts(now, &mut out);
            assert!(node.next_deadline().is_none_or(|deadline| deadline > now), "what was due is done");
        }
    }
    let counters: Vec<_> = node.routers().map(|router| router.counters().clone()).collect();
    let sum = |count: &dyn Fn(&VrrpCounters) -> u64| counters.iter().map(|c| count(c)).sum::<u64>();
    let believed = sum(&|c| c.adverts_received.get());
    assert!(believed > 0, "{believed} of {count} believed");
    for kind in REASONS {
        assert!(sum(&|c| c.error(kind).get()) > 0, "no packet was refused for {kind:?}");
    }
    (out.events, now - start)
}

const REASONS: [AdvertError; 10] = [
    AdvertError::PacketLength,
    AdvertError::Checksum,
    AdvertError::Version,
    AdvertError::Ttl,
    AdvertError::Type,
    AdvertError::Interval,
    AdvertError::AddressList,
    AdvertError::AuthTypeInvalid,
    AdvertError::AuthTypeMismatch,
    AdvertError::AuthFailure,
];

#[test]
fn millions_of_hostile_packets_neither_panic_nor_make_many_events() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let workers: Vec<_> =
        (0..threads).map(|seed| std::thread::spawn(move || bombard(seed, PACKETS / threads))).collect();
    for worker in workers {
        let (events, passed) = worker.join().expect("no panic");
        // Eleven routers; a packet that is believed may change a state, so the bound is generous. What it excludes is
        // an event for every packet.
        let bound = 11 * 100 * (passed.as_secs() + 10);
        assert!(events < bound, "{events} events in {passed:?}");
    }
}

#[test]
fn noise_alone_changes_nothing() {
    let mut dice = Dice(99);
    let mut out = Sink::default();
    let mut now = Instant::now();
    let (mut node, link) = node(now, &mut out);
    now += Duration::from_secs(5);
    node.handle_timeouts(now, &mut out);
    now += Duration::from_millis(1);
    node.handle_timeouts(now, &mut out);
    let (before, deadline) = (out.events, node.next_deadline());
    for _ in 0..PACKETS / 100 {
        let bytes: Vec<u8> = (0..dice.below(64)).map(|_| dice.roll() as u8).collect();
        let datagram = Datagram {
            link,
            source: [10, 0, 0, 9].into(),
            destination: GROUP_V4.into(),
            ttl: Some(254),
            ah: None,
            message: &bytes,
        };
        node.receive(now, datagram, &mut out);
    }
    assert!(out.events - before <= 11 * 11, "one refusal of each kind for each router at most");
    assert_eq!(node.next_deadline(), deadline, "refused packets move no timer");
}
