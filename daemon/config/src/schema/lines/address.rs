//! A line of `virtual_ipaddress` and the like.

use std::net::{IpAddr, Ipv4Addr};

use super::option::{Options, flag, option, options_of};
use super::track_group::TrackGroup;
use super::{OptionLine, Place};
use crate::diagnostics::Diagnostic;
use crate::iproute_names::NameKind;
use crate::line_values::{line_interface, line_number};
use crate::model::{AddressScope, InterfaceAddress, LinkTarget, Prefix};
use crate::preprocess::Context;
use crate::schema::LineOption;
use crate::schema::bounds::U32;
use crate::source::{Placed, SourceMap, Span};
use crate::values::mend::{self, With};
use crate::words::Word;

/// An address as far as it is read.
struct AddressDraft {
    made: InterfaceAddress,
    broadcast: Placed<Broadcast>,
    /// `Some(None)` for `forever`.
    lifetime: Option<Option<u32>>,
    track_group: TrackGroup,
}

/// How a broadcast address is given.
enum Broadcast {
    /// `brd +` (all ones) or `brd -` (all zeros) in the host part.
    Computed(bool),
    Given(Ipv4Addr),
}

/// What an address may say.
const ADDRESS: Options<AddressDraft> = Options(&[
    option("dev", "INTERFACE", "The interface that it goes on.").takes(AddressDraft::dev),
    option(
        "scope",
        "SCOPE",
        "Where it is valid: global, site, link, host, nowhere, a number or a name of rt_scopes; IPv4 only.",
    )
    .takes(AddressDraft::scope),
    option("brd", "ADDRESS | + | -", "Broadcast address; `+` sets all bits of the host, `-` none.")
        .alias(&["broadcast"])
        .takes(AddressDraft::broadcast),
    option("label", "LABEL", "Label of an IPv4 address, at most 15 bytes.").takes(AddressDraft::label),
    option("peer", "ADDRESS", "The other end of a point-to-point link.").takes(AddressDraft::peer),
    option("preferred_lft", "SECONDS | forever", "How long it is preferred as source address.").takes(
        |to, line, word| {
            let value = value(line, word)?;
            to.lifetime = match &*value.text {
                "forever" => Some(None),
                _ => line_number(value, 0, U32, "preferred_lft", line.context).map(Some),
            };
            Some(())
        },
    ),
    option("track_group", "GROUP", "The `track_group` that a static one is tracked for.")
        .only(Place::Static)
        .takes(|to, line, word| {
            let value = value(line, word)?;
            to.track_group.take(value, line);
            Some(())
        }),
    flag("home", "Home address (Mobile IPv6).").is(|to| to.made.home = true),
    flag("-nodad", "IPv6: the kernel looks for duplicates of it.").is(|to| to.made.detect_duplicates = true),
    flag("mngtmpaddr", "IPv6: the kernel makes temporary addresses of it.")
        .is(|to| to.made.manage_temp_addresses = true),
    flag("noprefixroute", "No route to its network is made.").is(|to| to.made.no_prefix_route = true),
    flag("autojoin", "A multicast group that the kernel joins.").is(|to| to.made.auto_join = true),
    flag("no_track", "What becomes of it does not matter.").is(|to| to.made.no_track = true),
    flag("use_vmac", "A virtual one: it goes on the VMAC of the instance.")
        .only(Place::Virtual)
        .is(|to| to.made.use_vmac = true),
]);

/// Everything that an address may say.
pub(in crate::schema) const OPTIONS: &[LineOption] = options_of!(ADDRESS);

/// The address of a line; `None` when the line is left out (reported). A static one may have a track group, a virtual one
/// a VMAC.
pub(crate) fn address(words: &[Word], place: Place, context: &mut Context) -> Option<InterfaceAddress> {
    let mut line = OptionLine::new(words, "address", context).standing(place);
    let first = line.next()?;
    let Prefix { address, length } = prefix(first, line.context)?;
    let made = InterfaceAddress { prefix_len: length, ..InterfaceAddress::host(address) };
    let mut draft =
        AddressDraft { made, broadcast: None, lifetime: None, track_group: TrackGroup::default() };
    // The word before was not understood: this one may be its value, of which nothing more is said.
    let mut lost = false;
    while let Some(word) = line.next() {
        let known = ADDRESS.take(&mut draft, &mut line, word)?;
        let not_here = place == Place::Virtual && ADDRESS.knows(&word.text);
        if !known && not_here {
            let message = format!("`{}` is for static addresses only", word.text);
            line.context.report(Diagnostic::error("unknown-option", message).at(word.span, "has no effect"));
        } else if !known && !lost {
            let message = format!("`{}` is no option of an address", word.text);
            let diagnostic = Diagnostic::error("unknown-option", message)
                .at(word.span, "has no effect")
                .also(first.span, "of this address");
            let at = line.taken().saturating_sub(1);
            line.context.report(likely_option(diagnostic, words, at, &line.context.sources));
        }
        lost = !known && (not_here || !lost);
    }
    let made = draft.finish(line.context);
    can_be_had(&made, place, first, line.context).then_some(made)
}

/// Can an interface have it? Of 0.0.0.0 the kernel says that it is added, and adds nothing.
fn can_be_had(made: &InterfaceAddress, place: Place, word: &Word, context: &mut Context) -> bool {
    let address = made.address;
    let what = if address.is_unspecified() {
        "is the address of nobody"
    } else if address.is_multicast() && !made.auto_join {
        "is a multicast address"
    } else {
        let elsewhere = !matches!(&made.link, LinkTarget::Named(name) if &**name == "lo");
        if address.is_loopback() && place == Place::Virtual && elsewhere {
            let message = format!("`{}` is a loopback address", word.text);
            let diagnostic = Diagnostic::warning("loopback-address", message);
            context.report(diagnostic.at(word.span, "no other host can reach it"));
        }
        return true;
    };
    let diagnostic = Diagnostic::error("invalid-address", format!("`{}` {what}", word.text));
    context.report(diagnostic.at(word.span, "left out: no interface can have it"));
    false
}

/// The value of an option of an address; `None` when there is none (reported), which leaves the address out.
fn value<'a>(line: &mut OptionLine<'a>, option: &Word) -> Option<&'a Word> {
    let value = line.next();
    if let (None, Some(first)) = (value, line.words().first()) {
        let message = format!("`{}` of the address {} needs a value", option.text, first.text);
        let diagnostic = Diagnostic::error("missing-value", message).at(option.span.after(), "missing here");
        line.context.report(diagnostic.help("the address is left out"));
    }
    value
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
    let takes_value = |name: &str| {
        OPTIONS.iter().any(|option| !option.value.is_empty() && option.names().any(|known| known == name))
    };
    let assigned = word.text.split_once('=').filter(|(option, _)| takes_value(option));
    let no_device = !words.iter().any(|word| &*word.text == "dev");
    let meant = match assigned {
        Some((option, value)) => format!("{option} {value}"),
        None if no_device && looks_like_an_interface(&word.text) => format!("dev {}", word.text),
        None => return diagnostic.suggest_nearest(word, OPTIONS.iter().flat_map(LineOption::names)),
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
pub(crate) fn prefix(word: &Word, context: &mut Context) -> Option<Prefix> {
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

impl AddressDraft {
    fn dev(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = value(line, option)?;
        if self.made.link != LinkTarget::Instance {
            let message = "an address goes on one interface".into();
            return line.refuse(option, "duplicate-keyword", message, "the address is left out");
        }
        self.made.link = LinkTarget::Named(line_interface(value, "dev", line.context)?);
        Some(())
    }

    fn scope(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = value(line, option)?;
        let number = line.context.known.iproute.find(NameKind::Scope, &value.text);
        let Some(scope) = number.and_then(|number| u8::try_from(number).ok()).map(AddressScope::of) else {
            let diagnostic = Diagnostic::error("invalid-value", format!("`{}` is no scope", value.text)).at(
                value.span,
                "expected a number to 255, or a name: global, site, link, host, nowhere or one of rt_scopes",
            );
            line.context.report(diagnostic);
            return Some(());
        };
        if self.made.address.is_ipv6() && scope != AddressScope::Global {
            line.context.report(
                // No reason to refuse a reload: OpenStack writes it for each link-local address.
                Diagnostic::warning("not-for-ipv6", "an IPv6 address has no `scope`")
                    .at(value.span, "has no effect")
                    .changes(),
            );
            return Some(());
        }
        self.made.scope = scope;
        Some(())
    }

    fn broadcast(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = value(line, option)?;
        if self.made.address.is_ipv6() {
            let diagnostic = Diagnostic::error("not-for-ipv6", "an IPv6 address has no broadcast address");
            line.context
                .report(diagnostic.at(value.span, "of an IPv6 address").help("the address is left out"));
            return None;
        }
        let broadcast = match &*value.text {
            "+" => Broadcast::Computed(true),
            "-" => Broadcast::Computed(false),
            text => match text.parse() {
                Ok(address) => Broadcast::Given(address),
                Err(_) => {
                    let message = format!("`{text}` is no broadcast address");
                    let diagnostic = Diagnostic::error("invalid-address", message)
                        .at(value.span, "expected an IPv4 address, `+` or `-`");
                    line.context.report(diagnostic.help("the address is left out"));
                    return None;
                }
            },
        };
        self.broadcast = Some((broadcast, value.span));
        Some(())
    }

    fn label(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = value(line, option)?;
        if self.made.address.is_ipv6() {
            let diagnostic = Diagnostic::error("not-for-ipv6", "an IPv6 address has no `label`");
            line.context.report(diagnostic.at(value.span, "has no effect"));
            return Some(());
        }
        if value.text.len() > crate::values::LONGEST_INTERFACE {
            let message = format!("the label `{}` is too long", value.text);
            let diagnostic = Diagnostic::error("too-long", message).at(value.span, "at most 15 bytes");
            line.context.report(diagnostic.help("the address is left out"));
            return None;
        }
        self.made.label = Some((&*value.text).into());
        Some(())
    }

    fn peer(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let value = value(line, option)?;
        self.set_peer(value, line.context);
        Some(())
    }

    fn set_peer(&mut self, value: &Word, context: &mut Context) {
        let made = &mut self.made;
        if made.peer.is_some() {
            let diagnostic =
                Diagnostic::error("duplicate-keyword", "this address has another `peer` already");
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
        if peer.is_ipv4() != made.address.is_ipv4() {
            context.report(
                Diagnostic::error("family-mix", "address and `peer` are of different families")
                    .at(value.span, "has no effect"),
            );
            return;
        }
        if made.prefix_len != full {
            context.report(
                Diagnostic::error("conflict", "an address with a `peer` has no prefix length of its own")
                    .at(value.span, format!("{full} is used")),
            );
        }
        made.peer = Some((peer, full));
        made.prefix_len = full;
    }

    fn finish(mut self, context: &mut Context) -> InterfaceAddress {
        if let Some((broadcast, at)) = self.broadcast.take() {
            set_broadcast(&mut self.made, broadcast, at, context);
        }
        let mut made = self.made;
        // keepalived deprecates an IPv6 address with a full prefix, so that it is not used as a source address.
        let deprecated = made.address.is_ipv6() && made.prefix_len == 128;
        made.preferred_lifetime = self.lifetime.unwrap_or(deprecated.then_some(0));
        made.track_group = self.track_group.finish(made.no_track, true, "`dev`", context);
        made
    }
}

fn set_broadcast(result: &mut InterfaceAddress, broadcast: Broadcast, at: Span, context: &mut Context) {
    if result.peer.is_some() {
        context.report(
            Diagnostic::error("conflict", "an address with a `peer` has no broadcast address")
                .at(at, "has no effect"),
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
            .at(at, "has no effect"),
        );
        return;
    }
    let host = u32::MAX.checked_shr(u32::from(result.prefix_len)).unwrap_or(0);
    let ones = matches!(broadcast, Broadcast::Computed(true));
    let bits = if ones { u32::from(address) | host } else { u32::from(address) & !host };
    result.broadcast = Some(Ipv4Addr::from(bits).into());
}
