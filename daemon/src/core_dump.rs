//! `--core-dump` and `--core-dump-pattern`: what is left of a process that ends by a mistake of ours. In: the command line,
//! before anything is started, for it is handed on. Out: the limit raised, the kernel's pattern set, and put back at the end.

use std::fs;
use std::io;

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::host_settings::CORE_PATTERN;

/// The pattern when none is given.
pub const DEFAULT_PATTERN: &str = "core";

/// The kernel's pattern as it was, to be put back when this is dropped.
#[derive(Debug)]
pub struct Before(Option<Vec<u8>>);

/// Lets cores be written, by this pattern if there is one.
///
/// # Errors
/// What the system said, and to what.
pub fn allow(pattern: Option<&str>) -> Result<Before, String> {
    setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)
        .map_err(|error| format!("the limit of core dumps can't be raised: {}", error.desc()))?;
    let Some(pattern) = pattern else { return Ok(Before(None)) };
    let set = || -> io::Result<Vec<u8>> {
        let before = CORE_PATTERN.before(fs::read(CORE_PATTERN.path)?, pattern);
        fs::write(CORE_PATTERN.path, pattern)?;
        Ok(before)
    };
    let before = set()
        .map_err(|error| format!("{} can't be set: {}", CORE_PATTERN.path, crate::terminal::plain(&error)))?;
    Ok(Before(Some(before)))
}

impl Drop for Before {
    fn drop(&mut self) {
        if let Some(pattern) = &self.0 {
            // Whoever took the right to it away meanwhile wanted it so.
            let _ = fs::write(CORE_PATTERN.path, pattern);
        }
    }
}
