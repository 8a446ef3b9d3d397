//! Answers in which attributes are missing, unknown to us or of another length than we know: of another kernel, or of entries
//! that somebody else has put there. Whoever reads them is told what is missing, and nothing panics.

use netlink_packet_core::DefaultNla;

use super::*;
use crate::table::{Family, Forwarding, Granularity, ServiceKey};

/// One that no kernel sends today.
fn unknown() -> DefaultNla {
    DefaultNla::new(30, vec![1, 2, 3])
}

fn over_the_wire(command: Command, attribute: Attribute) -> Attribute {
    let message = Message { command, attributes: vec![Attribute::Other(unknown()), attribute] };
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    let header = GenlHeader { cmd: command as u8, version: 1 };
    let received = Message::parse_with_param(bytes.as_slice(), header).unwrap();
    assert_eq!(received.attributes.len(), 2, "{received:?}");
    received.attributes.into_iter().next_back().unwrap()
}

/// Reads a service with these attributes from a kernel's answer: what it is, or what is wrong with it.
fn service(attributes: &[ServiceAttribute]) -> Result<Option<ServiceKey>, String> {
    match over_the_wire(Command::NewService, Attribute::Service(attributes.to_vec())) {
        Attribute::Service(attributes) => match read_service(&attributes) {
            Ok(read) => Ok(read.map(|(key, _, _)| key)),
            Err(error) => Err(error.to_string()),
        },
        other => panic!("{other:?}"),
    }
}

/// The same of a real server, and how packets get there.
fn server(attributes: &[DestinationAttribute]) -> Result<Forwarding, String> {
    match over_the_wire(Command::NewDest, Attribute::Destination(attributes.to_vec())) {
        Attribute::Destination(attributes) => match read_destination(&attributes, Family::Inet) {
            Ok(read) => Ok(read.destination.forwarding),
            Err(error) => Err(error.to_string()),
        },
        other => panic!("{other:?}"),
    }
}

fn address() -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, 0, 0, 1]);
    address
}

/// A whole answer: each attribute, and what is said if it is missing; nothing if it need not be there.
fn whole_service() -> Vec<(ServiceAttribute, Option<&'static str>)> {
    use ServiceAttribute as A;
    vec![
        (A::Family(2), Some("a service without address family")),
        (A::Protocol(6), Some("a service without protocol")),
        (A::Address(address()), Some("a service without address")),
        (A::Port(80), Some("a service without port")),
        (A::Scheduler("rr".to_owned()), Some("a service [10.0.0.1]:tcp:80 without scheduler")),
        (A::Flags { flags: 3, mask: u32::MAX }, Some("a service [10.0.0.1]:tcp:80 without flags")),
        (A::Timeout(50), Some("a service [10.0.0.1]:tcp:80 without timeout")),
        (A::Netmask([255; 4]), Some("a service [10.0.0.1]:tcp:80 without netmask")),
        (A::Engine("sip".to_owned()), None),
        (
            A::Statistics(vec![StatisticsAttribute::Connections(1), StatisticsAttribute::Other(unknown())]),
            None,
        ),
        (A::Statistics64(vec![StatisticsAttribute::Connections(1)]), None),
        (A::Other(unknown()), None),
    ]
}

fn whole_server() -> Vec<(DestinationAttribute, Option<&'static str>)> {
    use DestinationAttribute as A;
    vec![
        (A::Address(address()), Some("a real server without address")),
        (A::Port(8080), Some("a real server without port")),
        (A::Forwarding(2), Some("a real server 10.0.0.1:8080 without forwarding method")),
        (A::Weight(1), Some("a real server 10.0.0.1:8080 without weight")),
        (A::UpperThreshold(9), None),
        (A::LowerThreshold(8), None),
        (A::ActiveConnections(1), None),
        (A::InactiveConnections(1), None),
        (A::PersistentConnections(1), None),
        (A::Statistics(vec![]), None),
        (A::Family(2), None),
        (A::Statistics64(vec![StatisticsAttribute::Connections(1)]), None),
        (A::TunnelType(0), None),
        (A::TunnelPort(0), None),
        (A::TunnelFlags(0), None),
        (A::Other(unknown()), None),
    ]
}

/// All but the one with this number; and all, with that one's value cut short.
fn without<A: Clone>(whole: &[(A, Option<&str>)], missing: usize, cut: impl Fn(&A) -> A) -> [Vec<A>; 2] {
    let all = || whole.iter().enumerate();
    let gone = all().filter(|(n, _)| *n != missing).map(|(_, (attribute, _))| attribute.clone());
    let short =
        all().map(|(n, (attribute, _))| if n == missing { cut(attribute) } else { attribute.clone() });
    [gone.collect(), short.collect()]
}

#[test]
fn what_is_missing_of_a_service_or_has_another_length_is_named() {
    let whole = whole_service();
    let kinds = [1, 2, 3, 4, 6, 7, 8, 9, 11, 10, 12, 30];
    for (n, (attribute, wrong)) in whole.iter().enumerate() {
        // Not a name, which may be of any length.
        let cut = |_: &ServiceAttribute| ServiceAttribute::Other(DefaultNla::new(kinds[n], vec![7]));
        let [gone, short] = without(&whole, n, cut);
        let expected = wrong.map_or(Ok(()), Err);
        assert_eq!(service(&gone).map(drop), expected.map_err(str::to_owned), "{attribute:?}");
        if !matches!(
            attribute,
            ServiceAttribute::Scheduler(_)
                | ServiceAttribute::Engine(_)
                | ServiceAttribute::Statistics(_)
                | ServiceAttribute::Statistics64(_)
        ) {
            assert_eq!(service(&short).map(drop), expected.map_err(str::to_owned), "{attribute:?}");
        }
    }
}

#[test]
fn what_is_missing_of_a_real_server_or_has_another_length_is_named() {
    let whole = whole_server();
    for (n, (attribute, wrong)) in whole.iter().enumerate() {
        let [gone, _] = without(&whole, n, Clone::clone);
        let expected = wrong.map_or(Ok(Forwarding::Tunnel(crate::table::Encapsulation::Ipip)), Err);
        assert_eq!(server(&gone), expected.map_err(str::to_owned), "{attribute:?}");
    }
    // Weight with a value of eight bytes.
    let long = |_: &DestinationAttribute| DestinationAttribute::Other(DefaultNla::new(4, vec![0; 8]));
    let [_, long] = without(&whole, 3, long);
    assert_eq!(server(&long), Err("a real server 10.0.0.1:8080 without weight".to_owned()));
}

#[test]
fn of_what_is_not_persistent_neither_timeout_nor_netmask_is_missed() {
    use ServiceAttribute as A;
    let flags = A::Flags { flags: 2, mask: u32::MAX };
    let plain = [A::Family(10), A::Mark(7), A::Scheduler("rr".to_owned()), flags];
    let key = ServiceKey::Fwmark { fwmark: 7, family: Family::Inet6 };
    assert_eq!(service(&plain), Ok(Some(key)));
}

#[test]
fn families_and_protocols_that_we_do_not_know_are_no_services_of_ours() {
    use ServiceAttribute as A;
    let rest = [
        A::Address(address()),
        A::Port(80),
        A::Scheduler("rr".to_owned()),
        A::Flags { flags: 2, mask: u32::MAX },
    ];
    let with = |family, protocol| [&[A::Family(family), A::Protocol(protocol)], rest.as_slice()].concat();
    // The kernel takes any protocol from anybody.
    for protocol in [0, 1, 47, 50, 255] {
        assert_eq!(service(&with(2, protocol)), Ok(None), "{protocol}");
    }
    assert_eq!(service(&with(7, 6)), Err("address family 7".to_owned()));
    assert!(matches!(service(&with(2, 6)), Ok(Some(ServiceKey::Address { port: 80, .. }))));
}

#[test]
fn a_netmask_of_version_6_that_is_none_is_taken_as_of_single_hosts() {
    use ServiceAttribute as A;
    let all = [
        A::Family(10),
        A::Mark(7),
        A::Scheduler("rr".to_owned()),
        A::Flags { flags: 3, mask: u32::MAX },
        A::Timeout(u32::MAX),
        A::Netmask(4096_u32.to_ne_bytes()),
    ];
    let (_, service, _) = read_service(&all).unwrap().unwrap();
    assert_eq!(
        service.persistence.map(|persistence| persistence.granularity),
        Some(Granularity::Prefix(128))
    );
}
