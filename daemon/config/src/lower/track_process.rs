//! `vrrp_track_process`.

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::model::{ArgumentMatch, Name, TrackProcess};
use crate::preprocess::Context;
use crate::schema::track::process::{ProcessDraft, TRACK_PROCESS};
use crate::tree::Node;

impl Draft {
    pub(super) fn track_process(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = ProcessDraft::default();
        TRACK_PROCESS.read(&mut draft, node, context);
        if draft.program.is_none() && !node.bad_children().contains(&"process") {
            context.report(
                Diagnostic::error("missing-process", format!("`vrrp_track_process` {name} has no `process`"))
                    .at(node.name.span, "left out"),
            );
        }
        match finish(draft, &name) {
            Some(process) => self.track_processes.push(process),
            None => self.leave_out(node, name),
        }
    }
}

fn finish(draft: ProcessDraft, name: &Name) -> Option<TrackProcess> {
    let matching = match draft.matching {
        None if draft.arguments.is_empty() => None,
        matching => Some(matching.unwrap_or(ArgumentMatch::Exact)),
    };
    let (weight, reverse) = draft.weight;
    Some(TrackProcess {
        name: name.clone(),
        program: draft.program?,
        arguments: draft.arguments,
        full_command: draft.full_command || matching.is_some(),
        matching,
        weight,
        reverse,
        quorum: draft.quorum.unwrap_or(1),
        quorum_max: draft.quorum_max,
        fork_delay: draft.fork_delay,
        terminate_delay: draft.terminate_delay,
    })
}
