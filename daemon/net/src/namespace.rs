//! Network namespaces: which network a thread, and every thread and socket that it makes later, lives in.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result};

/// Where the process was before [`enter`]; there is none without it.
static BEFORE: OnceLock<File> = OnceLock::new();

/// A network namespace other than the one that threads live in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// The one that the process was started in.
    First,
    /// The one that `ip netns add NAME` made.
    Named(String),
}

/// Moves the calling thread into the namespace that `ip netns add NAME` made. Do it before there are other threads.
///
/// # Errors
/// When there is none of that name, or without CAP_SYS_ADMIN.
pub fn enter(name: &str) -> Result<()> {
    // Of the first call only; who can't be told where he is stays unable to go back there, and hears of it then.
    if let Ok(here) = File::open("/proc/thread-self/ns/net") {
        let _ = BEFORE.set(here);
    }
    let namespace = open(name)?;
    move_to(&namespace, name)
}

/// Does something in another namespace, on a thread that lives there and nowhere else; a socket that it opens is of that
/// namespace wherever it is used.
///
/// # Errors
/// When there is none of that name, or without CAP_SYS_ADMIN.
pub fn within<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> Result<T> {
    let named;
    let (file, name) = match namespace {
        Namespace::First => match BEFORE.get() {
            Some(file) => (file, "in which the daemon was started"),
            None => return Ok(work()),
        },
        Namespace::Named(name) => {
            named = open(name)?;
            (&named, name.as_str())
        }
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| move_to(file, name).map(|()| work()));
        let panicked = |_| Error::system("work in the network namespace", name, io::Error::other("a panic"));
        thread.join().map_err(panicked)?
    })
}

fn open(name: &str) -> Result<File> {
    let path = Path::new("/run/netns").join(name);
    File::open(&path).map_err(|e| Error::system("open the network namespace", name, e))
}

fn move_to(namespace: &File, name: &str) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET)
        .map_err(|e| Error::system("enter the network namespace", name, e))
}
