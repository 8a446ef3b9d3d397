//! How many checks are under way at once, so that their sockets are not more than this process may have; and who waits for
//! whom when that is not enough. In: checks that are due, and ends of checks. Out: which one begins now.
//!
//! A server that does not answer holds its socket until its time is up, one that is well gives it back at once. So those
//! that were well when they were last looked at come first, and a part of the room is theirs alone: thousands of dead ones
//! wait for each other, and hold up nobody who lives.

use std::collections::{HashSet, VecDeque};

use nix::sys::resource::{Resource, getrlimit};

use crate::roster::{CheckerId, Due};

/// Descriptors that are left to everything else in this process.
const OTHERS: usize = 128;
/// There is room for so many, however few descriptors there are: what finds none says so.
const LEAST: usize = 16;
/// No more wait in an ordinary moment.
const ORDINARY: usize = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    /// Of servers that were well when they were last looked at, and of all others.
    trusted: Side,
    doubted: Side,
}

#[derive(Debug, Default)]
struct Side {
    waiting: VecDeque<Due>,
    under_way: HashSet<CheckerId>,
}

impl Side {
    fn begin(&mut self) -> Option<Due> {
        let due = self.waiting.pop_front()?;
        if self.waiting.is_empty() && self.waiting.capacity() > ORDINARY {
            // So many come at once only when all begin, at a start or a reload.
            self.waiting = VecDeque::new();
        }
        self.under_way.insert(due.id);
        Some(due)
    }
}

impl Room {
    /// For so many at once.
    pub(crate) fn of(most: usize) -> Self {
        Self { most: most.max(LEAST), trusted: Side::default(), doubted: Side::default() }
    }

    /// Makes it as large as this process may have descriptors now.
    pub(crate) fn measure(&mut self) {
        self.most = allowed().saturating_sub(OTHERS).max(LEAST);
    }

    /// A check is due.
    pub(crate) fn push(&mut self, due: Due) {
        if due.trusted { &mut self.trusted } else { &mut self.doubted }.waiting.push_back(due);
    }

    /// Who waits goes on waiting only if it `stays`.
    pub(crate) fn keep(&mut self, stays: impl Fn(CheckerId) -> bool) {
        for side in [&mut self.trusted, &mut self.doubted] {
            side.waiting.retain(|due| stays(due.id));
        }
    }

    /// The next one that begins; none while there is no room, or nobody waits.
    pub(crate) fn next(&mut self) -> Option<Due> {
        if self.under_way() >= self.most {
            return None;
        }
        // A quarter is for those that are well.
        let may = self.doubted.under_way.len() < self.most - self.most / 4;
        self.trusted.begin().or_else(|| if may { self.doubted.begin() } else { None })
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.trusted.under_way.len() + self.doubted.under_way.len()
    }

    /// One that was under way has ended.
    pub(crate) fn ended(&mut self, id: CheckerId) {
        if !self.trusted.under_way.remove(&id) {
            self.doubted.under_way.remove(&id);
        }
    }
}

/// How many descriptors this process may have.
fn allowed() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(now, _)| usize::try_from(now).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Probe;

    fn due(id: u64, trusted: bool) -> Due {
        let at = std::time::Instant::now();
        Due { id: CheckerId::of(id), probe: Probe::Broken(Default::default()), at, trusted }
    }

    #[test]
    fn the_dead_wait_for_each_other_and_hold_up_nobody_who_lives() {
        let mut room = Room::of(20);
        (0..2000).for_each(|id| room.push(due(id, false)));
        let begun: Vec<_> = std::iter::from_fn(|| room.next()).collect();
        assert_eq!(begun.len(), 15, "a quarter is not theirs");
        for id in 5000..5010 {
            room.push(due(id, true));
        }
        let begun: Vec<_> = std::iter::from_fn(|| room.next().map(|due| due.id)).collect();
        assert_eq!(begun, (5000..5005).map(CheckerId::of).collect::<Vec<_>>(), "until the room is full");
        room.ended(CheckerId::of(0));
        assert_eq!(room.next().map(|due| due.id), Some(CheckerId::of(5005)), "who is well comes first");
        room.ended(CheckerId::of(5000));
        for id in 5006..5010 {
            assert_eq!(room.next().map(|due| due.id), Some(CheckerId::of(id)));
            room.ended(CheckerId::of(id));
        }
        assert_eq!(room.next().map(|due| due.id), Some(CheckerId::of(15)), "then the others, in their order");
    }

    #[test]
    fn who_is_gone_waits_no_more() {
        let mut room = Room::of(20);
        (0..10).for_each(|id| room.push(due(id, id % 2 == 0)));
        room.keep(|id| id == CheckerId::of(3) || id == CheckerId::of(4));
        let begun: Vec<_> = std::iter::from_fn(|| room.next().map(|due| due.id)).collect();
        assert_eq!(begun, [4, 3].map(CheckerId::of));
    }
}
