//! `vrrp_garp_interval` and `vrrp_gna_interval`: the least time between two announcements on one interface, for switches
//! that take a burst for an attack. Goes in: frames, each with its lane and gap. Comes out: those whose time has come.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Frames that wait for their time, by lane (interface and kind).
pub(super) struct Pace<L, F> {
    lanes: HashMap<L, Lane<F>>,
}

struct Lane<F> {
    free_at: Instant,
    waiting: VecDeque<(F, Duration)>,
}

impl<L: Eq + Hash, F> Pace<L, F> {
    pub(super) fn new() -> Self {
        Self { lanes: HashMap::new() }
    }

    /// A frame that must keep `gap` from the one after it on its lane.
    pub(super) fn push(&mut self, now: Instant, lane: L, gap: Duration, frame: F) {
        let lane = self.lanes.entry(lane).or_insert_with(|| Lane { free_at: now, waiting: VecDeque::new() });
        lane.waiting.push_back((frame, gap));
    }

    /// When the next frame may leave; none while nothing waits.
    pub(super) fn next(&self) -> Option<Instant> {
        self.lanes.values().filter(|lane| !lane.waiting.is_empty()).map(|lane| lane.free_at).min()
    }

    /// Hands over what may leave now: at most one frame a lane.
    pub(super) fn due(&mut self, now: Instant, mut send: impl FnMut(&L, F)) {
        for (key, lane) in &mut self.lanes {
            if lane.free_at <= now
                && let Some((frame, gap)) = lane.waiting.pop_front()
            {
                lane.free_at = now + gap;
                send(key, frame);
            }
        }
        self.lanes.retain(|_, lane| !lane.waiting.is_empty() || lane.free_at > now);
    }

    /// What waits.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &F> {
        self.lanes.values().flat_map(|lane| &lane.waiting).map(|(frame, _)| frame)
    }

    /// Drops what must not be announced any more.
    pub(super) fn forget(&mut self, unwanted: impl Fn(&F) -> bool) {
        for lane in self.lanes.values_mut() {
            lane.waiting.retain(|(frame, _)| !unwanted(frame));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_one_lane_keep_their_distance_and_lanes_do_not_wait_for_each_other() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let gap = Duration::from_millis(10);
        let mut pace = Pace::new();
        for frame in 0..3 {
            pace.push(start, "eth0", gap, frame);
        }
        pace.push(start, "eth1", gap, 9);
        pace.forget(|frame| *frame == 1);
        let mut due = |now| {
            let mut left = Vec::new();
            pace.due(now, |lane, frame| left.push((*lane, frame)));
            left.sort_unstable();
            (left, pace.next())
        };
        assert_eq!(due(start), (vec![("eth0", 0), ("eth1", 9)], Some(at(10))));
        assert_eq!(due(at(9)), (vec![], Some(at(10))));
        assert_eq!(due(at(12)), (vec![("eth0", 2)], None));
        assert_eq!(due(at(30)), (vec![], None));
        assert_eq!(pace.waiting().count(), 0);
        assert!(pace.lanes.is_empty(), "nothing is kept of a lane at rest");
    }
}
