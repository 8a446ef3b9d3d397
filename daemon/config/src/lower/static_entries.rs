//! The blocks of static addresses, routes and rules, and the track groups that these are for.

use std::collections::HashSet;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::model::{Config, LinkTarget, Name, StaticTrackGroup};
use crate::preprocess::Context;
use crate::schema::groups::STATIC_TRACK_GROUP;
use crate::tree::Node;
use crate::words::Word;

/// Where static addresses go that name no interface, if `default_interface` names none either.
const DEFAULT_INTERFACE: &str = "eth0";

/// A `track_group` as written.
#[derive(Debug)]
pub(super) struct TrackGroupDraft {
    name: Name,
    members: Vec<Word>,
}

impl Draft {
    /// `track_group NAME { group { … } }`.
    pub(super) fn track_group(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut members = None;
        STATIC_TRACK_GROUP.read(&mut members, node, context);
        match members.filter(|members: &Vec<Word>| !members.is_empty()) {
            Some(members) => {
                context.known.track_groups.insert(name.clone());
                self.track_groups.push(TrackGroupDraft { name, members });
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
pub(super) fn resolve(drafts: Vec<TrackGroupDraft>, config: &mut Config, context: &mut Context) {
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
