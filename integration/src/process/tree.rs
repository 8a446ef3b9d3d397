//! Who descends from whom, and what a process costs, from /proc.

use std::{collections::HashMap, fs, time::Duration};

use nix::unistd::{Pid, SysconfVar, sysconf};

/// The fields of /proc/PID/stat after the command name: state, parent, …
fn stat(pid: Pid) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// All processes below `root`, children before grandchildren.
pub fn below(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Some(parent) = stat(Pid::from_raw(pid)).and_then(|f| f.get(1)?.parse::<i32>().ok()) else {
            continue;
        };
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut at = vec![root.as_raw()];
    while let Some(parent) = at.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(Pid::from_raw(child));
            at.push(child);
        }
    }
    found
}

/// What a process and all below it have used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Processor time, user and system together.
    pub cpu: Duration,
    /// How much of that was the kernel's, on their behalf.
    pub kernel: Duration,
    /// Proportional set size in KiB.
    pub pss_kib: u64,
}

/// The processor time that a process and all below it have used so far, with that of their children that have ended.
pub fn cost_with_children(root: Pid) -> Duration {
    let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().map_or(100.0, |t| t as f64);
    let of = |pid: Pid| -> f64 {
        let fields = stat(pid).unwrap_or_default();
        (11..=14).filter_map(|i: usize| fields.get(i)?.parse::<f64>().ok()).sum()
    };
    Duration::from_secs_f64(below(root).into_iter().chain([root]).map(of).sum::<f64>() / tick)
}

/// What a process and all below it have used so far.
pub fn cost(root: Pid) -> Cost {
    let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().map_or(100.0, |t| t as f64);
    let mut total = Cost::default();
    for pid in below(root).into_iter().chain([root]) {
        let Some(fields) = stat(pid) else { continue };
        let time = |at: usize| {
            let ticks = fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
            Duration::from_secs_f64(ticks / tick)
        };
        total.cpu += time(11) + time(12);
        total.kernel += time(12);
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        total.pss_kib += rollup
            .lines()
            .filter_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .sum::<u64>();
    }
    total
}
