//! Names, priorities and CPUs of the daemon's parts.

use std::time::Duration;

use super::{GlobalDraft, instead};
use crate::diagnostics::Diagnostic;
use crate::model::{
    ApplicationPriority, AutoPriority, AutoPriorityDelay, Name, ProcessNames, ProcessScheduling,
};
use crate::preprocess::Context;
use crate::schema::bounds::{I32, U32};
use crate::schema::entry::Block;
use crate::schema::{Arg, Keyword, Kind, flag, kw, one, opt, some};
use crate::tree::Node;

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

pub(super) const PROCESSES: Block<GlobalDraft> = Block(&[
    flag("process_names", "The VRRP, checker and BFD parts are called after what they are.")
        .example("process_names").sets(|to, _, _| {
            let names = &mut to.model.processes.names;
            names.vrrp = Some("keepalived_vrrp".into());
            names.checker = Some("keepalived_lvs".into());
            names.bfd = Some("keepalived_bfd".into());
        }),
    kw("process_name", NAME, "Name of the main process.").example("process_name kw").sets(|to, node, context| to.model.processes.names.main = process(node, context)),
    kw("vrrp_process_name", NAME, "Name of the VRRP part.").example("vrrp_process_name kw_vrrp").sets(|to, node, context| to.model.processes.names.vrrp = process(node, context)),
    kw("checker_process_name", NAME, "Name of the checker part.")
        .old(&["lvs_process_name"])
        .example("checker_process_name kw_check").sets(|to, node, context| to.model.processes.names.checker = process(node, context)),
    kw("bfd_process_name", NAME, "Name of the BFD part.").example("bfd_process_name kw_bfd").sets(|to, node, context| to.model.processes.names.bfd = process(node, context)),
    kw(
        "max_auto_priority",
        &[opt("PRIORITY", Kind::Int(-1, 99))],
        "How far a part that runs late may raise its real-time priority; 99 when it stands alone. With -1 nothing runs in real time that was not told to.",
    )
    .default("0, not at all")
    .example("max_auto_priority 50").sets(|to, node, _| {
        to.model.processes.auto_priority = match node.int(0) {
            None => AutoPriority::UpTo(99),
            Some(0) => AutoPriority::Off,
            Some(priority) => u8::try_from(priority).map_or(AutoPriority::Never, AutoPriority::UpTo),
        };
    }),
    kw(
        "min_auto_priority_delay",
        &[one("MICROSECONDS", Kind::Int(1, 10_000_000))],
        "How late a timer must be for that.",
    )
    .default("1000000")
    .example("min_auto_priority_delay 500000").sets(|to, node, _| {
        let delay = &mut to.model.processes.auto_priority_delay;
        *delay = node.number(0).map_or(*delay, |micros| AutoPriorityDelay(from_micros(micros)));
    }),
    nice("vrrp_priority", "Nice value of the VRRP part.").example("vrrp_priority -10").sets(|to, node, _| to.model.processes.vrrp.nice = node.number(0).map(ApplicationPriority)),
    flag("vrrp_no_swap", "Lock the VRRP part's memory.").example("vrrp_no_swap").sets(|to, _, _| to.model.processes.vrrp.no_swap = true),
    urgent("vrrp_rt_priority").example("vrrp_rt_priority 50").sets(|to, node, context| to.model.processes.vrrp.realtime = realtime_of(node, context)),
    affinity("vrrp_cpu_affinity").example("vrrp_cpu_affinity 0 1").sets(|to, node, context| to.model.processes.vrrp.cpu_affinity = cpus(node, context).unwrap_or_default()),
    rlimit("vrrp_rlimit_rttime", &["vrrp_rlimit_rtime"]).example("vrrp_rlimit_rttime 20000").sets(|to, node, _| limit(&mut to.model.processes.vrrp, node)),
    nice("checker_priority", "Nice value of the checker part.").example("checker_priority -10").sets(|to, node, _| to.model.processes.checker.nice = node.number(0).map(ApplicationPriority)),
    flag("checker_no_swap", "Lock the checker part's memory.").example("checker_no_swap").sets(|to, _, _| to.model.processes.checker.no_swap = true),
    realtime("checker_rt_priority").example("checker_rt_priority 50").sets(|to, node, context| to.model.processes.checker.realtime = realtime_of(node, context)),
    affinity("checker_cpu_affinity").example("checker_cpu_affinity 0 1").sets(|to, node, context| to.model.processes.checker.cpu_affinity = cpus(node, context).unwrap_or_default()),
    rlimit("checker_rlimit_rttime", &["checker_rlimit_rtime"]).example("checker_rlimit_rttime 20000").sets(|to, node, _| limit(&mut to.model.processes.checker, node)),
    nice("bfd_priority", "Nice value of the BFD part.").example("bfd_priority -10").sets(|to, node, _| to.model.processes.bfd.nice = node.number(0).map(ApplicationPriority)),
    flag("bfd_no_swap", "Lock the BFD part's memory.").example("bfd_no_swap").sets(|to, _, _| to.model.processes.bfd.no_swap = true),
    urgent("bfd_rt_priority").example("bfd_rt_priority 50").sets(|to, node, context| to.model.processes.bfd.realtime = realtime_of(node, context)),
    affinity("bfd_cpu_affinity").example("bfd_cpu_affinity 0 1").sets(|to, node, context| to.model.processes.bfd.cpu_affinity = cpus(node, context).unwrap_or_default()),
    rlimit("bfd_rlimit_rttime", &["bfd_rlimit_rtime"]).example("bfd_rlimit_rttime 20000").sets(|to, node, _| limit(&mut to.model.processes.bfd, node)),
]);

/// Half of it is a warning of the kernel, and there is no half of 1.
fn limit(process: &mut ProcessScheduling, node: &Node) {
    let micros = node.number(0).map(|micros: u32| from_micros(micros.max(2)));
    process.rttime_limit = micros.or(process.rttime_limit);
}

fn from_micros(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

/// The name of a process, cut to what the kernel keeps.
fn process(node: &Node, context: &mut Context) -> Option<Name> {
    let text = node.arg(0)?;
    if text.len() <= ProcessNames::LONGEST {
        return node.text(0);
    }
    let kept = super::cut(text, ProcessNames::LONGEST);
    context.report(
        Diagnostic::error("too-long", format!("`{text}` is too long for the name of a process"))
            .at(node.arg_span(0), format!("`{kept}` is used, {} bytes at most", ProcessNames::LONGEST)),
    );
    Some(kept.into())
}

fn realtime_of(node: &Node, context: &mut Context) -> Option<u8> {
    let written = node.int(0)?;
    let used = written.clamp(1, 99);
    if used != written {
        instead(node, "from 1 to 99", used, context);
    }
    u8::try_from(used).ok()
}

/// The CPUs; none at all when this machine lacks one of them.
fn cpus(node: &Node, context: &mut Context) -> Option<Vec<u32>> {
    let mut cpus: Vec<u32> = Vec::new();
    let online = context.look_at_scripts.then(cpus_online).flatten();
    for (index, _) in node.args.iter().enumerate() {
        let cpu = node.number::<u32>(index)?;
        if let Some(online) = online.filter(|online| cpu >= *online) {
            context.report(
                Diagnostic::error("out-of-range", format!("this machine has no CPU {cpu}"))
                    .at(node.arg_span(index), format!("from 0 to {}; left out", online.saturating_sub(1))),
            );
            return None;
        }
        cpus.push(cpu);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

/// How many CPUs this machine has.
fn cpus_online() -> Option<u32> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let last = text.trim().rsplit([',', '-']).next()?;
    last.parse::<u32>().ok()?.checked_add(1)
}
