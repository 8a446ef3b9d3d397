//! A thread of their own for checkers and IPVS, where the configuration says how those are scheduled or called
//! (`checker_priority`, `checker_rt_priority`, `checker_cpu_affinity`, `checker_process_name`, …). Otherwise they run on
//! the ordinary runtime, as everything does that is not as urgent as an advert.

use std::io;

use keepwatch_config::model::{ProcessScheduling, Processes};
use keepwatch_vrrp::runner::priority;
use tokio::runtime::{Builder, Runtime};

/// What the thread is called unless the configuration says it.
const CALLED: &str = "checkers";

/// The runtime; what is spawned while it is entered runs there.
pub(super) struct OwnThreads(Option<Runtime>);

impl OwnThreads {
    /// Starts it; none if the configuration does not ask for it.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(processes: &Processes) -> io::Result<Option<Self>> {
        let (scheduling, name) = (scheduling(processes), &processes.names.checker);
        if processes.checker == ProcessScheduling::default() && name.is_none() {
            return Ok(None);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name.as_deref().unwrap_or(CALLED))
            // Those for calls that block are scheduled as well: the kernel's table is written there.
            .on_thread_start(move || priority::apply_plain(&scheduling))
            .enable_all()
            .build()?;
        Ok(Some(Self(Some(runtime))))
    }

    /// Has what is spawned next run there.
    pub(super) fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }
}

impl Drop for OwnThreads {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which nobody may do on another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The limit of running in real time is one of the whole process: what VRRP may do is not cut short by it.
fn scheduling(processes: &Processes) -> ProcessScheduling {
    let mut checker = processes.checker.clone();
    let vrrp = processes.urgent(&processes.vrrp);
    if vrrp.realtime.is_some() {
        checker.rttime_limit = checker.rttime_limit.max(vrrp.rttime_limit);
    }
    checker
}
