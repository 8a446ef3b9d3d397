//! `track_file`.

use super::{Draft, watched};
use crate::diagnostics::Diagnostic;
use crate::model::TrackFile;
use crate::preprocess::Context;
use crate::schema::track::file::{FileDraft, TRACK_FILE};
use crate::tree::Node;

impl Draft {
    pub(super) fn track_file(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = FileDraft::default();
        TRACK_FILE.read(&mut draft, node, context);
        let Some(file) = draft.file.take_if(|file| !file.text.is_empty()) else {
            if !node.bad_children().contains(&"file") {
                context.report(
                    Diagnostic::error("missing-file", format!("`track_file` {name} has no `file`"))
                        .at(node.name.span, "left out"),
                );
            }
            return self.leave_out(node, name);
        };
        let overwrite = draft.init.is_some_and(|init| init.overwrite);
        let looked_at = context.look_at_scripts;
        if let Some(obstacle) = looked_at.then(|| watched::obstacle(&file.text, overwrite)).flatten() {
            context.report(obstacle.at(file.span, "left out"));
            return self.leave_out(node, name);
        }
        let (weight, reverse) = draft.weight.unwrap_or((1, false));
        let file = (&*file.text).into();
        self.track_files.push(TrackFile { name, file, weight, reverse, init: draft.init });
    }
}
