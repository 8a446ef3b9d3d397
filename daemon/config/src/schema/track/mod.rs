//! What can be tracked: scripts, files, processes.

pub(crate) mod file;
pub(crate) mod following;
pub(crate) mod process;
pub(crate) mod script;

use crate::diagnostics::Diagnostic;
use crate::preprocess::Context;
use crate::tree::Node;

/// `weight NUMBER [reverse]` of what can be tracked: the number, and whether it counts for the opposite. Another word
/// than `reverse` has no effect (reported).
pub(super) fn own_weight(node: &Node, context: &mut Context) -> (i32, bool) {
    let reverse = node.arg(1) == Some("reverse");
    if let Some(word) = node.args.get(1).filter(|_| !reverse) {
        context.report(
            Diagnostic::error("unknown-option", format!("`{}` is no option of a weight", word.text))
                .at(word.span, "expected `reverse` or nothing"),
        );
    }
    (node.number::<i32>(0).unwrap_or(0), reverse)
}
