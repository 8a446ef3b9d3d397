//! What does not fit between two routers of one virtual router.

use std::collections::BTreeSet;

use super::addresses;
use crate::diagnostics::Diagnostic;
use crate::model::{Authentication, InitialState, Instance, VrrpVersion};
use crate::places::Place;

/// Something that does not fit, and the keyword that it is about.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) diagnostic: Diagnostic,
    pub(super) keyword: &'static str,
}

impl Finding {
    /// The finding, said at its keyword here, with the place there.
    pub(super) fn said_of(self, here: Place<'_>, there: Place<'_>) -> Diagnostic {
        let mut diagnostic = self.diagnostic;
        if let Some(span) = here.of_keyword(self.keyword) {
            diagnostic = diagnostic.at(span, "here");
        }
        if let Some(span) = there.of_keyword(self.keyword) {
            let place = there.sources.place(span);
            diagnostic =
                diagnostic.help(format!("the other one is at {}:{}", place.path.display(), place.line));
        }
        diagnostic
    }
}

/// Compares an instance of an earlier file with one of this file.
pub(super) fn compare(ours: &Instance, theirs: &Instance) -> Vec<Finding> {
    let (here, there) = (addresses(theirs), addresses(ours));
    if !here.is_empty() && !there.is_empty() && here.is_disjoint(&there) {
        let message = format!(
            "virtual router {} ({}) has other addresses in the other file",
            theirs.vrid, theirs.family
        );
        let help = "routers of one virtual router need the same addresses; different ones need different ids";
        let diagnostic = Diagnostic::error("cluster-addresses", message).help(help);
        return vec![Finding { diagnostic, keyword: "virtual_ipaddress" }];
    }
    let rules = [version, advert_int, authentication, unicast, priority, state, preemption]
        .map(|rule| rule(ours, theirs));
    rules.into_iter().flatten().chain(virtual_addresses(theirs, &here, &there)).collect()
}

fn finding(keyword: &'static str, diagnostic: Diagnostic, help: &str) -> Option<Finding> {
    Some(Finding { diagnostic: diagnostic.help(help), keyword })
}

fn version(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    if ours.version == theirs.version {
        return None;
    }
    let message =
        format!("`{}` speaks version {} here and {} there", theirs.name, theirs.version, ours.version);
    finding(
        "version",
        Diagnostic::error("cluster-version", message),
        "routers of different versions do not hear each other: both become master",
    )
}

fn advert_int(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    if ours.advert_int == theirs.advert_int {
        return None;
    }
    let message = format!(
        "`{}` has advert_int {:?} here and {:?} there",
        theirs.name, theirs.advert_int, ours.advert_int
    );
    match (ours.version, theirs.version) {
        (VrrpVersion::V3, VrrpVersion::V3) => finding(
            "advert_int",
            Diagnostic::warning("cluster-advert-int", message),
            "a backup takes over the interval of its master, so it changes with each takeover",
        ),
        (VrrpVersion::V2 | VrrpVersion::V3, VrrpVersion::V2 | VrrpVersion::V3) => finding(
            "advert_int",
            Diagnostic::error("cluster-advert-int", message),
            "version 2 refuses adverts of another interval: both become master",
        ),
    }
}

fn authentication(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    if ours.authentication == theirs.authentication {
        return None;
    }
    let kind = |authentication: &Authentication| match authentication {
        Authentication::None => "none",
        Authentication::Pass(_) => "PASS",
        Authentication::Ah(_) => "AH",
    };
    let (here, there) = (kind(&theirs.authentication), kind(&ours.authentication));
    let what =
        if here == there { "another password".to_owned() } else { format!("{here} here and {there} there") };
    let message = format!("the authentication of `{}` differs: {what}", theirs.name);
    finding(
        "authentication",
        Diagnostic::error("cluster-authentication", message),
        "adverts are refused: both become master",
    )
}

fn virtual_addresses(
    theirs: &Instance,
    here: &BTreeSet<String>,
    there: &BTreeSet<String>,
) -> Option<Finding> {
    if here == there {
        return None;
    }
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        let list: Vec<&str> = one.difference(other).map(String::as_str).collect();
        if list.is_empty() { "nothing more".to_owned() } else { list.join(", ") }
    };
    let message = format!(
        "the addresses of `{}` differ: {} only here, {} only there",
        theirs.name,
        only(here, there),
        only(there, here)
    );
    finding(
        "virtual_ipaddress",
        Diagnostic::error("cluster-addresses", message),
        "a takeover would lose or duplicate them",
    )
}

/// Unicast adverts only arrive where they are sent to, and are only taken from a peer.
fn unicast(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    let peers =
        |instance: &Instance| -> Vec<_> { instance.unicast_peers.iter().map(|peer| peer.address).collect() };
    let (here, there) = (peers(theirs), peers(ours));
    if here.is_empty() != there.is_empty() {
        let (one, other) = if here.is_empty() { ("multicast", "unicast") } else { ("unicast", "multicast") };
        let message = format!("`{}` speaks {one} here and {other} there", theirs.name);
        return finding(
            "unicast_peer",
            Diagnostic::error("cluster-unicast", message),
            "the routers do not hear each other: both become master",
        );
    }
    let missing = |source: Option<std::net::IpAddr>, peers: &[std::net::IpAddr]| {
        source.filter(|source| !peers.is_empty() && !peers.contains(source))
    };
    let (message, help) = if let Some(source) = missing(ours.source_address, &here) {
        let message = format!("`{}` has no peer {source}, which the other router sends from", theirs.name);
        (message, "this router's adverts do not reach the other one: both become master")
    } else if let Some(source) = missing(theirs.source_address, &there) {
        let message = format!("`{}` sends from {source}, which is no peer of the other router", theirs.name);
        (message, "the other router's adverts do not reach this one: both become master")
    } else {
        return None;
    };
    finding("unicast_peer", Diagnostic::error("cluster-unicast", message), help)
}

fn priority(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    if ours.priority != theirs.priority {
        return None;
    }
    let message = format!("`{}` has priority {} in both files", theirs.name, theirs.priority);
    finding(
        "priority",
        Diagnostic::warning("cluster-priority", message),
        "the one with the higher address wins; say which it should be",
    )
}

fn state(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    if ours.state != InitialState::Master || theirs.state != InitialState::Master {
        return None;
    }
    finding(
        "state",
        Diagnostic::warning("cluster-state", format!("`{}` begins as MASTER in both files", theirs.name)),
        "both are master for a moment when they start",
    )
}

fn preemption(ours: &Instance, theirs: &Instance) -> Option<Finding> {
    if ours.nopreempt != theirs.nopreempt {
        return finding(
            "nopreempt",
            Diagnostic::note(
                "cluster-nopreempt",
                format!("`{}` has `nopreempt` in one file only", theirs.name),
            ),
            "the one without it takes over as soon as it has the higher priority",
        );
    }
    // The owner of the addresses always takes over.
    let owner = ours.priority.0 == 255 || theirs.priority.0 == 255;
    if theirs.nopreempt || owner || ours.priority == theirs.priority {
        return None;
    }
    finding(
        "priority",
        Diagnostic::note("cluster-preempt", format!("`{}` has `nopreempt` in neither file", theirs.name)),
        "the router with the higher priority takes over again when it comes back: a second interruption",
    )
}
