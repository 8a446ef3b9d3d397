//! How the VRRP thread, and others that are as urgent, ask to be scheduled. None of it is needed to work, so what is refused is left out.

use std::time::Duration;

use keepwatch_model::{AutoPriority, ProcessScheduling};
use keepwatch_net::sched::{self, RealtimePriority};

/// The shortest that the kernel takes.
const SLICE: Duration = Duration::from_micros(100);

/// Raises the priority of a thread that runs late: `max_auto_priority`.
pub(super) struct Raise {
    /// Later than this is late.
    delay: Duration,
    most: u8,
    now: Option<u8>,
    limit: Duration,
}

impl Raise {
    /// None if it may not.
    pub(super) fn new(most: AutoPriority, delay: Duration, scheduling: &ProcessScheduling) -> Option<Self> {
        let AutoPriority::UpTo(most) = most else { return None };
        Some(Self { delay, most, now: scheduling.realtime, limit: scheduling.rttime_limit })
    }

    /// It is so late: takes real-time priority, or one step more of it. None if it is not late enough; else the priority
    /// that it has now, if it was given any.
    pub(super) fn late(&mut self, late: Duration) -> Option<Option<u8>> {
        if late <= self.delay {
            return None;
        }
        let next = self.now.map_or(1, |now| now.saturating_add(1)).min(self.most.max(self.now.unwrap_or(0)));
        let _ = sched::limit_realtime_run(self.limit);
        if sched::set_realtime(RealtimePriority(next)).is_ok() {
            self.now = Some(next);
        }
        Some(self.now)
    }
}

/// Applies `scheduling` to the calling thread, one that is to run soon after it wakes whatever that says.
pub fn apply(scheduling: &ProcessScheduling) {
    apply_plain(scheduling);
    // Whoever may not run in real time, or is not to, is run soon after it wakes if it asks for short slices, even when
    // every CPU is busy. Of a thread in real time it changes nothing.
    let _ = sched::set_short_slice(SLICE);
}

/// Applies `scheduling` to the calling thread, and nothing that it does not say.
pub fn apply_plain(scheduling: &ProcessScheduling) {
    let cpus: Vec<usize> =
        scheduling.cpu_affinity.iter().filter_map(|cpu| usize::try_from(*cpu).ok()).collect();
    if !cpus.is_empty() {
        let _ = sched::set_affinity(&cpus);
    }
    if scheduling.no_swap {
        let _ = sched::lock_memory();
    }
    if let Some(nice) = scheduling.nice {
        let _ = sched::set_nice(nice.0);
    }
    if let Some(priority) = scheduling.realtime {
        let _ = sched::limit_realtime_run(scheduling.rttime_limit);
        let _ = sched::set_realtime(RealtimePriority(priority));
    }
}
