//! The limit of open files that commands get. The daemon raises its own, and what loops over all descriptors that it
//! may have (to close them, before it becomes a daemon) would take its time with that.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit};

static FILES: OnceLock<(libc::rlim_t, libc::rlim_t)> = OnceLock::new();

/// Keeps the present limit of open files for all commands to come; to be called before it is raised.
pub fn keep_file_limit() {
    if let Ok(limit) = getrlimit(Resource::RLIMIT_NOFILE) {
        // An error says that it is kept already.
        let _ = FILES.set(limit);
    }
}

/// The limit that was kept.
pub(crate) fn files() -> Option<libc::rlimit> {
    FILES.get().map(|&(rlim_cur, rlim_max)| libc::rlimit { rlim_cur, rlim_max })
}
