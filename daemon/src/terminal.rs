//! What is written for people to see: with colours where a terminal shows them, and no trouble when nobody looks.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use nix::errno::Errno;

/// Does this stream show colours? Only a terminal does, and not if the environment has `NO_COLOR` (no-color.org).
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    shows_colours(stream.is_terminal(), std::env::var_os("NO_COLOR").as_deref())
}

/// An empty `NO_COLOR` is as good as none.
fn shows_colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Writes on standard error. That it is closed is no reason to fail: there is nobody left to be told.
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// An error with its causes, each said once: many libraries put the cause into their own message as well.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

/// The exit status of a process, as Rust wants it.
pub fn exit(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(1))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("denied").context("open: denied").context("starting");
        assert_eq!(told(&error), "starting: open: denied");
    }

    #[test]
    fn only_a_terminal_shows_colours_and_not_if_it_is_asked_for_none() {
        for (terminal, no_color, shown) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (true, Some("0"), false),
            (false, None, false),
            (false, Some("1"), false),
        ] {
            assert_eq!(shows_colours(terminal, no_color.map(OsStr::new)), shown, "{terminal} {no_color:?}");
        }
    }
}
