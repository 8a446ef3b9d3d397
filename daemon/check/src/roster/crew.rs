//! The checkers of one real server: mostly there is one.

use std::ops::Deref;

use crate::roster::CheckerId;

/// See the module. Read it as a slice.
#[derive(Debug)]
pub(super) enum Crew {
    One(CheckerId),
    /// Or none.
    Several(Box<[CheckerId]>),
}

impl From<Vec<CheckerId>> for Crew {
    fn from(all: Vec<CheckerId>) -> Self {
        match *all {
            [one] => Self::One(one),
            _ => Self::Several(all.into()),
        }
    }
}

impl Deref for Crew {
    type Target = [CheckerId];

    fn deref(&self) -> &[CheckerId] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }
}
