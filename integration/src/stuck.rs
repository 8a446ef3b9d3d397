//! A file that nobody can read, as on a disk that hangs: whoever opens it waits. It is a regular file for everybody
//! who only looks at it.
#![allow(unsafe_code)] // nix has no leases.

use std::{
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use nix::errno::Errno;

/// Sets the signal that tells of a lease's end (`<linux/fcntl.h>`).
const F_SETSIG: libc::c_int = 10;

/// Such a file, until it is dropped or the kernel loses patience (45 s: `/proc/sys/fs/lease-break-time`).
pub struct StuckFile {
    path: PathBuf,
    // The lease is this descriptor's: whoever opens the file waits until the holder gives it up.
    _lease: File,
}

impl StuckFile {
    /// Makes an empty one at `path`.
    pub fn new(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("make {}", path.display()))?;
        // Instead of SIGIO, which would end this process, a signal that is ignored.
        // SAFETY: fcntl with a number, on a descriptor that is open.
        Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) })?;
        // SAFETY: likewise.
        Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) })
            .context("take a lease")?;
        Ok(Self { path: path.to_owned(), _lease: file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
