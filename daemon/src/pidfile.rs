//! Pid files, as keepalived keeps them: created and locked at the start (the lock, not the file, says that a daemon
//! runs: a stale file does no harm), rewritten when the process changes, removed at the end.
//! In: a path. Out: a held [`PidFile`], or that another daemon holds it.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use keepwatch_bus::own_file;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::terminal::plain;

/// Everybody may know which process it is.
const MODE: u32 = 0o644;

/// Why a pid file can't be had.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// Another process holds it.
    #[error("daemon is already running: another process has the pid file {} locked", .0.display())]
    AlreadyRunning(PathBuf),
    /// The file can't be made or locked.
    #[error("the pid file {} can't be used: {}", path.display(), plain(error))]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A pid file that this process holds; dropping it removes the file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Creates (or takes over, if stale) and locks the file; it stays empty until [`PidFile::write`].
    ///
    /// # Errors
    /// [`PidFileError::AlreadyRunning`] if another process holds the lock; otherwise what the system said.
    pub fn take(path: &Path) -> Result<Self, PidFileError> {
        let failed = |error: io::Error| PidFileError::Io { path: path.to_path_buf(), error };
        own_file::directory_for(path).map_err(failed)?;
        loop {
            let file = own_file::hold(path, MODE).map_err(failed)?;
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
                Ok(_) => {}
                Err(Errno::EAGAIN | Errno::EACCES) => {
                    return Err(PidFileError::AlreadyRunning(path.to_path_buf()));
                }
                Err(errno) => return Err(failed(errno.into())),
            }
            // Its last holder may have removed it between our open and our lock: then this is nobody's file.
            if same_file(&file, path) {
                file.set_len(0).map_err(failed)?;
                return Ok(Self { path: path.to_path_buf(), file });
            }
        }
    }

    /// Writes `pid` into it.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&mut self, pid: u32) -> Result<(), PidFileError> {
        let written = (|| {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(format!("{pid}\n").as_bytes())
        })();
        written.map_err(|error| PidFileError::Io { path: self.path.clone(), error })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have put a file of their own in its place: that one is not ours to remove.
        if same_file(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(there)) => held.dev() == there.dev() && held.ino() == there.ino(),
        _ => false,
    }
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_and_the_file_goes_with_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/d.pid");
        let mut first = PidFile::take(&path).unwrap();
        first.write(123_456).unwrap();
        first.write(42).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "42\n");
        assert!(matches!(PidFile::take(&path), Err(PidFileError::AlreadyRunning(_))));
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_file_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.pid");
        std::fs::write(&path, "99999\n").unwrap();
        let mut held = PidFile::take(&path).unwrap();
        held.write(7).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "7\n");
    }

    #[test]
    fn a_file_that_replaced_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.pid");
        let held = PidFile::take(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "8\n").unwrap();
        drop(held);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "8\n");
    }
}
