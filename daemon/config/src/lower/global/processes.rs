//! Names, priorities and CPUs of the daemon's parts.

use std::time::Duration;

use super::{GlobalDraft, instead};
use crate::diagnostics::Diagnostic;
use crate::model::{ApplicationPriority, AutoPriority, AutoPriorityDelay, Name, ProcessNames};
use crate::preprocess::Context;
use crate::tree::Node;

impl GlobalDraft {
    pub(super) fn processes(&mut self, node: &Node, context: &mut Context) -> bool {
        let processes = &mut self.model.processes;
        let names = &mut processes.names;
        match node.keyword.name {
            "process_names" => {
                names.vrrp = Some("keepalived_vrrp".into());
                names.checker = Some("keepalived_lvs".into());
                names.bfd = Some("keepalived_bfd".into());
            }
            "process_name" => names.main = name(node, context),
            "vrrp_process_name" => names.vrrp = name(node, context),
            "checker_process_name" => names.checker = name(node, context),
            "bfd_process_name" => names.bfd = name(node, context),
            "max_auto_priority" => {
                processes.auto_priority = match node.int(0) {
                    None => AutoPriority::UpTo(99),
                    Some(0) => AutoPriority::Off,
                    Some(priority) => u8::try_from(priority).map_or(AutoPriority::Never, AutoPriority::UpTo),
                };
            }
            "min_auto_priority_delay" => {
                processes.auto_priority_delay = node
                    .number(0)
                    .map_or(processes.auto_priority_delay, |micros| AutoPriorityDelay(from_micros(micros)));
            }
            _ => return self.scheduling(node, context),
        }
        true
    }

    /// `vrrp_priority`, `checker_no_swap` and so on.
    fn scheduling(&mut self, node: &Node, context: &mut Context) -> bool {
        let processes = &mut self.model.processes;
        let Some((process, setting)) = node.keyword.name.split_once('_') else { return false };
        let process = match process {
            "vrrp" => &mut processes.vrrp,
            "checker" => &mut processes.checker,
            "bfd" => &mut processes.bfd,
            _ => return false,
        };
        match setting {
            "priority" => process.nice = node.number::<i8>(0).map(ApplicationPriority),
            "rt_priority" => process.realtime = realtime(node, context),
            "rlimit_rttime" => {
                // Half of it is a warning of the kernel, and there is no half of 1.
                process.rttime_limit =
                    node.number(0).map(|micros: u32| from_micros(micros.max(2))).or(process.rttime_limit);
            }
            "no_swap" => process.no_swap = true,
            "cpu_affinity" => process.cpu_affinity = affinity(node, context).unwrap_or_default(),
            _ => return false,
        }
        true
    }
}

fn from_micros(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

/// The name of a process, cut to what the kernel keeps.
fn name(node: &Node, context: &mut Context) -> Option<Name> {
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

fn realtime(node: &Node, context: &mut Context) -> Option<u8> {
    let written = node.int(0)?;
    let used = written.clamp(1, 99);
    if used != written {
        instead(node, "from 1 to 99", used, context);
    }
    u8::try_from(used).ok()
}

/// The CPUs; none at all when this machine lacks one of them.
fn affinity(node: &Node, context: &mut Context) -> Option<Vec<u32>> {
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
