//! The codec against packets that keepalived 2.4.3 put on a real network, byte for byte, both ways.
#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepwatch_bus::subject::Family;
use keepwatch_vrrp::wire::{
    AdvertBuffer, AdvertFields, AuthType, Datagram, DecodeError, GROUP_V4, GROUP_V6, HEADER_LEN, Message,
    PacketType, VRRP_TTL,
};
use keepwatch_vrrp::{LinkId, wire};

/// Version 2, PASS `1111`, two addresses: an IPv4 packet.
const V2_PASS: [u8; 44] = [
    0x45, 0xc0, 0x00, 0x2c, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0xd0, 0x84, 0x0a, 0x09, 0x00, 0x01, 0xe0,
    0x00, 0x00, 0x12, 0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0xd0, 0x8b, 0x0a, 0x09, 0x00, 0x64, 0x0a, 0x09,
    0x00, 0x65, 0x31, 0x31, 0x31, 0x31, 0x00, 0x00, 0x00, 0x00,
];

/// Version 3, interval 250 ms, one address: an IPv4 packet.
const V3: [u8; 32] = [
    0x45, 0xc0, 0x00, 0x20, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0xd0, 0x90, 0x0a, 0x09, 0x00, 0x01, 0xe0,
    0x00, 0x00, 0x12, 0x31, 0x07, 0xc8, 0x01, 0x00, 0x19, 0x11, 0xd8, 0x0a, 0x09, 0x00, 0x64,
];

/// Version 3 over IPv6, two addresses: the message without the IPv6 header.
const V3_IPV6: [u8; 40] = [
    0x31, 0x09, 0xc8, 0x02, 0x00, 0x19, 0xf1, 0xc1, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01,
    0x00, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
];

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 9, 0, last).into()
}

fn v6_source() -> IpAddr {
    "fe80::c030:5cff:fec8:ccb7".parse().expect("an address")
}

/// What the captured version 3 packet says, with these addresses.
fn version_3(addresses: &[IpAddr]) -> AdvertFields<'_> {
    AdvertFields {
        version: 3,
        vrid: 7,
        timing: [0, 25],
        addresses,
        auth_data: [0; 8],
        pseudo_header: true,
        source: v4(1),
        ttl: VRRP_TTL,
        ah: false,
        trailer: false,
    }
}

fn build(fields: &AdvertFields<'_>, priority: u8, destination: IpAddr) -> Vec<u8> {
    let mut buffer = AdvertBuffer::default();
    buffer.build(fields);
    buffer.advertise(priority);
    buffer.packet(destination).to_vec()
}

#[test]
fn a_version_2_packet_with_a_password_is_built_as_keepalived_builds_it() {
    let fields = AdvertFields {
        version: 2,
        vrid: 51,
        timing: [1, 1],
        addresses: &[v4(100), v4(101)],
        auth_data: *b"1111\0\0\0\0",
        pseudo_header: false,
        source: v4(1),
        ttl: VRRP_TTL,
        ah: false,
        trailer: false,
    };
    assert_eq!(build(&fields, 150, GROUP_V4.into()), V2_PASS);
}

#[test]
fn a_version_3_packet_is_built_as_keepalived_builds_it() {
    assert_eq!(build(&version_3(&[v4(100)]), 200, GROUP_V4.into()), V3);
}

#[test]
fn a_version_3_message_over_ipv6_is_built_as_keepalived_and_its_kernel_build_it() {
    let addresses: Vec<IpAddr> =
        ["fe80::100", "2001:db8::100"].iter().map(|a| a.parse().expect("an address")).collect();
    let fields = AdvertFields { vrid: 9, source: v6_source(), ..version_3(&addresses) };
    assert_eq!(build(&fields, 200, GROUP_V6.into()), V3_IPV6);
}

#[test]
fn the_next_packet_has_the_next_identification_and_never_zero() {
    let mut buffer = AdvertBuffer::default();
    buffer.build(&version_3(&[v4(100)]));
    for expected in (1..=u16::MAX).chain([1, 2]) {
        buffer.advertise(200);
        let packet = buffer.packet(GROUP_V4.into());
        assert_eq!(u16::from_be_bytes([packet[4], packet[5]]), expected);
    }
    let packet = buffer.packet(GROUP_V4.into());
    assert_eq!(packet[10..12], [0xd0, 0x8f], "the header checksum that keepalived's second packet has");
}

#[test]
fn every_priority_and_destination_has_a_checksum_that_fits() {
    for version in [2, 3] {
        let mut buffer = AdvertBuffer::default();
        buffer.build(&AdvertFields {
            version,
            vrid: 255,
            timing: [0, 1],
            addresses: &[v4(100), v4(200), v4(255)],
            auth_data: [0xff; 8],
            pseudo_header: version == 3,
            source: v4(1),
            ttl: 64,
            ah: false,
            trailer: false,
        });
        for priority in 0..=255 {
            buffer.advertise(priority);
            for destination in [IpAddr::from(GROUP_V4), v4(2), v4(3)] {
                let packet = buffer.packet(destination).to_vec();
                let datagram = Datagram::from_ipv4(LinkId(0), &packet).expect("whole");
                assert_eq!((datagram.destination, datagram.ttl), (destination, Some(64)));
                let message = Message::new_checked(Family::Inet, datagram.message).expect("whole");
                assert_eq!(message.priority(), priority);
                let fits = match version {
                    2 => message.checksum_fits(),
                    _ => message.checksum_fits_between(datagram.source, datagram.destination),
                };
                assert!(fits, "version {version}, priority {priority} to {destination}");
            }
        }
    }
}

#[test]
fn captured_packets_are_read_as_they_were_meant() {
    let datagram = Datagram::from_ipv4(LinkId(0), &V2_PASS).expect("whole");
    let message = Message::new_checked(Family::Inet, datagram.message).expect("whole");
    assert_eq!((message.version(), message.vrid(), message.priority(), message.count()), (2, 51, 150, 2));
    assert_eq!(message.packet_type(), PacketType::Advertisement);
    assert_eq!(message.auth_type(), AuthType::Password);
    assert_eq!(message.auth_data(), b"1111\0\0\0\0");
    assert_eq!(message.advert_interval(), Duration::from_secs(1));
    assert_eq!(message.addresses().collect::<Vec<_>>(), [v4(100), v4(101)]);
    assert!(message.checksum_fits());

    let datagram = Datagram::from_ipv4(LinkId(0), &V3).expect("whole");
    let message = Message::new_checked(Family::Inet, datagram.message).expect("whole");
    assert_eq!(message.advert_interval(), Duration::from_millis(250));
    assert!(message.checksum_fits_between(datagram.source, datagram.destination));
    assert!(!message.checksum_fits(), "the pseudo-header belongs to it");

    let message = Message::new_checked(Family::Inet6, &V3_IPV6).expect("whole");
    assert!(message.checksum_fits_between(v6_source(), GROUP_V6.into()));
    assert_eq!(message.addresses().count(), 2);
    assert_eq!(message.auth_data(), b"");
}

#[test]
fn a_message_must_be_as_long_as_it_says() {
    let message = &V2_PASS[20..];
    for len in (0..message.len()).filter(|len| *len != message.len()) {
        let error = Message::new_checked(Family::Inet, &message[..len]).expect_err("short");
        assert!(matches!(error, DecodeError::PacketLength { actual, .. } if actual == len));
    }
    let longer = [message, &[0]].concat();
    assert!(Message::new_checked(Family::Inet, &longer).is_err());
    let mut more = message.to_vec();
    more[3] = 255;
    let expected = HEADER_LEN + 255 * 4 + 8;
    assert_eq!(
        Message::new_checked(Family::Inet, &more).expect_err("short"),
        DecodeError::PacketLength { expected, actual: message.len() }
    );
}

#[test]
fn no_more_addresses_than_the_count_can_say_are_built_in() {
    let many: Vec<IpAddr> = (0..300u16).map(|i| IpAddr::from([10, 0, (i >> 8) as u8, i as u8])).collect();
    let fields = AdvertFields { vrid: 1, timing: [0, 100], ..version_3(&many) };
    let packet = build(&fields, 100, GROUP_V4.into());
    let datagram = Datagram::from_ipv4(LinkId(0), &packet).expect("whole");
    let message = Message::new_checked(Family::Inet, datagram.message).expect("whole");
    assert_eq!(message.addresses().count(), 255);
    assert_eq!(packet.len(), wire::IPV4_HEADER_LEN + HEADER_LEN + 255 * 4);
}
