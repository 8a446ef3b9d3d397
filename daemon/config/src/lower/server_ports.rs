//! Ports: those of real servers that the forwarding method allows, and port 0.

use std::net::SocketAddr;

use super::server_rules::Defined;
use crate::diagnostics::Diagnostic;
use crate::model::{Forwarding, GroupEntry};
use crate::preprocess::Context;
use crate::schema::servers::{PERSISTENCE, RealDraft, ServerDraft, Target};

pub(super) fn persistence_of_port_zero(
    draft: &mut ServerDraft,
    defined: &Defined<'_>,
    name: &str,
    context: &mut Context,
) {
    if draft.persistence_timeout.is_some() {
        return;
    }
    let zero = match &draft.target {
        Target::Address(address) => address.port() == 0,
        Target::Mark(_) => false,
        Target::Group(name) => {
            defined.entries(name).iter().any(|entry| matches!(entry, GroupEntry::Addresses { port: 0, .. }))
        }
    };
    if zero {
        context.report(
            Diagnostic::error(
                "port-missing",
                format!("the virtual server {name} has no port; only a persistent one can do without"),
            )
            .at(draft.at, "`persistence_timeout 360` is used"),
        );
        draft.persistence_timeout = Some(PERSISTENCE);
    }
}

/// The address of a real or sorry server, with the port that its method can have.
pub(super) fn port_for(
    target: &Target,
    real: &RealDraft,
    forwarding: Forwarding,
    defined: &Defined<'_>,
    context: &mut Context,
) -> SocketAddr {
    let written = real.port;
    let mut say = |message: String, label: String| {
        context.report(Diagnostic::warning("port-mismatch", message).changes().at(real.at, label));
    };
    let port = match (target, forwarding) {
        (Target::Address(address), Forwarding::Nat) if written == 0 => address.port(),
        (Target::Address(_) | Target::Mark(_) | Target::Group(_), Forwarding::Nat) => written,
        (Target::Address(address), Forwarding::Dr | Forwarding::Tun(_)) => {
            let port = address.port();
            if written != 0 && written != port {
                say(
                    format!("with {forwarding} the port must be that of the virtual server, {port}"),
                    format!("{port} is used"),
                );
            }
            port
        }
        (Target::Mark(_), Forwarding::Dr | Forwarding::Tun(_)) => {
            if written != 0 {
                let message = format!("with {forwarding} a server of a firewall mark has no port");
                say(message, "the port is left out".into());
            }
            0
        }
        (Target::Group(name), Forwarding::Dr | Forwarding::Tun(_)) => {
            let fits = |entry: &GroupEntry| match entry {
                GroupEntry::Addresses { port, .. } => *port == written,
                GroupEntry::FwMark { .. } => false,
            };
            if written != 0 && !defined.entries(name).iter().all(fits) {
                say(
                    format!("with {forwarding} the port must be that of every entry of the group `{name}`"),
                    "only the entries' own ports are used".into(),
                );
            }
            written
        }
    };
    SocketAddr::new(real.address, port)
}
