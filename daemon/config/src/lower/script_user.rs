//! Who runs scripts: `USER [[:]GROUP]` after a command, `user`, `script_user`, and what holds without any of them.
//!
//! Goes in: keywords, and the whole model. Comes out: the users in it, and what there is to say of users that this
//! machine does not have.

use std::sync::Arc;

use keepwatch_process::DEFAULT_USER;
use keepwatch_process::security::Who;

use crate::accounts::{Accounts, Database};
use crate::diagnostics::Diagnostic;
use crate::model::{CheckerKind, Config, Global, Notify, Script, ScriptUser};
use crate::preprocess::{Command, Context};

/// Who runs scripts of this user, or of nobody in particular, as numbers; `None` when this
/// machine's files do not tell.
pub(super) fn ids(user: Option<&ScriptUser>, global: &Global, accounts: &Accounts) -> Option<Who> {
    let user = user.or(global.script_user.as_ref());
    let name = user.map_or(DEFAULT_USER, |user| &user.name);
    let Some(entry) = accounts.entry(Database::Users, name) else {
        // Without a user of scripts it is the daemon's.
        return user.is_none().then_some(Who { uid: 0, gid: 0 });
    };
    let number = |entry: &str, index: usize| entry.split(':').nth(index)?.parse().ok();
    let group = match user.and_then(|user| user.group.as_deref()) {
        Some(group) => number(accounts.entry(Database::Groups, group)?, 2),
        None => number(entry, 3),
    };
    Some(Who { uid: number(entry, 2)?, gid: group? })
}

/// Is there nobody to run the scripts that name nobody themselves? Then a `script_user` that this machine does not have is
/// to blame (reported where it is written), or that with `enable_script_security` nobody runs scripts but the user that
/// is named or `keepalived_script`.
pub(super) fn is_nobody(global: &Global, commands: &[Command], context: &mut Context) -> bool {
    let accounts = &context.accounts;
    if let Some(user) = &global.script_user {
        let group = user.group.as_deref();
        return !accounts.has(Database::Users, &user.name)
            || !group.is_none_or(|group| accounts.has(Database::Groups, group));
    }
    if !global.enable_script_security || accounts.has(Database::Users, DEFAULT_USER) {
        return false;
    }
    if let Some(command) = commands.iter().find(|command| command.user.is_none()) {
        context.report(
            Diagnostic::error("unknown-user", "there is nobody to run scripts")
                .at(command.at, "this one, for example, is not run")
                .help(
                    "with `enable_script_security` they are run by the `script_user`, else by the user \
                     `keepalived_script`, which this machine has not",
                ),
        );
    }
    true
}

/// Gives `script_user` and `set_supplementary_groups` to everything that they hold for.
pub(super) fn apply(config: &mut Config) {
    let (unless_given, always) = (config.global.script_user.clone(), config.global.set_supplementary_groups);
    let owner = |owner: &mut Option<ScriptUser>| {
        if owner.is_none() {
            owner.clone_from(&unless_given);
        }
        if let Some(owner) = owner {
            owner.supplementary_groups |= always;
        }
    };
    let script = |script: &mut Script| owner(&mut script.user);
    let maybe = |slot: &mut Option<Script>| slot.iter_mut().for_each(script);
    let notify = |notify: &mut Notify| {
        let Notify { master, backup, fault, stop, deleted, any, master_rx_lower_priority, tell_deleted: _ } =
            notify;
        [master, backup, fault, stop, deleted, any, master_rx_lower_priority].into_iter().for_each(maybe);
    };
    if let Some(user) = &mut config.global.script_user {
        user.supplementary_groups |= always;
    }
    maybe(&mut config.global.startup_script);
    maybe(&mut config.global.shutdown_script);
    let fifos = &mut config.global.notify_fifos;
    for fifo in [&mut fifos.all, &mut fifos.vrrp, &mut fifos.lvs].into_iter().flatten() {
        owner(&mut fifo.owner);
        maybe(&mut fifo.script);
    }
    config.track_scripts.iter_mut().for_each(|tracked| script(&mut tracked.script));
    config.instances.iter_mut().filter_map(|instance| instance.notify.written()).for_each(notify);
    config.sync_groups.iter_mut().for_each(|group| notify(&mut group.notify));
    for server in &mut config.virtual_servers {
        maybe(&mut server.quorum_up);
        maybe(&mut server.quorum_down);
        for real in &mut server.real_servers {
            let told = [&mut real.notify_up, &mut real.notify_down];
            told.into_iter().flatten().for_each(|told| script(told));
            let commands =
                real.checkers.iter_mut().filter(|checker| matches!(checker.kind, CheckerKind::Misc(_)));
            for checker in commands {
                if let CheckerKind::Misc(misc) = &mut Arc::make_mut(checker).kind {
                    script(&mut misc.script);
                }
            }
        }
    }
}
