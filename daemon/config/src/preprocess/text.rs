//! Files as text: what may be read, and what in it is no text.
//!
//! Only a regular file that nobody may execute is a configuration, as keepalived has it; but the one that was named is, if
//! it may be executed.

use std::io::ErrorKind;
use std::path::Path;

use super::Context;
use crate::diagnostics::Diagnostic;
use crate::encoding;
use crate::regular_file::{RegularFile, Unreadable};
use crate::source::{ExpansionId, FileId, SourceMap, Span};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;
/// The mark that some editors put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// How many characters of a text are looked at to tell what encoding it is in.
const LOOKED_AT: usize = 256;

/// Why a file is not taken for a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoText {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It may be executed, so it is a program.
    #[error("is executable, so it is not taken for a configuration")]
    Executable,
    /// It is read as it was kept, and was not.
    #[error("could not be read before")]
    NotKept,
}

impl NoText {
    /// Whether others may read it.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Unreadable(Unreadable::Io(error)) if error.kind() == ErrorKind::PermissionDenied)
    }
}

/// Reads a file that was found with others: what may be executed there is a script.
pub(crate) fn read(path: &Path) -> Result<String, NoText> {
    let file = RegularFile::open(path)?;
    if is_executable(&file) {
        return Err(NoText::Executable);
    }
    Ok(encoding::text(file.read(LARGEST)?))
}

/// Reads the file that was named, and says whether it may be executed.
pub(super) fn read_named(path: &Path) -> Result<(String, bool), NoText> {
    let file = RegularFile::open(path)?;
    let executable = is_executable(&file);
    Ok((encoding::text(file.read(LARGEST)?), executable))
}

fn is_executable(file: &RegularFile) -> bool {
    file.mode() & 0o111 != 0
}

/// Where in a text the configuration begins.
pub(super) fn start(text: &str) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 }
}

/// Adds a text to the sources, and says what is wrong with it as a whole.
pub(super) fn add(text: String, path: &Path, included_at: ExpansionId, context: &mut Context) -> FileId {
    let begin = start(&text);
    let nul = text.find('\0');
    let wide = nul.is_some() && is_utf_16(&text);
    let alone = text.trim_end().find('\r').filter(|_| !text.contains('\n'));
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
    if wide {
        context.report(
            Diagnostic::error("invalid-encoding", "the file is in UTF-16")
                .at(span(0, 0), "nothing of it is read")
                .help("`iconv -f UTF-16 -t UTF-8` makes a text of it"),
        );
    } else if let Some(at) = nul {
        context.report(
            Diagnostic::error("nul-byte", "the file has NUL bytes in it")
                .at(span(at, 1), "lines with one are left out")
                .help("`tr -d '\\000'` takes them out"),
        );
    }
    if let Some(at) = alone {
        context.spoil(
            Diagnostic::error("line-ends", "the file has carriage returns for the ends of its lines")
                .at(span(at, 1), "so all of it is one line")
                .help("`tr '\\r' '\\n'` gives it the line ends of Unix"),
        );
    }
    file
}

/// That a byte is no UTF-8.
pub(super) fn foreign(span: Span, byte: u8) -> Diagnostic {
    let label = match byte {
        0xa0.. => format!("`{}`, if this is Latin-1 (ISO 8859-1)", char::from(byte)),
        _ => "not Latin-1 either; perhaps Windows-1252".to_owned(),
    };
    Diagnostic::warning("invalid-encoding", format!("the byte 0x{byte:02x} is no UTF-8"))
        .at(span, label)
        .help("passwords and commands keep it; elsewhere it may not be told as it was meant")
        .help("`iconv -f LATIN1 -t UTF-8` converts the file, but then a password is another one")
}

/// Is it a text of two bytes a character? (Of which the NUL bytes came through.)
fn is_utf_16(text: &str) -> bool {
    let beginning: String = text.chars().take(LOOKED_AT).collect();
    let bytes = encoding::bytes(&beginning);
    let nuls = |from: usize| bytes.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let most = bytes.len() / 4;
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || nuls(0) > most || nuls(1) > most
}
