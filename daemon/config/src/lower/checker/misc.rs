//! `MISC_CHECK` as written.

use std::time::Duration;

use super::{Around, missing};
use crate::lower::script::command;
use crate::model::{MiscCheck, Script};
use crate::preprocess::Context;
use crate::tree::Node;

/// A `MISC_CHECK` as written.
#[derive(Debug)]
pub(super) struct MiscDraft {
    script: Script,
    timeout: Option<Duration>,
    dynamic: bool,
}

impl MiscDraft {
    /// `None` when there is nothing to run, or nobody to run it (reported).
    pub(super) fn new(node: &Node, own: &[&Node], context: &mut Context) -> Option<Self> {
        let mut path = None;
        let mut user = None;
        let mut timeout = None;
        let mut dynamic = false;
        for child in own {
            match child.keyword.name {
                "misc_path" => path = Some(child),
                "user" => {
                    user = crate::values::user(child, 0, context).ok()?;
                }
                "misc_timeout" => timeout = child.whole_seconds(0).filter(|time| !time.is_zero()),
                "misc_dynamic" => dynamic = true,
                _ => {}
            }
        }
        let Some(path) = path else {
            if !node.bad_children().contains(&"misc_path") {
                missing(node, "misc_path", context);
            }
            return None;
        };
        let script = command(path, user, None, context)?;
        Some(Self { script, timeout, dynamic })
    }

    pub(super) fn resolve(self, around: &Around<'_>) -> MiscCheck {
        MiscCheck {
            script: self.script,
            timeout: self.timeout.unwrap_or(around.delay_loop),
            dynamic: self.dynamic,
        }
    }
}
