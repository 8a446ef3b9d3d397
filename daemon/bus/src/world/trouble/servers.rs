//! What does not work of virtual servers, their real servers and checkers.
//!
//! All entries of a virtual server group have the same real servers, which are checked once, by one of them, the first: a
//! trouble that all have is one, and named by the group. An entry that is otherwise than the first one is told of by itself.

use std::collections::HashMap;
use std::net::SocketAddr;

use jiff::Timestamp;

use super::{Trouble, Weight, some};
use crate::world::{RealState, Service, World};

/// All of it, in the order of the configuration.
pub(super) fn trouble(world: &World, all: &mut Vec<Trouble>) {
    let now = Timestamp::now();
    let mut firsts = HashMap::new();
    for service in world.services.values() {
        let first = match service.settings.group() {
            Some(_) => {
                *firsts.entry(service.settings.key.lasting()).or_insert_with(|| world.first_of(service))
            }
            None => service,
        };
        of_quorum(service, first, all);
        unmade_checks(service, all);
        of_certificates(service, now, all);
    }
}

/// What a virtual server is called: an entry of a group by the group, for which it stands.
fn label(service: &Service) -> String {
    service.settings.label(&service.key)
}

/// One that has lost its quorum, or servers behind it. `first` is the first entry of its group.
fn of_quorum(service: &Service, first: &Service, all: &mut Vec<Trouble>) {
    let is_first = std::ptr::eq(service, first);
    if !is_first && is_like(service, first) {
        return;
    }
    let down = || service.reals.values().filter(|real| real.state() == RealState::Down);
    let since = down().filter_map(|real| real.changed).min_by_key(|change| change.event);
    let names = some(
        down().map(|real| {
            let checkers = first.reals.get(&real.address).into_iter().flat_map(|real| &real.checkers);
            let failed = checkers.into_iter().find_map(|checker| checker.failure.as_ref());
            failed.map_or_else(|| real.address.to_string(), |why| format!("{}: {why}", real.address))
        }),
        down().count(),
    );
    let name = if is_first { label(service) } else { service.key.to_string() };
    if service.sorry || !service.quorum {
        let sorry = if service.sorry { ", the sorry server serves" } else { "" };
        let what = format!("VS {name} has lost its quorum{sorry}");
        let error = if names.is_empty() { service.reals_in_words() } else { names };
        all.push(Trouble::new(Weight::Outage, what, error).by(service.changed.or(since)));
    } else if !names.is_empty() {
        let what = format!("VS {name}: {}", service.reals_in_words());
        all.push(Trouble::new(Weight::Degraded, what, names).by(since));
    }
}

/// Whether two entries of a group are in the same way.
fn is_like(service: &Service, first: &Service) -> bool {
    let down = |service: &Service| -> Vec<SocketAddr> {
        let down = service.reals.values().filter(|real| real.state() == RealState::Down);
        down.map(|real| real.address).collect()
    };
    (service.quorum, service.sorry) == (first.quorum, first.sorry) && down(service) == down(first)
}

/// Checks that can't be made: of these servers nobody knows how they are, or not all that was to be known.
fn unmade_checks(service: &Service, all: &mut Vec<Trouble>) {
    let hindrances =
        || service.reals.values().flat_map(|real| real.hindrances().map(move |found| (real, found)));
    let Some(first) = hindrances().map(|(_, (_, hindrance))| hindrance.changed).min_by_key(|c| c.event)
    else {
        return;
    };
    // Most of them have one reason in common, which is long.
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for (real, (key, hindrance)) in hindrances() {
        let reason = format!("{}: {}", key.kind, hindrance.error);
        let address = real.address.to_string();
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, addresses)) => addresses.push(address),
            None => by_reason.push((reason, vec![address])),
        }
    }
    let reasons = by_reason.len();
    let said = by_reason.into_iter().map(|(reason, addresses)| {
        let count = addresses.len();
        format!("{reason} ({})", some(addresses.into_iter(), count))
    });
    let what = format!("VS {}: checks can't be made, {}", label(service), service.reals_in_words());
    all.push(Trouble::new(Weight::Degraded, what, some(said, reasons)).by(Some(first)));
}

/// Certificates that a client would refuse: they have expired, or the `ca` would not have them. The server serves all the
/// same, since checks do not go by it.
fn of_certificates(service: &Service, now: Timestamp, all: &mut Vec<Trouble>) {
    for real in service.reals.values() {
        for checker in &real.checkers {
            let Some(certificate) = &checker.seen.certificate else { continue };
            let error = match &certificate.distrust {
                _ if certificate.not_after < now => format!("it held until {}", certificate.not_after),
                Some(why) => format!("the `ca` would not have it: {why}"),
                None => continue,
            };
            let what = format!("VS {}: the certificate of {} is no good", label(service), real.address);
            let trouble = Trouble::new(Weight::Degraded, what, error).by(checker.seen.certificate_seen);
            // Several checkers of a server see the same one.
            if !all.iter().any(|other| (&other.what, &other.error) == (&trouble.what, &trouble.error)) {
                all.push(trouble);
            }
        }
    }
}

#[cfg(test)]
mod tests;
