//! Between fork and exec: into the host's network namespace, out of everybody's reach, dead when the parent is.
#![allow(unsafe_code)] // `pre_exec` runs in the forked child: only system calls there, nothing allocates or locks.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::{Path, PathBuf},
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

/// What only the process itself sees mounted: a directory over /tmp, with the lab's directory visible through it, small
/// file systems in memory, and files over others.
pub(crate) struct Mounts {
    tmp: Option<PrivateTmp>,
    small: Vec<(CString, CString)>,
    over: Vec<(CString, CString)>,
}

struct PrivateTmp {
    tmp: CString,
    lab: Option<(CString, CString)>,
}

fn c(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

impl Mounts {
    /// Makes the directories to mount on; `small` are directories and the bytes that fit into them, `over` files with
    /// those that they are shown in place of.
    pub(crate) fn prepare(
        host: &Host,
        private_tmp: bool,
        small: &[(PathBuf, u64)],
        over: &[(PathBuf, PathBuf)],
    ) -> Result<Self> {
        let tmp = private_tmp.then(|| PrivateTmp::prepare(host)).transpose()?;
        let small = small
            .iter()
            .map(|(path, bytes)| {
                fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
                Ok((c(path)?, CString::new(format!("size={bytes},mode=755"))?))
            })
            .collect::<Result<_>>()?;
        let over = over.iter().map(|(shown, hidden)| Ok((c(shown)?, c(hidden)?))).collect::<Result<_>>()?;
        Ok(Self { tmp, small, over })
    }

    /// In the child: system calls only.
    fn mount(&self) -> nix::Result<()> {
        if self.tmp.is_none() && self.small.is_empty() && self.over.is_empty() {
            return Ok(());
        }
        let none: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        for (shown, hidden) in &self.over {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(shown.as_c_str()), hidden.as_c_str(), none, flags, none)?;
        }
        for (path, options) in &self.small {
            mount(Some("tmpfs"), path.as_c_str(), Some("tmpfs"), MsFlags::empty(), Some(options.as_c_str()))?;
        }
        if let Some(tmp) = &self.tmp {
            if let Some((lab, at)) = &tmp.lab {
                mount(Some(lab.as_c_str()), at.as_c_str(), none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
            }
            mount(Some(tmp.tmp.as_c_str()), "/tmp", none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
        }
        Ok(())
    }
}

impl PrivateTmp {
    fn prepare(host: &Host) -> Result<Self> {
        let lab = host.lab_directory();
        let tmp = host.directory().join("tmp");
        // Under /tmp the mount would hide the lab's directory, so that is bound into the private one.
        let hidden = lab.strip_prefix("/tmp").ok().map(|rest| tmp.join(rest));
        fs::create_dir_all(hidden.as_ref().unwrap_or(&tmp)).context("make a private /tmp")?;
        Ok(Self { tmp: c(&tmp)?, lab: hidden.map(|at| anyhow::Ok((c(lab)?, c(&at)?))).transpose()? })
    }
}

/// Starts `command` in `namespace`, leader of its own process group, with `inherit` as descriptors 3, 4, ….
pub(crate) fn spawn(
    mut command: Command,
    namespace: &OwnedFd,
    mounts: Mounts,
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
        mounts.mount()?;
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
