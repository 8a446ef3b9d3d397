//! Addresses of instances that contradict each other, which keepalived takes without a word.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::diagnostics::Diagnostic;
use crate::model::{InterfaceAddress, LinkTarget, Name};
use crate::preprocess::Context;
use crate::schema::instance::InstanceDraft;
use crate::source::Span;

/// Says what contradicts itself within one instance.
pub(super) fn within(draft: &InstanceDraft, context: &mut Context) {
    let source = draft.path.source;
    if draft.path.peers.is_empty() {
        return;
    }
    let virtual_ones: HashMap<IpAddr, Span> =
        virtual_addresses(draft).map(|(address, at)| (address.address, *at)).collect();
    for (peer, at) in &draft.path.peers {
        let peer = peer.address;
        if let Some((_, source_at)) = source.filter(|(source, _)| *source == peer) {
            let message = format!("`{}` has its own source {peer} among its peers", draft.name);
            let diagnostic =
                Diagnostic::warning("own-peer", message).at(*at, "the peers are the other routers");
            context.report(diagnostic.also(source_at, "sent from here"));
        } else if let Some(virtual_at) = virtual_ones.get(&peer) {
            let message = format!("the peer {peer} of `{}` is one of its virtual addresses", draft.name);
            let diagnostic =
                Diagnostic::warning("virtual-peer", message).at(*at, "whoever is master sends to itself");
            context.report(
                diagnostic.also(*virtual_at, "here").help("a peer is an address that its router always has"),
            );
        }
    }
    if draft.interface.is_none() && source.is_some() {
        let message = format!("`{}` has peers and no `interface`", draft.name);
        let label = "adverts go by the routing table, and are taken on every interface";
        context.report(Diagnostic::note("no-interface", message).at(draft.at, label));
    }
}

fn virtual_addresses(draft: &InstanceDraft) -> impl Iterator<Item = &(InterfaceAddress, Span)> {
    draft.addresses.iter().chain(&draft.excluded)
}

/// Which instance first has each virtual address, by the interface that it goes on.
#[derive(Debug, Default)]
pub(super) struct Shared {
    first: HashMap<(IpAddr, Option<Name>), u32>,
    /// Which instance first has each virtual address, on whatever interface, and where that stands.
    anywhere: HashMap<IpAddr, (u32, Span)>,
    /// The peers of all, with the number of their instance.
    peers: Vec<(u32, IpAddr, Span)>,
    /// Names of the instances so far.
    names: Vec<Name>,
}

impl Shared {
    /// Says which addresses of one more instance an earlier one has too: once, at the first of them.
    pub(super) fn add(&mut self, draft: &InstanceDraft, places: &HashMap<Name, Span>, context: &mut Context) {
        let number = self.names.len() as u32;
        let mut said = false;
        self.peers.extend(draft.path.peers.iter().map(|(peer, at)| (number, peer.address, *at)));
        for (address, at) in virtual_addresses(draft) {
            self.anywhere.entry(address.address).or_insert((number, *at));
            let link = match &address.link {
                LinkTarget::Named(name) => Some(name.clone()),
                LinkTarget::Instance => draft.interface.clone(),
            };
            let first = *self.first.entry((address.address, link)).or_insert(number);
            if first == number || said {
                continue;
            }
            said = true;
            let Some(other) = self.names.get(first as usize) else { continue };
            let message =
                format!("`{}` is a virtual address of `{other}` and of `{}`", address.address, draft.name);
            let diagnostic = Diagnostic::warning("shared-address", message)
                .at(*at, "here once more")
                .help("it is there while one of the two is master, on two hosts if each is master of one");
            context.report(match places.get(other) {
                Some(place) => diagnostic.also(*place, "this one has it first"),
                None => diagnostic,
            });
        }
        self.names.push(draft.name.clone());
    }

    /// Says which peers are a virtual address of another instance; after the last instance.
    pub(super) fn say_virtual_peers(&self, context: &mut Context) {
        for (number, peer, at) in &self.peers {
            let other = self.anywhere.get(peer).filter(|(other, _)| other != number);
            let names = other.and_then(|(other, virtual_at)| {
                Some((self.names.get(*other as usize)?, self.names.get(*number as usize)?, *virtual_at))
            });
            let Some((other, name, virtual_at)) = names else { continue };
            let message = format!("the peer {peer} of `{name}` is a virtual address of `{other}`");
            let label = format!("reaches whoever is master of `{other}`");
            context.report(
                Diagnostic::warning("virtual-peer", message)
                    .at(*at, label)
                    .also(virtual_at, "here")
                    .help("a peer is an address that its router always has"),
            );
        }
    }
}
