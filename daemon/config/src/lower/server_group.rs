//! `virtual_server_group`: addresses, ranges and firewall marks.

use std::net::IpAddr;

use super::Draft;
use super::server_rules::Families;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{AddressRange, Family, FwMark, GroupEntry, VirtualServerGroup};
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
            Some(("inet", _)) => Some(Family::V4),
            Some(("inet6", _)) => Some(Family::V6),
            Some((other, span)) => {
                context.report(
                    Diagnostic::error("unknown-option", format!("`{other}` is no family"))
                        .at(span, "expected `inet` or `inet6`; this line is left out"),
                );
                return None;
            }
        };
        return line_number(mark, 1, i64::from(u32::MAX), "fwmark", context)
            .map(|mark| GroupEntry::FwMark { mark: FwMark(mark as u32), family });
    }
    let Some(range) = range(&first.text) else {
        context.report(
            Diagnostic::error("invalid-address", format!("`{}` is no address or range", first.text))
                .at(first.span, "expected an address, `A-LAST`, `A-B` or `NETWORK/LENGTH` of at most 65536 addresses, or `fwmark`"),
        );
        return None;
    };
    let port = match words.get(1) {
        None => 0,
        Some(word) => line_number(word, 0, 65535, "port", context)? as u16,
    };
    Some(GroupEntry::Addresses { range, port })
}

/// Most addresses that one line may stand for: each becomes a service of the kernel's.
const MOST_ADDRESSES: u128 = 65_536;

/// `A-LAST` (the last byte, or for IPv6 the last 16 bits in hexadecimal), `A-B`, `A/LENGTH`, or one address.
fn range(text: &str) -> Option<AddressRange> {
    let (first, last) = if let Some((network, length)) = text.split_once('/') {
        let first: IpAddr = network.parse().ok()?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.parse().ok().filter(|length| (1..=width).contains(length))?;
        // All ones in the host part; the network must have none there.
        let host = 1u128.checked_shl(width - length).unwrap_or(0).wrapping_sub(1);
        (number(first) & host == 0).then_some((first, number(first) | host))?
    } else if let Some((first, last)) = text.split_once('-') {
        let first: IpAddr = first.parse().ok()?;
        let last = match (last.parse::<IpAddr>(), first) {
            (Ok(last), _) => (last.is_ipv4() == first.is_ipv4()).then(|| number(last))?,
            // One byte or two: that must be greater.
            (Err(_), IpAddr::V4(_)) => {
                greater(first, number(first) & !0xff | u128::from(last.parse::<u8>().ok()?))?
            }
            (Err(_), IpAddr::V6(_)) => {
                let last = u16::from_str_radix(last, 16).ok()?;
                greater(first, number(first) & !0xffff | u128::from(last))?
            }
        };
        (first, last)
    } else {
        let first: IpAddr = text.parse().ok()?;
        (first, number(first))
    };
    let count = last.checked_sub(number(first))?.checked_add(1).filter(|count| *count <= MOST_ADDRESSES)?;
    Some(AddressRange { first, count: count as u32 })
}

/// The last address of a range, if it is not also the first.
fn greater(first: IpAddr, last: u128) -> Option<u128> {
    (last > number(first)).then_some(last)
}

/// An address as a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_in_every_form() {
        let cases: &[(&str, Option<(&str, u32)>)] = &[
            ("192.0.2.1", Some(("192.0.2.1", 1))),
            ("192.0.2.1-9", Some(("192.0.2.1", 9))),
            ("192.0.2.250-192.0.3.10", Some(("192.0.2.250", 17))),
            ("192.0.2.8/29", Some(("192.0.2.8", 8))),
            ("192.0.2.9/29", None),
            ("192.0.2.9-3", None),
            ("192.0.2.9-9", None),
            ("192.0.2.9-192.0.2.9", Some(("192.0.2.9", 1))),
            ("192.0.2.9-256", None),
            ("10.0.0.0/8", None),
            ("2001:db8::1-ff", Some(("2001:db8::1", 255))),
            ("2001:db8::/125", Some(("2001:db8::", 8))),
            ("2001:db8::1-192.0.2.1", None),
            ("192.0.2.0/33", None),
            ("nowhere", None),
        ];
        for (text, expected) in cases {
            let found = range(text).map(|range| (range.first.to_string(), range.count));
            assert_eq!(found, expected.map(|(first, count)| (first.to_owned(), count)), "{text}");
        }
    }
}
