//! What a checker must have to be one.

use crate::diagnostics::Diagnostic;
use crate::preprocess::Context;
use crate::tree::Node;

/// Is everything there? If not, says so; the checker is left out then.
pub(super) fn check(node: &Node, context: &mut Context) -> bool {
    let has = |name: &str| node.children.iter().any(|child| child.keyword.name == name);
    match node.keyword.name {
        "HTTP_GET" | "SSL_GET" => urls(node, context),
        "MISC_CHECK" if !has("misc_path") => missing(node, "misc_path", context),
        "MISC_CHECK" => node
            .children
            .iter()
            .filter(|child| child.keyword.name == "misc_path" && !child.bad)
            .all(|path| super::script::script(path, context).is_some()),
        _ => true,
    }
}

fn urls(node: &Node, context: &mut Context) -> bool {
    let mut good = false;
    let mut any = false;
    for url in node.children.iter().filter(|child| child.keyword.name == "url") {
        any = true;
        if url.children.iter().any(|child| child.keyword.name == "path") {
            good = true;
        } else {
            missing(url, "path", context);
        }
    }
    if any { good } else { missing(node, "url", context) }
}

fn missing(node: &Node, what: &str, context: &mut Context) -> bool {
    context.report(
        Diagnostic::error("missing-part", format!("`{}` has no `{what}`", node.keyword.name))
            .at(node.name.span, "left out"),
    );
    false
}
