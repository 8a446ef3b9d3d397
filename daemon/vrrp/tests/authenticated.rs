//! Authentication headers (AH): packets that keepalived 2.2.7 put on a real network, byte for byte, both ways; and what
//! routers with them make of each other on a simulated LAN.
#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

mod lan;

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::Fact;
use keepwatch_bus::fact::{AdvertError, VrrpFact};
use keepwatch_model::UnicastPeer;
use keepwatch_vrrp::spec::{Authentication, Transport, Version};
use keepwatch_vrrp::wire::{AdvertBuffer, AdvertFields, GROUP_V4, Seal, VRRP_TTL};
use keepwatch_vrrp::{Datagram, Definitions, LinkId};
use lan::{Did, Lan, definition, spec};

const VI: &str = "VI_1";
const PASSWORD: &[u8; 8] = b"k@l\0\0\0\0\0";

/// To the group, sequence number 1.
const TO_GROUP: [u8; 68] = [
    0x45, 0xc0, 0x00, 0x44, 0x00, 0x01, 0x00, 0x00, 0xff, 0x33, 0xd0, 0x63, 0x0a, 0x4e, 0x00, 0x02, 0xe0,
    0x00, 0x00, 0x12, 0x70, 0x04, 0x00, 0x00, 0x0a, 0x4e, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0xd2, 0x39,
    0x2c, 0x4b, 0xcf, 0xd1, 0x02, 0xed, 0xb1, 0x15, 0x94, 0x08, 0x21, 0x33, 0x96, 0x02, 0x02, 0x01, 0x35,
    0x61, 0xc0, 0xa8, 0xc8, 0x0a, 0xc0, 0xa8, 0xc8, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// To a unicast peer, 10.78.0.8, sequence number 2.
const TO_PEER: [u8; 68] = [
    0x45, 0xc0, 0x00, 0x44, 0x00, 0x02, 0x00, 0x00, 0xff, 0x33, 0xa6, 0x1f, 0x0a, 0x4e, 0x00, 0x02, 0x0a,
    0x4e, 0x00, 0x08, 0x70, 0x04, 0x00, 0x00, 0x0a, 0x4e, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0xdb, 0x63,
    0x5a, 0xf0, 0x54, 0x1f, 0xaa, 0x87, 0x8c, 0x6f, 0x9e, 0x63, 0x21, 0x33, 0x96, 0x02, 0x02, 0x01, 0x35,
    0x61, 0xc0, 0xa8, 0xc8, 0x0a, 0xc0, 0xa8, 0xc8, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0,
];

fn fits(packet: &[u8], seal: &Seal) -> bool {
    let datagram = Datagram::from_ipv4(LinkId(0), packet).ok();
    datagram.and_then(|datagram| datagram.ah).is_some_and(|header| seal.fits(&header))
}

#[test]
fn packets_are_built_as_keepalived_builds_them() {
    let addresses = [[192, 168, 200, 10], [192, 168, 200, 11]].map(IpAddr::from);
    for (unicast, destination, count, captured) in
        [(false, GROUP_V4.into(), 1, TO_GROUP), (true, IpAddr::from([10, 78, 0, 8]), 2, TO_PEER)]
    {
        let mut buffer = AdvertBuffer::default();
        buffer.build(&AdvertFields {
            version: 2,
            vrid: 51,
            timing: [2, 1],
            addresses: &addresses,
            auth_data: [0; 8],
            pseudo_header: false,
            source: [10, 78, 0, 2].into(),
            ttl: VRRP_TTL,
            ah: true,
            trailer: false,
        });
        let seal = Seal::new(PASSWORD, unicast);
        for sequence in 1..=count {
            buffer.advertise(150);
            buffer.number(sequence);
        }
        assert_eq!(buffer.packet_sealed(destination, &seal), captured);
        assert!(fits(&captured, &seal));
        assert!(!fits(&captured, &Seal::new(b"k@m\0\0\0\0\0", unicast)), "another password");
        assert!(!fits(&captured, &Seal::new(PASSWORD, !unicast)), "the TTL is covered only to a group");
    }
}

#[test]
fn every_bit_counts_but_those_that_may_change_on_the_way() {
    // Type of service, fragment word, header checksum; in the first byte and the length the packet's own shape is told.
    let mutable = |at: usize| matches!(at, 1 | 6 | 7 | 10 | 11);
    let seal = Seal::new(PASSWORD, false);
    for bit in 0..TO_GROUP.len() * 8 {
        let mut packet = TO_GROUP;
        packet[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(fits(&packet, &seal), mutable(bit / 8), "bit {bit}");
    }
    for len in 0..TO_GROUP.len() {
        assert!(!fits(&TO_GROUP[..len], &seal), "{len} bytes");
    }
}

/// Hosts of these priorities and kinds of authentication, one router on each.
fn lan_of(routers: &[(u8, Authentication)]) -> Lan {
    let mut lan = Lan::new(1, 1);
    for (priority, authentication) in routers {
        let mut spec = spec(VI, 0, *priority);
        spec.version = Version::V2 { authentication: authentication.clone() };
        lan.host(Definitions { routers: vec![definition(spec)], ..Definitions::default() }, 1_000_000);
    }
    lan
}

fn ah() -> Authentication {
    Authentication::Ah(*b"12345678")
}

fn run(lan: &mut Lan, seconds: u64) {
    lan.run_for(Duration::from_secs(seconds));
}

/// Wrong authentication, and wrong kinds of it, that a host counted since its start.
fn refused(lan: &Lan, host: usize) -> (u64, u64) {
    let router = lan.hosts[host].node.router_named(VI).expect("it is defined");
    (router.counters().auth_failures.get(), router.counters().error(AdvertError::AuthTypeMismatch).get())
}

#[test]
fn whoever_takes_over_goes_on_with_the_sequence_numbers() {
    let mut lan = lan_of(&[(150, ah()), (100, ah())]);
    lan.start(0);
    lan.start(1);
    run(&mut lan, 30);
    assert_eq!(lan.masters(VI), [0]);
    lan.crash(0);
    lan.hosts[0].addresses[0].truncate(1);
    run(&mut lan, 10);
    assert_eq!(lan.masters(VI), [1]);
    lan.start(0);
    run(&mut lan, 10);
    assert_eq!(lan.masters(VI), [0]);
    assert_eq!((refused(&lan, 0), refused(&lan, 1)), ((0, 0), (0, 0)));
}

#[test]
fn after_a_partition_the_higher_priority_wins_whoever_counted_further() {
    for first in [0, 1] {
        let mut lan = lan_of(&[(150, ah()), (100, ah())]);
        lan.side = vec![0, 1];
        lan.start(first);
        run(&mut lan, 60);
        lan.start(1 - first);
        run(&mut lan, 10);
        assert_eq!(lan.masters(VI), [0, 1]);
        lan.side = vec![0, 0];
        run(&mut lan, 10);
        assert_eq!(lan.masters(VI), [0], "host {first} counted further");
    }
}

#[test]
fn a_router_that_adopts_its_addresses_is_believed_in_the_end() {
    let mut lan = lan_of(&[(150, ah()), (100, ah())]);
    lan.start(0);
    lan.start(1);
    run(&mut lan, 30);
    lan.crash(0);
    lan.start(0);
    run(&mut lan, 20);
    assert_eq!(lan.masters(VI), [0]);
}

#[test]
fn a_packet_is_believed_once() {
    let mut lan = lan_of(&[(150, ah()), (100, ah())]);
    lan.start(0);
    lan.start(1);
    run(&mut lan, 10);
    assert_eq!(refused(&lan, 1), (0, 0));
    let packet = lan.last_packet(0);
    let (now, link) = (lan.clock(1), lan.hosts[1].links[0]);
    let host = &mut lan.hosts[1];
    let deadline = host.node.next_deadline();
    for _ in 0..3 {
        let datagram = Datagram::from_ipv4(link, &packet).expect("whole");
        host.node.receive(now, datagram, &mut host.out);
    }
    assert_eq!(host.node.next_deadline(), deadline, "a replayed packet keeps nobody backup");
    assert_eq!(refused(&lan, 1), (3, 0));
    let told = lan.hosts[1].out.did.iter();
    let told = told.filter(|did| {
        matches!(did, Did::Published { fact: Fact::Vrrp(VrrpFact::AdvertRejected { .. }), .. })
    });
    assert_eq!(told.count(), 1);
}

#[test]
fn another_password_or_another_kind_makes_two_masters_and_counts() {
    let other = Authentication::Ah(*b"87654321");
    let password = Authentication::Password(*b"12345678");
    for (theirs, kind) in [(other, false), (password, true), (Authentication::None, true)] {
        let mut lan = lan_of(&[(150, ah()), (100, theirs)]);
        lan.start(0);
        lan.start(1);
        run(&mut lan, 30);
        assert_eq!(lan.masters(VI), [0, 1]);
        for host in 0..2 {
            let (failures, mismatches) = refused(&lan, host);
            assert_eq!((failures > 20, mismatches > 20), (!kind, kind), "{failures} {mismatches}");
        }
    }
}

#[test]
fn the_wrong_kind_is_told_before_the_value_is_looked_at() {
    let unicast = Transport::Unicast {
        peers: [UnicastPeer { address: [10, 0, 0, 2].into(), min_ttl: None, max_ttl: None }].into(),
        ttl: 64,
        check_source: false,
    };
    let mut spec = spec(VI, 0, 100);
    spec.version = Version::V2 { authentication: ah() };
    spec.transport = unicast;
    let mut lan = Lan::new(1, 1);
    lan.host(Definitions { routers: vec![definition(spec)], ..Definitions::default() }, 1_000_000);
    lan.start(0);
    assert!(lan.hosts[0].node.subscriptions()[0].authenticated);
    let (now, link) = (lan.clock(0), lan.hosts[0].links[0]);
    let message = [0x21, 51, 200, 1, 2, 1, 0, 0, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0];
    let datagram = Datagram {
        link,
        source: [10, 0, 0, 2].into(),
        destination: [10, 0, 0, 1].into(),
        ttl: Some(255),
        ah: None,
        message: &message,
    };
    let host = &mut lan.hosts[0];
    host.node.receive(now, datagram, &mut host.out);
    assert_eq!(refused(&lan, 0), (0, 1));
}
