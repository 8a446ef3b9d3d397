//! Names, priorities and CPUs of the daemon's parts.

use crate::schema::bounds::{I32, U32};
use crate::schema::{Arg, Keyword, Kind, flag, kw, one, opt, some};

const NAME: &[Arg] = &[one("NAME", Kind::Word)];
const NICE: &[Arg] = &[one("NICE", Kind::Int(-20, 19))];
const REALTIME: &[Arg] = &[one("PRIORITY", Kind::Int(i32::MIN as i64, I32))];
const CPUS: &[Arg] = &[some("CPU", Kind::Int(0, 1023))];
const MICROS: &[Arg] = &[one("MICROSECONDS", Kind::Int(1, U32))];

const fn nice(name: &'static str, help: &'static str) -> Keyword {
    kw(name, NICE, help).default("0")
}
const fn realtime(name: &'static str) -> Keyword {
    kw(name, REALTIME, "Real-time priority (SCHED_RR), 1 to 99.").default("not in real time")
}
/// Of a part that runs in real time by itself ([`keepwatch_model::Processes::urgent`]).
const fn urgent(name: &'static str) -> Keyword {
    realtime(name).default("1, unless a nice value or `max_auto_priority` says otherwise")
}
const fn affinity(name: &'static str) -> Keyword {
    kw(name, CPUS, "CPUs that it may run on.").default("all")
}
const fn rlimit(name: &'static str, old: &'static [&'static str]) -> Keyword {
    kw(
        name,
        MICROS,
        "Most real-time CPU time without sleeping; the longest of those of all parts in real time counts.",
    )
    .old(old)
    .default("10000; none if VRRP runs in real time by itself")
}

pub(super) const PROCESSES: &[Keyword] = &[
    flag("process_names", "The VRRP, checker and BFD parts are called after what they are.")
        .example("process_names"),
    kw("process_name", NAME, "Name of the main process.").example("process_name kw"),
    kw("vrrp_process_name", NAME, "Name of the VRRP part.").example("vrrp_process_name kw_vrrp"),
    kw("checker_process_name", NAME, "Name of the checker part.")
        .old(&["lvs_process_name"])
        .example("checker_process_name kw_check"),
    kw("bfd_process_name", NAME, "Name of the BFD part.").example("bfd_process_name kw_bfd"),
    kw(
        "max_auto_priority",
        &[opt("PRIORITY", Kind::Int(-1, 99))],
        "How far a part that runs late may raise its real-time priority; 99 when it stands alone. With -1 nothing runs in real time that was not told to.",
    )
    .default("0, not at all")
    .example("max_auto_priority 50"),
    kw(
        "min_auto_priority_delay",
        &[one("MICROSECONDS", Kind::Int(1, 10_000_000))],
        "How late a timer must be for that.",
    )
    .default("1000000")
    .example("min_auto_priority_delay 500000"),
    nice("vrrp_priority", "Nice value of the VRRP part.").example("vrrp_priority -10"),
    flag("vrrp_no_swap", "Lock the VRRP part's memory.").example("vrrp_no_swap"),
    urgent("vrrp_rt_priority").example("vrrp_rt_priority 50"),
    affinity("vrrp_cpu_affinity").example("vrrp_cpu_affinity 0 1"),
    rlimit("vrrp_rlimit_rttime", &["vrrp_rlimit_rtime"]).example("vrrp_rlimit_rttime 20000"),
    nice("checker_priority", "Nice value of the checker part.").example("checker_priority -10"),
    flag("checker_no_swap", "Lock the checker part's memory.").example("checker_no_swap"),
    realtime("checker_rt_priority").example("checker_rt_priority 50"),
    affinity("checker_cpu_affinity").example("checker_cpu_affinity 0 1"),
    rlimit("checker_rlimit_rttime", &["checker_rlimit_rtime"]).example("checker_rlimit_rttime 20000"),
    nice("bfd_priority", "Nice value of the BFD part.").example("bfd_priority -10"),
    flag("bfd_no_swap", "Lock the BFD part's memory.").example("bfd_no_swap"),
    urgent("bfd_rt_priority").example("bfd_rt_priority 50"),
    affinity("bfd_cpu_affinity").example("bfd_cpu_affinity 0 1"),
    rlimit("bfd_rlimit_rttime", &["bfd_rlimit_rtime"]).example("bfd_rlimit_rttime 20000"),
];
