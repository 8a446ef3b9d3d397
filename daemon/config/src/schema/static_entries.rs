//! Addresses, routes and rules that are always there.

use super::entry::Block;
use super::kw;
use super::lines::Place;
use super::lines::address::{self, address};
use super::lines::route::{self, route};
use super::lines::rule::{self, rule};
use crate::model::{InterfaceAddress, Route, Rule};

/// All of them, as written.
#[derive(Debug, Default)]
pub(crate) struct StaticDraft {
    pub(crate) addresses: Vec<InterfaceAddress>,
    pub(crate) routes: Vec<Route>,
    pub(crate) rules: Vec<Rule>,
}

/// Keywords of the top level.
pub(crate) const STATIC: Block<StaticDraft> = Block(&[
    kw("static_ipaddress", &[], "Addresses that are always there.")
        .lines("ADDRESS[/PREFIX] [brd ADDRESS] [dev INTERFACE] [scope SCOPE] [label LABEL] …")
        .options(address::OPTIONS)
        .repeats()
        .example("static_ipaddress {\n    192.168.1.1/24 dev eth0\n}")
        .sets(|to, node, context| {
            let addresses = node.lines.iter().filter_map(|words| address(words, Place::Static, context));
            to.addresses.extend(addresses);
        }),
    kw("static_routes", &[], "Routes that are always there.")
        .lines("ROUTE as of `ip route add`")
        .options(route::OPTIONS)
        .repeats()
        .example("static_routes {\n    192.168.2.0/24 via 192.168.1.100 dev eth0\n}")
        .sets(|to, node, context| {
            to.routes.extend(node.lines.iter().filter_map(|words| route(words, Place::Static, context)));
        }),
    kw("static_rules", &[], "Rules that are always there.")
        .lines("RULE as of `ip rule add`")
        .options(rule::OPTIONS)
        .repeats()
        .example("static_rules {\n    from 192.168.2.0/24 table 1\n}")
        .sets(|to, node, context| {
            to.rules.extend(node.lines.iter().filter_map(|words| rule(words, Place::Static, context)));
        }),
]);
