//! Texts of which the last one counts, and giving two is a mistake.

use crate::diagnostics::Diagnostic;
use crate::model::Name;
use crate::preprocess::Context;
use crate::tree::Node;

/// Sets a text; says so when it replaces another.
pub(super) fn replace_text(slot: &mut Option<Name>, node: &Node, context: &mut Context) {
    if slot.is_some() {
        context.report(
            Diagnostic::error("duplicate-keyword", format!("`{}` was given before", node.keyword.name))
                .at(node.span(), "takes the place of that one"),
        );
    }
    *slot = node.text(0);
}
