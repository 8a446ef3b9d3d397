//! The blocks of static addresses, routes and rules, and the track groups that these are for.

use std::collections::HashSet;

use super::state::{Block, TrackGroupDraft};
use super::{address, route, rule};
use crate::diagnostics::Diagnostic;
use crate::lower::Draft;
use crate::model::{Config, LinkTarget, Name, StaticTrackGroup};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::Word;

/// Where static addresses go that name no interface, if `default_interface` names none either.
const DEFAULT_INTERFACE: &str = "eth0";

impl Draft {
    /// `static_ipaddress`, `static_routes` or `static_rules`.
    pub(in crate::lower) fn static_entries(&mut self, node: &Node, context: &mut Context) {
        let Self { routing, static_addresses, static_routes, static_rules, .. } = self;
        let lines = node.lines.iter();
        match node.keyword.name {
            "static_ipaddress" => static_addresses
                .extend(lines.filter_map(|words| address::line(words, Block::Static, routing, context))),
            "static_routes" => static_routes
                .extend(lines.filter_map(|words| route::route(words, Block::Static, routing, context))),
            _ => static_rules
                .extend(lines.filter_map(|words| rule::rule(words, Block::Static, routing, context))),
        }
    }

    /// `track_group NAME { group { … } }`.
    pub(in crate::lower) fn track_group(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut members: Option<Vec<Word>> = None;
        for child in node.children.iter().filter(|child| !child.bad) {
            if members.is_some() {
                let diagnostic = Diagnostic::error("duplicate-keyword", "`group` was given before");
                context.report(diagnostic.at(child.name.span, "this one is left out"));
                continue;
            }
            members = Some(child.lines.iter().flatten().cloned().collect());
        }
        match members.filter(|members| !members.is_empty()) {
            Some(members) => {
                self.routing.group_names.insert(name.clone());
                self.routing.groups.push(TrackGroupDraft { name, members });
            }
            None => context.report(
                Diagnostic::error("empty-group", format!("the track group `{name}` has no members"))
                    .at(node.arg_span(0), "left out")
                    .help("name its instances in `group { … }`"),
            ),
        }
    }
}

/// Settles the interfaces of static addresses, and makes the groups of the model: only members that exist, and only groups that have some.
pub(in crate::lower) fn resolve(drafts: Vec<TrackGroupDraft>, config: &mut Config, context: &mut Context) {
    let general = config.global.default_interface.clone().unwrap_or_else(|| DEFAULT_INTERFACE.into());
    for address in config.static_addresses.iter_mut().filter(|address| address.link == LinkTarget::Instance) {
        address.link = LinkTarget::Named(general.clone());
    }
    if drafts.is_empty() {
        return;
    }
    let instances: HashSet<&str> = config.instances.iter().map(|instance| &*instance.name).collect();
    let mut groups: Vec<StaticTrackGroup> = Vec::new();
    for TrackGroupDraft { name, members } in drafts {
        let (known, unknown): (Vec<Word>, Vec<Word>) =
            members.into_iter().partition(|word| instances.contains(&*word.text));
        for word in unknown {
            let message = format!("there is no instance `{}` for the track group `{name}`", word.text);
            let diagnostic = Diagnostic::warning("unknown-instance", message).at(word.span, "left out");
            context.report(diagnostic.suggest_nearest(&word, instances.iter().copied()));
        }
        if !known.is_empty() {
            let members = known.iter().map(|word| (&*word.text).into()).collect();
            groups.push(StaticTrackGroup { name, members });
        }
    }
    let names: HashSet<&Name> = groups.iter().map(|group| &group.name).collect();
    let addresses = config.static_addresses.iter_mut().map(|address| &mut address.track_group);
    let routes = config.static_routes.iter_mut().map(|route| &mut route.track_group);
    let rules = config.static_rules.iter_mut().map(|rule| &mut rule.track_group);
    for group in addresses.chain(routes).chain(rules) {
        group.take_if(|name| !names.contains(name));
    }
    config.track_groups = groups;
}
