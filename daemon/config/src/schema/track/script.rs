//! `vrrp_script`.

use std::time::Duration;

use super::own_weight;
use crate::diagnostics::Diagnostic;
use crate::model::ScriptUser;
use crate::preprocess::Context;
use crate::schema::bounds::I32;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, opt, script};
use crate::tree::Node;
use crate::values::user;

/// A script as written; what is missing is what holds unless given.
#[derive(Default)]
pub(crate) struct ScriptDraft {
    pub(crate) script: Option<Node>,
    pub(crate) user: Option<ScriptUser>,
    /// `user` names nobody.
    pub(crate) no_such_user: bool,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) weight: (i32, bool),
    pub(crate) rise: Option<u32>,
    pub(crate) fall: Option<u32>,
    pub(crate) init_fail: bool,
}

/// `vrrp_script NAME { … }`.
pub(crate) const VRRP_SCRIPT: Block<ScriptDraft> = Block(&[
    script("script", "The command; it succeeds with exit code 0.")
        .example("script \"/usr/bin/pgrep nginx\"")
        .sets(|to, node, _| to.script = Some(node.clone())),
    kw("interval", &[one("SECONDS", Kind::Seconds(0, 4_294_000_000))], "Time between two runs.")
        .default("1")
        .example("interval 2")
        .sets(|to, node, context| to.interval = time(node, context)),
    kw("timeout", &[one("SECONDS", Kind::Seconds(0, 4_294_000_000))], "When a run counts as failed.")
        .default("the interval")
        .example("timeout 5")
        .sets(|to, node, context| to.timeout = time(node, context)),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-253, 253)), opt("reverse", Kind::Options("weight"))],
        "Added to the priority on success (or, below 0, on failure); 0 makes failure a fault.",
    )
    .default("0")
    .nearest()
    .example("weight -20")
    .sets(|to, node, context| to.weight = own_weight(node, context)),
    kw("rise", &[one("NUMBER", Kind::Int(1, I32))], "Successes in a row until it counts as up.")
        .default("1")
        .example("rise 2")
        .sets(|to, node, _| to.rise = node.number(0)),
    kw("fall", &[one("NUMBER", Kind::Int(1, I32))], "Failures in a row until it counts as down.")
        .default("1")
        .example("fall 3")
        .sets(|to, node, _| to.fall = node.number(0)),
    kw("user", &[one("USER", Kind::Word), opt("GROUP", Kind::Word)], "Who runs it.")
        .default("script_user")
        .example("user nobody")
        .sets(|to, node, context| {
            let user = user(node, 0, context);
            to.no_such_user = user.is_err();
            to.user = user.ok().flatten();
        }),
    flag("init_fail", "Counts as failed until the first run.")
        .example("init_fail")
        .sets(|to, _, _| to.init_fail = true),
]);

/// A time in milliseconds that is not 0: finer ones are rounded, and none is a second, as in keepalived (reported).
fn time(node: &Node, context: &mut Context) -> Option<Duration> {
    const MILLI: u128 = 1000;
    let written = node.seconds(0)?;
    let rounded =
        u64::try_from((written.as_micros() + MILLI / 2) / MILLI).map_or(written, Duration::from_millis);
    let used = if rounded.is_zero() { Duration::from_secs(1) } else { rounded };
    if used != written {
        let diagnostic = if rounded.is_zero() {
            Diagnostic::error("out-of-range", format!("`{}` must be greater than 0", node.keyword.name))
        } else {
            Diagnostic::error("invalid-number", format!("`{}` has too many decimals", node.keyword.name))
        };
        context.report(diagnostic.at(node.arg_span(0), format!("{} seconds are used", used.as_secs_f64())));
    }
    Some(used)
}
