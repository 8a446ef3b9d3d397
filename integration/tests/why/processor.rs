//! A processor that somebody else needs for himself.

use std::fs;
use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use integration::{keepwatchd::Keepwatchd, process::tree};
use keepwatch_net::sched::{self, RealtimePriority};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Holds all threads of a daemon to one processor, which a thread in real time takes for so long.
pub(crate) fn take(daemon: &Keepwatchd, span: Duration) -> Result<()> {
    let all = sched_getaffinity(Pid::from_raw(0)).context("which processors there are")?;
    let number = (0..CpuSet::count()).find(|number| all.is_set(*number).unwrap_or(false));
    let number = number.context("a processor")?;
    let mut one = CpuSet::new();
    one.set(number)?;
    let threads = threads(daemon.process().pid());
    // Some may end meanwhile.
    let hold = |to: &CpuSet| threads.iter().filter(|thread| sched_setaffinity(**thread, to).is_ok()).count();
    anyhow::ensure!(hold(&one) > 0, "no thread of {} could be held", daemon.process().pid());
    let taken = thread::spawn(move || {
        sched::set_affinity(&[number])?;
        sched::set_realtime(RealtimePriority(50))?;
        let begun = Instant::now();
        while begun.elapsed() < span {
            spin_loop();
        }
        keepwatch_net::Result::Ok(())
    });
    let taken = taken.join().map_err(|_| anyhow!("a panic"));
    hold(&all);
    taken?.context("take a processor in real time")
}

/// Those of a process and of all below it.
fn threads(root: Pid) -> Vec<Pid> {
    let processes = tree::below(root).into_iter().chain([root]);
    let tasks =
        processes.filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).map(Pid::from_raw).collect()
}
