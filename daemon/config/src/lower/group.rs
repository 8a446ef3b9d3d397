//! `vrrp_sync_group`.

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::preprocess::Context;
use crate::schema::groups::GroupDraft;
use crate::tree::Node;

impl Draft {
    pub(super) fn sync_group(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut group = GroupDraft { name, at: node.arg_span(0), ..GroupDraft::default() };
        group.read(node, context);
        if group.members.is_empty() {
            context.report(
                Diagnostic::error("empty-group", format!("the sync group `{}` has no members", group.name))
                    .at(group.at, "left out")
                    .help("name its instances in `group { … }`"),
            );
            return;
        }
        self.groups.push(group);
    }
}
