//! Who sends adverts to whom: two routers must reach each other, and not send from one address.

use std::net::IpAddr;

use super::file::Member;
use super::pair::Pair;
use crate::diagnostics::Diagnostic;
use crate::model::Family;
use crate::source::Span;

const PEERS: &[&str] = &["unicast_peer"];
const SOURCE: &[&str] = &["unicast_src_ip", "mcast_src_ip"];
const BOTH_MASTER: &str = "the routers do not hear each other: both become master";

/// What is wrong with the way between two routers.
pub(super) fn compare(pair: Pair<'_>) -> Vec<Diagnostic> {
    let members = [pair.here, pair.there];
    if members.iter().any(|member| member.block.is_bad(PEERS) || member.block.is_bad(SOURCE)) {
        return Vec::new();
    }
    let unicast = members.map(|member| !member.instance.unicast_peers.is_empty());
    match unicast {
        [true, true] => between_peers(pair),
        [false, false] => same_source(pair).into_iter().collect(),
        [here, _] => vec![one_kind_only(pair, here)],
    }
}

fn peers(member: Member<'_>) -> Vec<IpAddr> {
    member.instance.unicast_peers.iter().map(|peer| peer.address).collect()
}

/// Where one of these keywords stands, else the instance.
fn place(member: Member<'_>, keywords: &[&str]) -> Span {
    member.block.keyword(keywords).unwrap_or_else(|| member.block.head())
}

fn one_kind_only(pair: Pair<'_>, unicast_here: bool) -> Diagnostic {
    let (one, other) = if unicast_here { ("unicast", "multicast") } else { ("multicast", "unicast") };
    let message =
        format!("`{}` speaks {one} here and {other} in {}", pair.here.instance.name, pair.other_file());
    Diagnostic::error("cluster-unicast", message)
        .at(place(pair.here, PEERS), format!("{one} here"))
        .also(place(pair.there, PEERS), format!("{other} in the other file"))
        .help(BOTH_MASTER)
}

fn between_peers(pair: Pair<'_>) -> Vec<Diagnostic> {
    let name = &pair.here.instance.name;
    if let Some(same) = same_source(pair) {
        return vec![same];
    }
    let mut found = Vec::new();
    if let Some(source) = not_a_peer(pair.there, pair.here) {
        let message = format!("`{name}` has no peer {source}, which it sends from in {}", pair.other_file());
        found.push(
            Diagnostic::error("cluster-unicast", message)
                .at(place(pair.here, PEERS), format!("{source} is not among these"))
                .also(place(pair.there, SOURCE), "the other router sends from here")
                .help("this router's adverts do not reach the other one: both become master"),
        );
    }
    if let Some(source) = not_a_peer(pair.here, pair.there) {
        let message =
            format!("`{name}` sends from {source}, which is no peer of it in {}", pair.other_file());
        found.push(
            Diagnostic::error("cluster-unicast", message)
                .at(place(pair.here, SOURCE), "this router sends from here")
                .also(place(pair.there, PEERS), format!("{source} is not among these"))
                .help("the other router's adverts do not reach this one: both become master"),
        );
    }
    for (sender, other) in [(pair.here, pair.there), (pair.there, pair.here)] {
        if other.instance.check_unicast_source && sends_from_link_local(sender, other) {
            let file =
                if sender.file().number == pair.here.file().number { "here" } else { "in the other file" };
            let message = format!(
                "`{name}` sends from a link-local address {file}, as it has no `unicast_src_ip`, and the other \
                 router checks the source"
            );
            let at = |member: Member<'_>| place(member, PEERS);
            found.push(
                Diagnostic::error("cluster-unicast", message)
                    .at(at(pair.here), if file == "here" { "sent to these" } else { "only taken from these" })
                    .also(
                        at(pair.there),
                        if file == "here" { "only taken from these" } else { "sent to these" },
                    )
                    .help("`unicast_src_ip` with the address that the other one has as its peer"),
            );
        }
    }
    if let ([only], [other]) = (peers(pair.here).as_slice(), peers(pair.there).as_slice())
        && only == other
        && found.is_empty()
    {
        let message = format!("`{name}` has the one peer {only} here and in {}", pair.other_file());
        found.push(
            Diagnostic::error("cluster-unicast", message)
                .at(place(pair.here, PEERS), "here")
                .also(place(pair.there, PEERS), "the same in the other file")
                .help("one of the two routers is that peer itself: each needs the address of the other"),
        );
    }
    found
}

/// Over IPv6 a router without `unicast_src_ip` sends from the link-local address of its interface: is that no peer of the
/// other one?
fn sends_from_link_local(sender: Member<'_>, other: Member<'_>) -> bool {
    sender.instance.source_address.is_none()
        && sender.instance.family == Family::Inet6
        && !peers(other).iter().any(|peer| matches!(peer, IpAddr::V6(peer) if peer.is_unicast_link_local()))
}

/// The address that a router sends from, if it is known and no peer of the other one.
fn not_a_peer(sender: Member<'_>, other: Member<'_>) -> Option<IpAddr> {
    sender.instance.source_address.filter(|source| !peers(other).contains(source))
}

fn same_source(pair: Pair<'_>) -> Option<Diagnostic> {
    let source = pair.here.instance.source_address?;
    if pair.there.instance.source_address != Some(source) {
        return None;
    }
    let message =
        format!("`{}` sends from {source} here and in {}", pair.here.instance.name, pair.other_file());
    let diagnostic = Diagnostic::error("cluster-source", message)
        .at(place(pair.here, SOURCE), "here")
        .also(place(pair.there, SOURCE), "the same in the other file");
    Some(
        diagnostic
            .help("each router has an address of its own; adverts from its own address it takes for its own"),
    )
}
