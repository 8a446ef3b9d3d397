//! Reads where the adverts of an instance go and come from: source address, multicast group or peers, VRF.

use std::collections::HashMap;
use std::net::IpAddr;

use super::draft::InstanceDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::lower::link_local::is_link_local_group;
use crate::model::{UnicastChecksum, UnicastPeer};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::values::mend::With;
use crate::values::say_what_is_lost;
use crate::words::Word;

/// Takes a keyword; false when it is about something else.
pub(super) fn read(draft: &mut InstanceDraft, node: &Node, context: &mut Context) -> bool {
    let (at, value_at) = (node.name.span, node.arg_span(0));
    match node.keyword.name {
        "mcast_src_ip" => source(draft, node, context),
        "unicast_src_ip" => {
            unicast(draft, at);
            source(draft, node, context);
        }
        "mcast_dst_ip" => {
            let group = node
                .address(0)
                .filter(|group| draft.is_of_family(*group, "multicast group", value_at, context))
                .filter(|group| is_of_link(*group, value_at, context));
            draft.path.make_mut().multicast = group.map(|group| (group, value_at));
        }
        "track_src_ip" => draft.path.make_mut().track_source = true,
        "unicast_peer" => {
            unicast(draft, at);
            peers(draft, node, context);
        }
        "unicast_ttl" => {
            let ttl = node.number::<u8>(0);
            draft.path.make_mut().unicast_ttl = ttl.map(|ttl| (ttl, at));
        }
        "check_unicast_src" => {
            unicast(draft, at);
            draft.path.make_mut().check_unicast_source = true;
        }
        "unicast_fault_no_peer" => {
            unicast(draft, at);
            draft.path.make_mut().fault_without_peers = true;
        }
        "old_unicast_checksum" => {
            unicast(draft, at);
            draft.path.make_mut().unicast_checksum = match node.arg(0) {
                Some(_) => UnicastChecksum::Never,
                None => UnicastChecksum::Old,
            };
        }
        "vrf" => draft.path.make_mut().vrf = node.text(0).map(|name| (name, at)),
        _ => return false,
    }
    true
}

/// A keyword that is only for unicast.
fn unicast(draft: &mut InstanceDraft, at: Span) {
    draft.path.make_mut().unicast_keyword.get_or_insert(at);
}

fn source(draft: &mut InstanceDraft, node: &Node, context: &mut Context) {
    let Some(address) = node.host(0) else { return };
    let at = node.arg_span(0);
    let right = draft.is_of_family(address, "source address", at, context);
    draft.path.make_mut().source = right.then_some((address, at));
}

/// Adverts don't leave the link: is the group one of IPv4, or one of IPv6 with that scope?
fn is_of_link(group: IpAddr, at: Span, context: &mut Context) -> bool {
    let right = match group {
        IpAddr::V4(_) => true,
        IpAddr::V6(group) => is_link_local_group(group),
    };
    if !right {
        let diagnostic = Diagnostic::error("invalid-address", format!("`{group}` is no group of the link"));
        context.report(diagnostic.at(at, "expected an address as ff02::12; left out"));
    }
    right
}

/// Takes the lines of the block.
fn peers(draft: &mut InstanceDraft, node: &Node, context: &mut Context) {
    draft.path.make_mut().peers_written |= !node.lines.is_empty();
    let mut known: HashMap<IpAddr, Span> =
        draft.path.peers.iter().map(|(peer, at)| (peer.address, *at)).collect();
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        let Some(address) = crate::values::host(&first.text) else {
            context.report(
                Diagnostic::error("invalid-address", format!("`{}` is no address", first.text))
                    .at(first.span, "expected the address of a peer")
                    .suggest_address(first, With::Nothing),
            );
            continue;
        };
        say_what_is_lost(first, context);
        if !draft.is_of_family(address, "peer", first.span, context) {
            continue;
        }
        let peer = peer(address, first, words, context);
        let path = draft.path.make_mut();
        path.check_unicast_source |= peer.min_ttl.is_some() || peer.max_ttl.is_some();
        if let Some(known) = known.get(&address) {
            let diagnostic =
                Diagnostic::error("duplicate-address", format!("the peer {address} is there already"));
            context.report(diagnostic.at(first.span, "left out").also(*known, "first here"));
            continue;
        }
        known.insert(address, first.span);
        path.peers.push((peer, first.span));
    }
}

/// The options after the address of a peer.
fn peer(address: IpAddr, first: &Word, words: &[Word], context: &mut Context) -> UnicastPeer {
    let mut peer = UnicastPeer { address, min_ttl: None, max_ttl: None };
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let slot = match &*word.text {
            "min_ttl" => &mut peer.min_ttl,
            "max_ttl" => &mut peer.max_ttl,
            other => {
                context.report(
                    Diagnostic::error("unknown-option", format!("`{other}` is no option of a peer"))
                        .at(word.span, "expected `min_ttl` or `max_ttl`"),
                );
                break;
            }
        };
        let Some(value) = words.get(at + 1) else {
            context.report(
                Diagnostic::error("missing-value", format!("`{}` needs a number", word.text))
                    .at(word.span.after(), "missing here"),
            );
            break;
        };
        *slot = line_number(value, 0, 255, &word.text, context);
        at += 2;
    }
    let (least, most) = (peer.min_ttl.unwrap_or(0), peer.max_ttl.unwrap_or(u8::MAX));
    if least > most {
        let message = format!("no advert of {address} can have a TTL from {least} to {most}");
        context.report(
            Diagnostic::error("out-of-range", message).at(first.span, "everything from it is refused"),
        );
    }
    peer
}
