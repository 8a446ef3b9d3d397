//! Health checkers of a real server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use super::{FwMark, Name};

/// One checker block, inheritance resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checker {
    /// What it does.
    pub kind: CheckerKind,
    /// Time between two checks: its own `delay_loop`, the real server's, the virtual server's; 60 s unless given.
    pub delay_loop: Duration,
    /// `warmup`: the first check comes after a random part of this; the `delay_loop` unless given.
    pub warmup: Duration,
    /// `retry` (old: `nb_get_retry`): failures that are tried again before the server counts as down; 1 unless given.
    pub retry: u32,
    /// `delay_before_retry`: from a failed try to the next; 1 s unless given.
    pub delay_before_retry: Duration,
    /// `alpha`: the checker counts as failed until it has succeeded once.
    pub alpha: bool,
}

/// What virtual servers and real servers may say for the checkers in them, as written there; `None` where it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckTiming {
    /// `delay_loop`.
    pub delay_loop: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
    /// `retry`.
    pub retry: Option<u32>,
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `connect_timeout`.
    pub connect_timeout: Option<Duration>,
}

/// The kinds of checker.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum CheckerKind {
    /// `TCP_CHECK`: a connection can be opened.
    #[serde(rename = "TCP_CHECK")]
    Tcp(TcpCheck),
    /// A kind that is understood but not built yet; a diagnostic has said so.
    Unbuilt(UnbuiltCheck),
}

/// `TCP_CHECK`: where it connects, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcpCheck {
    /// `connect_ip` and `connect_port`; those of the real server unless given.
    pub connect_to: SocketAddr,
    /// `bindto`: source address.
    pub bind_to: Option<IpAddr>,
    /// `bind_port`: source port.
    pub bind_port: Option<u16>,
    /// `bind_if`: interface that it goes out of (and the scope of link-local addresses).
    pub bind_interface: Option<Name>,
    /// `fwmark` of its packets.
    pub fwmark: Option<FwMark>,
    /// `connect_timeout`, inherited from real and virtual server; 5 s unless given.
    pub connect_timeout: Duration,
}

/// A checker whose behaviour is not built yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnbuiltCheck {
    /// Its keyword, e.g. `HTTP_GET`.
    pub keyword: Name,
}
