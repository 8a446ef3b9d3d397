//! `vrrp_script`.

use std::time::Duration;

use super::track::own_weight;
use super::{Draft, script, script_user};
use crate::diagnostics::Diagnostic;
use crate::model::{Name, ScriptUser, TrackScript};
use crate::preprocess::Context;
use crate::tree::Node;

/// A script as written; what is missing is what holds unless given.
#[derive(Default)]
struct ScriptDraft<'a> {
    script: Option<&'a Node>,
    user: Option<ScriptUser>,
    /// `user` names nobody.
    no_such_user: bool,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    weight: i32,
    reverse: bool,
    rise: Option<u32>,
    fall: Option<u32>,
    init_fail: bool,
}

impl Draft {
    pub(super) fn track_script(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = ScriptDraft::default();
        for child in node.children.iter().filter(|child| !child.bad) {
            draft.take(child, context);
        }
        if draft.script.is_none() && !node.bad_children().contains(&"script") {
            context.report(
                Diagnostic::error("missing-script", format!("`vrrp_script` {name} has no `script`"))
                    .at(node.name.span, "left out"),
            );
        }
        match draft.finish(&name, context) {
            Some(script) => self.track_scripts.push(script),
            None => self.leave_out(node, name),
        }
    }
}

impl<'a> ScriptDraft<'a> {
    fn take(&mut self, node: &'a Node, context: &mut Context) {
        match node.keyword.name {
            "script" => self.script = Some(node),
            "interval" => self.interval = time(node, context),
            "timeout" => self.timeout = time(node, context),
            "weight" => (self.weight, self.reverse) = own_weight(node, context),
            "rise" => self.rise = node.number(0),
            "fall" => self.fall = node.number(0),
            "user" => {
                let user = script_user::user(node, 0, context);
                self.no_such_user = user.is_err();
                self.user = user.ok().flatten();
            }
            "init_fail" => self.init_fail = true,
            _ => {}
        }
    }

    /// The model; `None` when nothing can be run (reported).
    fn finish(self, name: &Name, context: &mut Context) -> Option<TrackScript> {
        let script = self.script.filter(|_| !self.no_such_user)?;
        let interval = self.interval.unwrap_or(Duration::from_secs(1));
        Some(TrackScript {
            name: name.clone(),
            script: script::command(script, self.user, Some(name), context)?,
            interval,
            timeout: self.timeout.unwrap_or(interval),
            weight: self.weight,
            reverse: self.reverse,
            rise: self.rise.unwrap_or(1),
            fall: self.fall.unwrap_or(1),
            init_fail: self.init_fail,
        })
    }
}

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
