//! Attributes as bytes: how each is numbered and written. Reading them is in `attribute`.

use netlink_packet_core::{DefaultNla, Emitable, Nla};

use super::attribute::{
    Attribute, DaemonAttribute, DestinationAttribute, ServiceAttribute, StatisticsAttribute,
};

/// The number and the bytes of an attribute: all that netlink wants to know of it.
trait Encode {
    /// Number first, then the value without header and padding.
    fn encode(&self) -> (u16, Vec<u8>);
}

/// Attributes one after the other, each with its header and padding.
fn emitted<T: Encode>(attributes: &[T]) -> Vec<u8> {
    let encoded: Vec<DefaultNla> = attributes
        .iter()
        .map(|attribute| {
            let (kind, value) = attribute.encode();
            DefaultNla::new(kind, value)
        })
        .collect();
    let attributes = encoded.as_slice();
    let mut buffer = vec![0; attributes.buffer_len()];
    attributes.emit(&mut buffer);
    buffer
}

/// The whole payload of a message, after the generic-netlink header.
pub(super) fn payload(attributes: &[Attribute]) -> Vec<u8> {
    emitted(attributes)
}

fn c_string(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn other(nla: &DefaultNla) -> (u16, Vec<u8>) {
    let mut value = vec![0; nla.value_len()];
    nla.emit_value(&mut value);
    (nla.kind(), value)
}

impl Encode for Attribute {
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Service(inner) => (1, emitted(inner)),
            Self::Destination(inner) => (2, emitted(inner)),
            Self::Daemon(inner) => (3, emitted(inner)),
            Self::TimeoutTcp(seconds) => (4, seconds.to_ne_bytes().to_vec()),
            Self::TimeoutTcpFin(seconds) => (5, seconds.to_ne_bytes().to_vec()),
            Self::TimeoutUdp(seconds) => (6, seconds.to_ne_bytes().to_vec()),
            Self::InfoVersion(version) => (1, version.to_ne_bytes().to_vec()),
            Self::InfoTableSize(size) => (2, size.to_ne_bytes().to_vec()),
            Self::Other(nla) => other(nla),
        }
    }
}

impl Encode for ServiceAttribute {
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Family(family) => (1, family.to_ne_bytes().to_vec()),
            Self::Protocol(number) => (2, number.to_ne_bytes().to_vec()),
            Self::Address(address) => (3, address.to_vec()),
            Self::Port(port) => (4, port.to_be_bytes().to_vec()),
            Self::Mark(mark) => (5, mark.to_ne_bytes().to_vec()),
            Self::Scheduler(name) => (6, c_string(name)),
            Self::Flags { flags, mask } => (7, [flags.to_ne_bytes(), mask.to_ne_bytes()].concat()),
            Self::Timeout(seconds) => (8, seconds.to_ne_bytes().to_vec()),
            Self::Netmask(mask) => (9, mask.to_vec()),
            Self::Statistics(inner) => (10, narrow(inner)),
            Self::Engine(name) => (11, c_string(name)),
            Self::Statistics64(inner) => (12, emitted(inner)),
            Self::Other(nla) => other(nla),
        }
    }
}

impl Encode for DestinationAttribute {
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Address(address) => (1, address.to_vec()),
            Self::Port(port) => (2, port.to_be_bytes().to_vec()),
            Self::Forwarding(method) => (3, method.to_ne_bytes().to_vec()),
            Self::Weight(weight) => (4, weight.to_ne_bytes().to_vec()),
            Self::UpperThreshold(connections) => (5, connections.to_ne_bytes().to_vec()),
            Self::LowerThreshold(connections) => (6, connections.to_ne_bytes().to_vec()),
            Self::ActiveConnections(connections) => (7, connections.to_ne_bytes().to_vec()),
            Self::InactiveConnections(connections) => (8, connections.to_ne_bytes().to_vec()),
            Self::PersistentConnections(connections) => (9, connections.to_ne_bytes().to_vec()),
            Self::Statistics(inner) => (10, narrow(inner)),
            Self::Family(family) => (11, family.to_ne_bytes().to_vec()),
            Self::Statistics64(inner) => (12, emitted(inner)),
            Self::TunnelType(kind) => (13, vec![*kind]),
            Self::TunnelPort(port) => (14, port.to_be_bytes().to_vec()),
            Self::TunnelFlags(flags) => (15, flags.to_ne_bytes().to_vec()),
            Self::Other(nla) => other(nla),
        }
    }
}

impl StatisticsAttribute {
    fn number(&self) -> Option<(u16, u64)> {
        match self {
            Self::Connections(n) => Some((1, *n)),
            Self::PacketsIn(n) => Some((2, *n)),
            Self::PacketsOut(n) => Some((3, *n)),
            Self::BytesIn(n) => Some((4, *n)),
            Self::BytesOut(n) => Some((5, *n)),
            Self::ConnectionRate(n) => Some((6, *n)),
            Self::PacketRateIn(n) => Some((7, *n)),
            Self::PacketRateOut(n) => Some((8, *n)),
            Self::ByteRateIn(n) => Some((9, *n)),
            Self::ByteRateOut(n) => Some((10, *n)),
            Self::Other(_) => None,
        }
    }
}

impl Encode for StatisticsAttribute {
    fn encode(&self) -> (u16, Vec<u8>) {
        match (self, self.number()) {
            (Self::Other(nla), _) => other(nla),
            (_, number) => number.map_or((0, Vec::new()), |(kind, n)| (kind, n.to_ne_bytes().to_vec())),
        }
    }
}

/// Statistics as old kernels send them: 32 bits, but for the bytes.
struct Narrow<'a>(&'a StatisticsAttribute);

impl Encode for Narrow<'_> {
    fn encode(&self) -> (u16, Vec<u8>) {
        match (self.0, self.0.number()) {
            (StatisticsAttribute::BytesIn(_) | StatisticsAttribute::BytesOut(_), _) | (_, None) => {
                self.0.encode()
            }
            (_, Some((kind, n))) => (kind, u32::try_from(n).unwrap_or(u32::MAX).to_ne_bytes().to_vec()),
        }
    }
}

fn narrow(statistics: &[StatisticsAttribute]) -> Vec<u8> {
    emitted(&statistics.iter().map(Narrow).collect::<Vec<_>>())
}

impl Encode for DaemonAttribute {
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::State(state) => (1, state.to_ne_bytes().to_vec()),
            Self::Interface(name) => (2, c_string(name)),
            Self::SyncId(id) => (3, id.to_ne_bytes().to_vec()),
            Self::MaximumLength(length) => (4, length.to_ne_bytes().to_vec()),
            Self::Group(address) => (5, address.to_vec()),
            Self::Group6(address) => (6, address.to_vec()),
            Self::Port(port) => (7, port.to_ne_bytes().to_vec()),
            Self::Ttl(ttl) => (8, vec![*ttl]),
            Self::Other(nla) => other(nla),
        }
    }
}
