//! `vrrp_sync_group`.

use super::Draft;
use super::script::script;
use super::track::{self, TrackedDraft};
use crate::diagnostics::Diagnostic;
use crate::model::{Name, Notify, Tracked};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

/// A sync group as written.
#[derive(Debug)]
pub(super) struct GroupDraft {
    pub(super) name: Name,
    pub(super) at: Span,
    pub(super) members: Vec<Word>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) notify: Notify,
    pub(super) notify_priority_changes: Option<bool>,
    pub(super) tracking_weight: bool,
    pub(super) global_tracking: bool,
    pub(super) interfaces: Vec<Tracked>,
    pub(super) scripts: Vec<TrackedDraft>,
    pub(super) files: Vec<TrackedDraft>,
    pub(super) processes: Vec<TrackedDraft>,
    pub(super) bfds: Vec<TrackedDraft>,
}

impl Draft {
    pub(super) fn sync_group(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut group = GroupDraft {
            name,
            at: node.arg_span(0),
            members: Vec::new(),
            smtp_alert: None,
            notify: Notify::default(),
            notify_priority_changes: None,
            tracking_weight: false,
            global_tracking: false,
            interfaces: Vec::new(),
            scripts: Vec::new(),
            files: Vec::new(),
            processes: Vec::new(),
            bfds: Vec::new(),
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            group.take(child, context);
        }
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

impl GroupDraft {
    fn take(&mut self, node: &Node, context: &mut Context) {
        let lines = node.lines.iter();
        match node.keyword.name {
            "group" => self.members = lines.flatten().cloned().collect(),
            "track_interface" => track::interfaces(&mut self.interfaces, node, context),
            "track_script" => track::objects(&mut self.scripts, node, context),
            "track_file" => track::objects(&mut self.files, node, context),
            "track_process" => track::objects(&mut self.processes, node, context),
            "track_bfd" => track::objects(&mut self.bfds, node, context),
            "notify_master" => self.notify.master = script(node, context),
            "notify_backup" => self.notify.backup = script(node, context),
            "notify_fault" => self.notify.fault = script(node, context),
            "notify_stop" => self.notify.stop = script(node, context),
            "notify" => self.notify.any = script(node, context),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            "global_tracking" => (self.global_tracking, self.tracking_weight) = (true, true),
            "sync_group_tracking_weight" => self.tracking_weight = true,
            "notify_priority_changes" => self.notify_priority_changes = Some(node.on()),
            _ => {}
        }
    }
}
