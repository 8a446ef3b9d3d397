//! The scripts of a worker that died. In: our children. Out: they are asked to end.
//!
//! A script asks the kernel to be ended with its parent, which the kernel takes back where a program gets rights that who
//! starts it has not (`PR_SET_PDEATHSIG` of prctl(2)): any script of root is such a one, since a worker keeps only the
//! rights that it needs itself. So the supervisor is parent to what workers leave. Who becomes our child when a worker dies
//! was a child of that worker, and leads a group of its own in our session: a script that runs. Services that scripts have
//! left behind were ours before, or are in the group of their script; one that was left less than a second before the worker
//! died is taken for a script.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpid, getsid};

use super::Supervisor;
use super::worker::Worker;
use crate::logging::Severity;

/// Reads of a list that may change meanwhile.
const READS: usize = 5;
/// While no child ends, how often it is looked who has become one: what a script of a worker that lives leaves behind.
const EVERY: Duration = Duration::from_secs(1);

/// Whom we have got from others.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// Those that were there when it was last looked.
    known: Vec<Pid>,
    /// When it is looked next.
    next: Option<Instant>,
}

impl Orphans {
    /// From now on whoever loses its parent below us gets us instead. Where the kernel does not list children, or does not
    /// know of such, all stays as it is: scripts of root may outlive a worker.
    pub(super) fn adopt() -> Self {
        let known = all_children();
        if known.is_ok() {
            let _ = nix::sys::prctl::set_child_subreaper(true);
        }
        Self { known: known.unwrap_or_default(), next: None }
    }

    /// Takes note of the end of every child but this worker, and of who is there: at once if one has `ended`.
    pub(super) fn look_after(&mut self, ended: bool, worker: Option<&Worker>) {
        let now = Instant::now();
        if !ended && self.next.is_some_and(|next| now < next) {
            return;
        }
        self.next = Some(now + EVERY);
        let worker = worker.and_then(|worker| i32::try_from(worker.pid()).ok()).map(Pid::from_raw);
        // Read once: whom it leaves out has his turn next time.
        self.known = children().unwrap_or_default();
        self.known.retain(|child| Some(*child) != worker);
        for child in &self.known {
            // One that runs is left alone, and what signal one died of does not matter.
            let _ = waitid(Id::Pid(*child), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
        }
    }
}

impl Supervisor<'_> {
    /// Asks the scripts of a worker that is no more to end, with all that they have started and wait for.
    pub(super) fn end_scripts(&mut self) {
        let (own, session) = (getpid(), getsid(None).ok());
        let left = all_children().unwrap_or_default().into_iter().filter(|child| {
            !self.orphans.known.contains(child) && session.is_some_and(|session| leads(*child, own, session))
        });
        let ended = left.filter(|script| killpg(*script, Signal::SIGTERM).is_ok()).count();
        if ended > 0 {
            let what = if ended == 1 { "a script".to_owned() } else { format!("{ended} scripts") };
            self.log.now(Severity::Info, format!("The worker has left {what} running: asked to end"));
        }
    }
}

/// Whether it lives, is a child of this parent, and leads a group of its own in this session.
fn leads(process: Pid, parent: Pid, session: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may have anything in it: state, parent, group, session (proc(5)).
    let mut words = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    let lives = words.next().is_some_and(|state| !["Z", "X"].contains(&state));
    let mut number = || words.next().and_then(|word| word.parse().ok()).map(Pid::from_raw);
    lives && (number(), number(), number()) == (Some(parent), Some(process), Some(session))
}

/// Our children. Some may be left out while others end (proc(5)).
fn children() -> io::Result<Vec<Pid>> {
    let own = getpid();
    let list = fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
    Ok(list.split_whitespace().filter_map(|word| word.parse().ok().map(Pid::from_raw)).collect())
}

/// The same, read until nothing changes.
fn all_children() -> io::Result<Vec<Pid>> {
    let mut last = children()?;
    for _ in 1..READS {
        let again = children()?;
        if again == last {
            break;
        }
        last = again;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_of_a_group_is_told_from_a_member_and_from_one_that_has_ended() {
        use std::os::unix::process::CommandExt;
        use std::process::Command;

        let pid = |child: &std::process::Child| Pid::from_raw(child.id().cast_signed());
        let mut leader = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let mut member = Command::new("sleep").arg("1000").spawn().unwrap();
        let mut ended = Command::new("true").process_group(0).spawn().unwrap();
        // Without being taken note of.
        waitid(Id::Pid(pid(&ended)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        let (own, session) = (getpid(), getsid(None).unwrap());
        let found = [&leader, &member, &ended].map(|child| leads(pid(child), own, session));
        for child in [&mut leader, &mut member, &mut ended] {
            let _ = child.kill();
            child.wait().unwrap();
        }
        assert_eq!(found, [true, false, false]);
    }
}
