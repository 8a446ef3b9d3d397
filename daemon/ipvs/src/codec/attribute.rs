//! The attributes of the family `IPVS`, one enum for each level at which they are numbered anew.
//!
//! Numbers are in the machine's byte order except ports and IPv4 network masks, which are in the network's. Addresses
//! are always 16 bytes, of which IPv4 uses the first four. Attributes that a newer kernel may add are kept as they are, and so
//! are those whose value has not the length that we know: to whoever reads a service they are missing.

use netlink_packet_core::{
    DecodeError, DefaultNla, NlaBuffer, NlasIterator, Parseable, parse_string, parse_u8, parse_u16,
    parse_u16_be, parse_u32, parse_u64,
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
    /// One that this codec does not know, or not with a value of that length.
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
    /// One that this codec does not know, or not with a value of that length.
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
    /// One that this codec does not know, or not with a value of that length.
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
    /// One that this codec does not know, or not with a value of that length.
    Other(DefaultNla),
}

impl Attribute {
    /// Reads a top attribute of a message with that command.
    ///
    /// # Errors
    /// If attributes in it do not fit into it.
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
            1 => Self::Service(nested(value, ServiceAttribute::parse, ServiceAttribute::Other)?),
            2 => Self::Destination(nested(value, DestinationAttribute::parse, DestinationAttribute::Other)?),
            3 => Self::Daemon(nested(value, DaemonAttribute::parse, DaemonAttribute::Other)?),
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
            10 => Self::Statistics(nested(value, StatisticsAttribute::parse, StatisticsAttribute::Other)?),
            11 => Self::Engine(parse_string(value)?),
            12 => Self::Statistics64(nested(value, StatisticsAttribute::parse, StatisticsAttribute::Other)?),
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
            10 => Self::Statistics(nested(value, StatisticsAttribute::parse, StatisticsAttribute::Other)?),
            11 => Self::Family(parse_u16(value)?),
            12 => Self::Statistics64(nested(value, StatisticsAttribute::parse, StatisticsAttribute::Other)?),
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
    other: impl Fn(DefaultNla) -> T,
) -> Result<Vec<T>, DecodeError> {
    let read = |nla: &NlaBuffer<&[u8]>| parse(nla).or_else(|_| DefaultNla::parse(nla).map(&other));
    NlasIterator::new(value).map(|nla| read(&nla?)).collect()
}

fn bytes<const N: usize>(value: &[u8]) -> Result<[u8; N], DecodeError> {
    value.try_into().map_err(|_| DecodeError::from(format!("{} bytes where {N} belong", value.len())))
}
