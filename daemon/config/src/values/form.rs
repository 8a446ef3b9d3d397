//! What each kind of value looks like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Problem;
use super::number::{decimal, exact, whole};
use crate::schema::Kind;
use crate::spelling::nearest;

/// Longest name of a network interface, in bytes (the kernel's IFNAMSIZ less its end mark).
pub(crate) const LONGEST_INTERFACE: usize = 15;

/// Does a word look like this?
pub(super) fn look(text: &str, kind: Kind) -> Result<(), Problem> {
    if is_undefined_name(text) && !takes_any_word(kind) {
        let message = format!("`{text}` is not defined here");
        return Err(Problem::new("undefined-name", message, "stands for nothing"));
    }
    let (right, code, what, expected) = match kind {
        Kind::Word | Kind::Script | Kind::Pattern | Kind::Options(_) => return Ok(()),
        Kind::Limited(most) if text.len() <= most => return Ok(()),
        Kind::Limited(most) => {
            let message = format!("`{text}` is too long");
            return Err(Problem::new("too-long", message, format!("at most {most} bytes")));
        }
        Kind::Interface => return interface(text).map(|_| ()),
        Kind::Int(least, most) => return whole(text, least, most).map(|_| ()),
        Kind::Seconds(least, most) => return exact(text, 6, decimal(text, 6, least, most, "seconds")?),
        Kind::Millis(least, most) => return exact(text, 3, decimal(text, 3, least, most, "milliseconds")?),
        Kind::Bool if boolean(text).is_some() => return Ok(()),
        Kind::Bool => return Err(choice_problem(text, &["on", "off", "true", "false", "yes", "no"])),
        Kind::Choice(choices) if choices.contains(&text) => return Ok(()),
        Kind::ChoiceNoCase(choices) if choices.iter().any(|choice| choice.eq_ignore_ascii_case(text)) => {
            return Ok(());
        }
        Kind::Choice(choices) | Kind::ChoiceNoCase(choices) => return Err(choice_problem(text, choices)),
        Kind::Host => {
            (host(text).is_some(), "invalid-address", "no address", "expected an IPv4 or IPv6 address")
        }
        Kind::Address4 => (
            text.parse::<Ipv4Addr>().is_ok(),
            "invalid-address",
            "no IPv4 address",
            "expected an IPv4 address",
        ),
        Kind::Address6 => (
            text.parse::<Ipv6Addr>().is_ok(),
            "invalid-address",
            "no IPv6 address",
            "expected an IPv6 address",
        ),
        Kind::Multicast => (
            text.parse().is_ok_and(|address: IpAddr| address.is_multicast()),
            "invalid-address",
            "no multicast address",
            "expected a multicast address",
        ),
        Kind::Multicast4 => (
            text.parse().is_ok_and(|address: Ipv4Addr| address.is_multicast()),
            "invalid-address",
            "no multicast address of IPv4",
            "expected a multicast address of IPv4",
        ),
        Kind::Multicast6 => (
            text.parse().is_ok_and(|address: Ipv6Addr| address.is_multicast()),
            "invalid-address",
            "no multicast address of IPv6",
            "expected a multicast address of IPv6",
        ),
        Kind::Digest => {
            let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            (digits, "invalid-value", "no digest", "expected 32 hexadecimal digits")
        }
        Kind::Status => {
            (status(text).is_some(), "invalid-value", "no status code", "expected 100 to 599, or a range")
        }
        Kind::Hex(wildcards) => (
            is_hexadecimal(text, wildcards),
            "invalid-value",
            "not hexadecimal",
            "expected hexadecimal digits",
        ),
        Kind::Granularity => (
            granularity(text).is_some(),
            "invalid-number",
            "no netmask",
            "expected a netmask, or a prefix length for IPv6",
        ),
    };
    if right { Ok(()) } else { Err(Problem::new(code, format!("`{text}` is {what}"), expected)) }
}

/// Is every word right, whatever is in it?
fn takes_any_word(kind: Kind) -> bool {
    matches!(kind, Kind::Word | Kind::Script | Kind::Pattern | Kind::Options(_) | Kind::Limited(_))
}

/// Digits and blanks; `X` is any digit if there may be some.
fn is_hexadecimal(text: &str, wildcards: bool) -> bool {
    let digit =
        |c: char| c.is_ascii_hexdigit() || c.is_whitespace() || (wildcards && c.eq_ignore_ascii_case(&'x'));
    text.chars().all(digit) && text.chars().any(|c| !c.is_whitespace())
}

/// Is this the use of a name that nothing has replaced?
fn is_undefined_name(text: &str) -> bool {
    let name = text.strip_prefix('$').unwrap_or("");
    name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '('))
}

fn choice_problem(text: &str, choices: &[&str]) -> Problem {
    let list = choices.join(", ");
    Problem {
        code: "invalid-value",
        message: format!("`{text}` is not known"),
        expected: if choices.len() == 1 {
            format!("expected {list}")
        } else {
            format!("expected one of {list}")
        },
        replacement: nearest(text, choices.iter().copied()).map(str::to_owned),
        usable: false,
    }
}

/// The name of an interface.
pub(crate) fn interface(text: &str) -> Result<&str, Problem> {
    if text.len() > LONGEST_INTERFACE {
        let message = format!("`{text}` is too long for an interface");
        return Err(Problem::new("too-long", message, format!("at most {LONGEST_INTERFACE} bytes")));
    }
    let bad = text.is_empty()
        || text == "."
        || text == ".."
        || text.contains(|c: char| c == '/' || c.is_whitespace());
    if bad {
        return Err(Problem::new(
            "invalid-value",
            format!("`{text}` is no name of an interface"),
            "expected an interface",
        ));
    }
    Ok(text)
}

/// `fe80::1%eth0`: an address with a scope.
fn scoped(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, scope) = text.split_once('%')?;
    (!scope.is_empty()).then_some((address.parse().ok()?, scope))
}

/// A boolean in any spelling.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// A netmask with a dot, or a prefix length: its length and whether it is of IPv4.
pub(crate) fn granularity(text: &str) -> Option<(u8, bool)> {
    if text.contains('.') {
        let mask = u32::from(text.parse::<Ipv4Addr>().ok()?);
        return (mask.leading_ones() + mask.trailing_zeros() >= 32)
            .then_some((mask.leading_ones() as u8, true));
    }
    text.parse().ok().filter(|length| (1..=128).contains(length)).map(|length| (length, false))
}

/// A status code or a range of them.
pub(crate) fn status(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (100 <= from && from <= to && to <= 599).then_some((from, to))
}

/// An address of a server, without what stands after a `/` or `-`.
pub(crate) fn host(text: &str) -> Option<IpAddr> {
    text.split(['/', '-']).next()?.parse().ok()
}

/// An address, with or without scope.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| scoped(text).map(|(address, _)| IpAddr::V6(address)))
}
