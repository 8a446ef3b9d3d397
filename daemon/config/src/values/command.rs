//! Commands: splitting them into words, and who runs them.

use super::user;
use crate::diagnostics::Diagnostic;
use crate::model::{Name, Script, ScriptUser};
use crate::preprocess::{Command, Context};
use crate::tree::Node;
use crate::words::{QuoteError, quoted_words};

/// The command of a keyword: its first value is the command line, user and group may follow.
pub(crate) fn script(node: &Node, context: &mut Context) -> Option<Script> {
    let user = user(node, 1, context);
    let command = argv(node, context)?;
    let user = user.ok()?;
    Some(finish(command, user, None, node, context))
}

/// The command of a keyword that says elsewhere who runs it, of this `vrrp_script` if it is one; more than the command line has no effect (reported).
pub(crate) fn command(
    node: &Node,
    user: Option<ScriptUser>,
    tracked: Option<&Name>,
    context: &mut Context,
) -> Option<Script> {
    if let (Some(first), Some(last)) = (node.args.get(1), node.args.last()) {
        context.report(
            Diagnostic::warning(
                "extra-words",
                format!("`{}` takes no more than a command", node.keyword.name),
            )
            .at(first.span.to(last.span), "has no effect")
            .help("put arguments into the quotes with the command; `user` says who runs it"),
        );
    }
    let command = argv(node, context)?;
    Some(finish(command, user, tracked, node, context))
}

/// The words of the command line; `None` if there are none, or their quotes don't match (reported).
fn argv(node: &Node, context: &mut Context) -> Option<Vec<Name>> {
    let line = node.args.first()?;
    let argv = match quoted_words(&line.text, true) {
        Ok(words) => words.into_iter().map(|(text, _, _)| Name::from(text)).collect::<Vec<_>>(),
        Err(error) => {
            let message = match error {
                QuoteError::Unterminated(quote, _) => format!("`{quote}` is not closed in this command"),
                QuoteError::LoneBackslash(_) => "the command ends with a `\\`".to_owned(),
            };
            context.report(Diagnostic::error("unterminated-quote", message).at(line.span, "in here"));
            return None;
        }
    };
    if argv.is_empty() {
        let message = format!("`{}` has an empty command", node.keyword.name);
        let diagnostic = match node.keyword.name {
            "script" | "misc_path" | "startup_script" | "shutdown_script" => {
                Diagnostic::error("missing-value", message)
            }
            // Nobody is told: as a template makes it that has nobody to tell.
            _ => Diagnostic::warning("missing-value", message),
        };
        context.report(diagnostic.at(line.span, "nothing to run"));
        return None;
    }
    let shell = argv.iter().find(|word| SHELL.contains(&&***word)).filter(|_| !is_shell(&argv));
    if let Some(sign) = shell {
        context.report(
            Diagnostic::warning("no-shell", format!("`{sign}` is only an argument here"))
                .at(line.span, "no shell runs this command")
                .help("put it in a script of its own, or run `/bin/sh -c '…'`"),
        );
    }
    Some(argv)
}

/// What a shell would not take for an argument.
const SHELL: &[&str] =
    &["|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1", ">/dev/null", "&>/dev/null", "2>/dev/null"];

/// Is the program a shell or one that runs others, so that it may know what to do with such arguments?
fn is_shell(argv: &[Name]) -> bool {
    argv.iter().any(|word| matches!(&**word, "-c" | "eval"))
}

/// The script; its program is noted, to be looked at when all is read.
fn finish(
    argv: Vec<Name>,
    user: Option<ScriptUser>,
    tracked: Option<&Name>,
    node: &Node,
    context: &mut Context,
) -> Script {
    if context.look_at_scripts {
        context.commands.push(Command {
            argv: argv.clone(),
            at: node.arg_span(0),
            tracked: tracked.cloned(),
            user: user.clone(),
        });
    }
    Script { argv, user }
}
