//! `FILE_CHECK` and `BFD_CHECK`: what a real server follows.

use super::missing;
use crate::model::{BfdCheck, FileCheck, TrackFile};
use crate::preprocess::Context;
use crate::schema::checkers::{BFD_CHECK, BfdDraft, FILE_CHECK, FileDraft};
use crate::tree::Node;
use crate::words::Word;

/// A `FILE_CHECK` that says which file.
#[derive(Debug)]
pub(in crate::lower) struct FollowedFile {
    /// Name of the `track_file`.
    pub(in crate::lower) name: Word,
    weight: Option<(i32, bool)>,
}

impl FollowedFile {
    /// `None` when it does not say which file (reported).
    pub(in crate::lower) fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut draft = FileDraft::default();
        FILE_CHECK.read(&mut draft, node, context);
        if draft.name.is_none() {
            missing(node, "track_file", context);
        }
        Some(Self { name: draft.name?, weight: draft.weight })
    }

    /// With what the file's own block says.
    pub(in crate::lower) fn resolve(self, file: &TrackFile) -> FileCheck {
        let (weight, reverse) = self.weight.unwrap_or((file.weight, file.reverse));
        FileCheck { track_file: file.name.clone(), weight, reverse }
    }
}

/// A `BFD_CHECK` that says which session.
#[derive(Debug)]
pub(in crate::lower) struct FollowedBfd {
    /// Name of the `bfd_instance`.
    pub(in crate::lower) name: Word,
    alpha: Option<bool>,
}

impl FollowedBfd {
    /// `None` when it does not say which session (reported).
    pub(in crate::lower) fn new(node: &Node, context: &mut Context) -> Option<Self> {
        let mut draft = BfdDraft::default();
        BFD_CHECK.read(&mut draft, node, context);
        if draft.name.is_none() {
            missing(node, "name", context);
        }
        Some(Self { name: draft.name?, alpha: draft.alpha })
    }

    /// With the `alpha` of its real server.
    pub(in crate::lower) fn resolve(self, alpha: bool) -> BfdCheck {
        BfdCheck { session: (&*self.name.text).into(), alpha: self.alpha.unwrap_or(alpha) }
    }
}
