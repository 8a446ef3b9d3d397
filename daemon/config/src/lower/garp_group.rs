//! `garp_group`: interfaces that share limits on gratuitous ARP and neighbour advertisements.

use std::collections::HashSet;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_interface;
use crate::model::{GarpGroup, Name};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::Word;

impl Draft {
    pub(super) fn garp_group(&mut self, node: &Node, context: &mut Context) {
        let mut own: HashSet<Name> = HashSet::new();
        let mut group = GarpGroup { interval: None, gna_interval: None, interfaces: Vec::new() };
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "garp_interval" => group.interval = child.seconds(0),
                "gna_interval" => group.gna_interval = child.seconds(0),
                "interface" => self.garp_interface(&mut own, &mut group, child.args.first(), context),
                _ => {
                    if child.lines.is_empty() {
                        let diagnostic = Diagnostic::error("missing-value", "`interfaces` names none");
                        context.report(diagnostic.at(child.name.span, "nothing to share the limits"));
                    }
                    for word in child.lines.iter().flatten() {
                        self.garp_interface(&mut own, &mut group, Some(word), context);
                    }
                }
            }
        }
        if group.interval.is_none() && group.gna_interval.is_none() {
            if node.bad_children().is_empty() {
                let message = "this `garp_group` sets no limit";
                let diagnostic = Diagnostic::error("missing-part", message).at(node.name.span, "left out");
                context.report(diagnostic.help("add `garp_interval` or `gna_interval`"));
            }
            return;
        }
        self.garp_interfaces.extend(own);
        self.garp_groups.push(group);
    }

    /// An interface of the group; one that is in another stays there.
    fn garp_interface(
        &self,
        own: &mut HashSet<Name>,
        group: &mut GarpGroup,
        word: Option<&Word>,
        context: &mut Context,
    ) {
        let Some(word) = word else { return };
        let Some(name) = line_interface(word, "garp_group", context) else { return };
        if self.garp_interfaces.contains(&name) || !own.insert(name.clone()) {
            let diagnostic =
                Diagnostic::error("duplicate-member", format!("{name} is in a `garp_group` already"));
            context.report(diagnostic.at(word.span, "left out here"));
            return;
        }
        group.interfaces.push(name);
    }
}
