//! One named pipe. In: lines. Out: each of them whole, or lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};

use keepwatch_model::encoding;
use keepwatch_process::NotRun;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, mkfifo};

use super::memory::MadePipe;
use super::settings::PipeSettings;

/// What the kernel writes into a pipe at once or not at all (`PIPE_BUF`, limits.h).
const AT_ONCE: usize = 4096;

/// Why a pipe can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipeError {
    #[error("it can't be made: {}", .0.desc())]
    Make(Errno),
    #[error("it can't be opened: {}", .0.raw_os_error().map_or_else(|| .0.to_string(), |number| Errno::from_raw(number).desc().into()))]
    Open(io::Error),
    #[error("there is something else of this name, which is no FIFO")]
    NoFifo,
    #[error("it is there already, and belongs to user {0}")]
    Foreign(u32),
    #[error("its owner: {0}")]
    Owner(#[from] NotRun),
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It was written.
    Whole,
    /// It was written, after so many that were lost.
    WholeAfter(u64),
    /// It is lost, as others before it.
    Lost,
    /// It is lost: the first one, for this reason.
    LostFirst(String),
}

/// A pipe. It is held open for reading too, so that it can be written before anybody reads it, and whoever reads it and
/// dies takes nothing with him. Dropped, it goes away if this daemon made it.
#[derive(Debug)]
pub(super) struct Pipe {
    file: File,
    /// It was made by this daemon, and goes with it.
    made: Option<MadePipe>,
    lost: u64,
}

impl Pipe {
    /// Makes it, or takes the one that is there if it is ours or its owner's. `earlier`: one that a process before
    /// this one made there. Also gives what is amiss with one that can be used.
    pub(super) fn open(
        settings: &PipeSettings,
        mode: u32,
        earlier: Option<MadePipe>,
    ) -> Result<(Self, Option<String>), PipeError> {
        let owner = keepwatch_process::user_numbers(settings.owner().as_ref())?;
        let path = settings.path.clone();
        let made = match mkfifo(&path, Mode::from_bits_truncate(mode)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(PipeError::Make(error)),
        };
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                if made {
                    // What could not be opened is of no use to anybody.
                    let _ = fs::remove_file(&path);
                }
                return Err(PipeError::Open(error));
            }
        };
        let found = file.metadata().map_err(PipeError::Open)?;
        if !found.file_type().is_fifo() {
            return Err(PipeError::NoFifo);
        }
        let new = || MadePipe { path: path.clone(), device: found.dev(), inode: found.ino() };
        let ours_already = earlier.filter(|pipe| pipe.is(&found));
        let pipe = Self { made: if made { Some(new()) } else { ours_already }, file, lost: 0 };
        let ours = geteuid().as_raw();
        let allowed = found.uid() == ours || owner.is_some_and(|(uid, _)| uid == found.uid());
        if !allowed {
            return Err(PipeError::Foreign(found.uid()));
        }
        let complaint = made.then(|| pipe.hand_over(owner, mode)).and_then(Result::err);
        Ok((pipe, complaint.map(|error| format!("its owner can't be set: {error}"))))
    }

    /// Gives it the mode and owner that it is to have, whatever the daemon's mask is.
    fn hand_over(&self, owner: Option<(u32, u32)>, mode: u32) -> io::Result<()> {
        self.file.set_permissions(fs::Permissions::from_mode(mode))?;
        let ours = (geteuid().as_raw(), getegid().as_raw());
        match owner.filter(|owner| *owner != ours) {
            Some((uid, gid)) => fchown(&self.file, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Writes a line, whole or not at all, without ever waiting.
    pub(super) fn write(&mut self, line: &str) -> Written {
        let bytes = encoding::bytes(line);
        let written = if bytes.len() > AT_ONCE {
            Err(format!("a line of {} bytes can't be written whole", bytes.len()))
        } else {
            self.write_bytes(&bytes).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => "it is full: nobody reads it".to_owned(),
                _ => error.to_string(),
            })
        };
        match written {
            Ok(()) => match std::mem::take(&mut self.lost) {
                0 => Written::Whole,
                lost => Written::WholeAfter(lost),
            },
            Err(error) => {
                self.lost += 1;
                if self.lost == 1 { Written::LostFirst(error) } else { Written::Lost }
            }
        }
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        loop {
            match (&self.file).write(bytes) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// As what the kernel knows it: device and inode.
    pub(super) fn identity(&self) -> io::Result<(u64, u64)> {
        let found = self.file.metadata()?;
        Ok((found.dev(), found.ino()))
    }

    /// As what it was made, if it was made by this daemon.
    pub(super) fn made(&self) -> Option<&MadePipe> {
        self.made.as_ref()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Before it is closed, so that a reader that opens it again at its end does not find it.
        if let Some(made) = &self.made {
            // If it can't be, a pipe is left that nobody writes into.
            made.remove();
        }
    }
}
