//! Checkers as written, and what they inherit.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::model::{Checker, CheckerKind, FwMark, Name, TcpCheck, UnbuiltCheck};
use crate::source::Span;
use crate::tree::Node;

/// What virtual server, real server and checker have in common.
pub(super) use crate::model::CheckTiming as Timing;

impl Timing {
    /// Takes a keyword; false when it is none of these.
    pub(super) fn take(&mut self, node: &Node) -> bool {
        match node.keyword.name {
            "delay_loop" => self.delay_loop = node.seconds(0),
            "warmup" => self.warmup = node.seconds(0),
            "retry" => self.retry = node.int(0).and_then(|value| u32::try_from(value).ok()),
            "delay_before_retry" => self.delay_before_retry = node.seconds(0),
            "connect_timeout" => self.connect_timeout = node.seconds(0),
            _ => return false,
        }
        true
    }

    /// With the values of the block around it where this one has none.
    pub(super) fn or(self, outer: Self) -> Self {
        Self {
            delay_loop: self.delay_loop.or(outer.delay_loop),
            warmup: self.warmup.or(outer.warmup),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
        }
    }
}

/// A checker as written.
#[derive(Clone, Debug)]
pub(super) struct CheckerDraft {
    keyword: &'static str,
    timing: Timing,
    alpha: Option<bool>,
    connect_ip: Option<IpAddr>,
    connect_port: Option<u16>,
    bind_to: Option<(IpAddr, Span)>,
    bind_port: Option<u16>,
    bind_interface: Option<Name>,
    fwmark: Option<FwMark>,
}

impl CheckerDraft {
    pub(super) fn new(node: &Node) -> Self {
        let mut draft = Self {
            keyword: node.keyword.name,
            timing: Timing::default(),
            alpha: None,
            connect_ip: None,
            connect_port: None,
            bind_to: None,
            bind_port: None,
            bind_interface: None,
            fwmark: None,
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            if !draft.timing.take(child) {
                draft.take(child);
            }
        }
        draft
    }

    fn take(&mut self, node: &Node) {
        let port = || node.int(0).and_then(|value| u16::try_from(value).ok());
        match node.keyword.name {
            "alpha" => self.alpha = Some(node.on()),
            "connect_ip" => self.connect_ip = node.address(0),
            "connect_port" => self.connect_port = port(),
            "bindto" => self.bind_to = node.address(0).map(|address| (address, node.arg_span(0))),
            "bind_port" => self.bind_port = port(),
            "bind_if" => self.bind_interface = node.text(0),
            "fwmark" => self.fwmark = node.int(0).filter(|mark| *mark != 0).map(|mark| FwMark(mark as u32)),
            _ => {}
        }
    }

    /// The source address and the address to check are of different families: where that is written.
    pub(super) fn family_mix(&self, server: SocketAddr) -> Option<Span> {
        let (bind_to, span) = self.bind_to?;
        (bind_to.is_ipv4() != self.connect_ip.unwrap_or(server.ip()).is_ipv4()).then_some(span)
    }

    /// The checker with everything it inherits from its real server (whose own inheritance is resolved already).
    pub(super) fn resolve(self, outer: Timing, alpha: bool, server: SocketAddr) -> Checker {
        // What each kind does when nobody says otherwise, as keepalived's.
        let (retry, before_retry) = match self.keyword {
            "HTTP_GET" | "SSL_GET" => (1, Some(Duration::from_secs(3))),
            "DNS_CHECK" => (3, None),
            "MISC_CHECK" => (0, Some(Duration::from_secs(1))),
            _ => (1, Some(Duration::from_secs(1))),
        };
        let mixed = self.family_mix(server).is_some();
        let timing = self.timing.or(outer);
        let delay_loop = timing.delay_loop.unwrap_or(Duration::from_secs(60));
        let kind = match self.keyword {
            "TCP_CHECK" => CheckerKind::Tcp(TcpCheck {
                connect_to: SocketAddr::new(
                    self.connect_ip.unwrap_or(server.ip()),
                    self.connect_port.unwrap_or(server.port()),
                ),
                bind_to: self.bind_to.map(|(address, _)| address).filter(|_| !mixed),
                bind_port: self.bind_port,
                bind_interface: self.bind_interface,
                fwmark: self.fwmark,
                connect_timeout: timing.connect_timeout.unwrap_or(Duration::from_secs(5)),
            }),
            keyword => CheckerKind::Unbuilt(UnbuiltCheck { keyword: keyword.into() }),
        };
        Checker {
            kind,
            delay_loop,
            warmup: timing.warmup.unwrap_or(delay_loop),
            retry: timing.retry.unwrap_or(retry),
            delay_before_retry: timing.delay_before_retry.or(before_retry).unwrap_or(delay_loop),
            alpha: self.alpha.unwrap_or(alpha),
        }
    }
}
