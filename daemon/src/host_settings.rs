//! Settings of the host that a worker changes and puts back at its end. One that is killed does not put anything back, and the
//! next one finds what the first has written. So the supervisor reads them before there is any worker, and hands what it has
//! read to each in its environment.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Where the kernel has it.
    pub path: &'static str,
    /// The variable that holds what it was.
    variable: &'static str,
}

/// By which pattern cores are written (`--core-dump-pattern`), for the whole host.
pub const CORE_PATTERN: Setting =
    Setting { path: "/proc/sys/kernel/core_pattern", variable: "KEEPWATCH_CORE_PATTERN" };
/// Whether memberships of groups of the link are reported (`disable_local_igmp`), for the network namespace.
pub const LOCAL_IGMP: Setting =
    Setting { path: "/proc/sys/net/ipv4/igmp_link_local_mcast_reports", variable: "KEEPWATCH_LOCAL_IGMP" };

/// Variables for a worker.
pub type Variables = [(&'static str, Option<OsString>); 2];

/// How all of them are, for the workers' environment; none where there is none, or it can't be read.
pub fn now() -> Variables {
    [CORE_PATTERN, LOCAL_IGMP].map(|setting| {
        let is = fs::read(setting.path).ok();
        (setting.variable, is.map(|is| OsString::from_vec(is.trim_ascii().to_vec())))
    })
}

impl Setting {
    /// What to put back at the end, where it `is` so now and `ours` is to be written.
    pub fn before(self, is: Vec<u8>, ours: &str) -> Vec<u8> {
        original(is, ours, std::env::var_os(self.variable).map(OsString::into_vec))
    }
}

/// What it was at the supervisor's start counts only if it seems to be a worker's doing now: somebody else may have changed it
/// meanwhile.
fn original(is: Vec<u8>, ours: &str, at_start: Option<Vec<u8>>) -> Vec<u8> {
    let written = is.trim_ascii() == ours.trim().as_bytes();
    at_start.filter(|_| written).unwrap_or(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_worker_wrote_is_not_what_it_was() {
        let at_start = || Some(b"|/bin/handler %p".to_vec());
        assert_eq!(original(b"core\n".to_vec(), "core", at_start()), b"|/bin/handler %p");
        assert_eq!(original(b"other\n".to_vec(), "core", at_start()), b"other\n");
        assert_eq!(original(b"core\n".to_vec(), "core", None), b"core\n");
    }
}
