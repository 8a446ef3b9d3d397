//! Network namespaces: remembering one, entering one, making one. A namespace belongs to a thread; sockets keep the
//! one they were opened in.

use std::fs::File;
use std::path::Path;

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, Result};

/// A handle to a network namespace; it lives as long as the handle.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// The one of the calling thread.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn current() -> Result<Self> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// The one that `ip netns add NAME` made.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Self> {
        Self::open(&Path::new("/run/netns").join(name))
    }

    /// The one that `path` refers to.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file =
            File::open(path).map_err(|e| Error::system("open the network namespace", path.display(), e))?;
        Ok(Self(file))
    }

    /// Moves the calling thread into a fresh, empty namespace and returns a handle to it.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN.
    pub fn unshare() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Error::system("make", "a network namespace", e))?;
        Self::current()
    }

    /// Moves the calling thread into it.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN.
    pub fn enter(&self) -> Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNET).map_err(|e| Error::system("enter", "a network namespace", e))
    }
}
