//! `vrrp_track_process`.

use std::time::Duration;

use super::own_weight;
use crate::diagnostics::Diagnostic;
use crate::model::{ArgumentMatch, Name};
use crate::preprocess::Context;
use crate::schema::bounds::U16;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, opt, some};
use crate::tree::Node;

/// A process as written.
#[derive(Default)]
pub(crate) struct ProcessDraft {
    pub(crate) program: Option<Name>,
    pub(crate) arguments: Vec<Name>,
    /// `param_match` is written; how.
    pub(crate) matching: Option<ArgumentMatch>,
    pub(crate) full_command: bool,
    pub(crate) weight: (i32, bool),
    /// 1 unless given.
    pub(crate) quorum: Option<u16>,
    pub(crate) quorum_max: Option<u16>,
    pub(crate) fork_delay: Duration,
    pub(crate) terminate_delay: Duration,
}

/// `vrrp_track_process NAME { … }`.
pub(crate) const TRACK_PROCESS: Block<ProcessDraft> = Block(&[
    kw("process", &[some("PROGRAM [ARGUMENT …]", Kind::Word)], "The program, and arguments that must match.")
        .first_counts()
        .example("process nginx")
        .sets(|to, node, _| {
            let mut words = node.args.iter().map(|word| Name::from(&*word.text));
            to.program = words.next();
            to.arguments = words.collect();
        }),
    kw("param_match", &[opt("HOW", Kind::Choice(&["initial", "partial"]))], "How arguments are compared.")
        .default("exactly")
        .example("param_match initial")
        .sets(|to, node, _| {
            to.matching = Some(match node.arg(0) {
                Some("initial") => ArgumentMatch::Initial,
                Some("partial") => ArgumentMatch::Partial,
                Some(_) | None => ArgumentMatch::Exact,
            });
        }),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-254, 254)), opt("reverse", Kind::Options("weight"))],
        "Added to the priority while it runs.",
    )
    .default("0")
    .first_counts()
    .example("weight 20")
    .sets(|to, node, context| to.weight = own_weight(node, context)),
    kw("quorum", &[one("NUMBER", Kind::Int(1, U16))], "Least number of processes.")
        .default("1")
        .example("quorum 3")
        .sets(ProcessDraft::quorum),
    kw("quorum_max", &[one("NUMBER", Kind::Int(0, U16))], "Greatest number of processes.")
        .default("any")
        .example("quorum_max 3")
        .sets(ProcessDraft::quorum),
    kw("delay", &[one("SECONDS", Kind::Seconds(1, 3_600_000_000))], "Both of the next two.")
        .default("0")
        .example("delay 0.5")
        .sets(|to, node, _| {
            to.fork_delay = node.seconds(0).unwrap_or_default();
            to.terminate_delay = to.fork_delay;
        }),
    kw("fork_delay", &[one("SECONDS", Kind::Seconds(1, 3_600_000_000))], "Time before a new process counts.")
        .default("0")
        .example("fork_delay 0.5")
        .sets(|to, node, _| to.fork_delay = node.seconds(0).unwrap_or_default()),
    kw(
        "terminate_delay",
        &[one("SECONDS", Kind::Seconds(1, 3_600_000_000))],
        "Time before an ended process counts.",
    )
    .default("0")
    .example("terminate_delay 0.5")
    .sets(|to, node, _| to.terminate_delay = node.seconds(0).unwrap_or_default()),
    flag("full_command", "Compare the whole command line.")
        .example("full_command")
        .sets(|to, _, _| to.full_command = true),
]);

impl ProcessDraft {
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
}
