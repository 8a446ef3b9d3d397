//! What can go wrong between keepwatch and the kernel's network: a system call that failed, with what it was for.

use std::io;

use nix::errno::Errno;

/// A failed operation on the kernel's network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{operation} {subject}: {source}")]
    System {
        /// What was being done, as a phrase: `join the VRRP group on`.
        operation: &'static str,
        /// What it was done to: an interface, an address.
        subject: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No network namespace has that name.
    #[error("there is no network namespace {0}; `ip netns add {0}` makes it")]
    NoNamespace(String),
    /// The kernel sent a netlink message that does not parse.
    #[error("netlink message not understood: {0}")]
    Malformed(String),
    /// The kernel did not finish a dump in time.
    #[error("the kernel did not answer the netlink dump of {0} in time")]
    NoAnswer(&'static str),
}

impl Error {
    /// Wraps what the kernel answered to `operation` on `subject`.
    pub(crate) fn system(
        operation: &'static str,
        subject: impl ToString,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::System { operation, subject: subject.to_string(), source: source.into() }
    }

    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::System { source, .. } => source.raw_os_error().map(Errno::from_raw),
            Self::NoNamespace(_) | Self::Malformed(_) | Self::NoAnswer(_) => None,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
