//! The attributes of the family `IPVS`, one enum for each level at which they are numbered anew.
//!
//! Numbers are in the machine's byte order except ports and IPv4 network masks, which are in the network's. Addresses
//! are always 16 bytes, of which IPv4 uses the first four. Attributes that a newer kernel may add are kept as they are.

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, Nla, NlaBuffer, NlasIterator, Parseable, parse_string, parse_u8,
    parse_u16, parse_u16_be, parse_u32, parse_u64,
};

use super::Command;

/// Length of an address on the wire, whatever its family (`union nf_inet_addr`).
pub(super) const ADDRESS_LENGTH: usize = 16;

/// Attributes at the top of a message (`IPVS_CMD_ATTR_*`, and `IPVS_INFO_ATTR_*` in the answer to `GetInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A service.
    Service(Vec<ServiceAttribute>),
    /// A real server.
    Destination(Vec<DestinationAttribute>),
    /// A sync daemon.
    Daemon(Vec<DaemonAttribute>),
    /// Seconds until an idle TCP connection is forgotten.
    TimeoutTcp(u32),
    /// Seconds until a TCP connection is forgotten after its FIN.
    TimeoutTcpFin(u32),
    /// Seconds until a UDP client is forgotten.
    TimeoutUdp(u32),
    /// Version of IPVS, as 0x010201 for 1.2.1.
    InfoVersion(u32),
    /// Size of the hash table of connections.
    InfoTableSize(u32),
    /// One that this codec does not know.
    Other(DefaultNla),
}

/// Attributes of a service (`IPVS_SVC_ATTR_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAttribute {
    /// Address family, `AF_INET` or `AF_INET6`.
    Family(u16),
    /// Transport protocol's number.
    Protocol(u16),
    /// Virtual address.
    Address([u8; ADDRESS_LENGTH]),
    /// Virtual port.
    Port(u16),
    /// Firewall mark.
    Mark(u32),
    /// Name of the scheduler.
    Scheduler(String),
    /// Flags, and which of them the sender means.
    Flags {
        /// The flags, `IP_VS_SVC_F_*`.
        flags: u32,
        /// Which of them are to be taken over.
        mask: u32,
    },
    /// Seconds of persistence.
    Timeout(u32),
    /// Granularity of persistence: an IPv4 mask as it stands in a packet, or an IPv6 prefix length.
    Netmask([u8; 4]),
    /// Statistics of 32 bits.
    Statistics(Vec<StatisticsAttribute>),
    /// Name of the persistence engine.
    Engine(String),
    /// Statistics of 64 bits.
    Statistics64(Vec<StatisticsAttribute>),
    /// One that this codec does not know.
    Other(DefaultNla),
}

/// Attributes of a real server (`IPVS_DEST_ATTR_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationAttribute {
    /// The machine's address.
    Address([u8; ADDRESS_LENGTH]),
    /// Its port.
    Port(u16),
    /// Forwarding method, `IP_VS_CONN_F_*`.
    Forwarding(u32),
    /// Share of new connections.
    Weight(u32),
    /// Connections from which on there are no new ones.
    UpperThreshold(u32),
    /// Connections below which there are new ones again.
    LowerThreshold(u32),
    /// Connections in use.
    ActiveConnections(u32),
    /// Connections that are ending, or not of TCP.
    InactiveConnections(u32),
    /// Persistent clients.
    PersistentConnections(u32),
    /// Statistics of 32 bits.
    Statistics(Vec<StatisticsAttribute>),
    /// Address family, `AF_INET` or `AF_INET6`.
    Family(u16),
    /// Statistics of 64 bits.
    Statistics64(Vec<StatisticsAttribute>),
    /// Kind of tunnel, `IP_VS_CONN_F_TUNNEL_TYPE_*`.
    TunnelType(u8),
    /// UDP port of the tunnel's end.
    TunnelPort(u16),
    /// `IP_VS_TUNNEL_ENCAP_FLAG_*`.
    TunnelFlags(u16),
    /// One that this codec does not know.
    Other(DefaultNla),
}

/// Attributes of statistics (`IPVS_STATS_ATTR_*`), in 32 or 64 bits alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatisticsAttribute {
    /// Connections scheduled.
    Connections(u64),
    /// Packets from clients.
    PacketsIn(u64),
    /// Packets to clients.
    PacketsOut(u64),
    /// Bytes from clients.
    BytesIn(u64),
    /// Bytes to clients.
    BytesOut(u64),
    /// Connections a second.
    ConnectionRate(u64),
    /// Packets a second from clients.
    PacketRateIn(u64),
    /// Packets a second to clients.
    PacketRateOut(u64),
    /// Bytes a second from clients.
    ByteRateIn(u64),
    /// Bytes a second to clients.
    ByteRateOut(u64),
    /// Padding, and what this codec does not know.
    Other(DefaultNla),
}

/// Attributes of a sync daemon (`IPVS_DAEMON_ATTR_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonAttribute {
    /// `IP_VS_STATE_MASTER` (1) or `IP_VS_STATE_BACKUP` (2).
    State(u32),
    /// Interface that the multicasts go through.
    Interface(String),
    /// Number of the group of daemons that listen to each other.
    SyncId(u32),
    /// Longest UDP payload.
    MaximumLength(u16),
    /// IPv4 multicast group.
    Group([u8; 4]),
    /// IPv6 multicast group.
    Group6([u8; ADDRESS_LENGTH]),
    /// UDP port.
    Port(u16),
    /// Time to live of the multicasts.
    Ttl(u8),
    /// One that this codec does not know.
    Other(DefaultNla),
}

impl Attribute {
    /// Reads a top attribute of a message with that command.
    ///
    /// # Errors
    /// If a value has not the length that its number demands.
    pub fn parse(command: Command, nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
        let value = nla.value();
        if command == Command::SetInfo {
            return Ok(match nla.kind() {
                1 => Self::InfoVersion(parse_u32(value)?),
                2 => Self::InfoTableSize(parse_u32(value)?),
                _ => Self::Other(DefaultNla::parse(nla)?),
            });
        }
        Ok(match nla.kind() {
            1 => Self::Service(nested(value, ServiceAttribute::parse)?),
            2 => Self::Destination(nested(value, DestinationAttribute::parse)?),
            3 => Self::Daemon(nested(value, DaemonAttribute::parse)?),
            4 => Self::TimeoutTcp(parse_u32(value)?),
            5 => Self::TimeoutTcpFin(parse_u32(value)?),
            6 => Self::TimeoutUdp(parse_u32(value)?),
            _ => Self::Other(DefaultNla::parse(nla)?),
        })
    }
}

impl ServiceAttribute {
    fn parse(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
        let value = nla.value();
        Ok(match nla.kind() {
            1 => Self::Family(parse_u16(value)?),
            2 => Self::Protocol(parse_u16(value)?),
            3 => Self::Address(bytes(value)?),
            4 => Self::Port(parse_u16_be(value)?),
            5 => Self::Mark(parse_u32(value)?),
            6 => Self::Scheduler(parse_string(value)?),
            7 => {
                let [a, b, c, d, e, f, g, h] = bytes(value)?;
                Self::Flags {
                    flags: u32::from_ne_bytes([a, b, c, d]),
                    mask: u32::from_ne_bytes([e, f, g, h]),
                }
            }
            8 => Self::Timeout(parse_u32(value)?),
            9 => Self::Netmask(bytes(value)?),
            10 => Self::Statistics(nested(value, StatisticsAttribute::parse)?),
            11 => Self::Engine(parse_string(value)?),
            12 => Self::Statistics64(nested(value, StatisticsAttribute::parse)?),
            _ => Self::Other(DefaultNla::parse(nla)?),
        })
    }
}

impl DestinationAttribute {
    fn parse(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
        let value = nla.value();
        Ok(match nla.kind() {
            1 => Self::Address(bytes(value)?),
            2 => Self::Port(parse_u16_be(value)?),
            3 => Self::Forwarding(parse_u32(value)?),
            4 => Self::Weight(parse_u32(value)?),
            5 => Self::UpperThreshold(parse_u32(value)?),
            6 => Self::LowerThreshold(parse_u32(value)?),
            7 => Self::ActiveConnections(parse_u32(value)?),
            8 => Self::InactiveConnections(parse_u32(value)?),
            9 => Self::PersistentConnections(parse_u32(value)?),
            10 => Self::Statistics(nested(value, StatisticsAttribute::parse)?),
            11 => Self::Family(parse_u16(value)?),
            12 => Self::Statistics64(nested(value, StatisticsAttribute::parse)?),
            13 => Self::TunnelType(parse_u8(value)?),
            14 => Self::TunnelPort(parse_u16_be(value)?),
            15 => Self::TunnelFlags(parse_u16(value)?),
            _ => Self::Other(DefaultNla::parse(nla)?),
        })
    }
}

impl StatisticsAttribute {
    fn parse(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
        let number = || match nla.value() {
            short if short.len() == 4 => parse_u32(short).map(u64::from),
            long => parse_u64(long),
        };
        Ok(match nla.kind() {
            1 => Self::Connections(number()?),
            2 => Self::PacketsIn(number()?),
            3 => Self::PacketsOut(number()?),
            4 => Self::BytesIn(number()?),
            5 => Self::BytesOut(number()?),
            6 => Self::ConnectionRate(number()?),
            7 => Self::PacketRateIn(number()?),
            8 => Self::PacketRateOut(number()?),
            9 => Self::ByteRateIn(number()?),
            10 => Self::ByteRateOut(number()?),
            _ => Self::Other(DefaultNla::parse(nla)?),
        })
    }
}

impl DaemonAttribute {
    fn parse(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
        let value = nla.value();
        Ok(match nla.kind() {
            1 => Self::State(parse_u32(value)?),
            2 => Self::Interface(parse_string(value)?),
            3 => Self::SyncId(parse_u32(value)?),
            4 => Self::MaximumLength(parse_u16(value)?),
            5 => Self::Group(bytes(value)?),
            6 => Self::Group6(bytes(value)?),
            7 => Self::Port(parse_u16(value)?),
            8 => Self::Ttl(parse_u8(value)?),
            _ => Self::Other(DefaultNla::parse(nla)?),
        })
    }
}

fn nested<T>(
    value: &[u8],
    parse: impl Fn(&NlaBuffer<&[u8]>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    NlasIterator::new(value).map(|nla| parse(&nla?)).collect()
}

fn bytes<const N: usize>(value: &[u8]) -> Result<[u8; N], DecodeError> {
    value.try_into().map_err(|_| DecodeError::from(format!("{} bytes where {N} belong", value.len())))
}

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
