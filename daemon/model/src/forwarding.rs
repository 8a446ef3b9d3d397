//! How packets reach a real server: `lvs_method`, and what a tunnel is made of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `lvs_method` (or `lb_kind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Forwarding {
    /// Rewritten to the real server's address; the answers come back through the director.
    #[default]
    Nat,
    /// Sent on as they are to the real server's hardware address.
    Dr,
    /// Wrapped and sent to the real server.
    Tun(Tunnel),
}

impl Forwarding {
    /// Are packets wrapped? Then, and only then, a real server may be of another family than its virtual server.
    pub fn is_tunnel(self) -> bool {
        matches!(self, Self::Tun(_))
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nat => "NAT",
            Self::Dr => "DR",
            Self::Tun(_) => "TUN",
        })
    }
}

/// `type` of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tunnel {
    /// `ipip`: IP in IP, unless another type is given.
    #[default]
    Ipip,
    /// `gue`: Generic UDP Encapsulation.
    Gue {
        /// `port` of UDP, 1 to 65535.
        port: u16,
        /// `nocsum`, `csum` or `remcsum`.
        checksum: TunnelChecksum,
    },
    /// `gre`: Generic Routing Encapsulation (RFC 2784).
    Gre {
        /// `nocsum` or `csum`; never [`TunnelChecksum::Remote`].
        checksum: TunnelChecksum,
    },
}

/// The checksum of what wraps the packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelChecksum {
    /// `nocsum`: none, unless said otherwise.
    #[default]
    None,
    /// `csum`: of everything.
    Full,
    /// `remcsum`: remote checksum offload of GUE.
    Remote,
}
