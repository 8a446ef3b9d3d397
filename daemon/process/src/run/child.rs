//! From a prepared command to a process: the moment between clone and exec, and the system calls about processes that no
//! library has.
//!
//! The new process shares the memory of this one until it executes its program, and the thread that starts it waits for
//! that (vfork(2)). So it costs the same however large this process is, where a fork copies its page tables. What is done
//! in between is therefore done by system calls alone, on what was prepared before.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int, c_long, c_uint, c_void};
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::{Gid, Pid, Uid};

use super::dumpable;
use crate::identity::Identity;
use crate::limits;

/// The number of signals, and the octets of a set of them, as the kernel counts (rt_sigaction(2)).
const LAST_SIGNAL: c_int = 64;
const SIGNAL_SET: libc::size_t = 8;
/// What the few calls between clone and exec need, and some: with this, a frame of 1 KiB each would do.
const STACK: usize = 32 * 1024;
/// The exit status of a process that did not come to its program; nobody sees it.
const FAILED: c_int = 127;

/// Where users have numbers of 16 bits in the system calls of the old names, the ones of the new names are meant.
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
mod number {
    pub(super) use libc::{
        SYS_setgroups32 as SETGROUPS, SYS_setresgid32 as SETRESGID, SYS_setresuid32 as SETRESUID,
    };
}
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
mod number {
    pub(super) use libc::{
        SYS_setgroups as SETGROUPS, SYS_setresgid as SETRESGID, SYS_setresuid as SETRESUID,
    };
}

/// What a new process becomes before it executes its program: numbers alone.
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

    /// A change of the group alone counts as well (prctl(2), PR_SET_DUMPABLE).
    fn changes_identity(&self) -> bool {
        let differs = |uid: Uid, gid: Gid| uid != nix::unistd::geteuid() || gid != nix::unistd::getegid();
        self.identity.as_ref().is_some_and(|(uid, gid, _)| differs(*uid, *gid))
    }
}

/// A process of ours, which is to be collected.
#[derive(Debug)]
pub(super) struct Child {
    /// Its number, and that of its process group.
    pub(super) pid: Pid,
    /// Becomes readable when it has ended (pidfd_open(2), since Linux 5.3).
    pub(super) pidfd: OwnedFd,
}

impl Child {
    /// Waits for its end, and takes what is left of it away.
    pub(super) fn collect(&self) -> io::Result<ExitStatus> {
        collect(self.pid)
    }
}

fn collect(pid: Pid) -> io::Result<ExitStatus> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is there to be written.
        if unsafe { libc::waitpid(pid.as_raw(), &raw mut status, libc::__WALL) } >= 0 {
            return Ok(ExitStatus::from_raw(status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// All that the new process needs, prepared: pointers into what the caller holds until it runs its program.
struct Prepared<'a> {
    program: *const c_char,
    argv: *const *const c_char,
    environment: *const *const c_char,
    /// Become 0, 1 and 2; none is one of these.
    descriptors: [RawFd; 3],
    setting: &'a Setting,
    /// Why it did not come to its program.
    errno: AtomicI32,
}

/// Starts a program, which finds `descriptors` as its input, output and errors and no other ones. When this returns, it
/// runs.
///
/// # Errors
/// When the kernel gives no process, refuses a user or does not execute the file.
pub(super) fn start(
    program: &Path,
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    descriptors: [BorrowedFd<'_>; 3],
    setting: &Setting,
) -> io::Result<Child> {
    let program = c_string(program.as_os_str())?;
    let argv = argv.iter().map(|word| c_string(word)).collect::<io::Result<Vec<_>>>()?;
    let variables = environment.iter().map(variable).collect::<io::Result<Vec<_>>>()?;
    // A descriptor that stands where another is to go would be lost to it.
    let mut aside: Vec<OwnedFd> = Vec::new();
    let mut numbers = [0; 3];
    for (number, descriptor) in numbers.iter_mut().zip(descriptors) {
        *number = descriptor.as_raw_fd();
        if *number < 3 {
            *number = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(3))?;
            // SAFETY: just made, checked by `fcntl`, and nobody else's.
            aside.push(unsafe { OwnedFd::from_raw_fd(*number) });
        }
    }
    let (argv, variables) = (pointers(&argv), pointers(&variables));
    let prepared = Prepared {
        program: program.as_ptr(),
        argv: argv.as_ptr(),
        environment: variables.as_ptr(),
        descriptors: numbers,
        setting,
        errno: AtomicI32::new(0),
    };
    let guard = setting.changes_identity().then(dumpable::Guard::new);
    let child = clone(&prepared);
    drop(guard);
    let child = child?;
    match prepared.errno.load(Ordering::Relaxed) {
        0 => Ok(child),
        errno => {
            // Nothing else is to be learned of it.
            let _ = child.collect();
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    // No system call can say what has a zero in it.
    CString::new(text.as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn variable((name, value): &(OsString, OsString)) -> io::Result<CString> {
    let mut text = name.clone();
    text.push("=");
    text.push(value);
    CString::new(text.into_vec()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The list as C has it, with its end.
fn pointers(words: &[CString]) -> Vec<*const c_char> {
    words.iter().map(|word| word.as_ptr()).chain([null()]).collect()
}

fn clone(prepared: &Prepared<'_>) -> io::Result<Child> {
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / size_of::<u128>());
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: c_int = -1;
    let (all, mut before) = ([u64::MAX; 1], [0_u64; 1]);
    // SAFETY: every signal is blocked meanwhile, for a handler of ours must not run in the new process, on our memory; by
    // the system call itself, since the library leaves its own signals out. The stack is as long as it says, aligned, and
    // outlives the new process's use of it, as does `prepared`: this thread goes on only when the program runs or the
    // process has ended (CLONE_VFORK). Reading `before` and writing `pidfd` are what these calls do.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            all.as_ptr(),
            before.as_mut_ptr(),
            SIGNAL_SET,
        );
        let top = stack.as_mut_ptr().add(stack.capacity()).cast::<c_void>();
        let argument = std::ptr::from_ref(prepared).cast_mut().cast::<c_void>();
        let pid = libc::clone(become_it, top, flags, argument, &raw mut pidfd);
        let error = io::Error::last_os_error();
        let none = null_mut::<c_void>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, before.as_ptr(), none, SIGNAL_SET);
        if pid < 0 {
            return Err(error);
        }
        pid
    };
    let pid = Pid::from_raw(pid);
    if pidfd < 0 {
        // A kernel before Linux 5.2 does not know the flag, and makes a process all the same; nobody could wait for it.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        let _ = collect(pid);
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    // SAFETY: the kernel has made it (CLONE_PIDFD), and nobody else has it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

/// What the new process does. It must not allocate, lock or panic, for all that is its parent's too.
extern "C" fn become_it(argument: *mut c_void) -> c_int {
    // SAFETY: `clone` passed a `Prepared` that lives until this process is another program or has ended. `execve` gets
    // strings and lists with their ends.
    unsafe {
        let prepared = &*argument.cast::<Prepared<'_>>();
        let mut errno = prepared.setting.apply(prepared.descriptors);
        if errno == 0 {
            libc::execve(prepared.program, prepared.argv, prepared.environment);
            errno = *libc::__errno_location();
        }
        prepared.errno.store(errno, Ordering::Relaxed);
        libc::_exit(FAILED)
    }
}

impl Setting {
    /// Makes the calling process this, and says with which number it failed; 0 if it did not.
    ///
    /// # Safety
    /// To be called by a process that is about to execute a program, and shares no descriptors, signals or identity with
    /// any other.
    unsafe fn apply(&self, descriptors: [RawFd; 3]) -> c_int {
        // SAFETY: each call gets numbers, or pointers to values that live during the call. None of them takes a lock or
        // allocates. Users and groups are changed by the system calls themselves: the library would have every thread
        // follow, which are our parent's.
        unsafe {
            match self.parent {
                Some(_) => libc::setpgid(0, 0),
                None => libc::setsid(),
            };
            // Real-time priority and niceness are for who sends adverts. Failing, it was nothing to give up.
            let ordinary = [0 as c_int];
            libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_OTHER, ordinary.as_ptr());
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            libc::umask(self.umask);
            if let Some(files) = &self.files {
                libc::setrlimit(libc::RLIMIT_NOFILE, files);
            }
            for (target, descriptor) in (0..).zip(descriptors) {
                if libc::dup2(descriptor, target) < 0 {
                    return *libc::__errno_location();
                }
            }
            // Nothing of ours is open without this flag; it is for what others left open when they started us. Kernels
            // before Linux 5.11 do not know it.
            libc::syscall(libc::SYS_close_range, 3, c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            if let Some((uid, gid, groups)) = &self.identity {
                let (uid, gid) = (uid.as_raw(), gid.as_raw());
                if libc::syscall(number::SETGROUPS, groups.len(), groups.as_ptr()) < 0
                    || libc::syscall(number::SETRESGID, gid, gid, gid) < 0
                    || libc::syscall(number::SETRESUID, uid, uid, uid) < 0
                {
                    return *libc::__errno_location();
                }
            }
            if let Some(parent) = self.parent {
                // After the change of user, which takes it back (prctl(2)). It comes when the thread that started it is
                // gone, and that one stays until the command has ended. Executing a program takes it back too, where root has
                // given rights up that it gets again so: then it is for the supervisor, who gets what a worker leaves.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as c_long);
                if libc::getppid() != parent {
                    return libc::ESRCH;
                }
            }
            // Blocked and ignored signals are inherited (signal(7)): what a script starts could then not be stopped.
            // By the system call itself: the library keeps two signals for itself, and whoever started us may ignore them.
            let by_default = [0_u64; 4];
            let mut signal = 1;
            while signal <= LAST_SIGNAL {
                let none = null_mut::<c_void>();
                libc::syscall(libc::SYS_rt_sigaction, signal, by_default.as_ptr(), none, SIGNAL_SET);
                signal += 1;
            }
            let (set, none) = ([0_u64; 1], null_mut::<c_void>());
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, set.as_ptr(), none, SIGNAL_SET);
            0
        }
    }
}
