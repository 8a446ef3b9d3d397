//! The kernel's IPVS table as a whole.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `lvs_flush_on_stop [VS]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LvsFlushOnStop {
    /// Not written: services are removed server by server.
    #[default]
    No,
    /// The whole table is flushed.
    All,
    /// `VS`: virtual servers are deleted without their real servers one by one.
    VirtualServers,
}

/// `lvs_timeouts [tcp N] [tcpfin N] [udp N]`, up to 31 days: the kernel's, changed only where written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LvsTimeouts {
    /// Established TCP.
    pub tcp: Option<Duration>,
    /// TCP after FIN.
    pub tcp_fin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
}
