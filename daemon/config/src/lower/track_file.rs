//! `track_file`.

use super::track::own_weight;
use super::{Draft, watched};
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{InitFile, TrackFile};
use crate::preprocess::Context;
use crate::tree::Node;

impl Draft {
    pub(super) fn track_file(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut made = TrackFile { name, file: Default::default(), weight: 1, reverse: false, init: None };
        let mut written = None;
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "file" => {
                    made.file = child.arg(0).unwrap_or_default().into();
                    written = Some(child);
                }
                "weight" => (made.weight, made.reverse) = own_weight(child, context),
                "init_file" => made.init = Some(init(child, context)),
                _ => {}
            }
        }
        if made.file.as_os_str().is_empty() && !node.bad_children().contains(&"file") {
            context.report(
                Diagnostic::error("missing-file", format!("`track_file` {} has no `file`", made.name))
                    .at(node.name.span, "left out"),
            );
        }
        if made.file.as_os_str().is_empty() || !can_be_watched(written, made.init.as_ref(), context) {
            self.leave_out(node, made.name);
        } else {
            self.track_files.push(made);
        }
    }
}

/// Can the file be told of when it changes? Reported when not.
fn can_be_watched(written: Option<&Node>, init: Option<&InitFile>, context: &mut Context) -> bool {
    let Some(node) = written.filter(|_| context.look_at_scripts) else { return true };
    let overwrite = init.is_some_and(|init| init.overwrite);
    let Some(obstacle) = watched::obstacle(node.arg(0).unwrap_or_default(), overwrite) else { return true };
    context.report(obstacle.at(node.arg_span(0), "left out"));
    false
}

/// The value that a file is made with, and whether one that is there is overwritten.
fn init(node: &Node, context: &mut Context) -> InitFile {
    const SENSIBLE: i32 = 254;
    let mut made = InitFile { value: 0, overwrite: false };
    for word in &node.args {
        let text = word.text.trim_start();
        if text == "overwrite" {
            made.overwrite = true;
        } else if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            let value = line_number(word, i32::MIN.into(), i32::MAX.into(), "init_file", context);
            made.value = value.unwrap_or(0);
            if !(-SENSIBLE..=SENSIBLE).contains(&made.value) {
                context.report(
                    Diagnostic::error("out-of-range", format!("{} is more than any priority", made.value))
                        .at(word.span, format!("is used, but -{SENSIBLE} to {SENSIBLE} make sense")),
                );
            }
        } else {
            context.report(
                Diagnostic::error("unknown-option", format!("`{text}` is no option of `init_file`"))
                    .at(word.span, "expected a number or `overwrite`"),
            );
        }
    }
    made
}
