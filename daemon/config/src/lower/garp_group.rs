//! `garp_group`: interfaces that share limits on gratuitous ARP and neighbour advertisements.

use std::collections::HashSet;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_interface;
use crate::model::{GarpGroup, Name};
use crate::preprocess::Context;
use crate::schema::groups::{GARP_GROUP, GarpGroupDraft};
use crate::tree::Node;

impl Draft {
    pub(super) fn garp_group(&mut self, node: &Node, context: &mut Context) {
        let mut draft = GarpGroupDraft::default();
        GARP_GROUP.read(&mut draft, node, context);
        let GarpGroupDraft { interval, gna_interval, interfaces: words } = draft;
        // One that is in another group stays there.
        let mut own: HashSet<Name> = HashSet::new();
        let mut interfaces = Vec::new();
        for word in words {
            let Some(name) = line_interface(&word, "garp_group", context) else { continue };
            if self.garp_interfaces.contains(&name) || !own.insert(name.clone()) {
                let diagnostic =
                    Diagnostic::error("duplicate-member", format!("{name} is in a `garp_group` already"));
                context.report(diagnostic.at(word.span, "left out here"));
                continue;
            }
            interfaces.push(name);
        }
        if interval.is_none() && gna_interval.is_none() {
            if node.bad_children().is_empty() {
                let message = "this `garp_group` sets no limit";
                let diagnostic = Diagnostic::error("missing-part", message).at(node.name.span, "left out");
                context.report(diagnostic.help("add `garp_interval` or `gna_interval`"));
            }
            return;
        }
        self.garp_interfaces.extend(own);
        self.garp_groups.push(GarpGroup { interval, gna_interval, interfaces });
    }
}
