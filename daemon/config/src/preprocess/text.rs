//! Files as text: what may be read, and what in it is no text.
//!
//! Only a regular file that nobody may execute is a configuration, as keepalived has it: so a directory, a FIFO or a
//! device neither hangs nor fills the memory.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Context;
use crate::diagnostics::Diagnostic;
use crate::source::{ExpansionId, FileId, SourceMap};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;
/// The mark that some editors put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is no regular file.
    #[error("is {0}, not a file")]
    NoFile(&'static str),
    /// It may be executed, so it is a program.
    #[error("is executable, so it is not taken for a configuration")]
    Executable,
    /// It is too large.
    #[error("is larger than {LARGEST} bytes")]
    TooLarge,
}

/// A text as it was read.
#[derive(Debug)]
pub(crate) struct Text {
    text: String,
    /// The first byte that was no UTF-8; it was replaced, and any that came after it.
    foreign: Option<usize>,
}

impl Text {
    /// The first byte that was no UTF-8.
    pub(crate) fn foreign(&self) -> Option<usize> {
        self.foreign
    }

    /// A text that was read before.
    pub(crate) fn again(text: String, foreign: Option<usize>) -> Self {
        Self { text, foreign }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, foreign: None }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => Self {
                foreign: Some(error.utf8_error().valid_up_to()),
                text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
        }
    }
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Text, Unreadable> {
    let about = std::fs::metadata(path)?;
    if !about.is_file() {
        return Err(Unreadable::NoFile(if about.is_dir() {
            "a directory"
        } else {
            "a device, a FIFO or a socket"
        }));
    }
    if about.permissions().mode() & 0o111 != 0 {
        return Err(Unreadable::Executable);
    }
    let mut bytes = Vec::with_capacity(about.len().min(LARGEST) as usize);
    // A file may grow, and those of /proc say that they are empty.
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::TooLarge);
    }
    Ok(bytes.into())
}

/// Where in a text the configuration begins.
pub(super) fn start(text: &str) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 }
}

impl Text {
    /// Adds it to the sources, and says what in it is no text.
    pub(super) fn add(self, path: &Path, included_at: ExpansionId, context: &mut Context) -> FileId {
        let Self { text, foreign } = self;
        let begin = start(&text);
        let nul = text.find('\0');
        let file = context.sources.add(path.to_path_buf(), text);
        let span = |at: usize, length: usize| {
            let mut span = SourceMap::span(file, at, at + length);
            span.expansion = included_at;
            span
        };
        if begin > 0 {
            context.report(
                Diagnostic::warning("byte-order-mark", "the file begins with a byte order mark")
                    .changes()
                    .at(span(0, begin), "keepalived takes it for a part of the first word")
                    .help("save it as UTF-8 without a mark"),
            );
        }
        if let Some(at) = foreign {
            context.report(
                Diagnostic::warning("invalid-encoding", "the file is not UTF-8")
                    .at(span(at, '\u{fffd}'.len_utf8()), "this byte, and others like it, were replaced"),
            );
        }
        if let Some(at) = nul {
            context.report(
                Diagnostic::error("nul-byte", "the file has NUL bytes in it")
                    .at(span(at, 1), "lines with one are left out"),
            );
        }
        file
    }
}
