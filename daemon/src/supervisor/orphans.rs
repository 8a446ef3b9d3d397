//! The scripts of a worker that died. In: a worker's end. Out: they are asked to end.
//!
//! A script asks the kernel to be ended with its parent, which the kernel takes back where a program gets rights that who
//! starts it has not (`PR_SET_PDEATHSIG` of prctl(2)): any script of root is such a one, since a worker keeps only the
//! rights that it needs itself. So the supervisor is parent to what workers leave. Of that, running scripts lead a group
//! of their own in our session. Services that scripts have started do not: daemons have a session of their own, and what is
//! merely in the background is in the group of its script.

use std::fs;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid, getsid};

use super::Supervisor;
use super::worker::Worker;
use crate::logging::Severity;

/// From now on whoever loses its parent below us gets us instead. Where that can't be, scripts may outlive a worker.
pub(super) fn adopt() {
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Takes note of the end of every child but this worker.
pub(super) fn bury(worker: Option<&Worker>) {
    let worker = worker.and_then(|worker| i32::try_from(worker.pid()).ok()).map(Pid::from_raw);
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    // The first that is found may be the worker, which others look after; then the rest has its turn after that.
    while let Ok(WaitStatus::Exited(child, _) | WaitStatus::Signaled(child, _, _)) =
        waitid(Id::All, look | WaitPidFlag::WNOWAIT)
    {
        if Some(child) == worker || waitid(Id::Pid(child), look).is_err() {
            break;
        }
    }
}

impl Supervisor<'_> {
    /// Asks the scripts of a worker that is no more to end, as the kernel would have.
    pub(super) fn end_scripts(&mut self) {
        let ended = scripts().filter(|script| killpg(*script, Signal::SIGTERM).is_ok()).count();
        if ended > 0 {
            let what = if ended == 1 { "a script".to_owned() } else { format!("{ended} scripts") };
            self.log.now(Severity::Info, format!("The worker has left {what} running: asked to end"));
        }
    }
}

/// Our children that lead a group in our session.
fn scripts() -> impl Iterator<Item = Pid> {
    let (own, session) = (getpid(), getsid(None).ok());
    children(own).into_iter().filter(move |child| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // Behind the name, which may have anything in it: state, parent, group, session (proc(5)).
        let mut words = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').skip(1);
        let mut number = || words.next().and_then(|word| word.parse().ok()).map(Pid::from_raw);
        (number(), number(), number()) == (Some(own), Some(*child), session)
    })
}

/// All children of a process without threads; where the kernel has no list of them, all that there is.
fn children(of: Pid) -> Vec<Pid> {
    let number = |word: &str| word.parse().ok().map(Pid::from_raw);
    match fs::read_to_string(format!("/proc/{of}/task/{of}/children")) {
        Ok(list) => list.split_whitespace().filter_map(number).collect(),
        Err(_) => {
            let all = fs::read_dir("/proc").into_iter().flatten().flatten();
            all.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
        }
    }
}
