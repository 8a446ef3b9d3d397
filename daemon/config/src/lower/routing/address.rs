//! A line of `virtual_ipaddress` and the like.

use std::net::{IpAddr, Ipv4Addr};

use super::iproute_names::NameKind;
use super::state::{Block, Routing, TrackGroup};
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::model::{AddressScope, InterfaceAddress, LinkTarget, Prefix};
use crate::preprocess::Context;
use crate::schema::line_options::ADDRESS;
use crate::source::SourceMap;
use crate::values::mend::{self, With};
use crate::words::Word;

/// How a broadcast address is given.
enum Broadcast {
    /// `brd +` (all ones) or `brd -` (all zeros) in the host part.
    Computed(bool),
    Given(Ipv4Addr),
}

/// Options with a value.
const WITH_VALUE: &[&str] =
    &["dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft", "track_group"];
/// The address of a line; `None` when the line is left out (reported). A static one may have a track group, a virtual one
/// a VMAC.
pub(in crate::lower) fn line(
    words: &[Word],
    block: Block,
    routing: &mut Routing,
    context: &mut Context,
) -> Option<InterfaceAddress> {
    let first = words.first()?;
    let Prefix { address, length } = prefix(first, context)?;
    let mut result = InterfaceAddress { prefix_len: length, ..InterfaceAddress::host(address) };
    let mut broadcast = None;
    let mut lifetime = None;
    let mut track_group = TrackGroup::default();
    // The word before was not understood: this one may be its value, of which nothing more is said.
    let mut lost = false;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let keyword = &*word.text;
        at += 1;
        if keyword == "track_group" && block == Block::Virtual {
            context.report(
                Diagnostic::error("unknown-option", "`track_group` is for static addresses only")
                    .at(word.span, "has no effect"),
            );
            lost = true;
            continue;
        }
        if !WITH_VALUE.contains(&keyword) {
            let known = flag(&mut result, block, keyword);
            if !known && !lost {
                let diagnostic =
                    Diagnostic::error("unknown-option", format!("`{keyword}` is no option of an address"))
                        .at(word.span, "has no effect")
                        .also(first.span, "of this address");
                context.report(likely_option(diagnostic, words, at - 1, &context.sources));
            }
            lost = !known && !lost;
            continue;
        }
        lost = false;
        let Some(value) = words.get(at) else {
            context.report(
                Diagnostic::error(
                    "missing-value",
                    format!("`{keyword}` of the address {} needs a value", first.text),
                )
                .at(word.span.after(), "missing here")
                .help("the address is left out"),
            );
            return None;
        };
        at += 1;
        match keyword {
            "dev" if result.link != LinkTarget::Instance => {
                let diagnostic = Diagnostic::error("duplicate-keyword", "an address goes on one interface");
                context.report(diagnostic.at(word.span, "the address is left out"));
                return None;
            }
            "dev" => result.link = LinkTarget::Named(line_interface(value, "dev", context)?),
            "scope" => scope(&mut result, value, routing, context),
            "broadcast" | "brd" => broadcast = Some((broadcast_of(&result, value, context)?, value)),
            "label" => label(&mut result, value, context)?,
            "peer" => peer(&mut result, value, context),
            "preferred_lft" => {
                lifetime = match &*value.text {
                    "forever" => Some(None),
                    _ => line_number(value, 0, i64::from(u32::MAX), "preferred_lft", context).map(Some),
                }
            }
            _ => track_group.take(value, &routing.group_names, context),
        }
    }
    if let Some((broadcast, word)) = broadcast {
        set_broadcast(&mut result, broadcast, word, context);
    }
    // keepalived deprecates an IPv6 address with a full prefix, so that it is not used as a source address.
    let deprecated = result.address.is_ipv6() && result.prefix_len == 128;
    result.preferred_lifetime = lifetime.unwrap_or(deprecated.then_some(0));
    result.track_group = track_group.finish(result.no_track, true, "`dev`", context);
    Some(result)
}

/// The likely mend of a word of a line that is no option: a netmask belongs to the address, another address on a line of
/// its own, an interface after `dev`.
fn likely_option(diagnostic: Diagnostic, words: &[Word], at: usize, sources: &SourceMap) -> Diagnostic {
    let (Some(first), Some(word)) = (words.first(), words.get(at)) else { return diagnostic };
    let mask_at = if matches!(&*word.text, "/" | "netmask" | "mask") { at + 1 } else { at };
    if let Some(mask) = words.get(mask_at).filter(|_| at == 1 && !first.text.contains('/')) {
        let meant = mend::address(&format!("{}/{}", first.text, mask.text), With::Length);
        if let Some(meant) = meant.filter(|meant| meant.contains('/')) {
            let message = format!("did you mean `{meant}`?");
            return diagnostic.suggest(first.span.to(mask.span), meant, message);
        }
    }
    if word.text.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok()) {
        let before = words.get(at - 1).unwrap_or(first);
        return diagnostic.suggest_new_line(before.span.end, word, sources);
    }
    let assigned = word.text.split_once('=').filter(|(option, _)| WITH_VALUE.contains(option));
    let no_device = !words.iter().any(|word| &*word.text == "dev");
    let meant = match assigned {
        Some((option, value)) => format!("{option} {value}"),
        None if no_device && looks_like_an_interface(&word.text) => format!("dev {}", word.text),
        None => return diagnostic.suggest_nearest(word, ADDRESS.iter().map(|option| option.name)),
    };
    let message = format!("did you mean `{meant}`?");
    diagnostic.suggest(word.span, meant, message)
}

/// Letters and a number, as in `eth0` and `bond0.10`.
fn looks_like_an_interface(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    number.len() < text.len()
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(is_number)
}

/// `ADDRESS[/LENGTH]`; reported when it is none.
pub(in crate::lower) fn prefix(word: &Word, context: &mut Context) -> Option<Prefix> {
    let (text, length) =
        word.text.split_once('/').map_or((&*word.text, None), |(text, length)| (text, Some(length)));
    let Ok(address) = text.parse::<IpAddr>() else {
        let diagnostic = Diagnostic::error("invalid-address", format!("`{}` is no address", word.text))
            .at(word.span, "expected an IPv4 or IPv6 address, with or without prefix length");
        context.report(diagnostic.suggest_address(word, With::Length));
        return None;
    };
    let full = if address.is_ipv4() { 32 } else { 128 };
    let length = match length.map(str::parse::<u8>) {
        None => full,
        Some(Ok(length)) if length <= full => length,
        Some(_) => {
            context.report(
                Diagnostic::error("out-of-range", format!("`{}` has no valid prefix length", word.text))
                    .at(word.span, format!("expected a prefix length from 0 to {full}; {full} is used"))
                    .suggest_address(word, With::Length),
            );
            full
        }
    };
    Some(Prefix { address, length })
}

/// Sets an option without value; false when there is no such option.
fn flag(result: &mut InterfaceAddress, block: Block, option: &str) -> bool {
    match option {
        "home" => result.home = true,
        "-nodad" => result.detect_duplicates = true,
        "mngtmpaddr" => result.manage_temp_addresses = true,
        "noprefixroute" => result.no_prefix_route = true,
        "autojoin" => result.auto_join = true,
        "no_track" => result.no_track = true,
        "use_vmac" if block == Block::Virtual => result.use_vmac = true,
        _ => return false,
    }
    true
}

fn scope(result: &mut InterfaceAddress, value: &Word, routing: &mut Routing, context: &mut Context) {
    let number =
        routing.names.find(NameKind::Scope, &value.text).and_then(|number| u8::try_from(number).ok());
    let Some(scope) = number.map(AddressScope::of) else {
        context.report(Diagnostic::error("invalid-value", format!("`{}` is no scope", value.text)).at(
            value.span,
            "expected a number to 255, or a name: global, site, link, host, nowhere or one of rt_scopes",
        ));
        return;
    };
    if result.address.is_ipv6() && scope != AddressScope::Global {
        context.report(
            // No reason to refuse a reload: OpenStack writes it for each link-local address.
            Diagnostic::warning("not-for-ipv6", "an IPv6 address has no `scope`")
                .at(value.span, "has no effect")
                .changes(),
        );
        return;
    }
    result.scope = scope;
}

fn broadcast_of(result: &InterfaceAddress, value: &Word, context: &mut Context) -> Option<Broadcast> {
    if result.address.is_ipv6() {
        context.report(
            Diagnostic::error("not-for-ipv6", "an IPv6 address has no broadcast address")
                .at(value.span, "of an IPv6 address")
                .help("the address is left out"),
        );
        return None;
    }
    match &*value.text {
        "+" => Some(Broadcast::Computed(true)),
        "-" => Some(Broadcast::Computed(false)),
        text => match text.parse() {
            Ok(address) => Some(Broadcast::Given(address)),
            Err(_) => {
                context.report(
                    Diagnostic::error("invalid-address", format!("`{text}` is no broadcast address"))
                        .at(value.span, "expected an IPv4 address, `+` or `-`")
                        .help("the address is left out"),
                );
                None
            }
        },
    }
}

fn set_broadcast(result: &mut InterfaceAddress, broadcast: Broadcast, word: &Word, context: &mut Context) {
    if result.peer.is_some() {
        context.report(
            Diagnostic::error("conflict", "an address with a `peer` has no broadcast address")
                .at(word.span, "has no effect"),
        );
        return;
    }
    let (Broadcast::Computed(_), IpAddr::V4(address)) = (&broadcast, result.address) else {
        if let Broadcast::Given(address) = broadcast {
            result.broadcast = Some(address.into());
        }
        return;
    };
    if result.prefix_len > 30 {
        context.report(
            Diagnostic::error(
                "out-of-range",
                format!("a network of prefix length {} has no broadcast address", result.prefix_len),
            )
            .at(word.span, "has no effect"),
        );
        return;
    }
    let host = u32::MAX.checked_shr(u32::from(result.prefix_len)).unwrap_or(0);
    let ones = matches!(broadcast, Broadcast::Computed(true));
    let bits = if ones { u32::from(address) | host } else { u32::from(address) & !host };
    result.broadcast = Some(Ipv4Addr::from(bits).into());
}

fn label(result: &mut InterfaceAddress, value: &Word, context: &mut Context) -> Option<()> {
    if result.address.is_ipv6() {
        context.report(
            Diagnostic::error("not-for-ipv6", "an IPv6 address has no `label`")
                .at(value.span, "has no effect"),
        );
        return Some(());
    }
    if value.text.len() > crate::values::LONGEST_INTERFACE {
        context.report(
            Diagnostic::error("too-long", format!("the label `{}` is too long", value.text))
                .at(value.span, "at most 15 bytes")
                .help("the address is left out"),
        );
        return None;
    }
    result.label = Some((&*value.text).into());
    Some(())
}

fn peer(result: &mut InterfaceAddress, value: &Word, context: &mut Context) {
    if result.peer.is_some() {
        let diagnostic = Diagnostic::error("duplicate-keyword", "this address has another `peer` already");
        context.report(diagnostic.at(value.span, "has no effect"));
        return;
    }
    let Ok(peer) = value.text.parse::<IpAddr>() else {
        context.report(
            Diagnostic::error("invalid-address", format!("`{}` is no address", value.text))
                .at(value.span, "expected an address without prefix length")
                .suggest_address(value, With::Nothing),
        );
        return;
    };
    let full = if peer.is_ipv4() { 32 } else { 128 };
    if peer.is_ipv4() != result.address.is_ipv4() {
        context.report(
            Diagnostic::error("family-mix", "address and `peer` are of different families")
                .at(value.span, "has no effect"),
        );
        return;
    }
    if result.prefix_len != full {
        context.report(
            Diagnostic::error("conflict", "an address with a `peer` has no prefix length of its own")
                .at(value.span, format!("{full} is used")),
        );
    }
    result.peer = Some((peer, full));
    result.prefix_len = full;
}
