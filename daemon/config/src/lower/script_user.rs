//! Who runs scripts: `USER [[:]GROUP]` after a command, `user`, `script_user`, and what holds without any of them.
//!
//! Goes in: keywords, and the whole model. Comes out: the users in it, and what there is to say of users that this
//! machine does not have.

use keepwatch_process::DEFAULT_USER;
use keepwatch_process::security::Who;

use crate::accounts::{Accounts, Database};
use crate::diagnostics::Diagnostic;
use crate::model::{CheckerKind, Config, Global, Notify, Script, ScriptUser};
use crate::preprocess::{Command, Context};
use crate::tree::Node;

/// A user or group that there is not (reported), as it was named.
#[derive(Debug)]
pub(super) struct NoSuchUser(pub(super) ScriptUser);

/// The user that the value of this number of a keyword names, with the group after it; `None` if nobody is named.
pub(super) fn user(
    node: &Node,
    index: usize,
    context: &mut Context,
) -> Result<Option<ScriptUser>, NoSuchUser> {
    let Some(name) = node.text(index) else { return Ok(None) };
    let written = node.arg(index + 1);
    let supplementary_groups = written.is_some_and(|group| group.starts_with(':'));
    let group = written.map(|group| group.strip_prefix(':').unwrap_or(group));
    // A colon alone: the user's own group, and the supplementary ones.
    let group = group.filter(|group| !(group.is_empty() && supplementary_groups));
    let mut known = true;
    if context.look_at_scripts {
        known &= is_there(node, index, Database::Users, &name, context);
        known &= group.is_none_or(|group| is_there(node, index + 1, Database::Groups, group, context));
    }
    let user = ScriptUser { name, group: group.map(Into::into), supplementary_groups };
    if known { Ok(Some(user)) } else { Err(NoSuchUser(user)) }
}

fn is_there(node: &Node, index: usize, database: Database, name: &str, context: &mut Context) -> bool {
    let known = context.accounts.has(database, name);
    if !known {
        let what = match database {
            Database::Users => "user",
            Database::Groups => "group",
        };
        let message = format!("there is no {what} `{name}` on this machine");
        // As keepalived: without these the file is not as it was meant; other scripts are only not run.
        let diagnostic = match node.keyword.name {
            "script_user" | "user" | "startup_script" | "shutdown_script" => {
                Diagnostic::error("unknown-user", message)
            }
            _ => Diagnostic::warning("unknown-user", message),
        };
        let label = match node.keyword.name {
            "script_user" => "no script is run that does not name its user",
            _ => "left out: nobody to run as",
        };
        context.report(diagnostic.at(node.arg_span(index), label));
    }
    known
}

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
            maybe(&mut real.notify_up);
            maybe(&mut real.notify_down);
            for checker in &mut real.checkers {
                if let CheckerKind::Misc(misc) = &mut checker.kind {
                    script(&mut misc.script);
                }
            }
        }
    }
}
