//! `vrrp_track_process`.

use std::time::Duration;

use super::Draft;
use super::track::own_weight;
use crate::diagnostics::Diagnostic;
use crate::model::{ArgumentMatch, Name, TrackProcess};
use crate::preprocess::Context;
use crate::tree::Node;

/// A process as written.
#[derive(Default)]
struct ProcessDraft {
    program: Option<Name>,
    arguments: Vec<Name>,
    /// `param_match` is written; how.
    matching: Option<ArgumentMatch>,
    full_command: bool,
    weight: i32,
    reverse: bool,
    /// 1 unless given.
    quorum: Option<u16>,
    quorum_max: Option<u16>,
    fork_delay: Duration,
    terminate_delay: Duration,
}

impl Draft {
    pub(super) fn track_process(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = ProcessDraft::default();
        for child in node.children.iter().filter(|child| !child.bad) {
            draft.take(child, context);
        }
        if draft.program.is_none() && !node.bad_children().contains(&"process") {
            context.report(
                Diagnostic::error("missing-process", format!("`vrrp_track_process` {name} has no `process`"))
                    .at(node.name.span, "left out"),
            );
        }
        match draft.finish(&name) {
            Some(process) => self.track_processes.push(process),
            None => self.leave_out(node, name),
        }
    }
}

impl ProcessDraft {
    fn take(&mut self, node: &Node, context: &mut Context) {
        let delay = || node.seconds(0).unwrap_or_default();
        match node.keyword.name {
            "process" => {
                let mut words = node.args.iter().map(|word| Name::from(&*word.text));
                self.program = words.next();
                self.arguments = words.collect();
            }
            "param_match" => {
                self.matching = Some(match node.arg(0) {
                    Some("initial") => ArgumentMatch::Initial,
                    Some("partial") => ArgumentMatch::Partial,
                    Some(_) | None => ArgumentMatch::Exact,
                });
            }
            "weight" => (self.weight, self.reverse) = own_weight(node, context),
            "quorum" | "quorum_max" => self.quorum(node, context),
            "delay" => (self.fork_delay, self.terminate_delay) = (delay(), delay()),
            "fork_delay" => self.fork_delay = delay(),
            "terminate_delay" => self.terminate_delay = delay(),
            "full_command" => self.full_command = true,
            _ => {}
        }
    }

    /// `quorum` and `quorum_max`: the later one of two that contradict each other is left out (reported).
    fn quorum(&mut self, node: &Node, context: &mut Context) {
        let Some(number) = node.number::<u16>(0) else { return };
        let is_most = node.keyword.name == "quorum_max";
        let quorum = self.quorum.unwrap_or(1);
        let contradicts = match self.quorum_max {
            // None at all may be the most only where nobody asks for more than the usual one.
            _ if is_most => number < quorum && (number > 0 || quorum > 1),
            Some(most) => number > most,
            None => false,
        };
        if contradicts {
            context.report(
                Diagnostic::error("quorum-too-high", "`quorum` is more than `quorum_max`")
                    .at(node.arg_span(0), "this one is left out"),
            );
        } else if is_most {
            self.quorum_max = Some(number);
            if number == 0 {
                self.quorum = Some(0);
            } else if self.quorum == Some(0) {
                self.quorum = Some(1);
            }
        } else {
            self.quorum = Some(number);
        }
    }

    fn finish(self, name: &Name) -> Option<TrackProcess> {
        let matching = match self.matching {
            None if self.arguments.is_empty() => None,
            matching => Some(matching.unwrap_or(ArgumentMatch::Exact)),
        };
        Some(TrackProcess {
            name: name.clone(),
            program: self.program?,
            arguments: self.arguments,
            full_command: self.full_command || matching.is_some(),
            matching,
            weight: self.weight,
            reverse: self.reverse,
            quorum: self.quorum.unwrap_or(1),
            quorum_max: self.quorum_max,
            fork_delay: self.fork_delay,
            terminate_delay: self.terminate_delay,
        })
    }
}
