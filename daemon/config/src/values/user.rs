//! `USER [[:]GROUP]`: who runs a script.

use crate::accounts::Database;
use crate::diagnostics::Diagnostic;
use crate::model::ScriptUser;
use crate::preprocess::Context;
use crate::tree::Node;

/// A user or group that there is not (reported), as it was named.
#[derive(Debug)]
pub(crate) struct NoSuchUser(pub(crate) ScriptUser);

/// The user that the value of this number of a keyword names, with the group after it; `None` if nobody is named.
pub(crate) fn user(
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
