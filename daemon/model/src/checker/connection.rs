//! Where a checker connects to, and how: what all checkers that use the network have in common.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{FwMark, Name};

/// Where to, from where, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `connect_ip` and `connect_port`; those of the real server unless given.
    pub connect_to: SocketAddr,
    /// `bindto`: source address; the kernel chooses unless given.
    pub bind_to: Option<IpAddr>,
    /// `bind_port`: source port; the kernel chooses unless given.
    pub bind_port: Option<u16>,
    /// `bind_if`: interface that it goes out of (and the scope of link-local addresses).
    pub bind_interface: Option<Name>,
    /// `fwmark` of its packets; none unless given, or when 0.
    pub fwmark: Option<FwMark>,
    /// `connect_timeout`: how long a connection may take; the real server's, the virtual server's, 5 s unless given.
    pub connect_timeout: Duration,
}
