//! The changes of braces that are tried when something does not fit, and what each must be worth.

/// What an edit must be worth.
const EDIT: u32 = 150;
/// What moving a brace must be worth: more than a keyword that is in the wrong place.
const MOVE: u32 = 170;

/// One change of the braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Put a `}` in before this entry.
    PutClose(usize),
    /// Take this `}` out.
    TakeClose(usize),
    /// Put a `{` in after this line.
    PutOpen(usize),
    /// Take this `{` out.
    TakeOpen(usize),
    /// Take this `}` out and put it in before that entry.
    MoveClose(usize, usize),
}

impl Edit {
    /// Does it take this entry out?
    pub(super) fn takes(self, at: usize) -> bool {
        match self {
            Self::TakeClose(taken) | Self::TakeOpen(taken) | Self::MoveClose(taken, _) => taken == at,
            Self::PutClose(_) | Self::PutOpen(_) => false,
        }
    }

    /// Does it put a `}` in before this entry?
    pub(super) fn closes_before(self, at: usize) -> bool {
        match self {
            Self::PutClose(put) | Self::MoveClose(_, put) => put == at,
            Self::TakeClose(_) | Self::PutOpen(_) | Self::TakeOpen(_) => false,
        }
    }

    /// What it must be worth.
    pub(super) fn price(self) -> u32 {
        match self {
            Self::MoveClose(..) => MOVE,
            Self::PutClose(_) | Self::TakeClose(_) | Self::PutOpen(_) | Self::TakeOpen(_) => EDIT,
        }
    }
}
