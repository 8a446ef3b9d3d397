//! Between fork and exec: into the host's network namespace, out of everybody's reach, dead when the parent is.
#![allow(unsafe_code)] // `pre_exec` runs in the forked child: only system calls there, nothing allocates or locks.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context, Result};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::{prctl, signal::Signal},
    unistd::{Pid, getpid, getppid, setpgid},
};

use crate::host::Host;

/// A directory to be mounted over /tmp, and the lab's directory to be seen through it.
pub(crate) struct PrivateTmp {
    tmp: CString,
    lab: Option<(CString, CString)>,
}

impl PrivateTmp {
    pub(crate) fn prepare(host: &Host) -> Result<Self> {
        let lab = host.lab_directory();
        let tmp = host.directory().join("tmp");
        // Under /tmp the mount would hide the lab's directory, so that is bound into the private one.
        let hidden = lab.strip_prefix("/tmp").ok().map(|rest| tmp.join(rest));
        fs::create_dir_all(hidden.as_ref().unwrap_or(&tmp)).context("make a private /tmp")?;
        let c = |path: &Path| CString::new(path.as_os_str().as_bytes());
        Ok(Self { tmp: c(&tmp)?, lab: hidden.map(|at| anyhow::Ok((c(lab)?, c(&at)?))).transpose()? })
    }

    /// In the child: system calls only.
    fn mount(&self) -> nix::Result<()> {
        let none: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        if let Some((lab, at)) = &self.lab {
            mount(Some(lab.as_c_str()), at.as_c_str(), none, MsFlags::MS_BIND, none)?;
        }
        mount(Some(self.tmp.as_c_str()), "/tmp", none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
    }
}

/// Starts `command` in `namespace`, leader of its own process group, with `inherit` as descriptors 3, 4, ….
pub(crate) fn spawn(
    mut command: Command,
    namespace: &OwnedFd,
    private_tmp: Option<PrivateTmp>,
    inherit: Vec<OwnedFd>,
) -> Result<Child> {
    let namespace = namespace.try_clone()?;
    let parent = getpid();
    let enter = move || -> io::Result<()> {
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ECHILD));
        }
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        if let Some(private_tmp) = &private_tmp {
            private_tmp.mount()?;
        }
        for (wanted, socket) in (3..).zip(&inherit) {
            let descriptor = socket.as_raw_fd();
            // SAFETY: dup2 and fcntl on descriptors of this process, which has one thread.
            let done = unsafe {
                if descriptor == wanted {
                    libc::fcntl(wanted, libc::F_SETFD, 0)
                } else {
                    libc::dup2(descriptor, wanted)
                }
            };
            if done < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only, and reads nothing but its own captures.
    unsafe { command.pre_exec(enter) };
    Ok(command.spawn()?)
}
