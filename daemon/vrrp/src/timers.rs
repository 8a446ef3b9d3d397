//! The deadlines of all routers, one each, in a heap that is made for VRRP: a backup moves its deadline to later with
//! every advertisement it hears, so moving to later costs nothing. The entry in the heap stays where it was; when it
//! comes up, its router is asked for its real deadline and put back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::ids::RouterId;

/// The heap.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, RouterId)>>,
    /// By router: its earliest entry in the heap. Entries that are not this one are leftovers.
    armed: Vec<Option<Instant>>,
}

impl Timers {
    /// Sees to it that `router` comes up by `deadline`. It may come up earlier.
    pub(crate) fn arm(&mut self, router: RouterId, deadline: Option<Instant>) {
        let index = router.0 as usize;
        if index >= self.armed.len() {
            self.armed.resize(index + 1, None);
        }
        let Some(deadline) = deadline else { return };
        if self.armed[index].is_none_or(|armed| deadline < armed) {
            self.armed[index] = Some(deadline);
            self.heap.push(Reverse((deadline, router)));
        }
    }

    /// When to look next; nothing is due before.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Whose entry comes up next, and when.
    pub(crate) fn first(&self) -> Option<(Instant, RouterId)> {
        self.heap.peek().map(|Reverse(entry)| *entry)
    }

    /// The next router that may be due at `now`. Ask it, let it act, then [`Timers::arm`] it again.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<RouterId> {
        while let Some(Reverse((deadline, router))) = self.heap.peek().copied() {
            if deadline > now {
                return None;
            }
            self.heap.pop();
            let armed = &mut self.armed[router.0 as usize];
            if *armed == Some(deadline) {
                *armed = None;
                return Some(router);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_later_deadline_leaves_the_heap_alone_and_an_earlier_one_wins() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.arm(RouterId(0), Some(at(300)));
        timers.arm(RouterId(0), Some(at(400)));
        assert_eq!(timers.heap.len(), 1);
        timers.arm(RouterId(0), Some(at(100)));
        assert_eq!(timers.next(), Some(at(100)));
        assert_eq!(timers.pop(at(99)), None);
        assert_eq!(timers.pop(at(100)), Some(RouterId(0)));
        timers.arm(RouterId(0), Some(at(500)));
        assert_eq!(timers.pop(at(450)), None, "the entry of 300 ms is a leftover");
        assert_eq!(timers.pop(at(500)), Some(RouterId(0)));
        assert_eq!(timers.pop(at(900)), None);
    }

    #[test]
    fn routers_come_up_in_the_order_of_their_deadlines() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for id in [3, 1, 2, 0] {
            timers.arm(RouterId(id), Some(start + Duration::from_millis(u64::from(id))));
        }
        let late = start + Duration::from_secs(1);
        let order: Vec<_> = std::iter::from_fn(|| timers.pop(late)).map(|id| id.0).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }
}
