//! How the VRRP thread, and others that are as urgent, ask to be scheduled. None of it is needed to work, so what is refused is left out.

use std::time::Duration;

use keepwatch_model::ProcessScheduling;
use keepwatch_net::sched::{self, RealtimePriority};

/// The shortest that the kernel takes.
const SLICE: Duration = Duration::from_micros(100);

/// Applies `scheduling` to the calling thread.
pub fn apply(scheduling: &ProcessScheduling) {
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
    match scheduling.realtime {
        Some(priority) => {
            let _ = sched::limit_realtime_run(scheduling.rttime_limit);
            let _ = sched::set_realtime(RealtimePriority(priority));
        }
        // An ordinary thread that asks for short slices is run soon after it wakes, even when every CPU is busy.
        None => {
            let _ = sched::set_short_slice(SLICE);
        }
    }
}
