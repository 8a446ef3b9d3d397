//! Named pipes that are told of changes.

use super::GlobalDraft;
use crate::model::{NotifyFifo, Script};
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::{Arg, Kind, flag, kw, one, opt, script, switch};
use crate::source::Placed;
use crate::tree::Node;
use crate::values::{command, user};

const FIFO: &[Arg] = &[one("PATH", Kind::Word), opt("USER", Kind::Word), opt("GROUP", Kind::Word)];

pub(super) const NOTIFY: Block<GlobalDraft> = Block(&[
    kw("notify_fifo", FIFO, "FIFO that is told of every change.")
        .first_counts()
        .example("notify_fifo /run/keepalived.fifo")
        .sets(|to, node, context| to.fifos.all.fifo = fifo(node, context)),
    script("notify_fifo_script", "Command that reads it.")
        .first_counts()
        .example("notify_fifo_script \"/etc/keepalived/fifo.sh\"")
        .sets(|to, node, context| to.fifos.all.script = reader(node, context)),
    kw("vrrp_notify_fifo", FIFO, "FIFO that is told of VRRP changes.")
        .first_counts()
        .example("vrrp_notify_fifo /run/vrrp.fifo")
        .sets(|to, node, context| to.fifos.vrrp.fifo = fifo(node, context)),
    script("vrrp_notify_fifo_script", "Command that reads it.")
        .first_counts()
        .example("vrrp_notify_fifo_script \"/etc/keepalived/fifo.sh\"")
        .sets(|to, node, context| to.fifos.vrrp.script = reader(node, context)),
    kw("lvs_notify_fifo", FIFO, "FIFO that is told of virtual and real server changes.")
        .first_counts()
        .example("lvs_notify_fifo /run/lvs.fifo")
        .sets(|to, node, context| to.fifos.lvs.fifo = fifo(node, context)),
    script("lvs_notify_fifo_script", "Command that reads it.")
        .first_counts()
        .example("lvs_notify_fifo_script \"/etc/keepalived/fifo.sh\"")
        .sets(|to, node, context| to.fifos.lvs.script = reader(node, context)),
    switch("vrrp_notify_priority_changes", "Tell FIFOs of priority changes too.")
        .default("off")
        .example("vrrp_notify_priority_changes")
        .sets(|to, node, _| to.model.vrrp_notify_priority_changes = node.on()),
    flag("fifo_write_vrrp_states_on_reload", "Write all states to FIFOs on a reload.")
        .example("fifo_write_vrrp_states_on_reload")
        .sets(|to, _, _| to.fifos.states_on_reload = true),
]);

/// All three as written.
#[derive(Debug, Default)]
pub(crate) struct FifoDrafts {
    pub(crate) all: FifoDraft,
    pub(crate) vrrp: FifoDraft,
    pub(crate) lvs: FifoDraft,
    pub(crate) states_on_reload: bool,
}

/// A pipe, and the script that reads it, with their places.
#[derive(Debug, Default)]
pub(crate) struct FifoDraft {
    pub(crate) fifo: Placed<NotifyFifo>,
    pub(crate) script: Placed<Script>,
}

fn fifo(node: &Node, context: &mut Context) -> Placed<NotifyFifo> {
    let owner = user(node, 1, context).ok()?;
    let fifo = NotifyFifo { path: node.arg(0)?.into(), owner, script: None };
    Some((fifo, node.span()))
}

fn reader(node: &Node, context: &mut Context) -> Placed<Script> {
    Some((command::script(node, context)?, node.span()))
}
