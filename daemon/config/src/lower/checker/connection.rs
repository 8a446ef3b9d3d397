//! Where a checker connects to: what is written, and what it inherits.

use std::net::SocketAddr;
use std::time::Duration;

use super::Around;
use crate::diagnostics::Diagnostic;
use crate::link_local::is_link_local;
use crate::model::Connection;
use crate::preprocess::Context;
use crate::schema::checkers::connection::ConnectionDraft;

impl ConnectionDraft {
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
