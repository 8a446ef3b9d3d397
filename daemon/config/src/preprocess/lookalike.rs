//! Characters that look like blanks and quotes: no-break spaces and typographic quotes, as text from a web page has them.
//!
//! For keepalived they are letters, and so they are for the model. But a line with one is not what it looks like, and
//! what else is wrong with it only follows from that: so the diagnostics are made from the line as it was meant.

use std::collections::HashSet;

use crate::diagnostics::Diagnostic;
use crate::source::{FileId, SourceMap};
use crate::words::Line;

/// What a character looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Like {
    Blank,
    Double,
    Single,
}

impl Like {
    fn of(character: char) -> Option<Self> {
        match character {
            '\u{200b}' | '\u{feff}' => Some(Self::Blank),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' => Some(Self::Double),
            '\u{2018}' | CLOSING_SINGLE | '\u{201a}' | '\u{201b}' => Some(Self::Single),
            other => (!other.is_ascii() && other.is_whitespace()).then_some(Self::Blank),
        }
    }

    fn ascii(self) -> &'static str {
        match self {
            Self::Blank => " ",
            Self::Double => "\"",
            Self::Single => "'",
        }
    }
}

/// Closes a quote, and is an apostrophe.
const CLOSING_SINGLE: char = '\u{2019}';

/// What is known of them while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Lookalikes {
    /// Take them for what they look like? Then these are the lines that had mistakes when they were taken for letters.
    pub(crate) meant: Option<HashSet<(FileId, usize)>>,
    /// There was one.
    pub(crate) found: bool,
    /// What was said, and of which file: a text from a web page has many.
    said: Vec<(FileId, Like, bool)>,
}

/// Where those are that count, in a line with its comment, and what they look like.
fn find(text: &str) -> Vec<(usize, char, Like)> {
    let mut found = Vec::new();
    let mut quoted = false;
    let mut typographic = false;
    let mut single = false;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        let plain = !std::mem::take(&mut escaped);
        match character {
            '\\' if plain => escaped = true,
            '"' => quoted = !quoted,
            '#' | '!' if plain && !quoted && !typographic => break,
            _ if quoted || character.is_ascii() => {}
            other => {
                let Some(like) = Like::of(other) else { continue };
                // One that was not opened is an apostrophe.
                if other == CLOSING_SINGLE && !single {
                    continue;
                }
                single = (single || like == Like::Single) && other != CLOSING_SINGLE;
                typographic ^= like == Like::Double;
                // Between typographic quotes a blank is none too many.
                if like != Like::Blank || !typographic {
                    found.push((at, other, like));
                }
            }
        }
    }
    found
}

impl Lookalikes {
    /// The line as it was meant, if it has any and that is asked for; with what there is to say, when it has not been
    /// said of this file.
    pub(super) fn replace(&mut self, line: &Line, sources: &SourceMap) -> Option<(Line, Option<Diagnostic>)> {
        if line.text.is_ascii() {
            return None;
        }
        let all = find(&line.text);
        let (at, first, like) = *all.first()?;
        self.found = true;
        let whole = line.whole();
        let wrong =
            self.meant.as_ref()?.contains(&(whole.file, sources.file(whole.file).line_of(whole.start)));
        let mut meant = Line::empty(line.file(), line.expansion());
        let mut from = 0;
        for (at, character, like) in all {
            let end = at + character.len_utf8();
            meant.push_part(line, from, at);
            meant.push_replaced(like.ascii(), line.span(at, end));
            from = end;
        }
        meant.push_part(line, from, line.text.len());
        let key = (whole.file, like, wrong);
        if self.said.contains(&key) {
            return Some((meant, None));
        }
        self.said.push(key);
        Some((meant, Some(said(line, at, first, like, wrong))))
    }
}

fn said(line: &Line, at: usize, character: char, like: Like, wrong: bool) -> Diagnostic {
    let code = u32::from(character);
    let (name, looks) = match (like, character) {
        (Like::Blank, '\u{a0}') => ("a no-break space".to_owned(), "a blank"),
        (Like::Blank, _) => (format!("U+{code:04X}"), "a blank"),
        (Like::Double | Like::Single, _) => (format!("the typographic quote `{character}`"), "a quote"),
    };
    let message = format!("{name} only looks like {looks}");
    let diagnostic = match wrong {
        true => Diagnostic::error("lookalike", message),
        false => Diagnostic::warning("lookalike", message),
    };
    let span = line.span(at, at + character.len_utf8());
    let ascii = match like {
        Like::Blank => "a blank",
        Like::Double => "`\"`",
        Like::Single => "`'`",
    };
    diagnostic
        .at(span, format!("U+{code:04X} is a letter like any other"))
        .suggest(span, like.ascii(), format!("write {ascii}"))
        .help("said once of a file: there may be more of them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_count_outside_of_quotes_and_comments_only() {
        let places = |text: &str| find(text).into_iter().map(|(at, ..)| at).collect::<Vec<_>>();
        assert_eq!(places("a\u{a0}b # \u{a0}"), [1]);
        assert_eq!(places("a \"\u{a0}\u{201c}\" \u{2018}x\u{2019}s\u{2019}"), [10, 14]);
        assert_eq!(places("x \u{201c}a # b\u{a0}\u{201d} # \u{a0}"), [2, 12]);
        assert_eq!(places("Z\u{fc}rich \\# \u{200b}"), [11]);
    }
}
