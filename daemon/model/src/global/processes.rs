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
    /// How long a part that the file puts into real time may run without sleeping, unless the file has a word on that too.
    pub const RTTIME_LIMIT: Duration = Duration::from_millis(10);

    /// How an urgent part (one of [`Self::vrrp`] and [`Self::bfd`]) is to be scheduled. Without a word of the file, in real
    /// time: those parts only ever work for moments, and whoever keeps the processors busy must not make a router late.
    /// A nice value, a priority in real time, or any [`AutoPriority`] is the file's word.
    #[must_use]
    pub fn urgent(&self, part: &ProcessScheduling) -> ProcessScheduling {
        let realtime = if self.unsaid(part) { Some(Self::URGENT) } else { part.realtime };
        ProcessScheduling { realtime, rttime_limit: self.rttime_limit(), ..part.clone() }
    }

    /// The file does not say how this urgent part is scheduled.
    fn unsaid(&self, part: &ProcessScheduling) -> bool {
        part.nice.is_none() && part.realtime.is_none() && self.auto_priority == AutoPriority::Off
    }

    /// How long what is in real time may run without sleeping. The kernel has one limit for the whole process, so it is the
    /// longest of those that hold for a part in real time: what is written, else [`Self::RTTIME_LIMIT`] where the file asks
    /// for real time. None if nothing is written and VRRP is in real time by itself: then nobody asked for one.
    #[must_use]
    pub fn rttime_limit(&self) -> Option<Duration> {
        let raised = matches!(self.auto_priority, AutoPriority::UpTo(_));
        let asked = |part: &ProcessScheduling| part.realtime.is_some() || raised;
        let urgent = |part: &ProcessScheduling| asked(part) || self.unsaid(part);
        let parts = [
            (&self.vrrp, urgent(&self.vrrp)),
            (&self.checker, asked(&self.checker)),
            (&self.bfd, urgent(&self.bfd)),
        ];
        let parts = || parts.iter().filter(|(_, realtime)| *realtime).map(|(part, _)| *part);
        if self.unsaid(&self.vrrp) && parts().all(|part| part.rttime_limit.is_none()) {
            return None;
        }
        parts().filter_map(|part| part.rttime_limit.or(asked(part).then_some(Self::RTTIME_LIMIT))).max()
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessScheduling {
    /// `…_priority`: nice value.
    pub nice: Option<ApplicationPriority>,
    /// `…_rt_priority`: SCHED_RR with this priority, 1 to 99.
    pub realtime: Option<u8>,
    /// `…_rlimit_rttime`, in the file in microseconds, never less than 2: RLIMIT_RTTIME, for parts that run in real time,
    /// also by themselves; see [`Processes::rttime_limit`].
    pub rttime_limit: Option<Duration>,
    /// `…_no_swap`: memory is locked.
    pub no_swap: bool,
    /// `…_cpu_affinity`: CPUs it may run on, in order; all when empty.
    pub cpu_affinity: Vec<u32>,
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

    fn told(realtime: Option<u8>, limit: Option<u64>) -> ProcessScheduling {
        ProcessScheduling {
            realtime,
            rttime_limit: limit.map(Duration::from_millis),
            ..ProcessScheduling::default()
        }
    }

    #[test]
    fn urgent_parts_run_in_real_time_unless_the_file_has_a_word_on_it() {
        let plain = Processes::default();
        assert_eq!(plain.urgent(&plain.vrrp).realtime, Some(1));
        let nice = ProcessScheduling { nice: Some(ApplicationPriority(-5)), ..ProcessScheduling::default() };
        assert_eq!(Processes { vrrp: nice.clone(), ..Processes::default() }.urgent(&nice).realtime, None);
        for auto_priority in [AutoPriority::Never, AutoPriority::UpTo(5)] {
            let processes = Processes { auto_priority, ..Processes::default() };
            assert_eq!(processes.urgent(&processes.vrrp).realtime, None);
        }
        let processes = Processes { vrrp: told(Some(7), None), ..Processes::default() };
        assert_eq!(processes.urgent(&processes.vrrp).realtime, Some(7));
    }

    #[test]
    fn real_time_is_limited_where_somebody_asked_for_it() {
        let nice = ProcessScheduling { nice: Some(ApplicationPriority(-5)), ..ProcessScheduling::default() };
        let nothing = ProcessScheduling::default;
        for (vrrp, checker, bfd, limit) in [
            (nothing(), nothing(), nothing(), None),
            (nice, nothing(), nothing(), None),
            (nothing(), told(Some(5), None), told(Some(5), None), None),
            (told(Some(5), None), nothing(), nothing(), Some(10)),
            (told(Some(5), Some(3)), nothing(), nothing(), Some(3)),
            (told(None, Some(20)), nothing(), nothing(), Some(20)),
            (nothing(), nothing(), told(Some(5), Some(30)), Some(30)),
            (nothing(), told(None, Some(30)), nothing(), None),
            (told(Some(5), Some(3)), told(Some(5), None), nothing(), Some(10)),
        ] {
            let processes = Processes { vrrp, checker, bfd, ..Processes::default() };
            assert_eq!(processes.rttime_limit(), limit.map(Duration::from_millis), "{processes:?}");
        }
        let raised = Processes { auto_priority: AutoPriority::UpTo(5), ..Processes::default() };
        assert_eq!(raised.rttime_limit(), Some(Processes::RTTIME_LIMIT));
    }
}
