//! Files that a configuration names: read only if they are regular ones, and only up to a size, so that a directory, a
//! FIFO or a device neither hangs the daemon nor fills its memory.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::errno::Errno;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The system refused.
    #[error("cannot be read: {}", in_words(.0))]
    Io(#[from] std::io::Error),
    /// It is no regular file, but this.
    #[error("is {0}, not a file")]
    NoFile(&'static str),
    /// It has more bytes than this.
    #[error("is larger than {}", size(*.0))]
    TooLarge(u64),
}

/// What the system said, without the number that Rust adds.
fn in_words(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().into())
}

/// A size for people.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes < MIB { format!("{bytes} bytes") } else { format!("{} MiB", bytes / MIB) }
}

/// A regular file, open for reading.
#[derive(Debug)]
pub(crate) struct RegularFile {
    file: File,
    mode: u32,
    size: u64,
}

impl RegularFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Unreadable> {
        // Asked first: to open a FIFO would wait for somebody to write into it.
        let about = std::fs::metadata(path)?;
        if about.is_dir() {
            return Err(Unreadable::NoFile("a directory"));
        }
        if !about.is_file() {
            return Err(Unreadable::NoFile("a device, a FIFO or a socket"));
        }
        Ok(Self { file: File::open(path)?, mode: about.permissions().mode(), size: about.len() })
    }

    /// Who may do what with it, as `chmod` has it.
    pub(crate) fn mode(&self) -> u32 {
        self.mode
    }

    /// All of it, if that is no more than so many bytes.
    pub(crate) fn read(self, most: u64) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::with_capacity(self.size.min(most) as usize);
        // A file may grow, and those of /proc say that they are empty.
        self.file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(Unreadable::TooLarge(most));
        }
        Ok(bytes)
    }
}
