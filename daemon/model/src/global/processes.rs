//! How the daemon's parts are named and scheduled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Name;

/// Names, priorities and CPUs of the daemon's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// `process_name` and the like.
    pub names: ProcessNames,
    /// `vrrp_priority` and the like: how the VRRP thread is scheduled.
    pub vrrp: ProcessScheduling,
    /// `checker_priority` and the like.
    pub checker: ProcessScheduling,
    /// `bfd_priority` and the like.
    pub bfd: ProcessScheduling,
    /// `max_auto_priority`: how far a part that runs late raises its own priority.
    pub auto_priority: AutoPriority,
    /// `min_auto_priority_delay`: how late a timer must be for that; 1 s unless given, at most 10 s.
    pub auto_priority_delay: AutoPriorityDelay,
}

impl Processes {
    /// Real-time priority of the urgent parts (VRRP, BFD) where the file says nothing of how they are scheduled: the
    /// lowest there is, which already goes before all that is not in real time.
    pub const URGENT: u8 = 1;

    /// How an urgent part (one of [`Self::vrrp`] and [`Self::bfd`]) is to be scheduled. Without a word of the file, in real
    /// time: those parts only ever work for moments, and whoever keeps the processors busy must not make a router late.
    /// A nice value, a priority in real time, or any [`AutoPriority`] is the file's word. The limit of how long real time
    /// may run without sleeping is one of the whole process, so VRRP's holds for both; without a word there is none.
    #[must_use]
    pub fn urgent(&self, part: &ProcessScheduling) -> ProcessScheduling {
        let unsaid = |part: &ProcessScheduling| {
            part.nice.is_none() && part.realtime.is_none() && self.auto_priority == AutoPriority::Off
        };
        let realtime = if unsaid(part) { Some(Self::URGENT) } else { part.realtime };
        let rttime_limit =
            if unsaid(&self.vrrp) { Duration::MAX } else { self.vrrp.rttime_limit.max(part.rttime_limit) };
        ProcessScheduling { realtime, rttime_limit, ..part.clone() }
    }
}

/// What the parts are called in lists of processes, at most [`ProcessNames::LONGEST`] bytes each; their own names unless
/// given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessNames {
    /// `process_name`: the main process.
    pub main: Option<Name>,
    /// `vrrp_process_name`, or `process_names`.
    pub vrrp: Option<Name>,
    /// `checker_process_name` (old: `lvs_process_name`), or `process_names`.
    pub checker: Option<Name>,
    /// `bfd_process_name`, or `process_names`.
    pub bfd: Option<Name>,
}

impl ProcessNames {
    /// Bytes of the longest name that the kernel keeps (its `TASK_COMM_LEN` less the end mark).
    pub const LONGEST: usize = 15;
}

/// How much nicer a process is: `…_priority`, −20 to 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApplicationPriority(pub i8);

/// Scheduling of one of the daemon's parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessScheduling {
    /// `…_priority`: nice value.
    pub nice: Option<ApplicationPriority>,
    /// `…_rt_priority`: SCHED_RR with this priority, 1 to 99.
    pub realtime: Option<u8>,
    /// `…_rlimit_rttime`, in the file in microseconds: RLIMIT_RTTIME, for parts that run in real time, also by
    /// themselves ([`AutoPriority`]); 10 ms unless given, never less than 2 µs.
    pub rttime_limit: Duration,
    /// `…_no_swap`: memory is locked.
    pub no_swap: bool,
    /// `…_cpu_affinity`: CPUs it may run on, in order; all when empty.
    pub cpu_affinity: Vec<u32>,
}

impl Default for ProcessScheduling {
    fn default() -> Self {
        Self {
            nice: None,
            realtime: None,
            rttime_limit: Duration::from_millis(10),
            no_swap: false,
            cpu_affinity: Vec::new(),
        }
    }
}

/// `max_auto_priority`: may a part that finds itself late take real-time priority, and how much of it?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoPriority {
    /// Not written, or 0: no, but see [`Processes::urgent`].
    #[default]
    Off,
    /// −1: no, and nothing advises to; nor does anything run in real time that was not told to.
    Never,
    /// Up to this priority of SCHED_RR, 1 to 99; 99 when the keyword stands alone.
    UpTo(u8),
}

/// `min_auto_priority_delay`, in the file in microseconds; 1 s unless given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AutoPriorityDelay(pub Duration);

impl Default for AutoPriorityDelay {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_parts_run_in_real_time_unless_the_file_has_a_word_on_it() {
        let plain = Processes::default();
        let urgent = plain.urgent(&plain.vrrp);
        assert_eq!((urgent.realtime, urgent.rttime_limit), (Some(1), Duration::MAX));

        let nice = ProcessScheduling { nice: Some(ApplicationPriority(-5)), ..ProcessScheduling::default() };
        assert_eq!(Processes { vrrp: nice.clone(), ..Processes::default() }.urgent(&nice).realtime, None);
        for auto_priority in [AutoPriority::Never, AutoPriority::UpTo(5)] {
            let told = Processes { auto_priority, ..Processes::default() };
            assert_eq!(told.urgent(&told.vrrp), told.vrrp);
        }
        let vrrp = ProcessScheduling { realtime: Some(7), ..ProcessScheduling::default() };
        let told = Processes { vrrp: vrrp.clone(), ..Processes::default() };
        assert_eq!(told.urgent(&told.vrrp), vrrp);
        assert_eq!(told.urgent(&told.bfd).rttime_limit, vrrp.rttime_limit, "one limit for the process");
    }
}
