//! What the lines of addresses, routes and rules have in common: the names of iproute2, the track groups that stand above
//! them, and the preferences of rules that say none.

use std::collections::HashSet;

use super::Draft;
use super::iproute_names::IprouteNames;
use super::option_line::OptionLine;
use super::{address, route, rule};
use crate::diagnostics::Diagnostic;
use crate::model::{Config, Family, LinkTarget, Name, StaticTrackGroup};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

/// The preference of the first rule of a family that has none; each further one is one less.
const FIRST_PREFERENCE: u32 = 16384;

/// Where static addresses go that name no interface, if `default_interface` names none either.
const DEFAULT_INTERFACE: &str = "eth0";

/// Which of two blocks a line of addresses, routes or rules stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// `static_ipaddress` and the like, of the top level.
    Static,
    /// `virtual_ipaddress` and the like, of an instance.
    Virtual,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Routing {
    pub(super) names: IprouteNames,
    pub(super) groups: Vec<TrackGroupDraft>,
    /// Names of the interfaces that instances make.
    pub(super) vmac_names: HashSet<Name>,
    /// How many rules of IPv4 and of IPv6 had no preference.
    without_preference: [u32; 2],
}

/// A `track_group` as written.
#[derive(Debug)]
pub(super) struct TrackGroupDraft {
    pub(super) name: Name,
    pub(super) members: Vec<Word>,
}

impl Routing {
    /// The preference of a rule that says none.
    pub(super) fn next_preference(&mut self, family: Family) -> u32 {
        let [v4, v6] = &mut self.without_preference;
        let before = match family {
            Family::Inet => v4,
            Family::Inet6 => v6,
        };
        let preference = FIRST_PREFERENCE.saturating_sub(*before);
        *before += 1;
        preference
    }
}

/// The `track_group` of a line.
#[derive(Debug, Default)]
pub(super) struct TrackGroup {
    /// Its name, if there is such a group.
    name: Option<Name>,
    /// Where it stands.
    at: Option<Span>,
}

impl TrackGroup {
    /// Takes the name after `track_group`; `None` when the line is to be left out (reported).
    pub(super) fn read(
        &mut self,
        line: &mut OptionLine,
        option: &Word,
        groups: &[TrackGroupDraft],
    ) -> Option<()> {
        let value = line.value(option)?;
        if self.at.is_some() {
            let message = "`track_group` was given before".into();
            return line.refuse(
                value,
                "duplicate-keyword",
                message,
                format!("the {} is left out", line.what),
            );
        }
        self.take(value, groups, line.context);
        Some(())
    }

    /// Takes the name.
    pub(super) fn take(&mut self, value: &Word, groups: &[TrackGroupDraft], context: &mut Context) {
        if let Some(first) = self.at {
            let diagnostic = Diagnostic::error("duplicate-keyword", "`track_group` was given before");
            context.report(diagnostic.at(value.span, "has no effect").also(first, "first here"));
            return;
        }
        self.at = Some(value.span);
        self.name = groups.iter().find(|group| *group.name == *value.text).map(|group| group.name.clone());
        if self.name.is_none() {
            context.report(
                Diagnostic::error("unknown-group", format!("there is no `track_group` {} above", value.text))
                    .at(value.span, "has no effect")
                    .help("a `track_group` must stand before what it is for")
                    .suggest_nearest(value, groups.iter().map(|group| &*group.name)),
            );
        }
    }

    /// The group, if it can be tracked.
    pub(super) fn finish(
        self,
        no_track: bool,
        has_interface: bool,
        interface: &str,
        context: &mut Context,
    ) -> Option<Name> {
        let (name, at) = (self.name?, self.at?);
        if !has_interface {
            let message = format!("`track_group` needs an interface ({interface})");
            context.report(Diagnostic::error("conflict", message).at(at, "has no effect"));
            return None;
        }
        if no_track {
            let message = "`track_group` does not go with `no_track`";
            context.report(Diagnostic::warning("conflict", message).at(at, "has no effect"));
            return None;
        }
        Some(name)
    }
}

impl Draft {
    /// `static_ipaddress`, `static_routes` or `static_rules`.
    pub(super) fn static_entries(&mut self, node: &Node, context: &mut Context) {
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
    pub(super) fn track_group(&mut self, node: &Node, context: &mut Context) {
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
            Some(members) => self.routing.groups.push(TrackGroupDraft { name, members }),
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
    let mut groups = Vec::new();
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
    let addresses = config.static_addresses.iter_mut().map(|address| &mut address.track_group);
    let routes = config.static_routes.iter_mut().map(|route| &mut route.track_group);
    let rules = config.static_rules.iter_mut().map(|rule| &mut rule.track_group);
    for group in addresses.chain(routes).chain(rules) {
        group.take_if(|name| !groups.iter().any(|group| group.name == *name));
    }
    config.track_groups = groups;
}
