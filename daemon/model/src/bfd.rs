//! BFD sessions (RFC 5880).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Name;

/// A `bfd_instance` block: a session with one neighbour. No two have the same neighbour, source and number of hops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdSession {
    /// Its name, at most 31 bytes.
    pub name: Name,
    /// `neighbor_ip`.
    pub neighbour: IpAddr,
    /// `source_ip`, of the neighbour's family; the system's choice unless given.
    pub source: Option<IpAddr>,
    /// `min_rx`, in the file in milliseconds: Required Min RX Interval, the least time between packets that it can take;
    /// 10 ms unless given.
    pub min_rx: Duration,
    /// `min_tx`, in the file in milliseconds: Desired Min TX Interval, the least time between packets that it sends;
    /// 10 ms unless given.
    pub min_tx: Duration,
    /// `idle_tx`, in the file in milliseconds: time between packets while the session is not up; 1 s unless given, and
    /// never less (RFC 5880 §6.8.3).
    pub idle_tx: Duration,
    /// `multiplier`: Detect Mult, packets in a row that may be lost, 1 to 255; 5 unless given.
    pub multiplier: u8,
    /// `passive`: sends nothing before the neighbour does.
    pub passive: bool,
    /// `ttl` (also `hoplimit`) of its packets; 255 for IPv4, 64 for IPv6 unless given.
    pub ttl: u8,
    /// `max_hops`: how many routers a packet that is taken may have come over, at most `ttl`; 0 unless given.
    pub max_hops: MaxHops,
    /// `multihop`: the neighbour is not on the link (RFC 5883: port 4784, not 3784).
    pub multihop: bool,
    /// `weight`, −253 to 253, of instances that track it without one of their own; 0, a fault, unless given.
    pub weight: i32,
    /// `reverse` after the weight: the session being up counts as failure.
    pub reverse: bool,
    /// Instances may track it: no `vrrp` and no `checker` is written, or `vrrp` is.
    pub for_vrrp: bool,
    /// `BFD_CHECK` may ask for it: no `vrrp` and no `checker` is written, or `checker` is.
    pub for_checkers: bool,
}

/// `max_hops`, −1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxHops {
    /// −1: any number.
    Any,
    /// At most so many.
    Most(u8),
}

/// State of a session, with its number in the packet (RFC 5880 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum BfdState {
    /// Held down on purpose.
    AdminDown = 0,
    /// Nothing is known of the neighbour, or it does not hear us.
    Down = 1,
    /// The neighbour is heard; it has not said that it hears us.
    Init = 2,
    /// Packets get through both ways.
    Up = 3,
}

impl fmt::Display for BfdState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session last left Up, as its side says (RFC 5880 §4.1): 0 to 31.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BfdDiagnostic(pub u8);

impl BfdDiagnostic {
    /// None.
    pub const NONE: Self = Self(0);
    /// Nothing was heard for the detection time.
    pub const TIME_EXPIRED: Self = Self(1);
    /// The neighbour says that its side is down.
    pub const NEIGHBOUR_DOWN: Self = Self(3);
    /// Taken down on purpose.
    pub const ADMINISTRATIVELY_DOWN: Self = Self(7);
}

impl fmt::Display for BfdDiagnostic {
    /// The names of RFC 5880 §4.1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "No Diagnostic",
            1 => "Control Detection Time Expired",
            2 => "Echo Function Failed",
            3 => "Neighbor Signaled Session Down",
            4 => "Forwarding Plane Reset",
            5 => "Path Down",
            6 => "Concatenated Path Down",
            7 => "Administratively Down",
            8 => "Reverse Concatenated Path Down",
            _ => "Reserved",
        })
    }
}
