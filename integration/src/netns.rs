//! Anonymous network namespaces, and the way into them. In: nothing; out: a file descriptor that keeps one alive.

use std::{fs::File, os::fd::OwnedFd, panic::resume_unwind, thread};

use anyhow::{Context, Result};
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::stat::Mode,
    unistd::{getgid, getuid},
};

/// Makes a new, empty network namespace that lives as long as the returned descriptor (and the processes, sockets
/// and interfaces in it). Its loopback interface is still down.
pub fn anonymous() -> Result<OwnedFd> {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace (needs root)")?;
                let own = File::open("/proc/thread-self/ns/net").context("open the new network namespace")?;
                Ok(OwnedFd::from(own))
            })
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Runs `work` on a thread that is inside `namespace`, and returns what it returned. Sockets made by `work` stay in
/// that namespace wherever they are used later.
pub fn inside<T: Send>(namespace: &OwnedFd, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                setns(namespace, CloneFlags::CLONE_NEWNET).context("enter a network namespace")?;
                work()
            })
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Lets an ordinary user work in the lab: moves this process to a user namespace where it is root, with a mount
/// namespace of its own. Does nothing for root. To be called before any thread is started (the kernel refuses
/// otherwise); the process stays in the network namespace it was in.
///
/// # Errors
/// When the kernel does not allow unprivileged user namespaces.
pub fn become_root_in_user_namespace() -> Result<()> {
    let (user, group) = (getuid(), getgid());
    if user.is_root() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).context(
        "make a user namespace: run as root, or allow it (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces)",
    )?;
    std::fs::write("/proc/self/setgroups", "deny").context("deny setgroups")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1")).context("map the user to root")?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1")).context("map the group to root")?;
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    Ok(())
}
