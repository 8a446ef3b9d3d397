//! Who is told when an instance or a group changes its state.

use super::entry::Block;
use super::{Keyword, Kind, kw, opt, script, switch};
use crate::model::{Notify, Rare};
use crate::values::command::script as command;

/// What instances and groups may run.
pub(crate) const NOTIFY: Block<Rare<Notify>> = Block(&[
    script("notify_master", "Command to run on becoming master.")
        .example("notify_master \"/etc/keepalived/to_master.sh\"")
        .first_counts()
        .sets(|to, node, context| to.make_mut().master = command(node, context)),
    script("notify_backup", "Command to run on becoming backup.")
        .example("notify_backup \"/etc/keepalived/to_backup.sh\"")
        .first_counts()
        .sets(|to, node, context| to.make_mut().backup = command(node, context)),
    script("notify_fault", "Command to run on a fault.")
        .example("notify_fault \"/etc/keepalived/fault.sh\"")
        .first_counts()
        .sets(|to, node, context| to.make_mut().fault = command(node, context)),
    script("notify_stop", "Command to run on stopping VRRP.")
        .example("notify_stop \"/etc/keepalived/stop.sh\"")
        .first_counts()
        .sets(|to, node, context| to.make_mut().stop = command(node, context)),
    script(
        "notify",
        "Command to run on every change, with type, name, state and priority added to its arguments.",
    )
    .example("notify \"/etc/keepalived/notify.sh\"")
    .first_counts()
    .sets(|to, node, context| to.make_mut().any = command(node, context)),
]);

/// What only instances may run.
pub(super) const OF_INSTANCE: Block<Rare<Notify>> = Block(&[
    kw(
        "notify_deleted",
        &[opt("COMMAND [USER [GROUP]]", Kind::Script)],
        "Tell DELETED and not FAULT when a reload removed the instance, and run a command.",
    )
    .example("notify_deleted \"/etc/keepalived/deleted.sh\"")
    .first_counts()
    .sets(|to, node, context| {
        to.make_mut().tell_deleted = true;
        if !node.args.is_empty() {
            to.make_mut().deleted = command(node, context);
        }
    }),
    script("notify_master_rx_lower_pri", "Command to run when a master hears a lower priority.")
        .example("notify_master_rx_lower_pri \"/etc/keepalived/lower.sh\"")
        .first_counts()
        .sets(|to, node, context| to.make_mut().master_rx_lower_priority = command(node, context)),
]);

pub(super) const SMTP_ALERT: Keyword = switch("smtp_alert", "Mail on state changes.")
    .default("smtp_alert_vrrp, else smtp_alert of global_defs, else off")
    .example("smtp_alert");
pub(super) const PRIORITY_CHANGES: Keyword =
    switch("notify_priority_changes", "Tell FIFOs of priority changes too.")
        .example("notify_priority_changes");
