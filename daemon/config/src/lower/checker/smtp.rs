//! `SMTP_CHECK`: itself, and its `host` blocks, which are checkers of their own.

use super::Around;
use crate::model::{Name, SmtpCheck};
use crate::preprocess::Context;
use crate::schema::checkers::SmtpDraft;
use crate::schema::checkers::connection::ConnectionDraft;
use crate::tree::Node;

/// An `SMTP_CHECK`: a name, and where to check.
#[derive(Debug)]
pub(super) struct Smtp {
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

impl Smtp {
    /// Where the checker says nothing of its connection, its `host` blocks alone count.
    pub(super) fn new(draft: SmtpDraft, main: ConnectionDraft) -> Self {
        let SmtpDraft { helo_name, hosts: mut connections, .. } = draft;
        if connections.is_empty() || !main.is_empty() {
            connections.insert(0, main);
        }
        Self { helo_name, connections }
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
