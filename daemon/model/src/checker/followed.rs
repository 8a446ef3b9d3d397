//! What a real server follows: what somebody else watches, and what its level means for the server.

use std::collections::BTreeMap;

use super::{BfdCheck, FileCheck};
use crate::subject::TrackedKey;
use crate::{Level, RealServer, TrackedKind};

/// How things stand that real servers may follow, as far as anybody has said it.
pub type Levels = BTreeMap<TrackedKey, Level>;

/// One thing that a real server follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The number in a file.
    File(FileCheck),
    /// A BFD session.
    Session(BfdCheck),
}

impl Followed {
    /// What it is called in the configuration, and as a kind of checker.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::File(_) => FileCheck::KEYWORD,
            Self::Session(_) => BfdCheck::KEYWORD,
        }
    }

    /// What is followed.
    pub fn tracked(&self) -> TrackedKey {
        let (kind, name) = match self {
            Self::File(check) => (TrackedKind::File, &check.track_file),
            Self::Session(check) => (TrackedKind::Bfd, &check.session),
        };
        TrackedKey { kind, name: name.clone() }
    }

    /// What is added to the weight of the real server at this level; none if the server is down.
    pub fn at(&self, level: Level) -> Option<i32> {
        match (self, level) {
            (Self::File(check), Level::Number(number)) => check.at(number),
            (Self::Session(_), Level::Up) => Some(0),
            (Self::File(_) | Self::Session(_), _) => None,
        }
    }

    /// What all that a real server follows adds to its weight; none if one of them says that it is down, or nothing has
    /// been said of one yet.
    pub fn all_at<'a>(all: impl IntoIterator<Item = &'a Self>, levels: &Levels) -> Option<i32> {
        all.into_iter().try_fold(0i32, |sum, followed| {
            Some(sum.saturating_add(followed.at(*levels.get(&followed.tracked())?)?))
        })
    }
}

impl RealServer {
    /// What it follows, each with its place among those of its kind, from 0.
    pub fn followed(&self) -> impl Iterator<Item = (u16, Followed)> + '_ {
        let files = (0..).zip(self.file_checks.iter().cloned().map(Followed::File));
        files.chain((0..).zip(self.bfd_checks.iter().cloned().map(Followed::Session)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_follows_several_adds_them_and_waits_for_each() {
        let file = |name: &str, weight| {
            Followed::File(FileCheck { track_file: name.into(), weight, reverse: false })
        };
        let session = Followed::Session(BfdCheck { session: "a".into(), alpha: false });
        let all = [file("a", 2), file("b", 0), session];
        let levels = |of: &[(usize, Level)]| {
            of.iter().map(|(which, level)| (all[*which].tracked(), *level)).collect::<Levels>()
        };
        for (of, expected) in [
            (levels(&[(0, Level::Number(5)), (1, Level::Number(0)), (2, Level::Up)]), Some(10)),
            (levels(&[(0, Level::Number(5)), (1, Level::Number(1)), (2, Level::Up)]), None),
            (levels(&[(0, Level::Number(5)), (1, Level::Number(0)), (2, Level::Down)]), None),
            // Nothing was said of one of them yet.
            (levels(&[(0, Level::Number(5)), (2, Level::Up)]), None),
            (levels(&[(0, Level::Number(5)), (1, Level::Number(0))]), None),
        ] {
            assert_eq!(Followed::all_at(&all, &of), expected, "{of:?}");
        }
        assert_eq!(Followed::all_at(&[], &Levels::new()), Some(0));
    }
}
