//! What `/proc` says of processes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Called, NAME};

/// How much of a command line is read.
const COMMAND: u64 = 4096;
/// `PF_EXITING` of `linux/sched.h`: it is ending, though it may not be a zombie yet.
const EXITING: u64 = 0x4;

/// How alive a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    /// Its first thread has ended, others have not (yet).
    InThreads,
    Dead,
}

/// The numbers of all processes.
pub(super) fn all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What a process is called; `None` if it is not there.
pub(super) fn called(process: u32, with_command: bool) -> Option<Called> {
    let name = read(process, "comm", NAME as u64 + 1)?;
    let name = name.strip_suffix(b"\n").unwrap_or(&name).to_vec();
    let command = if with_command { read(process, "cmdline", COMMAND)? } else { Vec::new() };
    Some(Called { name, command })
}

pub(super) fn life(process: u32) -> Life {
    let Some(stat) = read(process, "stat", 512) else { return Life::Dead };
    let ending = is_ending(&stat);
    if !ending {
        return Life::Alive;
    }
    let threads = std::fs::read_dir(Path::new("/proc").join(process.to_string()).join("task"));
    if threads.is_ok_and(|threads| threads.flatten().count() > 1) { Life::InThreads } else { Life::Dead }
}

/// `PID (NAME) STATE PARENT GROUP SESSION TERMINAL FOREGROUND FLAGS …` (proc_pid_stat(5)); the name may have blanks and
/// brackets in it.
fn is_ending(stat: &[u8]) -> bool {
    let after = stat.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&stat[after..]);
    let mut fields = text.split_ascii_whitespace();
    let state = fields.next().unwrap_or("Z");
    let flags: u64 = fields.nth(5).and_then(|flags| flags.parse().ok()).unwrap_or(0);
    matches!(state, "Z" | "X") || flags & EXITING != 0
}

fn read(process: u32, what: &str, most: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(format!("/proc/{process}/{what}")).ok()?;
    file.take(most).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_told_from_the_dead() {
        assert!(!is_ending(b"7 (a) b) S 1 7 7 0 -1 4194560 0"));
        assert!(is_ending(b"7 (sh) Z 1 7 7 0 -1 4194560 0"));
        assert!(is_ending(b"7 (sh) R 1 7 7 0 -1 4194564 0"), "PF_EXITING");
        let me = std::process::id();
        assert_eq!(life(me), Life::Alive);
        assert!(all().any(|process| process == me));
        assert!(called(me, true).is_some_and(|called| !called.name.is_empty() && !called.command.is_empty()));
        assert_eq!(life(u32::MAX), Life::Dead);
    }
}
