//! `--core-dump` and `--core-dump-pattern`: what is left of a process that ends by a mistake of ours. In: the command line,
//! before anything is started, for it is handed on. Out: the limit raised, the kernel's pattern set, and put back at the end.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::host_settings::{Changed, Setting};
use crate::left::Left;
use crate::supervisor::line::Report;

/// The pattern when none is given.
pub const DEFAULT_PATTERN: &str = "core";

/// The kernel's pattern as it was, to be put back when this is dropped.
#[derive(Debug)]
pub struct Before(Option<(Changed, UnixStream)>);

/// Lets cores be written, by this pattern if there is one; the supervisor at the other end of `line` is told what is changed.
///
/// # Errors
/// What the system said, and to what.
pub fn allow(pattern: Option<&str>, line: &UnixStream) -> Result<Before, String> {
    setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)
        .map_err(|error| format!("the limit of core dumps can't be raised: {}", error.desc()))?;
    let Some(pattern) = pattern else { return Ok(Before(None)) };
    let set = || -> io::Result<(Changed, UnixStream)> {
        let changed = Setting::CorePattern.change(pattern)?;
        let line = line.try_clone()?;
        say(&line, &Report::Left(Left::Setting(changed.clone())))?;
        changed.make()?;
        Ok((changed, line))
    };
    let before = set().map_err(|error| {
        format!("{} can't be set: {}", Setting::CorePattern.path(), crate::terminal::plain(&error))
    })?;
    Ok(Before(Some(before)))
}

fn say(mut line: &UnixStream, report: &Report) -> io::Result<()> {
    line.write_all(format!("{report}\n").as_bytes())
}

impl Drop for Before {
    fn drop(&mut self) {
        let Some((changed, line)) = self.0.take() else { return };
        // Whoever took the right to it away meanwhile wanted it so: then the supervisor tries.
        if changed.put_back().is_ok() {
            let _ = say(&line, &Report::TakenBack(Left::Setting(changed)));
        }
    }
}
