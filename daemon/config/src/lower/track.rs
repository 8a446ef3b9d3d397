//! What is tracked: the definitions, and the lines that refer to them.

use std::time::Duration;

use super::Draft;
use super::script;
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::model::{TrackFile, TrackProcess, TrackScript, TrackedInterface, TrackedObject};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::Word;

/// A line of `track_script` and the like, and where its name stands; the weight is `None` when none is written.
#[derive(Clone, Debug)]
pub(super) struct TrackedDraft {
    pub(super) name: Word,
    pub(super) weight: Option<i32>,
    pub(super) reverse: bool,
}

impl TrackedDraft {
    /// With the weight of the definition where the line has none.
    pub(super) fn resolve(self, weight: i32, reverse: bool) -> TrackedObject {
        let own = self.weight.is_some();
        TrackedObject {
            name: (&*self.name.text).into(),
            weight: self.weight.unwrap_or(weight),
            reverse: if own { self.reverse } else { self.reverse || reverse },
        }
    }
}

/// A line of `track_interface`.
pub(super) fn interface(words: &[Word], context: &mut Context) -> Option<TrackedInterface> {
    let name = line_interface(words.first()?, "track_interface", context)?;
    let (weight, reverse) = options(words, 253, context);
    Some(TrackedInterface { interface: name, weight: weight.unwrap_or(0), reverse })
}

/// A line of `track_script`, `track_file`, `track_process` or `track_bfd`.
pub(super) fn object(words: &[Word], most: i64, context: &mut Context) -> Option<TrackedDraft> {
    let name = words.first()?.clone();
    let (weight, reverse) = options(words, most, context);
    Some(TrackedDraft { name, weight, reverse })
}

fn options(words: &[Word], most: i64, context: &mut Context) -> (Option<i32>, bool) {
    let mut weight = None;
    let mut reverse = false;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        at += 1;
        match &*word.text {
            "weight" => match words.get(at) {
                Some(value) => {
                    at += 1;
                    weight = line_number(value, -most, most, "weight", context).map(|value| value as i32);
                }
                None => context.report(
                    Diagnostic::error("missing-value", "`weight` needs a number")
                        .at(word.span.after(), "missing here"),
                ),
            },
            "reverse" => reverse = true,
            "noreverse" => reverse = false,
            other => context.report(
                Diagnostic::error("unknown-option", format!("`{other}` is no option of what is tracked"))
                    .at(word.span, "expected `weight` or `reverse`"),
            ),
        }
    }
    (weight, reverse)
}

impl Draft {
    pub(super) fn track_script(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut script = None;
        let mut user = (None, None);
        let mut made = TrackScript {
            name,
            script: crate::model::Script { argv: Vec::new(), user: None, group: None },
            interval: Duration::from_secs(1),
            timeout: None,
            weight: 0,
            reverse: false,
            rise: 1,
            fall: 1,
            init_fail: false,
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            let count = child.int(0).and_then(|value| u32::try_from(value).ok()).unwrap_or(1);
            match child.keyword.name {
                "script" => script = script::script(child, context),
                "interval" => made.interval = child.seconds(0).unwrap_or(made.interval),
                "timeout" => made.timeout = child.seconds(0),
                "weight" => {
                    made.weight = child.int(0).unwrap_or(0) as i32;
                    made.reverse = child.arg(1) == Some("reverse");
                }
                "rise" => made.rise = count,
                "fall" => made.fall = count,
                "user" => {
                    super::script_files::check_user(child, 0, context);
                    user = (child.text(0), child.text(1));
                }
                "init_fail" => made.init_fail = true,
                _ => {}
            }
        }
        match script {
            Some(script) => {
                made.script = script;
                if user.0.is_some() {
                    (made.script.user, made.script.group) = user;
                }
                self.track_scripts.push(made);
            }
            None => context.report(
                Diagnostic::error("missing-script", format!("`vrrp_script` {} has no `script`", made.name))
                    .at(node.name.span, "left out"),
            ),
        }
    }

    pub(super) fn track_file(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut made = TrackFile { name, file: "".into(), weight: 1, reverse: false, init: None };
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "file" => made.file = child.text(0).unwrap_or(made.file),
                "weight" => {
                    made.weight = child.int(0).unwrap_or(1) as i32;
                    made.reverse = child.arg(1) == Some("reverse");
                }
                "init_file" => made.init = Some(init(child, context)),
                _ => {}
            }
        }
        if made.file.is_empty() {
            context.report(
                Diagnostic::error("missing-file", format!("`track_file` {} has no `file`", made.name))
                    .at(node.name.span, "left out"),
            );
        } else {
            self.track_files.push(made);
        }
    }

    pub(super) fn track_process(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut made = TrackProcess {
            name,
            process: Vec::new(),
            param_match: None,
            weight: 0,
            reverse: false,
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
            full_command: false,
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            let count = child.int(0).and_then(|value| u32::try_from(value).ok());
            let delay = child.seconds(0).unwrap_or_default();
            match child.keyword.name {
                "process" => made.process = child.args.iter().map(|word| (&*word.text).into()).collect(),
                "param_match" => made.param_match = child.text(0),
                "weight" => {
                    made.weight = child.int(0).unwrap_or(0) as i32;
                    made.reverse = child.arg(1) == Some("reverse");
                }
                "quorum" => made.quorum = count.unwrap_or(1),
                "quorum_max" => made.quorum_max = count,
                "delay" => (made.fork_delay, made.terminate_delay) = (delay, delay),
                "fork_delay" => made.fork_delay = delay,
                "terminate_delay" => made.terminate_delay = delay,
                "full_command" => made.full_command = true,
                _ => {}
            }
        }
        if made.process.is_empty() {
            context.report(
                Diagnostic::error(
                    "missing-process",
                    format!("`vrrp_track_process` {} has no `process`", made.name),
                )
                .at(node.name.span, "left out"),
            );
        } else {
            self.track_processes.push(made);
        }
    }
}

/// The value that a file is made with, and whether one that is there is overwritten.
fn init(node: &Node, context: &mut Context) -> (i32, bool) {
    let mut made = (0, false);
    for word in &node.args {
        match &*word.text {
            "overwrite" => made.1 = true,
            _ => {
                let value = line_number(word, i64::from(i32::MIN), i64::from(i32::MAX), "init_file", context);
                made.0 = value.unwrap_or(0) as i32;
            }
        }
    }
    made
}
