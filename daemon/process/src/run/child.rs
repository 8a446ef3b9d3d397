//! The moment between fork and exec, and the system calls about processes that no library has.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{Gid, Uid};

use crate::identity::Identity;
use crate::limits;

/// The number of signals, and the octets of a set of them, as the kernel counts (rt_sigaction(2)).
const LAST_SIGNAL: libc::c_int = 64;
const SIGNAL_SET: libc::size_t = 8;

/// What a new process becomes before it executes its program. Only numbers: after a fork in a process with threads
/// nothing may be allocated and no lock taken.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    identity: Option<(Uid, Gid, Vec<libc::gid_t>)>,
    umask: u32,
    files: Option<libc::rlimit>,
    /// Who starts it, to see whether it died meanwhile. `None`: it is to outlive us, in a session of its own.
    parent: Option<libc::pid_t>,
}

impl Setting {
    /// For a command of the configuration.
    pub(super) fn of_command(identity: Option<Identity>, umask: u32) -> Self {
        let numbers =
            |who: Identity| (who.uid, who.gid, who.groups.iter().map(|group| group.as_raw()).collect());
        let parent = Some(nix::unistd::getpid().as_raw());
        Self { identity: identity.map(numbers), umask, files: limits::files(), parent }
    }

    /// For a servant of ours that outlives us.
    pub(super) fn of_survivor() -> Self {
        Self { identity: None, umask: 0o177, files: limits::files(), parent: None }
    }

    /// Makes a command begin like this.
    pub(super) fn apply_to(self, command: &mut Command) {
        // SAFETY: `become_it` only makes system calls and reads what it owns.
        unsafe { command.pre_exec(move || self.become_it()) };
    }

    fn become_it(&self) -> io::Result<()> {
        // SAFETY: each call gets numbers, or pointers to values that live during the call. None of them takes a lock or
        // allocates: this process has one thread, the copy of the one that forked.
        unsafe {
            match self.parent {
                Some(_) => libc::setpgid(0, 0),
                None => libc::setsid(),
            };
            // Real-time priority and niceness are for who sends adverts. Failing, it was nothing to give up.
            let ordinary = libc::sched_param { sched_priority: 0 };
            libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary);
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            libc::umask(self.umask);
            if let Some(files) = &self.files {
                libc::setrlimit(libc::RLIMIT_NOFILE, files);
            }
            // All but the three; the one over which the failure of exec is told closes by itself.
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            if let Some((uid, gid, groups)) = &self.identity {
                succeeded(libc::setgroups(groups.len(), groups.as_ptr()))?;
                succeeded(libc::setresgid(gid.as_raw(), gid.as_raw(), gid.as_raw()))?;
                succeeded(libc::setresuid(uid.as_raw(), uid.as_raw(), uid.as_raw()))?;
            }
            if let Some(parent) = self.parent {
                // After the change of user, which takes it back (prctl(2)). It comes when the thread that started it is
                // gone, and that one stays until the command has ended.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                if libc::getppid() != parent {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
            }
            // Blocked and ignored signals are inherited (signal(7)): what a script starts could then not be stopped.
            // By the system call itself: the library keeps two signals for itself, and whoever started us may ignore them.
            let by_default = [0_u64; 4];
            for signal in 1..=LAST_SIGNAL {
                let none = std::ptr::null_mut::<libc::c_void>();
                libc::syscall(libc::SYS_rt_sigaction, signal, by_default.as_ptr(), none, SIGNAL_SET);
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            succeeded(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()))
        }
    }
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor that becomes readable when this child has ended (pidfd_open(2), since Linux 5.3).
pub(super) fn pidfd(child: u32) -> io::Result<OwnedFd> {
    // SAFETY: two numbers in; what comes back is checked, and is a descriptor that nobody else has.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, child, 0);
        match i32::try_from(fd) {
            Ok(fd) if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
