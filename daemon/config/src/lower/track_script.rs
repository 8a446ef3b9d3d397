//! `vrrp_script`.

use std::time::Duration;

use super::Draft;
use crate::diagnostics::Diagnostic;
use crate::model::{LeftOutScript, Name, TrackScript};
use crate::preprocess::Context;
use crate::schema::track::script::{ScriptDraft, VRRP_SCRIPT};
use crate::tree::Node;
use crate::values::command::command;

impl Draft {
    pub(super) fn track_script(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = ScriptDraft::default();
        VRRP_SCRIPT.read(&mut draft, node, context);
        if draft.script.is_none() && !node.bad_children().contains(&"script") {
            context.report(
                Diagnostic::error("missing-script", format!("`vrrp_script` {name} has no `script`"))
                    .at(node.name.span, "left out"),
            );
        }
        let why = match &draft {
            ScriptDraft { no_such_user: true, .. } => "this machine has not the user who should run it",
            ScriptDraft { script: None, .. } => "it has no `script`",
            _ => "its `script` is no command",
        };
        match finish(draft, &name, context) {
            Some(script) => self.track_scripts.push(script),
            None => {
                let left_out =
                    LeftOutScript { name: name.clone(), why: why.to_owned(), followers: Vec::new() };
                self.left_out_scripts.push(left_out);
                self.leave_out(node, name);
            }
        }
    }
}

/// The model; `None` when nothing can be run (reported).
fn finish(draft: ScriptDraft, name: &Name, context: &mut Context) -> Option<TrackScript> {
    let script = draft.script.filter(|_| !draft.no_such_user)?;
    let interval = draft.interval.unwrap_or(Duration::from_secs(1));
    let (weight, reverse) = draft.weight;
    Some(TrackScript {
        name: name.clone(),
        script: command(&script, draft.user, Some(name), context)?,
        interval,
        timeout: draft.timeout.unwrap_or(interval),
        weight,
        reverse,
        rise: draft.rise.unwrap_or(1),
        fall: draft.fall.unwrap_or(1),
        init_fail: draft.init_fail,
    })
}
