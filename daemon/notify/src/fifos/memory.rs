//! Which pipes are ours. In: what processes before this one made and did not remove, since they were killed; what this one
//! makes and removes. Out: news of it, for whoever outlives this process.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::pipe::Pipe;

/// A pipe that was made by this daemon, and by which it is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadePipe {
    /// Where it is.
    pub path: PathBuf,
    /// The device of its file system (`st_dev`).
    pub device: u64,
    /// Its number there (`st_ino`).
    pub inode: u64,
}

impl MadePipe {
    /// Whether what has its name is still this very pipe.
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| self.is(&found))
    }

    pub(super) fn is(&self, found: &fs::Metadata) -> bool {
        found.file_type().is_fifo() && (found.dev(), found.ino()) == (self.device, self.inode)
    }

    /// Removes it; false if it was not there any more, or could not be removed.
    pub fn remove(&self) -> bool {
        self.is_there() && fs::remove_file(&self.path).is_ok()
    }
}

/// What becomes of pipes of ours.
#[derive(Debug)]
pub enum PipeNews {
    /// It was made, or taken over from a process that was killed.
    Made(MadePipe),
    /// It was removed, or is somebody else's now.
    Removed(MadePipe),
}

/// Who keeps in mind which pipes are ours, beyond the life of this process.
pub struct Memory {
    /// Those of the processes before this one.
    pub earlier: Vec<MadePipe>,
    /// Is told what becomes of them and of others; never waits.
    pub tell: Box<dyn Fn(PipeNews) + Send + Sync>,
}

impl Memory {
    /// That of a process that had none before it, and that nobody outlives.
    pub fn none() -> Self {
        Self { earlier: Vec::new(), tell: Box::new(|_| ()) }
    }

    /// The one that a process before this one made there.
    pub(super) fn take(&mut self, path: &Path) -> Option<MadePipe> {
        let at = self.earlier.iter().position(|pipe| pipe.path == path)?;
        Some(self.earlier.swap_remove(at))
    }

    /// Tells of one that was made.
    pub(super) fn note(&self, pipe: Option<&Pipe>) {
        if let Some(made) = pipe.and_then(Pipe::made) {
            (self.tell)(PipeNews::Made(made.clone()));
        }
    }

    /// Closes one, which removes it if it is ours.
    pub(super) fn part_with(&self, pipe: Option<Pipe>) {
        let Some(pipe) = pipe else { return };
        let made = pipe.made().cloned();
        drop(pipe);
        if let Some(made) = made {
            (self.tell)(PipeNews::Removed(made));
        }
    }

    /// Removes those of processes before this one that were not taken.
    pub(super) fn remove_the_rest(&mut self) {
        for pipe in std::mem::take(&mut self.earlier) {
            pipe.remove();
            (self.tell)(PipeNews::Removed(pipe));
        }
    }
}
