//! Network namespaces: which network a thread, and every thread and socket that it makes later, lives in.

use std::fs::File;
use std::path::Path;

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result};

/// Moves the calling thread into the namespace that `ip netns add NAME` made. Do it before there are other threads.
///
/// # Errors
/// When there is none of that name, or without CAP_SYS_ADMIN.
pub fn enter(name: &str) -> Result<()> {
    let path = Path::new("/run/netns").join(name);
    let namespace = File::open(&path).map_err(|e| Error::system("open the network namespace", name, e))?;
    setns(&namespace, CloneFlags::CLONE_NEWNET)
        .map_err(|e| Error::system("enter the network namespace", name, e))
}
