//! The block `observability`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::diagnostics::Diagnostic;
use crate::model::Observability;
use crate::preprocess::Context;
use crate::tree::Node;

/// Takes the block.
pub(super) fn take(to: &mut Observability, node: &Node, context: &mut Context) {
    for child in node.children.iter().filter(|child| !child.bad) {
        match child.keyword.name {
            "listen" => match listen(child.arg(0).unwrap_or("")) {
                Some(listen) => to.listen = listen,
                None => context.report(
                    Diagnostic::error(
                        "invalid-address",
                        "`listen` needs an address with or without port, or `off`",
                    )
                    .at(child.arg_span(0), "no such address")
                    .help("for example: `listen 127.0.0.1:9165`, `listen [::]:9165`"),
                ),
            },
            "control_socket" => to.control_socket = child.arg(0).map(PathBuf::from),
            "history" => history(to, child),
            _ => {}
        }
    }
}

fn history(to: &mut Observability, node: &Node) {
    for child in node.children.iter().filter(|child| !child.bad) {
        let number = child.number::<u64>(0);
        match child.keyword.name {
            "file" if child.arg(0) == Some("off") => to.history.file_off = true,
            "file" => to.history.file = child.arg(0).map(PathBuf::from),
            "max_bytes" => to.history.max_bytes = number.unwrap_or(to.history.max_bytes),
            "events" => {
                to.history.events = number.and_then(|n| usize::try_from(n).ok()).unwrap_or(to.history.events)
            }
            _ => {}
        }
    }
}

fn listen(text: &str) -> Option<Option<SocketAddr>> {
    if text == "off" {
        return Some(None);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Some(address));
    }
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?;
    Some(Some(SocketAddr::new(address, Observability::DEFAULT_PORT)))
}
