//! What is refused, as what it is counted, and which check comes first when a packet has two faults: keepalived's
//! order, so that the same hostile network gives the same counters.
#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

mod lan;

use std::net::IpAddr;

use keepwatch_bus::fact::AdvertError::{self, *};
use keepwatch_bus::subject::VrrpState::Backup;
use keepwatch_model::UnicastPeer;
use keepwatch_vrrp::spec::{Authentication, Transport, Version};
use keepwatch_vrrp::wire::GROUP_V4;
use keepwatch_vrrp::{Datagram, Definitions, RouterSpec};
use lan::{Lan, definition, spec};

const KINDS: [AdvertError; 11] = [
    PacketLength,
    Checksum,
    Version,
    VirtualRouterId,
    Ttl,
    Type,
    Interval,
    AddressList,
    AuthTypeInvalid,
    AuthTypeMismatch,
    AuthFailure,
];

fn password(spec: &mut RouterSpec) {
    spec.version = Version::V2 { authentication: Authentication::Password(*b"1111\0\0\0\0") };
}

fn version_3(spec: &mut RouterSpec) {
    spec.version = Version::V3 { checksum_as_v2: false };
}

/// What a backup counts for this packet: errors by kind, and whether it took it as a valid advertisement.
fn verdict(change: &dyn Fn(&mut RouterSpec), envelope: &dyn Fn(&mut Envelope)) -> (Vec<AdvertError>, bool) {
    let mut lan = Lan::new(1, 1);
    for priority in [150, 100] {
        let mut spec = spec("VI_1", 0, priority);
        change(&mut spec);
        lan.host(Definitions { routers: vec![definition(spec)], ..Definitions::default() }, 1_000_000);
    }
    lan.start(0);
    lan.run_until(4_000_000, &mut |_| {});
    let packet = lan.last_packet(0);
    lan.start(1);
    let mut sent = Envelope {
        source: IpAddr::from([10, 0, 0, 1]),
        destination: GROUP_V4.into(),
        ttl: 255,
        message: packet[20..].to_vec(),
        sum: true,
    };
    envelope(&mut sent);
    if sent.sum {
        sent.fix_checksum();
    }
    let datagram = Datagram {
        link: lan.hosts[1].links[0],
        source: sent.source,
        destination: sent.destination,
        ttl: Some(sent.ttl),
        ah: None,
        message: &sent.message,
    };
    let now = lan.clock(1);
    let host = &mut lan.hosts[1];
    host.node.receive(now, datagram, &mut host.out);
    let router = host.node.router_named("VI_1").expect("it is defined");
    assert_eq!(router.state(), Backup);
    let counters = router.counters();
    let errors = KINDS.into_iter().filter(|kind| counters.error(*kind).get() > 0).collect();
    (errors, counters.adverts_received.get() == 1)
}

struct Envelope {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    message: Vec<u8>,
    /// Whether the checksum is made right again after the change.
    sum: bool,
}

impl Envelope {
    fn fix_checksum(&mut self) {
        if self.message.len() < 8 {
            return;
        }
        self.message[6..8].fill(0);
        let mut words: Vec<u8> = self.message.clone();
        if self.message[0] >> 4 == 3 {
            for address in [self.source, self.destination] {
                if let IpAddr::V4(address) = address {
                    words.extend(address.octets());
                }
            }
            words.extend([0, 112]);
            words.extend((self.message.len() as u16).to_be_bytes());
        }
        let sum: u32 =
            words.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        self.message[6..8].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    }
}

#[test]
fn each_fault_has_its_counter() {
    type Spec<'a> = &'a dyn Fn(&mut RouterSpec);
    type Change<'a> = &'a dyn Fn(&mut Envelope);
    let plain: Spec<'_> = &|_| {};
    let cases: &[(&str, Spec<'_>, Change<'_>, &[AdvertError], bool)] = &[
        ("nothing", plain, &|_| {}, &[], true),
        ("nothing, password", &password, &|_| {}, &[], true),
        ("nothing, version 3", &version_3, &|_| {}, &[], true),
        ("a byte too many", plain, &|e| e.message.push(0), &[PacketLength], false),
        ("a count too high", plain, &|e| e.message[3] = 2, &[PacketLength], false),
        ("TTL 254", plain, &|e| e.ttl = 254, &[Ttl], false),
        ("version 4", plain, &|e| e.message = [&[0x41], &e.message[1..12]].concat(), &[Version], false),
        ("auth type 3", plain, &|e| e.message[4] = 3, &[AuthTypeInvalid], false),
        ("auth type AH", plain, &|e| e.message[4] = 2, &[AuthTypeMismatch], false),
        ("auth type none", &password, &|e| e.message[4] = 0, &[AuthTypeMismatch], false),
        ("another password", &password, &|e| e.message[12] ^= 1, &[AuthFailure], false),
        ("2 s", plain, &|e| e.message[5] = 2, &[Interval], false),
        ("type 2", plain, &|e| e.message[0] = 0x22, &[Type], false),
        ("a wrong checksum", plain, &|e| (e.message[6] ^= 1, e.sum = false).1, &[Checksum], false),
        ("another address", plain, &|e| e.message[11] = 99, &[AddressList], true),
        ("unicast", plain, &|e| e.destination = [10, 0, 0, 2].into(), &[AddressList], false),
        (
            "version 3: a wrong checksum",
            &version_3,
            &|e| (e.message[6] ^= 1, e.sum = false).1,
            &[Checksum],
            false,
        ),
        ("version 3: no interval", &version_3, &|e| e.message[5] = 0, &[Interval], false),
        ("version 3: reserved bits", &version_3, &|e| e.message[4] |= 0xf0, &[], true),
    ];
    for (what, spec, change, errors, accepted) in cases {
        assert_eq!(verdict(spec, change), (errors.to_vec(), *accepted), "{what}");
    }
}

#[test]
fn of_two_faults_the_first_in_keepalived_s_order_counts() {
    // Every fault, in order; a packet with the fault at hand and all later ones is counted as the fault at hand.
    type Change<'a> = &'a dyn Fn(&mut Envelope);
    let order: &[(AdvertError, Change<'_>)] = &[
        (PacketLength, &|e| e.message.push(0)),
        (Ttl, &|e| e.ttl = 1),
        (AuthTypeInvalid, &|e| e.message[4] = 9),
        (AuthFailure, &|e| e.message[12] ^= 1),
        (Interval, &|e| e.message[5] = 9),
        (Type, &|e| e.message[0] = 0x2f),
        (Checksum, &|e| (e.message[6] ^= 0x10, e.sum = false).1),
        (AddressList, &|e| e.destination = [10, 0, 0, 2].into()),
    ];
    for first in 0..order.len() {
        let change = |envelope: &mut Envelope| order[first..].iter().for_each(|(_, change)| change(envelope));
        assert_eq!(verdict(&password, &change), (vec![order[first].0], false));
    }
}

#[test]
fn the_short_checksum_is_taken_only_by_a_router_that_was_told_to() {
    let as_v2 = |spec: &mut RouterSpec| spec.version = Version::V3 { checksum_as_v2: true };
    assert_eq!(verdict(&as_v2, &|e| e.sum = false), (vec![], true), "its own kind");
    assert_eq!(verdict(&as_v2, &|_| {}), (vec![], true), "and the whole one");
}

#[test]
fn a_unicast_router_checks_its_peers_when_told_to() {
    let unicast = |peer: [u8; 4], check_source, min_ttl| {
        move |spec: &mut RouterSpec| {
            let peer = UnicastPeer { address: peer.into(), min_ttl, max_ttl: None };
            spec.transport = Transport::Unicast { peers: [peer].into(), ttl: 255, check_source };
        }
    };
    let here = |e: &mut Envelope| e.destination = IpAddr::from([10, 0, 0, 2]);
    let far = |e: &mut Envelope| (e.destination = IpAddr::from([10, 0, 0, 2]), e.ttl = 60).1;
    assert_eq!(verdict(&unicast([10, 0, 0, 1], true, None), &here), (vec![], true));
    assert_eq!(verdict(&unicast([10, 0, 0, 1], true, None), &far), (vec![], true), "peers may be far away");
    assert_eq!(verdict(&unicast([10, 0, 0, 1], true, Some(64)), &far), (vec![Ttl], true));
    assert_eq!(verdict(&unicast([10, 0, 0, 9], false, None), &here), (vec![], true));
    assert_eq!(verdict(&unicast([10, 0, 0, 9], true, None), &here), (vec![AddressList], true));
    let multicast = |_: &mut Envelope| {};
    assert_eq!(verdict(&unicast([10, 0, 0, 1], true, None), &multicast), (vec![AddressList], false));
}

#[test]
fn a_unicast_peer_may_sum_as_if_it_sent_to_the_group() {
    let unicast = |spec: &mut RouterSpec| {
        version_3(spec);
        let peer = UnicastPeer { address: [10, 0, 0, 1].into(), min_ttl: None, max_ttl: None };
        spec.transport = Transport::Unicast { peers: [peer].into(), ttl: 255, check_source: false };
    };
    let here = |e: &mut Envelope| e.destination = IpAddr::from([10, 0, 0, 2]);
    let old = |e: &mut Envelope| {
        e.destination = GROUP_V4.into();
        e.fix_checksum();
        (e.destination, e.sum) = (IpAddr::from([10, 0, 0, 2]), false);
    };
    assert_eq!(verdict(&unicast, &here), (vec![], true));
    assert_eq!(verdict(&unicast, &old), (vec![], true));
    assert_eq!(verdict(&unicast, &|e| (old(e), e.message[6] ^= 1).1), (vec![Checksum], false));
}

#[test]
fn routers_with_one_id_are_told_apart_by_group_and_peers() {
    let mut lan = Lan::new(1, 1);
    let mut routers = Vec::new();
    for (name, transport) in [
        ("group_18", Transport::Multicast { group: GROUP_V4.into() }),
        ("group_81", Transport::Multicast { group: [224, 0, 0, 81].into() }),
        ("peer_8", unicast_with([10, 0, 0, 8])),
        ("peer_9", unicast_with([10, 0, 0, 9])),
    ] {
        let mut spec = spec(name, 0, 100);
        spec.transport = transport;
        routers.push(definition(spec));
    }
    lan.host(Definitions { routers, ..Definitions::default() }, 1_000_000);
    lan.start(0);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let here = [10, 0, 0, 1];
    for (name, source, destination) in [
        ("group_18", [10, 0, 0, 8], [224, 0, 0, 18]),
        ("group_81", [10, 0, 0, 8], [224, 0, 0, 81]),
        ("peer_8", [10, 0, 0, 8], here),
        ("peer_9", [10, 0, 0, 9], here),
    ] {
        let mut envelope = Envelope {
            source: source.into(),
            destination: destination.into(),
            ttl: 255,
            message: vec![0x21, 51, 200, 1, 0, 1, 0, 0, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0],
            sum: true,
        };
        envelope.fix_checksum();
        let datagram = Datagram {
            link,
            source: envelope.source,
            destination: envelope.destination,
            ttl: Some(255),
            ah: None,
            message: &envelope.message,
        };
        let host = &mut lan.hosts[0];
        host.node.receive(now, datagram, &mut host.out);
        let router = host.node.router_named(name).expect("it is defined");
        assert_eq!(router.counters().adverts_received.get(), 1, "{name}");
    }
}

fn unicast_with(peer: [u8; 4]) -> Transport {
    let peer = UnicastPeer { address: peer.into(), min_ttl: None, max_ttl: None };
    Transport::Unicast { peers: [peer].into(), ttl: 255, check_source: false }
}

#[test]
fn packets_for_nobody_are_counted_as_such() {
    let mut lan = Lan::new(1, 1);
    lan.host(
        Definitions { routers: vec![definition(spec("VI_1", 0, 100))], ..Definitions::default() },
        1_000_000,
    );
    lan.start(0);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let host = &mut lan.hosts[0];
    let strangers = std::sync::Arc::new(keepwatch_bus::counters::RouterCounters::default());
    host.node = keepwatch_vrrp::Node::new(strangers.clone());
    let link = host.node.link(&"eth0".into()).max(link);
    let datagram = |message| Datagram {
        link,
        source: [10, 0, 0, 9].into(),
        destination: GROUP_V4.into(),
        ttl: Some(255),
        ah: None,
        message,
    };
    host.node.receive(now, datagram(&[0x21, 77, 100, 0, 0, 1, 0, 0]), &mut host.out);
    host.node.receive(now, datagram(&[0x21, 77, 100]), &mut host.out);
    assert_eq!((strangers.vrid_errors.get(), strangers.packet_length_errors.get()), (1, 1));
}
