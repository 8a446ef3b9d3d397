//! What is written for people to see: with colours where a terminal shows them, and no trouble when nobody looks.

use std::io::{self, IsTerminal, Write};

use nix::errno::Errno;

/// Does this stream show colours? Only a terminal does, and not if the environment has `NO_COLOR` (no-color.org).
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes on standard error. That it is closed is no reason to fail: there is nobody left to be told.
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What the system said, in its words alone: Rust adds the error's number.
pub fn plain(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().into())
}

/// What came of writing, where the reader may have had enough (`… | head`).
///
/// # Errors
/// Those of writing, but for a closed pipe.
pub fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
