//! `SMTP_CHECK` as written: itself, and its `host` blocks, which are checkers of their own.

use std::net::IpAddr;

use super::{Around, ConnectionDraft};
use crate::diagnostics::Diagnostic;
use crate::model::{Name, SmtpCheck};
use crate::preprocess::Context;
use crate::tree::Node;

/// An `SMTP_CHECK` as written: a name, and where to check.
#[derive(Debug)]
pub(super) struct SmtpDraft {
    helo_name: Option<Name>,
    connections: Vec<ConnectionDraft>,
}

/// The keywords of a checker; what a `host` says of when to check counts for all of it, as in keepalived.
pub(super) fn with_hosts(node: &Node) -> impl Iterator<Item = &Node> {
    node.children.iter().flat_map(|child| std::iter::once(child).chain(hosts_own(child)))
}

fn hosts_own(node: &Node) -> impl Iterator<Item = &Node> {
    let own = if node.keyword.name == "host" { node.children.as_slice() } else { &[] };
    own.iter()
}

impl SmtpDraft {
    pub(super) fn new(node: &Node, server: IpAddr, context: &mut Context) -> Self {
        let mut helo_name = None;
        let mut hosts = Vec::new();
        let mut own: Vec<&Node> = Vec::new();
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "helo_name" => helo_name = child.text(0),
                "host" => {
                    context.report(
                        Diagnostic::note("deprecated-keyword", "`host` is old")
                            .at(child.name.span, "another `SMTP_CHECK` says the same"),
                    );
                    let own: Vec<&Node> = child.children.iter().filter(|child| !child.bad).collect();
                    hosts.push(ConnectionDraft::new(&own, server, context));
                }
                _ => own.push(child),
            }
        }
        let main = ConnectionDraft::new(&own, server, context);
        if hosts.is_empty() || !main.is_empty() {
            hosts.insert(0, main);
        }
        Self { helo_name, connections: hosts }
    }

    pub(super) fn resolve(self, around: &Around<'_>, context: &mut Context) -> Vec<SmtpCheck> {
        let helo_name = self.helo_name.unwrap_or_else(|| SmtpCheck::HELO_NAME.into());
        self.connections
            .into_iter()
            .filter_map(|connection| connection.resolve(around, context))
            .map(|connection| SmtpCheck { connection, helo_name: helo_name.clone() })
            .collect()
    }
}
