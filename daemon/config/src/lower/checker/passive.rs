//! `FILE_CHECK` and `BFD_CHECK` as written: what a real server follows.

use super::missing;
use crate::model::{BfdCheck, FileCheck, TrackFile};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::Word;

/// A `FILE_CHECK` as written.
#[derive(Clone, Debug)]
pub(in crate::lower) struct FileDraft {
    /// Name of the `track_file`.
    pub(in crate::lower) name: Word,
    weight: Option<(i32, bool)>,
}

impl FileDraft {
    /// `None` when it does not say which file (reported).
    pub(in crate::lower) fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut name = None;
        let mut weight = None;
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "track_file" => name = child.args.first().cloned(),
                "weight" => {
                    let value = child.number::<i32>(0);
                    weight = value.map(|value| (value, child.arg(1) == Some("reverse")));
                }
                _ => {}
            }
        }
        if name.is_none() {
            missing(node, "track_file", context);
        }
        Some(Self { name: name?, weight })
    }

    /// With what the file's own block says.
    pub(in crate::lower) fn resolve(self, file: &TrackFile) -> FileCheck {
        let (weight, reverse) = self.weight.unwrap_or((file.weight, file.reverse));
        FileCheck { track_file: file.name.clone(), weight, reverse }
    }
}

/// A `BFD_CHECK` as written.
#[derive(Clone, Debug)]
pub(in crate::lower) struct BfdDraft {
    /// Name of the `bfd_instance`.
    pub(in crate::lower) name: Word,
    alpha: Option<bool>,
}

impl BfdDraft {
    /// `None` when it does not say which session (reported).
    pub(in crate::lower) fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut name: Option<Word> = None;
        let mut alpha = None;
        for child in node.children.iter().filter(|child| !child.bad) {
            match child.keyword.name {
                "name" => name = child.args.first().cloned(),
                "alpha" => alpha = Some(child.on()),
                _ => {}
            }
        }
        if name.is_none() {
            missing(node, "name", context);
        }
        Some(Self { name: name?, alpha })
    }

    /// With the `alpha` of its real server.
    pub(in crate::lower) fn resolve(self, alpha: bool) -> BfdCheck {
        BfdCheck { session: (&*self.name.text).into(), alpha: self.alpha.unwrap_or(alpha) }
    }
}
