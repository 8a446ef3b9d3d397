//! The sockets of a process, looked at from outside. In: a process. Out: how large their receive buffers are.

use anyhow::Result;

use crate::Host;

/// A program that says it, for python3: its argument is the process.
pub const ASK: &str = include_str!("sockets.py");

/// Where that program is.
pub const ASK_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sockets.py");

/// The sizes of the receive buffers of such sockets (`raw 112 `, `netlink 0 `) of a process and those below it, as the
/// kernel counts: twice what was asked for.
pub fn receive_buffers(host: &Host, process: impl std::fmt::Display, kind: &str) -> Result<Vec<u64>> {
    let text = host.run("python3", &["-c", ASK, &process.to_string()])?;
    Ok(text.lines().filter_map(|line| line.strip_prefix(kind)?.trim().parse().ok()).collect())
}
