//! Where the adverts of an instance go and come from: source address, multicast group or peers, VRF.

use std::collections::HashMap;
use std::net::IpAddr;

use super::draft::InstanceDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::link_local::is_link_local_group;
use crate::model::{UnicastChecksum, UnicastPeer};
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::lines::{OptionLine, Options, option, options_of};
use crate::schema::{Kind, LineOption, flag, kw, one, opt};
use crate::source::Span;
use crate::tree::Node;
use crate::values::mend::With;
use crate::values::say_what_is_lost;
use crate::words::Word;

/// Where adverts go and come from.
pub(super) const PATH: Block<InstanceDraft> = Block(&[
    kw("mcast_src_ip", &[one("ADDRESS", Kind::Host)], "Source address of adverts.")
        .default("the interface's first")
        .example("mcast_src_ip 192.0.2.2")
        .sets(source),
    kw("unicast_src_ip", &[one("ADDRESS", Kind::Host)], "Source address of adverts to peers.")
        .default("the interface's first")
        .example("unicast_src_ip 192.0.2.2")
        .sets(|to, node, context| {
            unicast(to, node.name.span);
            source(to, node, context);
        }),
    kw("mcast_dst_ip", &[one("ADDRESS", Kind::Multicast)], "Multicast group of adverts.")
        .default("vrrp_mcast_group4 or vrrp_mcast_group6")
        .example("mcast_dst_ip 224.0.0.20")
        .sets(|to, node, context| {
            let at = node.arg_span(0);
            let group = node
                .address(0)
                .filter(|group| to.is_of_family(*group, "multicast group", at, context))
                .filter(|group| is_of_link(*group, at, context));
            to.path.make_mut().multicast = node.placed(group);
        }),
    flag("track_src_ip", "A source address that is gone is a fault.")
        .example("track_src_ip")
        .sets(|to, _, _| to.path.make_mut().track_source = true),
    kw("unicast_peer", &[], "The other routers; adverts go to them and not to a multicast group.")
        .lines("ADDRESS [min_ttl 0…255] [max_ttl 0…255]")
        .options(OF_PEER)
        .repeats()
        .example("unicast_peer {\n    192.0.2.3\n}")
        .sets(|to, node, context| {
            unicast(to, node.name.span);
            peers(to, node, context);
        }),
    flag("unicast_fault_no_peer", "Unicast without peers is a fault.").example("unicast_fault_no_peer").sets(
        |to, node, _| {
            unicast(to, node.name.span);
            to.path.make_mut().fault_without_peers = true;
        },
    ),
    kw("unicast_ttl", &[one("TTL", Kind::Int(0, 255))], "TTL of adverts to peers.")
        .default("255")
        .example("unicast_ttl 64")
        .sets(|to, node, _| {
            to.path.make_mut().unicast_ttl = node.number(0).map(|ttl| (ttl, node.name.span));
        }),
    flag("check_unicast_src", "Refuse adverts from others than the peers.")
        .default("vrrp_check_unicast_src")
        .example("check_unicast_src")
        .sets(|to, node, _| {
            unicast(to, node.name.span);
            to.path.make_mut().check_unicast_source = true;
        }),
    kw(
        "old_unicast_checksum",
        &[opt("never", Kind::Choice(&["never"]))],
        "Checksum of version 3 unicast as before keepalived 1.3.6.",
    )
    .example("old_unicast_checksum")
    .sets(|to, node, _| {
        unicast(to, node.name.span);
        to.path.make_mut().unicast_checksum = match node.arg(0) {
            Some(_) => UnicastChecksum::Never,
            None => UnicastChecksum::Old,
        };
    }),
    kw("vrf", &[one("INTERFACE", Kind::Interface)], "VRF of a unicast instance without interface.")
        .example("vrf red")
        .first_counts()
        .sets(|to, node, _| to.path.make_mut().vrf = node.text(0).map(|name| (name, node.name.span))),
]);

/// What may stand after the address of a peer.
const PEER: Options<UnicastPeer> = Options(&[
    option("min_ttl", "0…255", "Adverts of it with a lower TTL are refused.")
        .takes(|to, line, word| ttl(&mut to.min_ttl, line, word)),
    option("max_ttl", "0…255", "Adverts of it with a higher TTL are refused.")
        .takes(|to, line, word| ttl(&mut to.max_ttl, line, word)),
]);
const OF_PEER: &[LineOption] = options_of!(PEER);

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

/// The options after the address of a peer, up to the first that is not right (reported).
fn peer(address: IpAddr, first: &Word, words: &[Word], context: &mut Context) -> UnicastPeer {
    let mut peer = UnicastPeer { address, min_ttl: None, max_ttl: None };
    let mut line = OptionLine::new(words.get(1..).unwrap_or(&[]), "peer", context);
    while let Some(word) = line.next() {
        match PEER.take(&mut peer, &mut line, word) {
            Some(true) => continue,
            Some(false) => {
                let names: Vec<String> = OF_PEER.iter().map(|option| format!("`{}`", option.name)).collect();
                let message = format!("`{}` is no option of a peer", word.text);
                let diagnostic = Diagnostic::error("unknown-option", message);
                line.context.report(diagnostic.at(word.span, format!("expected {}", names.join(" or "))));
            }
            None => {}
        }
        break;
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

/// `min_ttl` or `max_ttl`; `None` without a number.
fn ttl(slot: &mut Option<u8>, line: &mut OptionLine, option: &Word) -> Option<()> {
    let Some(value) = line.next() else {
        let diagnostic = Diagnostic::error("missing-value", format!("`{}` needs a number", option.text));
        line.context.report(diagnostic.at(option.span.after(), "missing here"));
        return None;
    };
    *slot = line_number(value, 0, 255, &option.text, line.context);
    Some(())
}
