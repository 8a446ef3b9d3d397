//! The checkers of a real server: machines that ask other questions disagree about who is alive.

use std::time::Duration;

use super::file::Block;
use crate::diagnostics::Diagnostic;
use crate::model::{CheckerKind, Connection, RealServer, VirtualServerKey};
use crate::schema::Body;
use crate::tree::Node;

/// A difference between the checkers of a real server in two files.
pub(super) struct Found {
    pub(super) diagnostic: Diagnostic,
    /// It stands in neither checker, but in what is around them.
    pub(super) inherited: bool,
}

/// Keywords of checkers that may differ: when a check is made, and from where.
const LET_BE: &[&str] = &[
    "connect_timeout",
    "delay_loop",
    "retry",
    "delay_before_retry",
    "warmup",
    "bindto",
    "bind_port",
    "bind_if",
    "fwmark",
    "log_all_failures",
    "alpha",
    "misc_timeout",
    "fast_recovery",
];

/// Compares the checkers of one real server.
pub(super) fn compare(
    (real, block): (&RealServer, Block<'_>),
    (other, other_block): (&RealServer, Block<'_>),
    key: &VirtualServerKey,
) -> Option<Found> {
    let questions = |real: &RealServer| real.checkers.iter().map(|it| question(&it.kind)).collect::<Vec<_>>();
    let followed = |real: &RealServer| {
        let bfds = real.bfd_checks.iter().map(|bfd| bfd.session.clone());
        (real.file_checks.clone(), bfds.collect::<Vec<_>>())
    };
    if questions(real) == questions(other) && followed(real) == followed(other) {
        return None;
    }
    let file = other_block.file.path.display();
    let message = format!("real server {} of {key} is checked otherwise here than in {file}", real.address);
    let diagnostic = Diagnostic::warning("cluster-checks", message)
        .help("the machines may disagree about whether it is alive");
    let differing = differing(block, other_block, checkers);
    let inherited = differing.is_none();
    let (here, there) = differing.unwrap_or((block, other_block));
    let diagnostic = diagnostic.at(here.head(), "here").also(there.head(), "in the other file");
    Some(Found { diagnostic, inherited })
}

/// What a checker asks: without what says when, and from where.
fn question(kind: &CheckerKind) -> CheckerKind {
    let mut kind = kind.clone();
    let connection = match &mut kind {
        CheckerKind::Tcp(connection) | CheckerKind::Ping(connection) => Some(connection),
        CheckerKind::Http(http) => {
            http.fast_recovery = false;
            Some(&mut http.connection)
        }
        CheckerKind::Smtp(smtp) => Some(&mut smtp.connection),
        CheckerKind::Dns(dns) => Some(&mut dns.connection),
        CheckerKind::Udp(udp) => Some(&mut udp.connection),
        CheckerKind::Misc(misc) => {
            misc.timeout = Duration::ZERO;
            None
        }
    };
    if let Some(connection) = connection {
        *connection = Connection {
            connect_to: connection.connect_to,
            bind_to: None,
            bind_port: None,
            bind_interface: None,
            fwmark: None,
            connect_timeout: Duration::ZERO,
        };
    }
    kind
}

fn checkers(node: &Node) -> bool {
    matches!(node.keyword.body, Body::Block(_))
}

fn that_matter(node: &Node) -> bool {
    !LET_BE.contains(&node.keyword.name)
}

/// The first keyword that differs, in both texts; of one that only one of them has, the block that lacks it.
fn differing<'a>(
    here: Block<'a>,
    there: Block<'a>,
    counts: fn(&Node) -> bool,
) -> Option<(Block<'a>, Block<'a>)> {
    let mut theirs: Vec<Block<'a>> = there.inner(counts).collect();
    for one in here.inner(counts) {
        let same = theirs.iter().position(|other| other.node().keyword.name == one.node().keyword.name);
        let Some(other) = same.map(|number| theirs.remove(number)) else {
            // A checker of another kind stands for it, if there is one.
            let unknown = |block: &&Block<'a>| {
                here.inner(checkers).all(|ours| ours.node().keyword.name != block.node().keyword.name)
            };
            let instead = theirs.iter().filter(|block| checkers(block.node()) && checkers(one.node()));
            return Some((one, instead.copied().find(|block| unknown(&block)).unwrap_or(there)));
        };
        let words = |block: Block<'a>| block.node().args.iter().map(|word| &*word.text);
        if !words(one).eq(words(other)) {
            return Some((one, other));
        }
        if let Some(found) = differing(one, other, that_matter) {
            return Some(found);
        }
    }
    theirs.first().map(|other| (here, *other))
}
