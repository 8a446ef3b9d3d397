//! Logical lines and the words in them.
//!
//! A logical line is what is left of a line of the file after comments, conditions, definitions and sequences: its
//! text, and for each stretch of it the place that it came from. Words are split in keepalived's two ways: plain
//! ([`Line::words`]: only `"` quotes, and a quoted string is a word of its own) and for scripts and other strings
//! ([`quoted_words`]: `"`, `'`, escapes, and adjoining pieces are one word).

mod quoted;

pub(crate) use self::quoted::{QuoteError, quoted_words};
pub(crate) use self::quoted::{Unquoted, place_in_quoted};
use crate::source::{ExpansionId, FileId, Span};

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// What it says, quotes removed.
    pub(crate) text: Box<str>,
    /// Where it stands.
    pub(crate) span: Span,
}

/// Where a stretch of a logical line came from.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Where it begins in the logical line.
    at: u32,
    /// Its first byte in the file, and one past the last.
    source: (u32, u32),
    /// It reads the same in the file, byte for byte; else all of it stands for the whole of `source`.
    verbatim: bool,
}

/// A line after preprocessing.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The text.
    pub(crate) text: String,
    file: FileId,
    expansion: ExpansionId,
    pieces: Vec<Piece>,
}

impl Line {
    /// A line without any text yet.
    pub(crate) fn empty(file: FileId, expansion: ExpansionId) -> Self {
        Self { text: String::new(), file, expansion, pieces: Vec::new() }
    }

    /// A line that reads as its file does from byte `start` on.
    pub(crate) fn verbatim(file: FileId, start: usize, text: &str, expansion: ExpansionId) -> Self {
        let mut line = Self::empty(file, expansion);
        line.push_verbatim(text, start as u32);
        line
    }

    fn push_verbatim(&mut self, text: &str, start: u32) {
        if text.is_empty() {
            return;
        }
        let at = self.text.len() as u32;
        self.pieces.push(Piece { at, source: (start, start + text.len() as u32), verbatim: true });
        self.text.push_str(text);
    }

    /// Appends text that stands for `span` of the file (the use of a definition).
    pub(crate) fn push_replaced(&mut self, text: &str, span: Span) {
        self.push_standing(text, (span.start, span.end));
    }

    fn push_standing(&mut self, text: &str, source: (u32, u32)) {
        // What comes out of one use, by way of however many definitions, is one piece.
        if !self.pieces.last().is_some_and(|last| !last.verbatim && last.source == source) {
            self.pieces.push(Piece { at: self.text.len() as u32, source, verbatim: false });
        }
        self.text.push_str(text);
    }

    /// Appends bytes `start..end` of another line of the same file.
    pub(crate) fn push_part(&mut self, other: &Self, start: usize, end: usize) {
        let Some(text) = other.text.get(start..end) else { return };
        let mut at = start;
        while at < end {
            let index = other.piece_at(at);
            let Some(piece) = other.pieces.get(index) else { break };
            let piece_end =
                other.pieces.get(index + 1).map_or(other.text.len(), |next| next.at as usize).min(end);
            let part = &text[at - start..piece_end - start];
            if piece.verbatim {
                self.push_verbatim(part, piece.source.0 + (at as u32 - piece.at));
            } else {
                self.push_standing(part, piece.source);
            }
            at = piece_end.max(at + 1);
        }
    }

    /// Bytes `start..end` as a line of their own.
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        let mut line = Self::empty(self.file, self.expansion);
        line.push_part(self, start, end);
        line
    }

    /// The file that it is in.
    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    /// The expansion that it is part of.
    pub(crate) fn expansion(&self) -> ExpansionId {
        self.expansion
    }

    /// The same line seen as part of another expansion.
    pub(crate) fn with_expansion(mut self, expansion: ExpansionId) -> Self {
        self.expansion = expansion;
        self
    }

    fn piece_at(&self, offset: usize) -> usize {
        if self.pieces.len() < 2 {
            return 0;
        }
        self.pieces.partition_point(|piece| piece.at as usize <= offset).saturating_sub(1)
    }

    fn source_of(&self, offset: usize, is_end: bool) -> u32 {
        let looked_up = if is_end { offset.saturating_sub(1) } else { offset };
        match self.pieces.get(self.piece_at(looked_up)) {
            None => 0,
            Some(piece) if piece.verbatim => piece.source.0 + (offset as u32).saturating_sub(piece.at),
            Some(piece) => {
                if is_end {
                    piece.source.1
                } else {
                    piece.source.0
                }
            }
        }
    }

    /// Place of bytes `start..end` of the text.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let from = self.source_of(start, false);
        let to = self.source_of(end, end > start).max(from);
        Span { file: self.file, start: from, end: to, expansion: self.expansion }
    }

    /// Place of the whole line.
    pub(crate) fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    /// The line from the word of this number on.
    pub(crate) fn part_from_word(&self, number: usize) -> Option<Self> {
        let (mut from, mut at) = (0, 0);
        for _ in 0..=number {
            let Ok((start, _, next)) = self.next_word(at)? else { return None };
            let is_quoted = self.text.get(at..start).is_some_and(|before| before.ends_with('"'));
            (from, at) = (start - usize::from(is_quoted), next);
        }
        Some(self.part(from, self.text.len()))
    }

    /// Its words in the plain way. The flag says that a `"` was never closed; the words end before it.
    pub(crate) fn words(&self) -> (Vec<Word>, Option<Span>) {
        let mut words = Vec::with_capacity(4);
        let mut at = 0;
        while let Some(found) = self.next_word(at) {
            match found {
                Ok((start, end, next)) => {
                    words.push(Word { text: self.text[start..end].into(), span: self.span(start, end) });
                    at = next;
                }
                Err(quote) => return (words, Some(self.span(quote, self.text.len()))),
            }
        }
        (words, None)
    }

    /// The next word from this byte on: where it begins, where it ends, and where to go on; or the `"` that is never
    /// closed.
    fn next_word(&self, from: usize) -> Option<Result<(usize, usize, usize), usize>> {
        let bytes = self.text.as_bytes();
        let at = from + bytes.get(from..)?.iter().position(|byte| !is_blank(*byte))?;
        if bytes.get(at) == Some(&b'"') {
            return Some(match self.text[at + 1..].find('"') {
                None => Err(at),
                Some(length) => Ok((at + 1, at + 1 + length, at + length + 2)),
            });
        }
        let ends = |byte: &u8| is_blank(*byte) || *byte == b'"';
        let end = bytes[at..].iter().position(ends).map_or(bytes.len(), |length| at + length);
        Some(Ok((at, end, end)))
    }
}

/// Blank within a line.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0c' | b'\x0b' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_knows_where_each_part_of_it_came_from() {
        let line = Line::verbatim(FileId::default(), 100, "ab ${X} cd", ExpansionId::NONE);
        let mut made = line.part(0, 3);
        made.push_replaced("long value", line.span(3, 7));
        made.push_part(&line, 7, 10);
        assert_eq!(made.text, "ab long value cd");
        let place = |start, end| {
            let span = made.span(start, end);
            (span.start, span.end)
        };
        assert_eq!(place(0, 2), (100, 102));
        assert_eq!(place(3, 7), (103, 107));
        assert_eq!(place(8, 13), (103, 107));
        assert_eq!(place(14, 16), (108, 110));
        assert_eq!(place(0, 16), (100, 110));
        let part = made.part(5, 16).span(9, 11);
        assert_eq!((part.start, part.end), (108, 110));
    }
}
