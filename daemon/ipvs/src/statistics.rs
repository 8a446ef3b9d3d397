//! What the kernel has counted: traffic and connections of services and real servers.

/// Traffic since the entry was made, and its present rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients, as far as they come back through here (NAT).
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Connections a second.
    pub connection_rate: u64,
    /// Packets a second from clients.
    pub packet_rate_in: u64,
    /// Packets a second to clients.
    pub packet_rate_out: u64,
    /// Bytes a second from clients.
    pub byte_rate_in: u64,
    /// Bytes a second to clients.
    pub byte_rate_out: u64,
}

/// Connections of a real server at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// In use.
    pub active: u32,
    /// Ending, or of a protocol without connections.
    pub inactive: u32,
    /// Clients that would come back here.
    pub persistent: u32,
}
