//! Where a checker connects to as written, and what it inherits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Around;
use crate::diagnostics::Diagnostic;
use crate::lower::link_local::is_link_local;
use crate::model::{Connection, FwMark, Name};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// The connection of a checker as written.
#[derive(Clone, Debug, Default)]
pub(in crate::lower) struct ConnectionDraft {
    connect_ip: Option<(IpAddr, Span)>,
    connect_port: Option<u16>,
    bind_to: Option<IpAddr>,
    bind_port: Option<u16>,
    bind_interface: Option<Name>,
    fwmark: Option<FwMark>,
    connect_timeout: Option<Duration>,
}

impl ConnectionDraft {
    /// Takes what belongs to it of a checker of a real server of this address. Source and target must be of one
    /// family; of two that are not, the later one is left out (reported).
    pub(super) fn new(nodes: &[&Node], server: IpAddr, context: &mut Context) -> Self {
        let mut draft = Self::default();
        for node in nodes {
            match node.keyword.name {
                "connect_ip" => {
                    let Some(address) = node.host(0) else { continue };
                    if draft.bind_to.is_some_and(|from| from.is_ipv4() != address.is_ipv4()) {
                        mixed(node, "`connect_ip` is not of the family of `bindto`", context);
                    } else {
                        draft.connect_ip = Some((address, node.arg_span(0)));
                    }
                }
                "bindto" => {
                    let Some(address) = node.host(0) else { continue };
                    let target = draft.connect_ip.map_or(server, |(target, _)| target);
                    if target.is_ipv4() != address.is_ipv4() {
                        mixed(node, "`bindto` is not of the family of the address to check", context);
                    } else {
                        draft.bind_to = Some(address);
                    }
                }
                "connect_port" => draft.connect_port = node.number(0),
                "bind_port" => draft.bind_port = node.number(0),
                "bind_if" => draft.bind_interface = node.text(0),
                "fwmark" => {
                    let mark = node.number::<u32>(0);
                    draft.fwmark = mark.filter(|mark| *mark != 0).map(FwMark);
                }
                "connect_timeout" => draft.connect_timeout = node.seconds(0),
                _ => {}
            }
        }
        draft
    }

    /// Is nothing written?
    pub(super) fn is_empty(&self) -> bool {
        let Self { connect_ip, connect_port, bind_to, bind_port, bind_interface, fwmark, connect_timeout } =
            self;
        connect_ip.is_none()
            && connect_port.is_none()
            && bind_to.is_none()
            && bind_port.is_none()
            && bind_interface.is_none()
            && fwmark.is_none()
            && connect_timeout.is_none()
    }

    /// With what the real server gives; `None` when a link-local address has no interface (reported).
    pub(super) fn resolve(self, around: &Around<'_>, context: &mut Context) -> Option<Connection> {
        let (address, span) = self.connect_ip.unwrap_or((around.server.ip(), around.at));
        if is_link_local(address) && self.bind_interface.is_none() {
            context.report(
                Diagnostic::error(
                    "missing-part",
                    format!("a checker of the link-local address {address} needs a `bind_if`"),
                )
                .at(span, "the checker is left out"),
            );
            return None;
        }
        Some(Connection {
            connect_to: SocketAddr::new(address, self.connect_port.unwrap_or(around.server.port())),
            bind_to: self.bind_to.filter(|from| from.is_ipv4() == address.is_ipv4()),
            bind_port: self.bind_port,
            bind_interface: self.bind_interface,
            fwmark: self.fwmark,
            connect_timeout: self
                .connect_timeout
                .or(around.timing.connect_timeout)
                .unwrap_or(Duration::from_secs(5)),
        })
    }
}

fn mixed(node: &Node, message: &str, context: &mut Context) {
    context.report(Diagnostic::error("family-mix", message).at(node.arg_span(0), "has no effect"));
}
