//! The configuration in force, for the worker that takes over from one that died: its file may have been changed since, be
//! half written, or be gone, and what runs on this host is what the worker before had taken into use. In: the texts of a
//! configuration that is taken into use. Out: the same texts, in the next worker.
//!
//! They stand in memory that belongs to no process alone (memfd_create(2)): the supervisor makes it and hands it on, and knows
//! nothing of what is in it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// The length of what follows, in bytes, as the machine has it. It is written last: 0 while the rest is.
const LENGTH: usize = size_of::<u64>();

/// See the module.
#[derive(Debug)]
pub struct Kept(File);

impl Kept {
    /// Room for one, which programs that are started inherit.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn make() -> io::Result<Self> {
        Ok(Self(memfd_create(c"keepwatch-configuration", MFdFlags::empty())?.into()))
    }

    /// What another process has made.
    pub fn of(handed_on: OwnedFd) -> Self {
        Self(handed_on.into())
    }

    /// The descriptor to hand on.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Keeps these texts, and forgets those that were kept. A worker that dies meanwhile leaves nothing.
    ///
    /// # Errors
    /// When there is no memory for them: nothing is kept then.
    pub fn keep(&self, texts: &[u8]) -> io::Result<()> {
        self.forget()?;
        self.0.write_all_at(texts, LENGTH as u64)?;
        self.0.write_all_at(&(texts.len() as u64).to_ne_bytes(), 0)
    }

    /// Forgets what was kept.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn forget(&self) -> io::Result<()> {
        self.0.set_len(0)
    }

    /// The texts; none if none are kept.
    pub fn texts(&self) -> Option<Vec<u8>> {
        let mut length = [0; LENGTH];
        self.0.read_exact_at(&mut length, 0).ok()?;
        let there = self.0.metadata().ok()?.len().checked_sub(LENGTH as u64)?;
        let length = u64::from_ne_bytes(length);
        if length == 0 || length != there {
            return None;
        }
        let mut texts = vec![0; usize::try_from(length).ok()?];
        self.0.read_exact_at(&mut texts, LENGTH as u64).ok()?;
        Some(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_whole_or_not_at_all() {
        let kept = Kept::make().unwrap();
        assert_eq!(kept.texts(), None);
        kept.keep(b"one that is long").unwrap();
        kept.keep(b"another").unwrap();
        let next = Kept::of(kept.file().try_clone().unwrap().into());
        assert_eq!(next.texts().as_deref(), Some(b"another".as_slice()));
        // As a worker leaves it that dies while it writes.
        kept.forget().unwrap();
        kept.file().write_all_at(b"half of wha", LENGTH as u64).unwrap();
        assert_eq!(next.texts(), None);
        kept.keep(b"third").unwrap();
        assert_eq!(next.texts().as_deref(), Some(b"third".as_slice()));
    }
}
