//! Network namespaces: which network a thread, and every thread and socket that it makes later, lives in.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::OnceLock;

use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Socket, Type};

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

/// The kernel's number of the namespace in which the calling thread lives: no other has the same before the next boot, while
/// an inode goes to another when its namespace is gone. None before Linux 5.14.
pub fn cookie() -> Option<u64> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).ok()?;
    let mut cookie = 0_u64;
    let mut len = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `cookie`, which lives until the call returns.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    (status == 0 && len == size_of::<u64>() as libc::socklen_t).then_some(cookie)
}

fn open(name: &str) -> Result<File> {
    let path = Path::new("/run/netns").join(name);
    File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoNamespace(name.to_owned()),
        _ => Error::system("open the network namespace", name, error),
    })
}

fn move_to(namespace: &File, name: &str) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET)
        .map_err(|e| Error::system("enter the network namespace", name, e))
}
