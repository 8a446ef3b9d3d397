//! Addresses that a configuration names and this host has, or has not.

use std::collections::HashMap;
use std::net::IpAddr;

use super::HostAddress;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::{Config, Instance, Priority};
use crate::places::Place;

/// Says what is wrong with the addresses of each instance on this host. Of a host without any nothing is known.
pub(super) fn check(loaded: &Loaded, config: &Config, present: &[HostAddress], to: &mut Diagnostics) {
    if present.is_empty() {
        return;
    }
    let present: HashMap<IpAddr, &HostAddress> = present.iter().map(|known| (known.address, known)).collect();
    for instance in &config.instances {
        let place = Place::of_instance(loaded, instance);
        let found = [
            own_as_virtual(instance, &present, place),
            own_as_peer(instance, &present, place),
            source_elsewhere(instance, &present, place),
        ];
        found.into_iter().flatten().for_each(|diagnostic| to.push(diagnostic));
    }
}

type Present<'a> = HashMap<IpAddr, &'a HostAddress>;

fn own<'a>(address: IpAddr, present: &Present<'a>) -> Option<&'a HostAddress> {
    present.get(&address).copied().filter(|known| known.is_own)
}

/// Only the owner has its own address as a virtual one. Any other router would have to be without it while it is backup.
fn own_as_virtual(instance: &Instance, present: &Present<'_>, place: Place<'_>) -> Option<Diagnostic> {
    if instance.priority == Priority::OWNER {
        return None;
    }
    let mut addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
    let known = addresses.find_map(|virtual_one| own(virtual_one.address, present))?;
    let address = known.address;
    let message = format!(
        "`{address}`, a virtual address of `{}`, is this host's own, on {}",
        instance.name, known.interface
    );
    let blocks = &["virtual_ipaddress", "virtual_ipaddress_excluded"];
    let diagnostic = place.mark(
        Diagnostic::error("own-address", message),
        place.of_address(address, blocks),
        "the host keeps it, also while another router is master",
    );
    Some(diagnostic.help("a router that owns the address has `priority 255`; others need another address; one that a killed program left goes by `ip addr del`"))
}

/// Adverts to itself do nothing. With peers that are on all routers alike nobody notices that one is missing.
fn own_as_peer(instance: &Instance, present: &Present<'_>, place: Place<'_>) -> Option<Diagnostic> {
    let mut peers = instance.unicast_peers.iter().map(|peer| peer.address);
    let own = peers.find_map(|peer| own(peer, present).filter(|_| Some(peer) != instance.source_address))?;
    let message = format!(
        "`{}`, a peer of `{}`, is this host's own address, on {}",
        own.address, instance.name, own.interface
    );
    let at = place.of_address(own.address, &["unicast_peer"]);
    Some(place.mark(Diagnostic::warning("own-peer", message), at, "the peers are the other routers"))
}

/// What is to be the source of adverts has to be there.
fn source_elsewhere(instance: &Instance, present: &Present<'_>, place: Place<'_>) -> Option<Diagnostic> {
    let source = instance.source_address.filter(|source| !present.contains_key(source))?;
    let message = format!("no interface has `{source}`, the source of the adverts of `{}`", instance.name);
    let at = place.of_address(source, &["unicast_src_ip", "mcast_src_ip"]);
    let diagnostic = Diagnostic::warning("no-such-address", message);
    Some(place.mark(diagnostic, at, "the instance stays in FAULT until it is there"))
}
