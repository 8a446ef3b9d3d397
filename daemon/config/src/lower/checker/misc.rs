//! `MISC_CHECK`: what it runs, and what it inherits.

use std::time::Duration;

use super::{Around, missing};
use crate::lower::script::command;
use crate::model::{MiscCheck, Script};
use crate::preprocess::Context;
use crate::schema::checkers::MiscDraft;
use crate::tree::Node;

/// A `MISC_CHECK` that can be run.
#[derive(Debug)]
pub(super) struct Misc {
    script: Script,
    timeout: Option<Duration>,
    dynamic: bool,
}

impl Misc {
    /// `None` when there is nothing to run, or nobody to run it (reported).
    pub(super) fn new(node: &Node, draft: MiscDraft, context: &mut Context) -> Option<Self> {
        let MiscDraft { path, timeout, dynamic, user, no_such_user } = draft;
        if no_such_user {
            return None;
        }
        let Some(path) = path else {
            if !node.bad_children().contains(&"misc_path") {
                missing(node, "misc_path", context);
            }
            return None;
        };
        Some(Self { script: command(&path, user, None, context)?, timeout, dynamic })
    }

    pub(super) fn resolve(self, around: &Around<'_>) -> MiscCheck {
        MiscCheck {
            script: self.script,
            timeout: self.timeout.unwrap_or(around.delay_loop),
            dynamic: self.dynamic,
        }
    }
}
