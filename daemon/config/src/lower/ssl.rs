//! `SSL`: what `SSL_GET` shows and trusts.

use super::text::replace_text;
use crate::diagnostics::Diagnostic;
use crate::model::{Secret, Ssl};
use crate::preprocess::Context;
use crate::tree::Node;

/// Takes the block; a second one takes the place of the first (reported).
pub(super) fn take(slot: &mut Option<Ssl>, node: &Node, context: &mut Context) {
    if slot.is_some() {
        context.report(
            Diagnostic::error("duplicate-keyword", "`SSL` was given before")
                .at(node.name.span, "this one takes its place, as a whole"),
        );
    }
    let mut ssl = Ssl::default();
    for child in node.children.iter().filter(|child| !child.bad) {
        match child.keyword.name {
            "password" => {
                let mut password = ssl.password.take().map(|Secret(password)| password);
                replace_text(&mut password, child, context);
                ssl.password = password.map(Secret);
            }
            "ca" => replace_text(&mut ssl.ca, child, context),
            "certificate" => replace_text(&mut ssl.certificate, child, context),
            "key" => replace_text(&mut ssl.key, child, context),
            _ => {}
        }
    }
    *slot = Some(ssl);
}
