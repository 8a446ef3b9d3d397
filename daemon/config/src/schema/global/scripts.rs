//! Scripts: who runs them, and those of start and stop.

use std::time::Duration;

use super::GlobalDraft;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, opt, script, switch};
use crate::tree::Node;
use crate::values::{command, user};

pub(super) const SCRIPTS: Block<GlobalDraft> = Block(&[
    kw("script_user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs scripts.")
        .default("keepalived_script, else root")
        .example("script_user nobody")
        .sets(|to, node, context| {
            // One that there is not stays: nobody else, least of all root, may run what was meant for it.
            to.model.script_user = user(node, 0, context).unwrap_or_else(|missing| Some(missing.0));
        }),
    flag("enable_script_security", "Do not run as root what others than root could change.")
        .example("enable_script_security")
        .sets(|to, _, _| to.model.enable_script_security = true),
    switch("use_symlink_paths", "Leave symbolic links in paths of scripts.")
        .default("off")
        .example("use_symlink_paths")
        .sets(|to, node, _| to.model.use_symlink_paths = node.on()),
    switch("set_supplementary_groups", "Scripts run with the user's supplementary groups.")
        .default("off")
        .example("set_supplementary_groups")
        .sets(|to, node, _| to.model.set_supplementary_groups = node.on()),
    script("startup_script", "Command to run before anything starts.")
        .first_counts()
        .example("startup_script \"/etc/keepalived/start.sh\"")
        .sets(|to, node, context| to.model.startup_script = command::script(node, context)),
    kw("startup_script_timeout", &[one("SECONDS", Kind::Int(1, 1000))], "How long that may run.")
        .default("10")
        .example("startup_script_timeout 30")
        .sets(|to, node, _| seconds(&mut to.model.startup_script_timeout, node)),
    script("shutdown_script", "Command to run after everything has stopped.")
        .first_counts()
        .example("shutdown_script \"/etc/keepalived/stop.sh\"")
        .sets(|to, node, context| to.model.shutdown_script = command::script(node, context)),
    kw("shutdown_script_timeout", &[one("SECONDS", Kind::Int(1, 1000))], "How long that may run.")
        .default("10")
        .example("shutdown_script_timeout 30")
        .sets(|to, node, _| seconds(&mut to.model.shutdown_script_timeout, node)),
    switch("rs_init_notifies", "Run `notify_up` for servers found up at start.")
        .default("off")
        .example("rs_init_notifies")
        .sets(|to, node, _| to.model.rs_init_notifies = node.on()),
]);

fn seconds(slot: &mut Duration, node: &Node) {
    *slot = node.whole_seconds(0).unwrap_or(*slot);
}
