//! A checker of a real server as written: its block is read, and what it lacks is said.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::{CONNECTION, ConnectionDraft};
use super::http::HttpDraft;
use super::{
    BFD_CHECK, BfdDraft, DNS, DnsDraft, FILE_CHECK, FileDraft, MISC, MiscDraft, SMTP, SmtpDraft, UDP,
    UdpDraft,
};
use crate::diagnostics::Diagnostic;
use crate::model::Script;
use crate::preprocess::Context;
use crate::schema::timing::{CheckerDraft, OF_CHECKER};
use crate::source::Span;
use crate::tree::Node;
use crate::values::command::command;
use crate::words::Word;

/// A checker as written.
#[derive(Debug)]
pub(crate) struct CheckerBlock {
    pub(crate) at: Span,
    pub(crate) idle: IdleLines,
    pub(crate) common: CheckerDraft,
    pub(crate) kind: KindDraft,
}

/// What the kinds have of their own.
#[derive(Debug)]
pub(crate) enum KindDraft {
    Tcp(ConnectionDraft),
    Http(ConnectionDraft, HttpDraft),
    Smtp(ConnectionDraft, SmtpDraft),
    Dns(ConnectionDraft, DnsDraft),
    Misc(Misc),
    Ping(ConnectionDraft),
    Udp(ConnectionDraft, UdpDraft),
}

/// Where the lines stand that may turn out to mean nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdleLines {
    pub(crate) delay_before_retry: Option<Span>,
    pub(crate) misc_dynamic: Option<Span>,
}

/// A `MISC_CHECK` that can be run.
#[derive(Debug)]
pub(crate) struct Misc {
    pub(crate) script: Script,
    pub(crate) timeout: Option<Duration>,
    pub(crate) dynamic: bool,
}

/// A `FILE_CHECK` that says which file.
#[derive(Debug)]
pub(crate) struct FollowedFile {
    /// Name of the `track_file`.
    pub(crate) name: Word,
    pub(crate) weight: Option<(i32, bool)>,
}

/// A `BFD_CHECK` that says which session.
#[derive(Debug)]
pub(crate) struct FollowedBfd {
    /// Name of the `bfd_instance`.
    pub(crate) name: Word,
    pub(crate) alpha: Option<bool>,
}

/// The block of a kind of checker, of a real server of this address; `None` when something that it needs is missing
/// (reported).
pub(in crate::schema) type Reader = fn(&Node, IpAddr, &mut Context) -> Option<KindDraft>;

impl CheckerBlock {
    /// Reads a block of a real server of this address.
    pub(in crate::schema) fn new(
        read: Reader,
        node: &Node,
        server: IpAddr,
        context: &mut Context,
    ) -> Option<Self> {
        let mut common = CheckerDraft::default();
        for child in with_hosts(node) {
            OF_CHECKER.take(&mut common, child, context);
        }
        let kind = read(node, server, context)?;
        let written = |keyword| {
            let found = node.children.iter().find(|child| child.keyword.name == keyword && !child.bad);
            found.map(|child: &Node| child.name.span)
        };
        let idle = IdleLines {
            delay_before_retry: written("delay_before_retry"),
            misc_dynamic: written("misc_dynamic"),
        };
        Some(Self { at: node.name.span, idle, common, kind })
    }
}

/// The keywords of a checker; what a `host` says of when to check counts for all of it, as in keepalived.
fn with_hosts(node: &Node) -> impl Iterator<Item = &Node> {
    node.children.iter().flat_map(|child| std::iter::once(child).chain(&child.children))
}

fn connection(node: &Node, server: IpAddr, context: &mut Context) -> ConnectionDraft {
    let mut draft = ConnectionDraft::new(server);
    CONNECTION.read(&mut draft, node, context);
    draft
}

pub(in crate::schema) fn tcp(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    Some(KindDraft::Tcp(connection(node, server, context)))
}

pub(in crate::schema) fn ping(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let connection = connection(node, server, context);
    for port in ["connect_port", "bind_port"] {
        if let Some(line) = node.children.iter().find(|child| child.keyword.name == port && !child.bad) {
            nothing(line.name.span, "ICMP has no ports", context);
        }
    }
    Some(KindDraft::Ping(connection))
}

pub(in crate::schema) fn http(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let pages = HttpDraft::read(false, node, context)?;
    Some(KindDraft::Http(connection(node, server, context), pages))
}

pub(in crate::schema) fn https(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let pages = HttpDraft::read(true, node, context)?;
    Some(KindDraft::Http(connection(node, server, context), pages))
}

pub(in crate::schema) fn smtp(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let mut draft = SmtpDraft { server, helo_name: None, hosts: Vec::new() };
    SMTP.read(&mut draft, node, context);
    Some(KindDraft::Smtp(connection(node, server, context), draft))
}

pub(in crate::schema) fn dns(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let mut draft = DnsDraft::default();
    DNS.read(&mut draft, node, context);
    Some(KindDraft::Dns(connection(node, server, context), draft))
}

/// `None` when there is nothing to run, or nobody to run it (reported).
pub(in crate::schema) fn misc(node: &Node, _: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let mut draft = MiscDraft::default();
    MISC.read(&mut draft, node, context);
    let MiscDraft { path, timeout, dynamic, user, no_such_user } = draft;
    if no_such_user {
        return None;
    }
    if path.is_none() && !node.bad_children().contains(&"misc_path") {
        missing(node, "misc_path", context);
    }
    Some(KindDraft::Misc(Misc { script: command(&path?, user, None, context)?, timeout, dynamic }))
}

pub(in crate::schema) fn udp(node: &Node, server: IpAddr, context: &mut Context) -> Option<KindDraft> {
    let mut draft = UdpDraft::default();
    UDP.read(&mut draft, node, context);
    draft.check(context);
    Some(KindDraft::Udp(connection(node, server, context), draft))
}

impl UdpDraft {
    /// Bytes of the longest right answer unless given.
    const MAX_LENGTH: u16 = u8::MAX as u16;

    /// Shortest and longest right answer.
    pub(crate) fn lengths(&self) -> (u16, u16) {
        let least = self.min_length.map_or(0, |(least, _)| least);
        (least, self.max_length.map_or(Self::MAX_LENGTH, |(most, _)| most))
    }

    /// Says so when no answer can be right.
    fn check(&self, context: &mut Context) {
        let (least, most) = self.lengths();
        let Some((_, span)) = self.min_length.or(self.max_length) else { return };
        if least > most {
            let message = format!("no answer is at least {least} and at most {most} bytes long");
            context.report(Diagnostic::error("conflict", message).at(span, "every check will fail"));
        } else if self.pattern.as_ref().is_none_or(|pattern| pattern.data.is_empty()) {
            let why = "without a pattern after `require_reply` nothing of an answer is looked at";
            nothing(span, why, context);
        }
    }
}

impl FollowedFile {
    /// `None` when it does not say which file (reported).
    pub(in crate::schema) fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut draft = FileDraft::default();
        FILE_CHECK.read(&mut draft, node, context);
        if draft.name.is_none() {
            missing(node, "track_file", context);
        }
        Some(Self { name: draft.name?, weight: draft.weight })
    }
}

impl FollowedBfd {
    /// `None` when it does not say which session (reported).
    pub(in crate::schema) fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut draft = BfdDraft::default();
        BFD_CHECK.read(&mut draft, node, context);
        if draft.name.is_none() {
            missing(node, "name", context);
        }
        Some(Self { name: draft.name?, alpha: draft.alpha })
    }
}

/// Says that a block lacks something; it is left out then.
pub(super) fn missing(node: &Node, what: &str, context: &mut Context) {
    context.report(
        Diagnostic::error("missing-part", format!("`{}` has no `{what}`", node.keyword.name))
            .at(node.name.span, "left out"),
    );
}

/// Says that a line has no effect.
pub(crate) fn nothing(span: Span, why: &str, context: &mut Context) {
    context.report(Diagnostic::warning("no-effect", why).at(span, "has no effect"));
}
