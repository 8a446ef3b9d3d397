//! Where a checker connects to, and how.

use std::net::IpAddr;
use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::model::{FwMark, Name};
use crate::preprocess::Context;
use crate::schema::bounds::{U16, U32};
use crate::schema::entry::{Block, keywords_of};
use crate::schema::{Keyword, Kind, kw, one, timing};
use crate::source::Placed;
use crate::tree::Node;

/// The connection of a checker as written.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionDraft {
    /// The real server.
    server: IpAddr,
    pub(crate) connect_ip: Placed<IpAddr>,
    pub(crate) connect_port: Option<u16>,
    pub(crate) bind_to: Option<IpAddr>,
    pub(crate) bind_port: Option<u16>,
    pub(crate) bind_interface: Option<Name>,
    pub(crate) fwmark: Option<FwMark>,
    pub(crate) connect_timeout: Option<Duration>,
}

/// What every checker that connects may say.
pub(crate) const CONNECTION: Block<ConnectionDraft> = Block(&[
    kw("connect_ip", &[one("ADDRESS", Kind::Host)], "Address to check.")
        .default("the real server's")
        .example("connect_ip 192.0.2.11")
        .sets(ConnectionDraft::connect_ip),
    kw("connect_port", &[one("PORT", Kind::Int(1, U16))], "Port to check.")
        .default("the real server's")
        .example("connect_port 8080")
        .sets(|to, node, _| to.connect_port = node.number(0)),
    kw("bindto", &[one("ADDRESS", Kind::Host)], "Source address.")
        .example("bindto 192.0.2.2")
        .sets(ConnectionDraft::bind_to),
    kw("bind_port", &[one("PORT", Kind::Int(1, U16))], "Source port.")
        .example("bind_port 4000")
        .sets(|to, node, _| to.bind_port = node.number(0)),
    kw("bind_if", &[one("INTERFACE", Kind::Interface)], "Interface to go out of.")
        .example("bind_if eth0")
        .sets(|to, node, _| to.bind_interface = node.text(0)),
    kw("fwmark", &[one("MARK", Kind::Int(0, U32))], "Firewall mark of its packets.")
        .example("fwmark 3")
        .sets(|to, node, _| to.fwmark = node.number(0).filter(|mark| *mark != 0).map(FwMark)),
    timing::TIMEOUT
        .default("the real server's, the virtual server's, 5")
        .sets(|to, node, _| to.connect_timeout = node.seconds(0)),
]);

/// The keywords of [`CONNECTION`].
pub(super) const OF_ALL_THAT_CONNECT: &[Keyword] = keywords_of!(CONNECTION);

/// Source and target must be of one family; of two that are not, the later one is left out (reported).
impl ConnectionDraft {
    /// Of a real server of this address, with nothing written.
    pub(crate) fn new(server: IpAddr) -> Self {
        Self {
            server,
            connect_ip: None,
            connect_port: None,
            bind_to: None,
            bind_port: None,
            bind_interface: None,
            fwmark: None,
            connect_timeout: None,
        }
    }

    fn connect_ip(&mut self, node: &Node, context: &mut Context) {
        let Some(address) = node.host(0) else { return };
        if self.bind_to.is_some_and(|from| from.is_ipv4() != address.is_ipv4()) {
            mixed(node, "`connect_ip` is not of the family of `bindto`", context);
        } else {
            self.connect_ip = Some((address, node.arg_span(0)));
        }
    }

    fn bind_to(&mut self, node: &Node, context: &mut Context) {
        let Some(address) = node.host(0) else { return };
        let target = self.connect_ip.map_or(self.server, |(target, _)| target);
        if target.is_ipv4() != address.is_ipv4() {
            mixed(node, "`bindto` is not of the family of the address to check", context);
        } else {
            self.bind_to = Some(address);
        }
    }

    /// Is nothing written?
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            server: _,
            connect_ip,
            connect_port,
            bind_to,
            bind_port,
            bind_interface,
            fwmark,
            connect_timeout,
        } = self;
        connect_ip.is_none()
            && connect_port.is_none()
            && bind_to.is_none()
            && bind_port.is_none()
            && bind_interface.is_none()
            && fwmark.is_none()
            && connect_timeout.is_none()
    }
}

fn mixed(node: &Node, message: &str, context: &mut Context) {
    context.report(Diagnostic::error("family-mix", message).at(node.arg_span(0), "has no effect"));
}
