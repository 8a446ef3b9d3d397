//! The codec against itself and against bytes that kernels and ipvsadm exchanged.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;
use proptest::prelude::*;

use super::*;
use crate::table::{
    Destination, Encapsulation, Family, Forwarding, Granularity, Persistence, Protocol, Service,
    ServiceFlags, ServiceKey,
};

fn over_the_wire(message: &Message) -> Message {
    let mut packet = NetlinkMessage::from(GenlMessage::from_payload(message.clone()));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    // The family's number is given by the kernel; any above those of netlink itself will do here.
    bytes[4..6].copy_from_slice(&0x1eu16.to_ne_bytes());
    match NetlinkMessage::<GenlMessage<Message>>::deserialize(&bytes).unwrap().payload {
        NetlinkPayload::InnerMessage(message) => message.payload,
        other => panic!("{other:?}"),
    }
}

fn families() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Inet), Just(Family::Inet6)]
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn keys() -> impl Strategy<Value = ServiceKey> {
    let protocols = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    prop_oneof![
        (protocols, addresses(), any::<u16>()).prop_map(|(protocol, address, port)| ServiceKey::Address {
            protocol,
            address,
            port
        }),
        (1..u32::MAX, families()).prop_map(|(fwmark, family)| ServiceKey::Fwmark { fwmark, family }),
    ]
}

fn forwarding() -> impl Strategy<Value = Forwarding> {
    prop_oneof![
        Just(Forwarding::Masquerade),
        Just(Forwarding::DirectRouting),
        Just(Forwarding::Tunnel(Encapsulation::Ipip)),
        (any::<u16>(), any::<u16>())
            .prop_map(|(port, flags)| Forwarding::Tunnel(Encapsulation::Gue { port, flags })),
        any::<u16>().prop_map(|flags| Forwarding::Tunnel(Encapsulation::Gre { flags })),
        (5..8u32).prop_map(|method| Forwarding::Unknown { method, tunnel: 0 }),
        (3..=u8::MAX).prop_map(|tunnel| Forwarding::Unknown { method: 2, tunnel }),
    ]
}

proptest! {
    #[test]
    fn a_service_comes_back_as_it_was_sent(
        key in keys(),
        flags in any::<u32>(),
        persistence in proptest::option::of((any::<u32>(), 1..129u8, any::<[u8; 4]>(), any::<bool>())),
    ) {
        let persistence = persistence.map(|(seconds, prefix, mask, engine)| Persistence {
            timeout: Duration::from_secs(seconds.into()),
            granularity: match key.family() {
                Family::Inet => Granularity::Mask(mask.into()),
                Family::Inet6 => Granularity::Prefix(prefix),
            },
            engine: engine.then(|| "sip".to_owned()),
        });
        let service = Service { scheduler: "wrr".to_owned(), flags: ServiceFlags::from_bits(flags), persistence };
        let sent = Message {
            command: Command::NewService,
            attributes: vec![Attribute::Service(service_attributes(&key, &service))],
        };
        let received = over_the_wire(&sent);
        prop_assert_eq!(&received, &sent);
        let [Attribute::Service(attributes)] = received.attributes.as_slice() else { panic!("{received:?}") };
        let (read_key, read, _) = read_service(attributes).unwrap().unwrap();
        prop_assert_eq!((read_key, read), (key, service));
    }

    #[test]
    fn a_real_server_comes_back_as_it_was_sent(
        (address, port) in (addresses(), any::<u16>()),
        forwarding in forwarding(),
        (weight, upper_threshold, lower_threshold) in any::<(u32, u32, u32)>(),
    ) {
        let key = SocketAddr::new(address, port);
        let destination = Destination { weight, forwarding, upper_threshold, lower_threshold };
        let sent = Message {
            command: Command::SetDest,
            attributes: vec![Attribute::Destination(destination_attributes(&key, &destination))],
        };
        let received = over_the_wire(&sent);
        prop_assert_eq!(&received, &sent);
        let [Attribute::Destination(attributes)] = received.attributes.as_slice() else { panic!("{received:?}") };
        let read = read_destination(attributes, Family::Inet).unwrap();
        prop_assert_eq!((read.key, read.destination), (key, destination));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(command in 0..20u8, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::parse_with_param(&payload, GenlHeader { cmd: command, version: 1 }) {
            for attribute in &message.attributes {
                match attribute {
                    Attribute::Service(inner) => drop(read_service(inner)),
                    Attribute::Destination(inner) => drop(read_destination(inner, Family::Inet6)),
                    _ => (),
                }
            }
        }
    }
}

#[test]
fn statistics_of_both_widths_are_read_and_the_wide_ones_win() {
    let narrow = vec![StatisticsAttribute::Connections(7), StatisticsAttribute::BytesIn(1 << 40)];
    let wide = vec![StatisticsAttribute::Connections(7 + (1 << 32)), StatisticsAttribute::BytesIn(1 << 40)];
    let message = Message {
        command: Command::NewService,
        attributes: vec![Attribute::Service(vec![
            ServiceAttribute::Family(2),
            ServiceAttribute::Mark(1),
            ServiceAttribute::Scheduler("rr".to_owned()),
            ServiceAttribute::Flags { flags: 0, mask: u32::MAX },
            ServiceAttribute::Statistics(narrow),
            ServiceAttribute::Statistics64(wide),
        ])],
    };
    let received = over_the_wire(&message);
    assert_eq!(received, message);
    let [Attribute::Service(attributes)] = received.attributes.as_slice() else { panic!("{received:?}") };
    let (_, _, statistics) = read_service(attributes).unwrap().unwrap();
    assert_eq!((statistics.connections, statistics.bytes_in), (7 + (1 << 32), 1 << 40));
}

#[test]
fn a_service_is_laid_out_as_the_kernel_expects() {
    let key = ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 };
    let service = Service { scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None };
    let message = Message {
        command: Command::NewService,
        attributes: vec![Attribute::Service(service_attributes(&key, &service))],
    };
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    #[rustfmt::skip]
    let expected: Vec<u8> = [
        &[84u8, 0, 1, 0][..],                                       // IPVS_CMD_ATTR_SERVICE
        &[6, 0, 1, 0, 2, 0, 0, 0],                                  // AF = AF_INET
        &[6, 0, 2, 0, 6, 0, 0, 0],                                  // PROTOCOL = TCP
        &[20, 0, 3, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // ADDR
        &[6, 0, 4, 0, 0, 80, 0, 0],                                 // PORT, network byte order
        &[7, 0, 6, 0, b'r', b'r', 0, 0],                            // SCHED_NAME
        &[12, 0, 7, 0, 0, 0, 0, 0, 255, 255, 255, 255],             // FLAGS
        &[8, 0, 8, 0, 0, 0, 0, 0],                                  // TIMEOUT
        &[8, 0, 9, 0, 255, 255, 255, 255],                          // NETMASK
    ].concat();
    if cfg!(target_endian = "little") {
        assert_eq!(bytes, expected);
    }
}
