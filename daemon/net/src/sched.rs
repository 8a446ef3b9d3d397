//! What a thread asks of the scheduler: real-time priority, short slices, a set of CPUs, memory that stays.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::unistd::Pid;

use crate::error::{Error, Result};

/// Tells whether processors have nothing to do: as proc(5) says of `/proc/loadavg`, how many threads of the whole system
/// run or want to.
#[derive(Debug)]
pub struct Idleness {
    load: File,
    processors: usize,
}

impl Idleness {
    /// Opens what the kernel says; none where there is no `/proc`.
    #[must_use]
    pub fn open() -> Option<Self> {
        let processors = std::thread::available_parallelism().ok()?.get();
        Some(Self { load: File::open("/proc/loadavg").ok()?, processors })
    }

    /// Whether the caller may run on more than one processor.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.processors > 1
    }

    /// Whether a processor is idle besides the one that the caller runs on. No when it cannot be told.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let mut text = [0; 64];
        let Ok(length) = self.load.read_at(&mut text, 0) else { return false };
        let text = std::str::from_utf8(&text[..length]).unwrap_or_default();
        running(text).is_some_and(|running| running < self.processors)
    }
}

/// The threads that run or want to, out of `0.20 0.18 0.12 1/80 11206`.
fn running(load: &str) -> Option<usize> {
    load.split(' ').nth(3)?.split('/').next()?.parse().ok()
}

/// A round-robin real-time priority, within 1..=99.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimePriority(pub u8);

/// Whether the calling thread runs under a real-time policy. No when it cannot be told.
#[must_use]
pub fn is_realtime() -> bool {
    // SAFETY: takes no pointer; pid 0 is the calling thread.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    // The kernel adds the flag to the policy.
    let without = policy & !libc::c_long::from(libc::SCHED_RESET_ON_FORK);
    policy >= 0 && [libc::SCHED_RR, libc::SCHED_FIFO].into_iter().any(|found| without == found.into())
}

/// Puts the calling thread under SCHED_RR. Threads and processes that it starts do not inherit it.
///
/// # Errors
/// Without CAP_SYS_NICE, or when the priority is out of range.
pub fn set_realtime(priority: RealtimePriority) -> Result<()> {
    // The kernel's `sched_param`, and the system call itself: musl's structure is another, and its function does nothing.
    let parameter = [libc::c_int::from(priority.0)];
    // SAFETY: the kernel only reads the one number that `parameter` has; pid 0 is the calling thread.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_RR | libc::SCHED_RESET_ON_FORK,
            parameter.as_ptr(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::system("set real-time priority", priority.0, io::Error::last_os_error()))
    }
}

/// Asks for short slices under the ordinary scheduler (since Linux 6.12): the same share of the CPU, in smaller
/// pieces, so that the thread runs soon after it wakes even when every CPU is busy. Needs no privilege.
///
/// # Errors
/// When the kernel does not know the request; nothing is lost then.
pub fn set_short_slice(slice: Duration) -> Result<()> {
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
        util_min: u32,
        util_max: u32,
    }
    let mut attributes = Attributes { size: size_of::<Attributes>() as u32, ..Attributes::default() };
    // SAFETY: `attributes` is a valid, writable structure of the size that it is said to have; pid 0 is this thread.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, attributes.size, 0) };
    if got == 0 && attributes.policy == libc::SCHED_OTHER as u32 {
        attributes.runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: as above; the kernel only reads it.
        let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        if set == 0 {
            return Ok(());
        }
    } else if got == 0 {
        // Real-time already: better than what was asked for.
        return Ok(());
    }
    Err(Error::system("set the time slice to", format!("{slice:?}"), io::Error::last_os_error()))
}

/// Sets the nice value of the calling thread, -20 to 19.
///
/// # Errors
/// Below the present value without CAP_SYS_NICE.
pub fn set_nice(nice: i8) -> Result<()> {
    // SAFETY: no pointer is involved; 0 is the calling thread.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::system("set the nice value", nice, io::Error::last_os_error()))
    }
}

/// Limits how long a real-time thread of this process may run without waiting; the kernel ends the process beyond.
///
/// # Errors
/// Above the hard limit without CAP_SYS_RESOURCE.
pub fn limit_realtime_run(limit: Duration) -> Result<()> {
    let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
    let limits = libc::rlimit { rlim_cur: micros, rlim_max: micros };
    // SAFETY: `limits` is a valid structure that the kernel only reads.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_RTTIME, &raw const limits) };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::system("limit real-time running to", format!("{limit:?}"), io::Error::last_os_error()))
    }
}

/// Binds the calling thread to the given CPUs.
///
/// # Errors
/// When none of them is there, or a number is beyond what the kernel counts.
pub fn set_affinity(cpus: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    let result = cpus
        .iter()
        .try_for_each(|cpu| set.set(*cpu))
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    result.map_err(|e| Error::system("bind to CPUs", format!("{cpus:?}"), e))
}

/// Keeps every page of the process in memory, now and later.
///
/// # Errors
/// Beyond RLIMIT_MEMLOCK without CAP_IPC_LOCK.
pub fn lock_memory() -> Result<()> {
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|e| Error::system("lock", "memory", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_that_run_are_read_from_the_load() {
        assert_eq!(running("0.20 0.18 0.12 1/80 11206\n"), Some(1));
        assert_eq!(running("8.00 4.00 2.00 13/80 11206\n"), Some(13));
        assert_eq!(running(""), None);
        assert_eq!(running("0.20 0.18 0.12"), None);
    }
}
