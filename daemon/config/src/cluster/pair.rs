//! What does not fit between two routers of one virtual router.

use super::file::{Finding, Member};
use crate::diagnostics::Diagnostic;
use crate::model::{AuthHmac, Authentication, HmacMode, InitialState, Instance, Priority, VrrpVersion};

/// The keywords that say the version.
const VERSION: &[&str] = &["version", "vrrp_version"];
/// Why routers that do not take each other's adverts are bad.
const BOTH_MASTER: &str = "both become master";

/// Two routers of one virtual router, the one of the later file here.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) here: Member<'a>,
    pub(super) there: Member<'a>,
}

impl Pair<'_> {
    fn instances(&self) -> (&Instance, &Instance) {
        (self.here.instance, self.there.instance)
    }

    /// What the other file is called.
    pub(super) fn other_file(&self) -> std::path::Display<'_> {
        self.there.file().path.display()
    }

    /// A message about a value that differs.
    fn differs(&self, what: &str, here: impl std::fmt::Display, there: impl std::fmt::Display) -> String {
        format!("`{}` has {what} {here} here and {there} in {}", self.here.instance.name, self.other_file())
    }
}

/// What all routers of a virtual router must agree on; one finding for each thing that they do not.
pub(super) fn disagreements(pair: Pair<'_>) -> impl Iterator<Item = Finding> {
    let rules = [version, advert_int, authentication, signature, multicast_group, checksum, nopreempt];
    rules.into_iter().filter_map(move |rule| rule(pair))
}

/// What no two routers of a virtual router should have in common.
pub(super) fn alike(pair: Pair<'_>) -> impl Iterator<Item = Finding> {
    [priority, state].into_iter().filter_map(move |rule| rule(pair))
}

fn finding(keywords: &'static [&'static str], diagnostic: Diagnostic, help: &str) -> Option<Finding> {
    Some(Finding { diagnostic: diagnostic.help(help), keywords })
}

fn version(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    if here.version == there.version {
        return None;
    }
    let message = pair.differs("version", here.version, there.version);
    let help = format!("routers of different versions do not hear each other: {BOTH_MASTER}");
    finding(VERSION, Diagnostic::error("cluster-version", message), &help)
}

fn advert_int(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    // Of different versions it is the version that is wrong.
    if here.advert_int == there.advert_int || here.version != there.version {
        return None;
    }
    let [at, other] = [here, there].map(|instance| format!("{:?}", instance.advert_int));
    let message = pair.differs("advert_int", at, other);
    match here.version {
        VrrpVersion::V3 => finding(
            &["advert_int"],
            Diagnostic::warning("cluster-advert-int", message),
            "a backup takes over the interval of its master, so it changes with each takeover",
        ),
        VrrpVersion::V2 => finding(
            &["advert_int"],
            Diagnostic::error("cluster-advert-int", message),
            &format!("version 2 refuses adverts of another interval: {BOTH_MASTER}"),
        ),
    }
}

fn authentication(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    let refused = format!("adverts are refused: {BOTH_MASTER}");
    let kind = |authentication: &Authentication| match authentication {
        Authentication::None => "none",
        Authentication::Pass(_) => "PASS",
        Authentication::Ah(_) => "AH",
    };
    let [at, other] = [here, there].map(|instance| kind(&instance.authentication));
    if at != other {
        let diagnostic =
            Diagnostic::error("cluster-authentication", pair.differs("authentication", at, other));
        let written = if at == "none" || other == "none" { &["authentication"] } else { &["auth_type"] };
        return finding(written, diagnostic, &refused);
    }
    if here.authentication == there.authentication {
        return None;
    }
    let message = format!("`{}` has another password than in {}", here.name, pair.other_file());
    finding(&["auth_pass"], Diagnostic::error("cluster-authentication", message), &refused)
}

/// `auth_hmac`: each must know the key that the other one signs with.
fn signature(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    let (name, file) = (&here.name, pair.other_file());
    let (one, other) = match (&here.auth_hmac, &there.auth_hmac) {
        (None, None) => return None,
        (Some(one), Some(other)) => (one, other),
        (Some(only), None) => {
            return unsigned(only, format!("`{name}` has `auth_hmac` here but not in {file}"));
        }
        (None, Some(only)) => {
            return unsigned(only, format!("`{name}` has no `auth_hmac` here, but it has in {file}"));
        }
    };
    let message = match (unknown_key(one, other), unknown_key(other, one)) {
        (None, None) => return None,
        (Some(id), _) | (_, Some(id))
            if [one, other].iter().all(|all| all.keys.iter().any(|key| key.id == id)) =>
        {
            format!("key {id} of `{name}` is another one than in {file}")
        }
        (Some(id), _) => format!("`{name}` signs with key {id}, which it does not have in {file}"),
        (_, Some(id)) => format!("`{name}` has no key {id}, which it signs with in {file}"),
    };
    finding(
        &["key", "auth_hmac"],
        Diagnostic::error("cluster-authentication", message),
        &format!("adverts are refused: {BOTH_MASTER}"),
    )
}

/// Only one router has `auth_hmac`. One that does not insist gets along with one that does not sign.
fn unsigned(only: &AuthHmac, message: String) -> Option<Finding> {
    if only.mode != HmacMode::Enforce {
        return None;
    }
    finding(
        &["auth_hmac"],
        Diagnostic::error("cluster-authentication", message),
        &format!(
            "adverts without signature are refused: {BOTH_MASTER}; `mode permissive` takes them meanwhile"
        ),
    )
}

/// Number of the key that one router signs with, if the other does not have that key.
fn unknown_key(signs: &AuthHmac, checks: &AuthHmac) -> Option<u8> {
    let key = signs.keys.iter().find(|key| key.id == signs.active_key)?;
    (signs.mode != HmacMode::ReceiveOnly && !checks.keys.contains(key)).then_some(key.id)
}

fn multicast_group(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    let unicast = |instance: &Instance| !instance.unicast_peers.is_empty();
    if here.multicast_group == there.multicast_group || unicast(here) || unicast(there) {
        return None;
    }
    finding(
        &["mcast_dst_ip", "vrrp_mcast_group4", "vrrp_mcast_group6"],
        Diagnostic::error(
            "cluster-multicast",
            pair.differs("multicast group", here.multicast_group, there.multicast_group),
        ),
        &format!("the routers do not hear each other: {BOTH_MASTER}"),
    )
}

fn checksum(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    let v3 = here.version == VrrpVersion::V3 && there.version == VrrpVersion::V3;
    if !v3 || here.v3_checksum_as_v2 == there.v3_checksum_as_v2 {
        return None;
    }
    let on = |instance: &Instance| if instance.v3_checksum_as_v2 { "on" } else { "off" };
    finding(
        &["v3_checksum_as_v2"],
        Diagnostic::error("cluster-version", pair.differs("v3_checksum_as_v2", on(here), on(there))),
        &format!("adverts with another checksum are refused: {BOTH_MASTER}"),
    )
}

fn nopreempt(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    if here.nopreempt == there.nopreempt {
        return None;
    }
    let message = match here.nopreempt {
        true => format!("`{}` has `nopreempt` here but not in {}", here.name, pair.other_file()),
        false => format!("`{}` has no `nopreempt` here, but it has in {}", here.name, pair.other_file()),
    };
    finding(
        &["nopreempt"],
        Diagnostic::note("cluster-nopreempt", message),
        "the one without it takes over as soon as it has the higher priority",
    )
}

fn priority(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    if here.priority != there.priority {
        return None;
    }
    let message = format!("`{}` has priority {} here and in {}", here.name, here.priority, pair.other_file());
    if here.priority == Priority::OWNER {
        return finding(
            &["priority"],
            Diagnostic::error("cluster-priority", message),
            "255 is the owner of the addresses, of which there can be one: each of two is master at once",
        );
    }
    finding(
        &["priority"],
        Diagnostic::warning("cluster-priority", message),
        "the one with the higher address wins; say which it should be",
    )
}

fn state(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = pair.instances();
    if here.state != InitialState::Master || there.state != InitialState::Master {
        return None;
    }
    let message = format!("`{}` begins as MASTER here and in {}", here.name, pair.other_file());
    finding(
        &["state"],
        Diagnostic::warning("cluster-state", message),
        "both are master for a moment when they start",
    )
}

/// The router with the higher priority takes over again when it comes back, unless it is told not to.
pub(super) fn preemption(pair: Pair<'_>) -> Option<Diagnostic> {
    let (here, there) = pair.instances();
    // The owner of the addresses always takes over.
    let owner = here.priority.0 == 255 || there.priority.0 == 255;
    if here.nopreempt || there.nopreempt || owner || here.priority == there.priority {
        return None;
    }
    let message = format!("`{}` has `nopreempt` neither here nor in {}", here.name, pair.other_file());
    let help =
        "the router with the higher priority takes over again when it comes back: a second interruption";
    let note = Diagnostic::note("cluster-preempt", message).help(help);
    Some(note.at(
        pair.here.block.head(),
        "the router with the higher priority takes over again when it comes back",
    ))
}
