//! Addresses, routes and rules of an instance.

use std::collections::HashSet;
use std::net::IpAddr;

use super::draft::InstanceDraft;
use crate::diagnostics::Diagnostic;
use crate::model::{Family, InterfaceAddress, LinkTarget};
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::lines::Place;
use crate::schema::lines::address::{self, address};
use crate::schema::lines::route::{self, route};
use crate::schema::lines::rule::{self, rule};
use crate::schema::{flag, kw};
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

/// What comes and goes with the state of master.
pub(super) const ADDRESSES: Block<InstanceDraft> = Block(&[
    kw("virtual_ipaddress", &[], "The addresses of the virtual router.")
        .lines("ADDRESS[/PREFIX] [dev INTERFACE] [label LABEL] [brd ADDRESS] [scope SCOPE] …")
        .options(address::OPTIONS)
        .repeats()
        .example("virtual_ipaddress {\n    192.0.2.10/24\n}")
        .sets(InstanceDraft::addresses),
    kw(
        "virtual_ipaddress_excluded",
        &[],
        "Addresses that come and go with the others but are not in adverts.",
    )
    .lines("ADDRESS[/PREFIX] [dev INTERFACE] …")
    .options(address::OPTIONS)
    .repeats()
    .example("virtual_ipaddress_excluded {\n    2001:db8::10/64\n}")
    .sets(InstanceDraft::excluded),
    flag("no_virtual_ipaddress", "Having no address is meant so.")
        .since("2.3.0")
        .example("no_virtual_ipaddress")
        .sets(|to, node, _| to.no_virtual_ipaddress = Some(node.name.span)),
    kw("virtual_routes", &[], "Routes that come and go with the addresses.")
        .lines("ROUTE as of `ip route add`")
        .options(route::OPTIONS)
        .repeats()
        .example("virtual_routes {\n    192.168.2.0/24 via 192.0.2.1 dev eth0\n}")
        .sets(|to, node, context| {
            let routes = node.lines.iter().filter_map(|words| route(words, Place::Virtual, context));
            to.routes.extend(routes);
        }),
    kw("virtual_rules", &[], "Rules that come and go with the addresses.")
        .lines("RULE as of `ip rule add`")
        .options(rule::OPTIONS)
        .repeats()
        .example("virtual_rules {\n    from 192.168.2.0/24 table 1\n}")
        .sets(|to, node, context| {
            to.rules.extend(node.lines.iter().filter_map(|words| rule(words, Place::Virtual, context)));
        }),
    flag("promote_secondaries", "Keep secondary addresses when the primary one goes.")
        .example("promote_secondaries")
        .sets(|to, node, _| to.promote_secondaries = Some(node.name.span)),
]);

impl InstanceDraft {
    /// The lines of `virtual_ipaddress`.
    fn addresses(&mut self, node: &Node, context: &mut Context) {
        self.addresses_written |= !node.lines.is_empty();
        let mut list = Vec::with_capacity(node.lines.len());
        let mut taken: HashSet<IpAddr> = self.addresses.iter().map(|(known, _)| known.address).collect();
        let excluded = places(&self.excluded);
        for words in &node.lines {
            let Some(first) = words.first() else { continue };
            let Some(made) = address(words, Place::Virtual, context) else {
                // Its family was meant all the same: the good ones after it are not to blame.
                let meant = if first.text.contains(':') { Family::Inet6 } else { Family::Inet };
                if self.family.is_none() {
                    (self.family, self.family_is_meant) = (Some(meant), true);
                }
                continue;
            };
            if taken.contains(&made.address) || excluded.contains(&place(&made)) {
                say_duplicate(&made, first, context);
            } else if self.is_of_family(made.address, "address", first.span, context) {
                taken.insert(made.address);
                list.push((made, first.span));
            }
        }
        add(&mut self.addresses, list);
    }

    /// The lines of `virtual_ipaddress_excluded`: of either family. An address may stand once on each interface.
    fn excluded(&mut self, node: &Node, context: &mut Context) {
        let mut list = Vec::with_capacity(node.lines.len());
        let mut taken = places(self.addresses.iter().chain(&self.excluded));
        for words in &node.lines {
            let (Some(made), Some(first)) = (address(words, Place::Virtual, context), words.first()) else {
                continue;
            };
            if taken.insert(place(&made)) {
                list.push((made, first.span));
            } else {
                say_duplicate(&made, first, context);
            }
        }
        add(&mut self.excluded, list);
    }
}

/// Appends a list without room to spare: there may be very many of them.
fn add<T>(to: &mut Vec<T>, mut list: Vec<T>) {
    if to.is_empty() {
        list.shrink_to_fit();
        *to = list;
    } else {
        to.append(&mut list);
    }
}

/// What no two excluded addresses have in common.
fn place(address: &InterfaceAddress) -> (IpAddr, LinkTarget) {
    (address.address, address.link.clone())
}

fn places<'a>(
    addresses: impl IntoIterator<Item = &'a (InterfaceAddress, Span)>,
) -> HashSet<(IpAddr, LinkTarget)> {
    addresses.into_iter().map(|(address, _)| place(address)).collect()
}

fn say_duplicate(address: &InterfaceAddress, at: &Word, context: &mut Context) {
    let message = format!("the address {} is there already", address.address);
    context.report(Diagnostic::error("duplicate-address", message).at(at.span, "left out"));
}
