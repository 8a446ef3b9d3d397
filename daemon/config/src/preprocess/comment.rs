//! Physical lines, and what of them is comment.
//!
//! `#` and `!` begin a comment anywhere outside of double quotes unless a `\` stands before them; `${_HASH}` and
//! `${_BANG}` are the other way to write them.

use super::{Context, LONGEST_LINE, too_long};
use crate::diagnostics::Diagnostic;
use crate::source::{ExpansionId, FileId};
use crate::words::{Line, Unquoted};

/// The next line of a file from `offset` on, comment and surrounding blanks removed, and whether there was nothing on
/// it at all: such a line ends a definition, one with only a comment on it does not.
pub(super) fn next_line(
    file: FileId,
    offset: &mut usize,
    included_at: ExpansionId,
    context: &mut Context,
) -> Option<(Line, bool)> {
    let text = &context.sources.file(file).text;
    let rest = text.get(*offset..)?;
    if rest.is_empty() {
        return None;
    }
    let length = rest.find('\n').unwrap_or(rest.len());
    let start = *offset;
    *offset = start + length + 1;
    let raw = rest[..length].trim_end_matches('\r');
    let nothing = raw.is_empty();
    if raw.len() > LONGEST_LINE || raw.contains('\0') {
        // NUL bytes were told when the file was opened.
        if !raw.contains('\0') {
            let first = &raw[..raw.chars().next().map_or(0, char::len_utf8)];
            too_long(Line::verbatim(file, start, first, included_at).whole(), context);
        }
        return Some((Line::empty(file, included_at), false));
    }
    let mut line = Line::verbatim(file, start, raw, included_at);
    if let Some((meant, said)) = context.lookalikes.replace(&line, &context.sources) {
        match said {
            Some(diagnostic) => context.spoil(diagnostic),
            None => context.spoil_quietly(line.whole(), "lookalike"),
        }
        line = meant;
    }
    strip(&mut line, context);
    Some((line, nothing))
}

/// Removes blanks around a line.
pub(super) fn trim(line: Line) -> Line {
    let trimmed = line.text.trim_matches([' ', '\t']);
    let start = line.text.len() - line.text.trim_start_matches([' ', '\t']).len();
    let end = start + trimmed.len();
    if trimmed.len() == line.text.len() { line } else { line.part(start, end) }
}

/// Removes comment and surrounding blanks of a line.
pub(super) fn strip(line: &mut Line, context: &mut Context) {
    let bytes = line.text.as_bytes();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let mut escapes = Vec::new();
    let mut end = bytes.len();
    let mut unquoted = Unquoted::new(&line.text);
    for (at, byte) in unquoted.by_ref() {
        match byte {
            b'\\' if matches!(bytes.get(at + 1), Some(b'#' | b'!')) => escapes.push(at),
            b'#' | b'!' => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let quote = unquoted.open;
    while end > begin && bytes.get(end - 1).is_some_and(blank) {
        end -= 1;
    }
    if let Some(at) = quote {
        context.spoil(
            Diagnostic::error("unterminated-quote", "this quote is not closed on its line")
                .at(line.span(at, at + 1), "opened here"),
        );
        // Said once: without the quote, nobody else stumbles over it.
        escapes.push(at);
        escapes.sort_unstable();
    }
    if escapes.is_empty() {
        if begin > 0 || end < line.text.len() {
            *line = line.part(begin, end);
        }
        return;
    }
    let mut stripped = Line::empty(line.file(), line.expansion());
    let mut from = begin;
    for escape in escapes.into_iter().filter(|escape| *escape < end) {
        stripped.push_part(line, from, escape);
        from = escape + 1;
    }
    stripped.push_part(line, from, end);
    *line = stripped;
}
