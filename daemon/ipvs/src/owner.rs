//! Who has made a table of the packet filter, as a comment of the table says: a process, known by its number and by when it
//! began. What one has made that is no more may be replaced or removed; all else is somebody's.

use std::{fmt, fs};

/// A process of keepwatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    process: u32,
    /// In the kernel's ticks since the host began.
    since: u64,
}

impl Owner {
    /// This process.
    pub(crate) fn here() -> Self {
        let process = std::process::id();
        Self { process, since: began(process).unwrap_or(0) }
    }

    /// Reads what its `Display` writes.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        let (process, since) = comment.strip_prefix("keepwatch, process ")?.split_once(" since ")?;
        Some(Self { process: process.parse().ok()?, since: since.parse().ok()? })
    }

    /// Whether what it has made is left to this process: it is this one, or is no more.
    pub(crate) fn leaves_to_us(&self) -> bool {
        *self == Self::here() || began(self.process) != Some(self.since)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keepwatch, process {} since {}", self.process, self.since)
    }
}

/// When a process began: the 22nd field of its `stat` (proc_pid_stat(5)). Its name, the second, may hold anything.
fn began(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, behind) = stat.rsplit_once(") ")?;
    behind.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_that_lives_has_made_is_its_own_and_what_a_dead_one_has_is_left() {
        let here = Owner::here();
        assert!(here.since > 0 && here.leaves_to_us());
        assert_eq!(Owner::parse(&here.to_string()), Some(here));
        let parent = std::os::unix::process::parent_id();
        let other = Owner { process: parent, since: began(parent).unwrap() };
        assert!(!other.leaves_to_us());
        assert!(Owner { since: other.since + 1, ..other }.leaves_to_us(), "the number is another's now");
        assert_eq!(Owner::parse("mine"), None);
    }
}
