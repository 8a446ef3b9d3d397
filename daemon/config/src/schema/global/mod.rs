//! `global_defs`, by what its keywords are about, and what stands at the top level and belongs with it.

mod buffers;
mod dbus;
mod files;
mod firewall;
mod garp;
mod ipvs;
mod links;
mod mailbox;
mod notify;
mod processes;
mod root;
mod scripts;
mod smtp;
mod snmp;
mod umask;
mod vrrp;

use std::time::Duration;

pub(crate) use self::ipvs::SyncDaemonPlace;
pub(crate) use self::notify::{FifoDraft, FifoDrafts};
pub(crate) use self::root::OF_ROOT;
use super::entry::Block;
use super::{Arg, Keyword, Kind, one};
use crate::diagnostics::Diagnostic;
use crate::model::{Global, Name};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// As written: the model's own struct with what needs defaults kept apart.
#[derive(Debug, Default)]
pub(crate) struct GlobalDraft {
    pub(crate) model: Global,
    pub(crate) router_id: Option<Name>,
    pub(crate) helo_name: Option<Name>,
    pub(crate) garp_lower_delay: Option<Duration>,
    pub(crate) garp_lower_repeat: Option<u32>,
    pub(crate) rs_stats: Option<Duration>,
    pub(crate) vmac_address_prefix: Option<Name>,
    pub(crate) fifos: FifoDrafts,
    pub(crate) sync_daemon: SyncDaemonPlace,
    /// Where each of the model's delays of interfaces stands.
    pub(crate) delay_places: Vec<Span>,
}

const PATH: &[Arg] = &[one("PATH", Kind::Word)];

/// All that it may say.
const PARTS: &[Block<GlobalDraft>] = &[
    smtp::SMTP,
    scripts::SCRIPTS,
    notify::NOTIFY,
    vrrp::VRRP,
    garp::GARP,
    links::LINKS,
    ipvs::IPVS,
    firewall::FIREWALL,
    processes::PROCESSES,
    buffers::BUFFERS,
    snmp::SNMP,
    dbus::DBUS,
    files::FILES,
];

/// `global_defs { … }`.
pub(super) const GLOBAL: &[Keyword] = &{
    const COUNT: usize = Block::count(PARTS);
    Block::all::<COUNT>(PARTS)
};

impl GlobalDraft {
    /// Takes the keywords of its block.
    pub(crate) fn read(&mut self, node: &Node, context: &mut Context) {
        for child in &node.children {
            let _ = PARTS.iter().any(|part| part.take(self, child, context));
        }
    }
}

/// As many bytes of a text as fit, and no half characters.
fn cut(text: &str, most: usize) -> &str {
    (0..=most.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// Says that a number is not as it must be, and what is used in place of it.
fn instead(node: &Node, must: &str, used: impl std::fmt::Display, context: &mut Context) {
    context.report(
        Diagnostic::error("out-of-range", format!("`{}` must be {must}", node.keyword.name))
            .at(node.arg_span(0), format!("{used} is used")),
    );
}
