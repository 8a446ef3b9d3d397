//! `virtual_server_group`: addresses, ranges and firewall marks.

use super::Draft;
use super::address_range::range;
use super::server_rules::Families;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{Family, FwMark, GroupEntry, VirtualServerGroup};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::Word;

impl Draft {
    pub(super) fn server_group(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let entries: Vec<GroupEntry> = node.lines.iter().filter_map(|words| entry(words, context)).collect();
        if entries.is_empty() && !node.lines.is_empty() {
            // Its lines were reported; whoever uses the group need not complain again.
            self.server_groups.push(VirtualServerGroup { name, entries });
            return;
        }
        if entries.is_empty() {
            context.report(
                Diagnostic::error("empty-group", format!("the virtual server group `{name}` has no entries"))
                    .at(node.arg_span(0), "left out"),
            );
            self.dropped_groups.push((&*name).into());
            return;
        }
        let families = Families::of(&entries);
        if families.v4 && families.v6 && families.unsaid {
            context.report(
                Diagnostic::error(
                    "family-mix",
                    format!(
                        "the group `{name}` has IPv4, IPv6, and a `fwmark` that does not say which it is"
                    ),
                )
                .at(node.arg_span(0), "left out")
                .help("write `inet` or `inet6` after each mark"),
            );
            self.dropped_groups.push((&*name).into());
            return;
        }
        self.server_groups.push(VirtualServerGroup { name, entries });
    }
}

/// A line of a virtual server group.
fn entry(words: &[Word], context: &mut Context) -> Option<GroupEntry> {
    let first = words.first()?;
    if &*first.text == "fwmark" {
        let Some(mark) = words.get(1) else {
            context.report(
                Diagnostic::error("missing-value", "`fwmark` needs a number")
                    .at(first.span.after(), "missing here"),
            );
            return None;
        };
        let family = match words.get(2).map(|word| (&*word.text, word.span)) {
            None => None,
            Some(("inet", _)) => Some(Family::Inet),
            Some(("inet6", _)) => Some(Family::Inet6),
            Some((other, span)) => {
                context.report(
                    Diagnostic::error("unknown-option", format!("`{other}` is no family"))
                        .at(span, "expected `inet` or `inet6`; this line is left out"),
                );
                return None;
            }
        };
        return line_number(mark, 1, i64::from(u32::MAX), "fwmark", context)
            .map(|mark| GroupEntry::FwMark { mark: FwMark(mark), family });
    }
    let range = match range(&first.text) {
        Ok(range) => range,
        Err(problem) => {
            context.report(problem.diagnostic(&first.text, first.span));
            return None;
        }
    };
    let port = match words.get(1) {
        None => 0,
        Some(word) => line_number(word, 0, u16::MAX.into(), "port", context)?,
    };
    Some(GroupEntry::Addresses { range, port })
}
