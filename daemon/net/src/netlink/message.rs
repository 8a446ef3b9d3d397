//! Reading and writing rtnetlink messages of links, addresses and routes.
//!
//! Of a link message only the attributes that keepwatch needs are looked at: a new kernel's new attributes can't
//! make an interface unreadable.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
    NetlinkMessage, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressProtocol, CacheInfo,
};
use netlink_packet_route::link::{LinkFlags, LinkHeader};

use crate::address::{AddressOperation, AddressSpec, PROTOCOL_KEEPALIVED, PresentAddress};
use crate::error::{Error, Result};
use crate::link::{LinkIndex, LinkKind, LinkReport, Notification};
use crate::wire::ethernet::MacAddress;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_DELRULE: u16 = 33;

const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_GROUP: u16 = 27;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
/// `IFLA_MACVLAN_MODE`, `IFLA_IPVLAN_MODE` and `IFLA_VRF_TABLE` are all the first attribute of their kind's data.
const INFO_FIRST: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const ROUTE_HEADER: usize = 12;
/// Where who made it, and its type, stand in the header.
const ROUTE_PROTOCOL: usize = 5;
const ROUTE_TYPE: usize = 7;
const RTA_VIA: u16 = 18;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
const AF_BRIDGE: u8 = 7;

/// One message out of a datagram from the kernel.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// Something about links or addresses.
    Notification(Notification),
    /// The answer to the request of that sequence number: 0, or an error number.
    Answer { sequence: u32, errno: i32 },
    /// The route that was asked for.
    Route(Route),
    /// The end of a dump.
    Done,
    /// Something that does not concern us.
    Other,
}

/// Where a route leads; neither is there if it leads nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) link: Option<LinkIndex>,
    pub(super) gateway: Option<IpAddr>,
}

/// Calls `each` with every message of a datagram.
pub(super) fn read(datagram: &[u8], mut each: impl FnMut(Message)) -> Result<()> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let buffer = NetlinkBuffer::new_checked(rest).map_err(|e| Error::Malformed(e.to_string()))?;
        each(read_one(&buffer)?);
        let aligned = (buffer.length() as usize).next_multiple_of(4).max(16);
        rest = rest.get(aligned..).unwrap_or_default();
    }
    Ok(())
}

/// Calls `each` with the type and the body of every message of a datagram, as far as they can be told apart.
pub(super) fn bodies(datagram: &[u8], mut each: impl FnMut(u16, &[u8])) {
    let mut rest = datagram;
    while let Ok(buffer) = NetlinkBuffer::new_checked(rest) {
        each(buffer.message_type(), buffer.payload());
        let aligned = (buffer.length() as usize).next_multiple_of(4).max(16);
        rest = rest.get(aligned..).unwrap_or_default();
    }
}

fn read_one(buffer: &NetlinkBuffer<&[u8]>) -> Result<Message> {
    let payload = buffer.payload();
    Ok(match buffer.message_type() {
        NLMSG_DONE => Message::Done,
        NLMSG_ERROR => {
            let code = payload.first_chunk().ok_or_else(|| short("error"))?;
            Message::Answer { sequence: buffer.sequence_number(), errno: -i32::from_ne_bytes(*code) }
        }
        RTM_NEWLINK => match link(payload)? {
            Some(report) => Message::Notification(Notification::Link(report)),
            None => Message::Other,
        },
        RTM_DELLINK => match link(payload)? {
            Some(report) => Message::Notification(Notification::LinkGone(report.index)),
            None => Message::Other,
        },
        RTM_NEWADDR => {
            address(payload)?.map_or(Message::Other, |a| Message::Notification(Notification::Address(a)))
        }
        RTM_DELADDR => {
            address(payload)?.map_or(Message::Other, |a| Message::Notification(Notification::AddressGone(a)))
        }
        RTM_NEWROUTE => Message::Route(route(payload)?),
        RTM_DELROUTE if payload.get(ROUTE_PROTOCOL) != Some(&PROTOCOL_KEEPALIVED) => Message::Other,
        RTM_DELROUTE | RTM_DELRULE => {
            Message::Notification(Notification::RoutingGone { by: buffer.port_number() })
        }
        _ => Message::Other,
    })
}

fn short(what: &str) -> Error {
    Error::Malformed(format!("{what} message too short"))
}

fn link(payload: &[u8]) -> Result<Option<LinkReport>> {
    if payload.len() < LINK_HEADER {
        return Err(short("link"));
    }
    // Bridges report their ports in messages of their own, of the same type.
    if payload[0] == AF_BRIDGE {
        return Ok(None);
    }
    let header = LinkHeader::parse(payload).map_err(|e| Error::Malformed(e.to_string()))?;
    let mut report = LinkReport {
        index: LinkIndex(header.index),
        name: "".into(),
        up: header.flags.contains(LinkFlags::Up),
        running: header.flags.contains(LinkFlags::Running),
        loopback: header.flags.contains(LinkFlags::Loopback),
        no_arp: header.flags.contains(LinkFlags::Noarp),
        hardware: None,
        mtu: 0,
        group: 0,
        alias: None,
        master: None,
        kind: LinkKind::Other,
    };
    let mut below = LinkIndex(0);
    for attribute in NlasIterator::new(&payload[LINK_HEADER..]) {
        let attribute = attribute.map_err(|e| Error::Malformed(e.to_string()))?;
        let value = attribute.value();
        match attribute.kind() {
            IFLA_ADDRESS => report.hardware = <[u8; 6]>::try_from(value).ok().map(MacAddress),
            IFLA_IFNAME => {
                report.name = text(value);
            }
            IFLA_MTU => report.mtu = number(value).unwrap_or(0),
            IFLA_IFALIAS => report.alias = Some(text(value)),
            IFLA_GROUP => report.group = number(value).unwrap_or(0),
            IFLA_LINK => below = LinkIndex(number(value).unwrap_or(0)),
            IFLA_MASTER => report.master = number(value).map(LinkIndex),
            IFLA_LINKINFO => report.kind = link_kind(value)?,
            _ => {}
        }
    }
    if let LinkKind::Macvlan { below: lower, .. } | LinkKind::Ipvlan { below: lower, .. } = &mut report.kind {
        *lower = below;
    }
    Ok(if report.name.is_empty() { None } else { Some(report) })
}

/// Up to the zero that ends it.
fn text(value: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into()
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// What `IFLA_LINKINFO` says; the interface below stands elsewhere.
fn link_kind(info: &[u8]) -> Result<LinkKind> {
    let (mut kind, mut data) = (Vec::new(), Vec::new());
    for attribute in NlasIterator::new(info) {
        let attribute = attribute.map_err(|e| Error::Malformed(e.to_string()))?;
        match attribute.kind() {
            IFLA_INFO_KIND => kind = attribute.value().to_vec(),
            IFLA_INFO_DATA => data = attribute.value().to_vec(),
            _ => {}
        }
    }
    let mut values = HashMap::new();
    for attribute in NlasIterator::new(&data) {
        let attribute = attribute.map_err(|e| Error::Malformed(e.to_string()))?;
        values.insert(attribute.kind(), attribute.value().to_vec());
    }
    let short = |which: u16| {
        values.get(&which).and_then(|value| value.first_chunk()).map_or(0, |bytes| u16::from_ne_bytes(*bytes))
    };
    let long = |which: u16| values.get(&which).and_then(|value| number(value)).unwrap_or(0);
    let below = LinkIndex(0);
    Ok(match kind.strip_suffix(&[0]).unwrap_or(&kind) {
        b"macvlan" => LinkKind::Macvlan { below, mode: long(INFO_FIRST) },
        b"ipvlan" => LinkKind::Ipvlan { below, mode: short(INFO_FIRST), flags: short(IFLA_IPVLAN_FLAGS) },
        b"vrf" => LinkKind::Vrf { table: long(INFO_FIRST) },
        _ => LinkKind::Other,
    })
}

fn address(payload: &[u8]) -> Result<Option<PresentAddress>> {
    if payload.len() < ADDRESS_HEADER {
        return Err(short("address"));
    }
    let header = AddressHeader::parse(payload).map_err(|e| Error::Malformed(e.to_string()))?;
    let mut flags = AddressFlags::from_bits_retain(header.flags.bits().into());
    let (mut local, mut far, mut protocol) = (None, None, 0);
    for attribute in NlasIterator::new(&payload[ADDRESS_HEADER..]) {
        let attribute = attribute.map_err(|e| Error::Malformed(e.to_string()))?;
        let value = attribute.value();
        match attribute.kind() {
            IFA_LOCAL => local = ip(value),
            IFA_ADDRESS => far = ip(value),
            IFA_FLAGS => {
                if let Some(bits) = value.first_chunk() {
                    flags = AddressFlags::from_bits_retain(u32::from_ne_bytes(*bits));
                }
            }
            IFA_PROTO => protocol = value.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    // With a peer, IFA_ADDRESS is the far end and IFA_LOCAL ours; without one IPv6 has IFA_ADDRESS only.
    Ok(local.or(far).map(|address| PresentAddress {
        link: LinkIndex(header.index),
        address,
        prefix: header.prefix_len,
        peer: far.filter(|far| *far != address),
        // Of an IPv6 address the same flag says that it is temporary.
        secondary: address.is_ipv4() && flags.contains(AddressFlags::Secondary),
        tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
        duplicate: flags.contains(AddressFlags::Dadfailed),
        protocol,
    }))
}

fn route(payload: &[u8]) -> Result<Route> {
    let mut route = Route::default();
    if payload.len() < ROUTE_HEADER {
        return Err(short("route"));
    }
    if payload[ROUTE_TYPE] != libc::RTN_UNICAST {
        return Ok(route);
    }
    for attribute in NlasIterator::new(&payload[ROUTE_HEADER..]) {
        let attribute = attribute.map_err(|e| Error::Malformed(e.to_string()))?;
        let value = attribute.value();
        match attribute.kind() {
            libc::RTA_OIF => route.link = value.first_chunk().map(|b| LinkIndex(u32::from_ne_bytes(*b))),
            libc::RTA_GATEWAY => route.gateway = ip(value),
            // A gateway of the other family: its own family stands before it.
            RTA_VIA => route.gateway = value.get(2..).and_then(ip),
            _ => {}
        }
    }
    Ok(route)
}

pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into())
}

/// Appends the request that puts `spec` on `link`, or takes it off, to `out`.
pub(super) fn write_address(
    out: &mut Vec<u8>,
    sequence: u32,
    operation: AddressOperation,
    link: LinkIndex,
    spec: &AddressSpec,
) {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: if spec.address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }.into(),
        prefix_len: spec.prefix,
        scope: spec.scope.0.into(),
        index: link.0,
        ..AddressHeader::default()
    };
    message.attributes.push(AddressAttribute::Local(spec.address));
    let (request, flags) = match operation {
        AddressOperation::Add => {
            add_attributes(&mut message.attributes, spec);
            (RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
        }
        AddressOperation::Remove => {
            message.attributes.push(AddressAttribute::Address(spec.peer.unwrap_or(spec.address)));
            (RouteNetlinkMessage::DelAddress(message), 0)
        }
    };
    append(out, sequence, flags | NLM_F_REQUEST | NLM_F_ACK, request);
}

fn add_attributes(attributes: &mut Vec<AddressAttribute>, spec: &AddressSpec) {
    attributes.push(AddressAttribute::Address(spec.peer.unwrap_or(spec.address)));
    if let Some(broadcast) = spec.broadcast {
        attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if let Some(label) = &spec.label {
        attributes.push(AddressAttribute::Label(label.to_string()));
    }
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Noprefixroute, spec.no_prefix_route);
    flags.set(AddressFlags::Mcautojoin, spec.auto_join);
    if spec.address.is_ipv6() {
        flags.set(AddressFlags::Nodad, !spec.duplicate_detection);
        flags.set(AddressFlags::Homeaddress, spec.home);
        flags.set(AddressFlags::Managetempaddr, spec.manage_temporary);
        if let Some(preferred) = spec.preferred_lifetime {
            let mut lifetime = CacheInfo::default();
            lifetime.ifa_preferred = preferred;
            lifetime.ifa_valid = u32::MAX;
            attributes.push(AddressAttribute::CacheInfo(lifetime));
        }
    }
    if !flags.is_empty() {
        attributes.push(AddressAttribute::Flags(flags));
    }
    attributes.push(AddressAttribute::Protocol(AddressProtocol::from(PROTOCOL_KEEPALIVED)));
}

/// The body of the request that puts an address on an interface or takes it off.
pub(super) fn address_body(operation: AddressOperation, link: LinkIndex, spec: &AddressSpec) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_address(&mut bytes, 0, operation, link, spec);
    bytes.split_off(16)
}

/// Appends one request to `out`, aligned as the next one needs it.
pub(super) fn append(out: &mut Vec<u8>, sequence: u32, flags: u16, request: RouteNetlinkMessage) {
    let mut message = NetlinkMessage::from(request);
    message.header.flags = flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = out.len();
    out.resize((start + message.buffer_len()).next_multiple_of(4), 0);
    message.emit(&mut out[start..start + message.buffer_len()]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(operation: AddressOperation, spec: &AddressSpec) -> Vec<Message> {
        let mut bytes = Vec::new();
        write_address(&mut bytes, 7, operation, LinkIndex(3), spec);
        let mut seen = Vec::new();
        read(&bytes, |message| seen.push(message)).unwrap();
        seen
    }

    #[test]
    fn an_added_address_is_marked_as_keepalived_marks_it() {
        let spec = AddressSpec::new("10.78.9.9".parse().unwrap(), 32);
        let expected = PresentAddress {
            link: LinkIndex(3),
            address: spec.address,
            prefix: 32,
            peer: None,
            secondary: false,
            tentative: false,
            duplicate: false,
            protocol: PROTOCOL_KEEPALIVED,
        };
        let message = Message::Notification(Notification::Address(expected));
        assert_eq!(round_trip(AddressOperation::Add, &spec), [message]);
    }

    #[test]
    fn with_a_peer_the_near_end_is_the_address() {
        let mut spec = AddressSpec::new("10.0.0.1".parse().unwrap(), 32);
        spec.peer = Some("10.0.0.2".parse().unwrap());
        match round_trip(AddressOperation::Remove, &spec).as_slice() {
            [Message::Notification(Notification::AddressGone(gone))] => {
                assert_eq!(gone.address, spec.address)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn many_requests_in_one_write_stay_apart() {
        let mut bytes = Vec::new();
        for sequence in 0..3 {
            let mut spec = AddressSpec::new("10.0.0.1".parse().unwrap(), 32);
            spec.label = Some("eth0:v".repeat(sequence as usize + 1).into());
            write_address(&mut bytes, sequence, AddressOperation::Add, LinkIndex(1), &spec);
        }
        let mut count = 0;
        read(&bytes, |_| count += 1).unwrap();
        assert_eq!(count, 3);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            kind in prop_oneof![Just(2u16), Just(16), Just(17), Just(20), Just(21), Just(24), any::<u16>()],
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = ((body.len() + 16) as u32).to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(&body);
            let _ = read(&bytes, |_| {});
            let _ = read(&body, |_| {});
        }
    }
}
