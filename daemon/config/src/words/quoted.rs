//! Quotes and escapes.

use std::iter::Peekable;
use std::str::CharIndices;

use super::is_blank;
use crate::encoding;

/// The bytes of a text that stand outside of double quotes, with their offsets. A `\` is one of them, but what follows
/// it is not, inside quotes or out: it means nothing but itself.
#[derive(Debug)]
pub(crate) struct Unquoted<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the quote was opened that has not been closed.
    pub(crate) open: Option<usize>,
}

impl<'a> Unquoted<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, open: None }
    }

    /// Goes on after so many more bytes.
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
    }
}

impl Iterator for Unquoted<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            let at = self.at;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                self.open = if self.open.is_some() { None } else { Some(at) };
            } else if self.open.is_none() {
                return Some((at, byte));
            }
        }
        None
    }
}

/// What stops [`quoted_words`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QuoteError {
    /// This quote was opened at that byte and never closed.
    Unterminated(char, usize),
    /// The text ends with a `\`.
    LoneBackslash(usize),
}

/// Splits a text into words with `"` and `'` quotes, joining adjoining pieces; with `escapes`, `\n`, `\x41`, `\101`,
/// `\cC` and the like become what they stand for, else the backslash stays. Each word comes with its byte range.
///
/// # Errors
/// When a quote is not closed or the last `\` escapes nothing.
pub(crate) fn quoted_words(text: &str, escapes: bool) -> Result<Vec<(String, usize, usize)>, QuoteError> {
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.peek().copied() {
        if first.is_ascii() && is_blank(first as u8) {
            chars.next();
            continue;
        }
        let (word, end) = quoted_word(text, &mut chars, escapes, |_, _| {})?;
        words.push((word, start, end));
    }
    Ok(words)
}

/// Where in a quoted word with escapes the byte of this number begins that stands in what it says, or else where that
/// ends; `None` unless it says `meant`.
pub(crate) fn place_in_quoted(text: &str, meant: &str, byte: usize) -> Option<usize> {
    let mut place = (0, 0);
    let note = |said: usize, at: usize| {
        if said <= byte {
            place = (said, at);
        }
    };
    let (word, end) = quoted_word(text, &mut text.char_indices().peekable(), true, note).ok()?;
    let (said, at) = place;
    let at = if said < byte && byte >= word.len() { end } else { at };
    (word == meant && end == text.len()).then_some(at)
}

/// Reads one word, and tells where it ends. `note` hears at each step how many bytes the word has and how far the text
/// is read.
fn quoted_word(
    text: &str,
    chars: &mut Peekable<CharIndices<'_>>,
    escapes: bool,
    mut note: impl FnMut(usize, usize),
) -> Result<(String, usize), QuoteError> {
    let mut word = Vec::new();
    let mut quote: Option<(char, usize)> = None;
    while let Some((at, character)) = chars.peek().copied() {
        note(word.len(), at);
        match character {
            '\\' => {
                chars.next();
                let Some((_, escaped)) = chars.next() else { return Err(QuoteError::LoneBackslash(at)) };
                if escapes {
                    unescape(escaped, chars, &mut word);
                } else {
                    word.push(b'\\');
                    push(escaped, &mut word);
                }
            }
            _ if quote.is_some_and(|(open, _)| open == character) => {
                quote = None;
                chars.next();
            }
            '"' | '\'' if quote.is_none() => {
                quote = Some((character, at));
                chars.next();
            }
            _ if quote.is_none() && character.is_ascii() && is_blank(character as u8) => break,
            _ => {
                push(character, &mut word);
                chars.next();
            }
        }
    }
    if let Some((open, at)) = quote {
        return Err(QuoteError::Unterminated(open, at));
    }
    // As in C: what a program is started with ends at a NUL.
    word.truncate(word.iter().position(|byte| *byte == 0).unwrap_or(word.len()));
    Ok((encoding::text(word), chars.peek().map_or(text.len(), |(next, _)| *next)))
}

fn push(character: char, word: &mut Vec<u8>) {
    word.extend_from_slice(&encoding::bytes(character.encode_utf8(&mut [0; 4])));
}

/// Appends what `\c` makes of a character: of one with several bytes it changes the first.
fn push_control(control: char, word: &mut Vec<u8>) {
    let first = word.len();
    push(control, word);
    if let Some(byte) = word.get_mut(first) {
        *byte &= 0x1f;
    }
}

/// Appends the byte that `\` and `escaped` (and what follows it) stand for, or else the character itself.
fn unescape(escaped: char, chars: &mut Peekable<CharIndices<'_>>, word: &mut Vec<u8>) {
    let byte = match escaped {
        'a' => 0x07,
        'b' => 0x08,
        'E' => 0x1b,
        'f' => 0x0c,
        'n' => 0x0a,
        'r' => 0x0d,
        't' => 0x09,
        'v' => 0x0b,
        '0'..='7' => digits(chars, 8, 2, escaped.to_digit(8).unwrap_or(0)),
        'x' if chars.peek().is_some_and(|(_, next)| next.is_ascii_hexdigit()) => digits(chars, 16, 2, 0),
        'c' => match chars.next() {
            Some((_, control)) => return push_control(control, word),
            None => u32::from(b'c'),
        },
        other => return push(other, word),
    };
    word.push((byte & 0xff) as u8);
}

/// Reads up to so many more digits of a number.
fn digits(chars: &mut Peekable<CharIndices<'_>>, radix: u32, most: usize, first: u32) -> u32 {
    let mut value = first;
    for _ in 0..most {
        let Some(digit) = chars.peek().and_then(|(_, next)| next.to_digit(radix)) else { break };
        value = value * radix + digit;
        chars.next();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, escapes: bool) -> Vec<String> {
        quoted_words(text, escapes).unwrap_or_default().into_iter().map(|(word, ..)| word).collect()
    }

    #[test]
    fn adjoining_pieces_are_one_word() {
        assert_eq!(texts("one\" two  three \"four", true), ["one two  three four"]);
        assert_eq!(texts("one \"two three\" four", true), ["one", "two three", "four"]);
        assert_eq!(texts("a'\"'b\"'\"c \"\"", true), ["a\"b'c", ""]);
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (text, meant) in [
            (r"\a\b\E\f\n\r\t\v", "\x07\x08\x1b\x0c\n\r\t\x0b"),
            (r"\101\60\7z", "A0\x07z"),
            (r"\1012\8", "A28"),
            (r"\x41\x4z\xz", "A\x04zxz"),
            (r"\cA\c[\cé", "\x01\x1b\x03\u{efa9}"),
            (r#"\\\"\'\q\é"#, r#"\"'qé"#),
            (r"\xc3\xa9", "é"),
            // What a program is started with ends at a NUL.
            (r"ab\0cd", "ab"),
        ] {
            assert_eq!(texts(text, true), [meant], "{text}");
        }
        assert_eq!(texts(r"a\ b \x20", true), ["a b", " "]);
        assert_eq!(texts(r#"\n\"a b\""#, false), [r#"\n\"a"#, r#"b\""#]);
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        assert_eq!(quoted_words("a 'b", true), Err(QuoteError::Unterminated('\'', 2)));
        assert_eq!(quoted_words("a \"b'", true), Err(QuoteError::Unterminated('"', 2)));
        assert_eq!(quoted_words("a\\", true), Err(QuoteError::LoneBackslash(1)));
    }

    #[test]
    fn a_byte_of_a_word_is_found_where_it_was_written() {
        for (text, meant, byte, place) in [
            ("abc", "abc", 1, Some(1)),
            ("\"abc\"", "abc", 1, Some(2)),
            ("\"abc\"", "abc", 3, Some(4)),
            ("abc", "abc", 3, Some(3)),
            (r#""a\\d+(""#, r"a\d+(", 4, Some(6)),
            (r"\x41\102(c", "AB(c", 2, Some(8)),
            ("a'é'b", "aéb", 3, Some(5)),
            ("a'é'b", "aéb", 2, Some(2)),
            // As when it comes out of a definition.
            ("$PATTERN", "(abc", 0, None),
        ] {
            assert_eq!(place_in_quoted(text, meant, byte), place, "{text}");
        }
    }
}
