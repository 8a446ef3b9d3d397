//! `virtual_server_group`: addresses, ranges and firewall marks.

use std::net::IpAddr;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{AddressRange, FwMark, GroupEntry, VirtualServerGroup};
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
        return line_number(mark, 1, i64::from(u32::MAX), "fwmark", context)
            .map(|mark| GroupEntry::FwMark(FwMark(mark as u32)));
    }
    let Some(range) = range(&first.text) else {
        context.report(
            Diagnostic::error("invalid-address", format!("`{}` is no address or range", first.text))
                .at(first.span, "expected an address, `ADDRESS-LAST`, or `fwmark`"),
        );
        return None;
    };
    let port = match words.get(1) {
        None => 0,
        Some(word) => line_number(word, 0, 65535, "port", context)? as u16,
    };
    Some(GroupEntry::Addresses { range, port })
}

/// `192.0.2.1-9` or `2001:db8::1-ff`: up to the given last byte (or last 16 bits, in hexadecimal).
fn range(text: &str) -> Option<AddressRange> {
    let (first, last) = text.split_once('-').map_or((text, None), |(first, last)| (first, Some(last)));
    let first: IpAddr = first.parse().ok()?;
    let (low, high): (u32, u32) = match (first, last) {
        (_, None) => return Some(AddressRange { first, count: 1 }),
        (IpAddr::V4(address), Some(last)) => {
            (u32::from(address.octets()[3]), last.parse::<u8>().ok()?.into())
        }
        (IpAddr::V6(address), Some(last)) => {
            (u32::from(address.segments()[7]), u16::from_str_radix(last, 16).ok()?.into())
        }
    };
    (high >= low).then(|| AddressRange { first, count: high - low + 1 })
}
