//! Address ranges in a virtual server group: `A-LAST` (the last byte, or for IPv6 the last 16 bits in hexadecimal),
//! `A-B`, `NETWORK/LENGTH`, or one address.

use std::net::IpAddr;

use crate::diagnostics::Diagnostic;
use crate::model::AddressRange;
use crate::source::Span;

/// Most addresses that one line may stand for: each becomes a service of the kernel's.
const MOST_ADDRESSES: u128 = 65_536;

/// Why a text is no range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RangeProblem {
    /// Not written like one.
    Form,
    /// The address has bits beyond the length; the network that was probably meant.
    HostBits(IpAddr, u32),
    /// The end comes before the beginning, or with `A-LAST` not after it.
    Backwards,
    /// More than are allowed.
    TooMany,
}

impl RangeProblem {
    /// What to say of it.
    pub(super) fn diagnostic(&self, text: &str, at: Span) -> Diagnostic {
        let error = |message: &str, label: &str| Diagnostic::error("invalid-address", message).at(at, label);
        match self {
            Self::Form => error(
                &format!("`{text}` is no address or range"),
                "expected an address, `A-LAST`, `A-B`, `NETWORK/LENGTH` or `fwmark`",
            ),
            Self::HostBits(network, length) => {
                let right = format!("{network}/{length}");
                error(&format!("`{text}` is no network: it has bits beyond its length"), "left out").suggest(
                    at,
                    right.clone(),
                    format!("the network is `{right}`"),
                )
            }
            Self::Backwards => error(&format!("the range `{text}` ends before it begins"), "left out"),
            Self::TooMany => error(
                &format!("`{text}` is more than {MOST_ADDRESSES} addresses"),
                "each would be a service of its own; left out",
            )
            .help("a firewall mark can stand for any number of them"),
        }
    }
}

/// Reads a range.
pub(super) fn range(text: &str) -> Result<AddressRange, RangeProblem> {
    let (first, last) = if let Some((network, length)) = text.split_once('/') {
        by_length(network, length)?
    } else if let Some((first, last)) = text.split_once('-') {
        by_end(first, last)?
    } else {
        let only = text.parse().map_err(|_| RangeProblem::Form)?;
        (only, number(only))
    };
    match last.checked_sub(number(first)).and_then(|more| more.checked_add(1)) {
        Some(count) if count <= MOST_ADDRESSES => Ok(AddressRange { first, count: count as u32 }),
        _ => Err(RangeProblem::TooMany),
    }
}

fn by_length(network: &str, length: &str) -> Result<(IpAddr, u128), RangeProblem> {
    let first: IpAddr = network.parse().map_err(|_| RangeProblem::Form)?;
    let width = if first.is_ipv4() { 32 } else { 128 };
    let length: u32 = length.parse().map_err(|_| RangeProblem::Form)?;
    if !(1..=width).contains(&length) {
        return Err(RangeProblem::Form);
    }
    // All ones in the host part; the network must have none there.
    let host = 1u128.checked_shl(width - length).unwrap_or(0).wrapping_sub(1);
    match number(first) & host {
        0 => Ok((first, number(first) | host)),
        _ => Err(RangeProblem::HostBits(address(number(first) & !host, first), length)),
    }
}

fn by_end(first: &str, last: &str) -> Result<(IpAddr, u128), RangeProblem> {
    let first: IpAddr = first.parse().map_err(|_| RangeProblem::Form)?;
    let (last, least) = match (last.parse::<IpAddr>(), first) {
        (Ok(last), _) if last.is_ipv4() == first.is_ipv4() => (number(last), number(first)),
        (Ok(_), _) => return Err(RangeProblem::Form),
        // One byte or two: that must be greater.
        (Err(_), IpAddr::V4(_)) => {
            let last = last.parse::<u8>().map_err(|_| RangeProblem::Form)?;
            (number(first) & !0xff | u128::from(last), number(first) + 1)
        }
        (Err(_), IpAddr::V6(_)) => {
            let last = u16::from_str_radix(last, 16).map_err(|_| RangeProblem::Form)?;
            (number(first) & !0xffff | u128::from(last), number(first).saturating_add(1))
        }
    };
    if last < least { Err(RangeProblem::Backwards) } else { Ok((first, last)) }
}

/// An address as a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// A number as an address of the family of another.
fn address(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4((number as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
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
            let found = range(text).ok().map(|range| (range.first.to_string(), range.count));
            assert_eq!(found, expected.map(|(first, count)| (first.to_owned(), count)), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_range_is_told_apart() {
        let cases: &[(&str, RangeProblem)] = &[
            ("192.0.2.9/29", RangeProblem::HostBits([192, 0, 2, 8].into(), 29)),
            ("192.0.2.9-3", RangeProblem::Backwards),
            ("192.0.2.9-192.0.2.3", RangeProblem::Backwards),
            ("2001:db8::/64", RangeProblem::TooMany),
            ("2001:db8::1-10000", RangeProblem::Form),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text).as_ref(), Err(expected), "{text}");
        }
    }
}
