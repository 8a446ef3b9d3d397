//! When it is whose turn. Each checker knows itself when its next one is ([`super::Entry::next`]); here they are in order.
//! Who is not meant any more is not looked for, but passed over when it comes up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::roster::CheckerId;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Turns(BinaryHeap<Reverse<(Instant, CheckerId)>>);

impl Turns {
    /// There are none, and room for so many.
    pub(super) fn clear(&mut self, expected: usize) {
        self.0.clear();
        self.0.shrink_to(expected);
        self.0.reserve_exact(expected);
    }

    pub(super) fn plan(&mut self, at: Instant, id: CheckerId) {
        self.0.push(Reverse((at, id)));
    }

    /// The first one that is `meant` still.
    pub(super) fn first(
        &mut self,
        meant: impl Fn(Instant, CheckerId) -> bool,
    ) -> Option<(Instant, CheckerId)> {
        while let Some(Reverse((at, id))) = self.0.peek().copied() {
            if meant(at, id) {
                return Some((at, id));
            }
            self.0.pop();
        }
        None
    }

    /// The same, if it is not after `now`: it is taken out.
    pub(super) fn due(
        &mut self,
        now: Instant,
        meant: impl Fn(Instant, CheckerId) -> bool,
    ) -> Option<CheckerId> {
        let (_, id) = self.first(meant).filter(|(at, _)| *at <= now)?;
        self.0.pop();
        Some(id)
    }
}
