//! What is tracked: the definitions, and the lines that refer to them.

use std::time::Duration;

use super::Draft;
use super::script;
use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::model::{TrackFile, TrackProcess, TrackScript, TrackedInterface, TrackedObject};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::values::whole;
use crate::words::Word;

/// A line of `track_script` and the like, and where its name stands; what is `None` is as the definition has it.
#[derive(Clone, Debug)]
pub(super) struct TrackedDraft {
    pub(super) name: Word,
    pub(super) weight: Option<i32>,
    pub(super) reverse: Option<bool>,
}

impl TrackedDraft {
    /// With the weight of the definition where the line has none.
    pub(super) fn resolve(self, weight: i32, reverse: bool) -> TrackedObject {
        TrackedObject {
            name: (&*self.name.text).into(),
            weight: self.weight.unwrap_or(weight),
            reverse: self.reverse.unwrap_or(reverse),
        }
    }
}

/// What the lines of a block name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Interface,
    Script,
    FileOrProcess,
    Bfd,
}

impl Kind {
    /// The greatest weight that is kept, and the greatest that is understood.
    fn weights(self) -> (i32, i32) {
        match self {
            Self::Interface | Self::Script => (253, 254),
            Self::FileOrProcess => (254, 254),
            Self::Bfd => (253, 253),
        }
    }
}

/// The lines of `track_interface`; one that is there already is left out.
pub(super) fn interfaces(to: &mut Vec<TrackedInterface>, node: &Node, context: &mut Context) {
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        let Some(interface) = line_interface(first, "track_interface", context) else { continue };
        if to.iter().any(|known| known.interface == interface) {
            again(first, context);
            continue;
        }
        let Some((weight, reverse)) = options(words, Kind::Interface, context) else { continue };
        to.push(TrackedInterface {
            interface,
            weight: weight.unwrap_or(0),
            reverse: reverse.unwrap_or(false),
        });
    }
}

/// The lines of `track_script`, `track_file`, `track_process` or `track_bfd`; one that is there already is left out.
pub(super) fn objects(to: &mut Vec<TrackedDraft>, node: &Node, context: &mut Context) {
    let kind = match node.keyword.name {
        "track_script" => Kind::Script,
        "track_bfd" => Kind::Bfd,
        _ => Kind::FileOrProcess,
    };
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        if to.iter().any(|known| known.name.text == first.text) {
            again(first, context);
            continue;
        }
        let Some((weight, reverse)) = options(words, kind, context) else { continue };
        to.push(TrackedDraft { name: first.clone(), weight, reverse });
    }
    // There may be very many of these lists.
    to.shrink_to_fit();
}

fn again(word: &Word, context: &mut Context) {
    let diagnostic = Diagnostic::error("duplicate-member", format!("`{}` is tracked already", word.text));
    context.report(diagnostic.at(word.span, "left out"));
}

/// `weight NUMBER [reverse | noreverse]`; `None` when the line is left out (reported).
fn options(words: &[Word], kind: Kind, context: &mut Context) -> Option<(Option<i32>, Option<bool>)> {
    let Some(option) = words.get(1) else { return Some((None, None)) };
    if &*option.text != "weight" {
        let message = format!("`{}` is no option of what is tracked", option.text);
        let diagnostic = Diagnostic::error("unknown-option", message).at(option.span, "the line is left out");
        context.report(diagnostic.help("`weight NUMBER` stands first, and `reverse` after it"));
        return None;
    }
    let Some(value) = words.get(2) else {
        let diagnostic = Diagnostic::error("missing-value", "`weight` needs a number");
        context.report(diagnostic.at(option.span.after(), "missing here; the line is left out"));
        return None;
    };
    let weight = weight(value, kind, context);
    let reverse = match words.get(3).map(|word| (&*word.text, word)) {
        None => None,
        Some(("reverse", _)) => Some(true),
        Some(("noreverse", _)) if kind != Kind::Interface => Some(false),
        Some((other, word)) => {
            let left_out = kind == Kind::Bfd;
            let label = if left_out { "the line is left out" } else { "has no effect" };
            let message = format!("`{other}` is no option of a weight");
            context.report(Diagnostic::error("unknown-option", message).at(word.span, label));
            if left_out {
                return None;
            }
            None
        }
    };
    Some((weight, reverse))
}

/// A weight; keepalived once had one more at either end for scripts and interfaces.
fn weight(value: &Word, kind: Kind, context: &mut Context) -> Option<i32> {
    let (most, understood) = kind.weights();
    let number = whole(&value.text, i64::from(-understood), i64::from(understood));
    let weight = number.ok().and_then(|number| i32::try_from(number).ok());
    let used = weight.map(|weight| weight.clamp(-most, most));
    if used != weight {
        let label = format!("{} is used", used.unwrap_or(0));
        let message = format!("a weight is from {} to {most}", -most);
        context.report(Diagnostic::error("out-of-range", message).at(value.span, label));
        return used;
    }
    if used.is_none() {
        return line_number(value, i64::from(-most), i64::from(most), "weight", context)
            .map(|weight| weight as i32);
    }
    used
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
