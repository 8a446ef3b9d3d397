//! `virtual_server`: what it answers to, and its block.

use std::net::SocketAddr;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::FwMark;
use crate::preprocess::Context;
use crate::schema::servers::{ServerDraft, Target};
use crate::tree::Node;
use crate::values::mend::With;
use crate::values::say_what_is_lost;

impl Draft {
    pub(super) fn server(&mut self, node: &Node, context: &mut Context) {
        if let Some(target) = target(node, context) {
            self.servers.push(ServerDraft::read(target, self.taken, node, context));
        }
    }
}

/// `ADDRESS [PORT]`, `fwmark MARK` or `group NAME`.
fn target(node: &Node, context: &mut Context) -> Option<Target> {
    let first = node.args.first()?;
    let needs_second = matches!(&*first.text, "fwmark" | "group");
    let second = node.args.get(1);
    if needs_second && second.is_none() {
        context.report(
            Diagnostic::error("missing-part", format!("`{}` needs a value", first.text))
                .at(first.span.after(), "missing here"),
        );
        return None;
    }
    match (&*first.text, second) {
        ("fwmark", Some(mark)) => line_number(mark, 1, i64::from(u32::MAX), "fwmark", context)
            .map(|mark| Target::Mark(FwMark(mark))),
        ("group", Some(name)) => Some(Target::Group((&*name.text).into())),
        (text, port) => {
            let Some(address) = crate::values::host(text) else {
                context.report(
                    Diagnostic::error("invalid-address", format!("`{text}` is no address"))
                        .at(first.span, "expected an address, `fwmark` or `group`")
                        .suggest_address(first, if port.is_none() { With::Port } else { With::Nothing })
                        .help("the virtual server is left out"),
                );
                return None;
            };
            say_what_is_lost(first, context);
            let port = match port {
                None => 0,
                Some(word) => line_number(word, 0, u16::MAX.into(), "port", context)?,
            };
            Some(Target::Address(SocketAddr::new(address, port)))
        }
    }
}
