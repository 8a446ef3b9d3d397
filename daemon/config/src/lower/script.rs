//! Commands: splitting them into words, and who runs them.

use super::script_files::{Command, check_user};
use crate::diagnostics::Diagnostic;
use crate::model::{Name, Script};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::{QuoteError, quoted_words};

/// The command of a keyword: its first value is the command line, user and group may follow.
pub(super) fn script(node: &Node, context: &mut Context) -> Option<Script> {
    let can_run = check_user(node, 1, context);
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
    if !can_run {
        return None;
    }
    // `</PATH` only asks whether a file can be opened.
    if let Some(program) = argv.first().filter(|program| context.look_at_scripts && !program.starts_with('<'))
    {
        context.commands.push(Command {
            program: (&**program).into(),
            at: line.span,
            tracked: node.keyword.name == "script",
            has_user: node.args.len() > 1,
        });
    }
    Some(Script { argv, user: node.text(1), group: node.text(2) })
}
