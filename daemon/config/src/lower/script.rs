//! Commands: splitting them into words, and who runs them.

use super::script_files::Command;
use super::script_user::user;
use crate::diagnostics::Diagnostic;
use crate::model::{Name, Script};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::{QuoteError, quoted_words};

/// The command of a keyword: its first value is the command line, user and group may follow.
pub(super) fn script(node: &Node, context: &mut Context) -> Option<Script> {
    let user = user(node, 1, context);
    let command = argv(node, context)?;
    let user = user.ok()?;
    remember(&command, node, node.args.len() > 1, context);
    Some(Script { argv: command, user })
}

/// The command of a keyword that says elsewhere who runs it; more than the command line has no effect (reported).
pub(super) fn command(node: &Node, context: &mut Context) -> Option<Script> {
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
    remember(&command, node, false, context);
    Some(Script { argv: command, user: None })
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
        context.report(
            Diagnostic::error("missing-value", format!("`{}` has an empty command", node.keyword.name))
                .at(line.span, "nothing to run"),
        );
        return None;
    }
    Some(argv)
}

/// Notes the program, to be looked at when all is read.
fn remember(argv: &[Name], node: &Node, has_user: bool, context: &mut Context) {
    // `</PATH` only asks whether a file can be opened.
    if let Some(program) = argv.first().filter(|program| context.look_at_scripts && !program.starts_with('<'))
    {
        context.commands.push(Command {
            program: (&**program).into(),
            at: node.arg_span(0),
            tracked: node.keyword.name == "script",
            has_user,
        });
    }
}
