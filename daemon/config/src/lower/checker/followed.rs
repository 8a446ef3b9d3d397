//! `FILE_CHECK` and `BFD_CHECK`: what a real server follows.

use crate::model::{BfdCheck, FileCheck, TrackFile};
use crate::schema::checkers::read::{FollowedBfd, FollowedFile};

impl FollowedFile {
    /// With what the file's own block says.
    pub(in crate::lower) fn resolve(self, file: &TrackFile) -> FileCheck {
        let (weight, reverse) = self.weight.unwrap_or((file.weight, file.reverse));
        FileCheck { track_file: file.name.clone(), weight, reverse }
    }
}

impl FollowedBfd {
    /// With the `alpha` of its real server.
    pub(in crate::lower) fn resolve(self, alpha: bool) -> BfdCheck {
        BfdCheck { session: (&*self.name.text).into(), alpha: self.alpha.unwrap_or(alpha) }
    }
}
