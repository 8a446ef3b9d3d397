//! `encap` of a route: `mpls`, `ip`, `ip6` and `ila`.

use std::net::{IpAddr, Ipv6Addr};

use super::super::OptionLine;
use crate::iproute_names::NameKind;
use crate::model::{Encap, IpEncap};
use crate::values::of_any_base;
use crate::words::Word;

/// Most labels that keepalived puts on a packet.
const MOST_LABELS: usize = 2;
/// The greatest label: it has 20 bits (RFC 3032 §2.1).
const GREATEST_LABEL: u32 = 0xf_ffff;

/// What follows `encap`.
pub(super) fn read(line: &mut OptionLine, option: &Word) -> Option<Encap> {
    let kind = line.value(option)?;
    match &*kind.text {
        "mpls" => {
            let value = line.value(kind)?;
            match labels(&value.text) {
                Some(labels) => Some(Encap::Mpls { labels }),
                None => {
                    let message = format!("`{}` are no labels of MPLS", value.text);
                    line.refuse(
                        value,
                        "invalid-value",
                        message,
                        "expected one or two numbers of 20 bits, as `100/200`",
                    )
                }
            }
        }
        "ila" => {
            let value = line.value(kind)?;
            match locator(&value.text) {
                Some(locator) => Some(Encap::Ila { locator }),
                None => {
                    let message = format!("`{}` is no locator", value.text);
                    line.refuse(
                        value,
                        "invalid-value",
                        message,
                        "expected four groups of hexadecimal digits, as `1:2:3:4`",
                    )
                }
            }
        }
        "ip" => tunnel(line, kind, &["tos", "ttl"], |address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .map(Encap::Ip),
        "ip6" => tunnel::<Ipv6Addr>(line, kind, &["tc", "hoplimit"], |address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(address),
        })
        .map(Encap::Ip6),
        other => {
            let message = format!("`{other}` is no kind of encapsulation");
            line.refuse(kind, "invalid-value", message, "expected one of ip, ip6, mpls, ila")
        }
    }
}

fn labels(text: &str) -> Option<Vec<u32>> {
    let labels: Option<Vec<u32>> = text.split('/').map(label).collect();
    labels.filter(|labels| labels.len() <= MOST_LABELS)
}

fn label(text: &str) -> Option<u32> {
    u32::try_from(of_any_base(text)?).ok().filter(|label| *label <= GREATEST_LABEL)
}

fn locator(text: &str) -> Option<u64> {
    let mut locator = 0;
    let mut groups = 0;
    for group in text.split(':') {
        locator = locator << 16 | u64::from(u16::from_str_radix(group, 16).ok()?);
        groups += 1;
    }
    (groups == 4).then_some(locator)
}

/// The options of a tunnel over IP, up to the first word that is none of them. `class` and `limit` are what the family
/// calls the two.
fn tunnel<Address>(
    line: &mut OptionLine,
    kind: &Word,
    [class, limit]: &[&str; 2],
    of_family: fn(IpAddr) -> Option<Address>,
) -> Option<IpEncap<Address>> {
    let mut made = IpEncap {
        id: None,
        destination: None,
        source: None,
        traffic_class: None,
        hop_limit: None,
        flags: None,
    };
    while let Some(option) = line.peek() {
        let name = &*option.text;
        if !(matches!(name, "id" | "dst" | "src" | "flags") || name == *class || name == *limit) {
            break;
        }
        line.next();
        match name {
            "id" => made.id = Some(line.u64(option)?),
            "flags" => made.flags = Some(line.number(option, 0, i64::from(u16::MAX))?),
            "dst" | "src" => {
                let (address, value) = line.address(option)?;
                let Some(address) = of_family(address) else {
                    let message = format!("`{}` is not of the family of `encap {}`", value.text, kind.text);
                    return line.refuse(value, "family-mix", message, "of the other family");
                };
                let end = if name == "dst" { &mut made.destination } else { &mut made.source };
                *end = Some(address);
            }
            name if name == *class => {
                made.traffic_class = Some(line.named_byte(option, NameKind::TypeOfService)?);
            }
            _ => made.hop_limit = Some(line.number(option, 0, 255)?),
        }
    }
    if made.destination.is_none() && made.id.is_none() {
        let message = format!("`encap {}` has neither `dst` nor `id`", kind.text);
        return line.refuse(kind, "missing-part", message, "the route is left out");
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_one_or_two_numbers_of_twenty_bits() {
        for (text, expected) in [
            ("100", Some(vec![100])),
            ("100/0x20", Some(vec![100, 32])),
            ("1048575", Some(vec![0xf_ffff])),
            ("1048576", None),
            ("1/2/3", None),
            ("", None),
            ("1/", None),
            ("-1", None),
        ] {
            assert_eq!(labels(text), expected, "{text}");
        }
    }

    #[test]
    fn a_locator_has_four_groups() {
        assert_eq!(locator("1:2:3:ffff"), Some(0x0001_0002_0003_ffff));
        for text in ["1:2:3", "1:2:3:4:5", "1:2:3:x", "1:2:3:10000", "::1:2"] {
            assert_eq!(locator(text), None, "{text}");
        }
    }
}
