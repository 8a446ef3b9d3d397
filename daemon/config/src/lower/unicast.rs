//! `unicast_peer { … }` of an instance.

use std::net::IpAddr;

use super::instance::InstanceDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::UnicastPeer;
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

/// A peer and where it stands.
pub(super) type PeerDraft = (UnicastPeer, Span);

/// Takes the lines of the block.
pub(super) fn peers(draft: &mut InstanceDraft, node: &Node, context: &mut Context) {
    draft.unicast_keyword.get_or_insert(node.name.span);
    draft.peers_written |= !node.lines.is_empty();
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        let Some(address) = crate::values::host(&first.text) else {
            context.report(
                Diagnostic::error("invalid-address", format!("`{}` is no address", first.text))
                    .at(first.span, "expected the address of a peer"),
            );
            continue;
        };
        if !draft.is_of_family(address, "peer", first.span, context) {
            continue;
        }
        let peer = peer(address, first, words, context);
        draft.check_unicast_source |= peer.min_ttl.is_some() || peer.max_ttl.is_some();
        if let Some((_, known)) = draft.peers.iter().find(|(known, _)| known.address == address) {
            let diagnostic =
                Diagnostic::error("duplicate-address", format!("the peer {address} is there already"));
            context.report(diagnostic.at(first.span, "left out").also(*known, "first here"));
            continue;
        }
        draft.peers.push((peer, first.span));
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
        *slot = line_number(value, 0, 255, &word.text, context).map(|value| value as u8);
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
