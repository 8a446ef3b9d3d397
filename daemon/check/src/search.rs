//! Looking for the pattern of a `url` in a body that comes in pieces, without keeping the body.
//!
//! Goes in: the pieces. Comes out: whether the pattern is in the whole of them, wherever it is cut. Kept is what a match
//! that has begun consists of so far, and what a pattern may look back at; a match longer than [`KEPT`] is not waited for.

use std::sync::Arc;

use keepwatch_model::{BodyRegex, RegexOption};

use crate::pcre::{Code, Found, Matcher};

/// The most bytes that are kept for a match that has begun and not ended.
const KEPT: usize = 256 << 10;

/// A pattern, compiled, with the conditions around it.
#[derive(Debug)]
pub(crate) struct Pattern {
    code: Code,
    /// The first byte of the body where a match may begin.
    min: u64,
    /// The last one.
    max: Option<u64>,
    utf: bool,
    first_line: bool,
}

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// What PCRE2 says is wrong with it.
    pub(crate) fn new(regex: &BodyRegex) -> Result<Self, String> {
        let has = |option| regex.options.contains(&option);
        Ok(Self {
            code: Code::new(regex)?,
            min: regex.min_offset,
            max: regex.max_offset,
            utf: has(RegexOption::Utf),
            first_line: has(RegexOption::Firstline),
        })
    }
}

/// A search that goes on. Feed it with [`Search::push`], then ask [`Search::finish`].
pub(crate) struct Search {
    pattern: Arc<Pattern>,
    matcher: Matcher,
    text: Vec<u8>,
    /// Where in the body the text begins.
    base: u64,
    /// Where in the text to go on.
    from: usize,
    decided: Option<Result<bool, String>>,
}

impl Search {
    /// A search in a body of which nothing has come.
    ///
    /// # Errors
    /// There is no memory.
    pub(crate) fn new(pattern: &Arc<Pattern>) -> Result<Self, String> {
        let matcher = pattern.code.matcher()?;
        Ok(Self { pattern: pattern.clone(), matcher, text: Vec::new(), base: 0, from: 0, decided: None })
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.decided.is_none() {
            self.text.extend_from_slice(bytes);
            self.look(true);
        }
    }

    /// Whether the pattern is in the body, which has ended.
    ///
    /// # Errors
    /// What PCRE2 gave up for.
    pub(crate) fn finish(mut self) -> Result<bool, String> {
        if self.decided.is_none() {
            self.look(false);
        }
        self.decided.unwrap_or(Ok(false))
    }

    fn look(&mut self, more: bool) {
        // What is not a whole character yet waits for its rest.
        let end = if more && self.pattern.utf { whole_characters(&self.text) } else { self.text.len() };
        let first = usize::try_from(self.pattern.min.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let from = self.at_character(self.from.max(first));
        let last = self.pattern.max.map(|max| max.checked_sub(self.base));
        if last.is_some_and(|last| last.is_none_or(|last| last < from as u64)) {
            self.decided = Some(Ok(false));
            return;
        }
        let last = last.flatten().map(|last| usize::try_from(last).unwrap_or(usize::MAX));
        if from > end {
            self.from = end;
            self.forget();
            return;
        }
        let (text, code) = (self.text.get(..end).unwrap_or_default(), &self.pattern.code);
        let mut found = self.matcher.find(code, text, from, last, more);
        if matches!(found, Found::Partial(start) if end - start > KEPT) {
            found = self.matcher.find(code, text, from, last, false);
        }
        match found {
            Found::Match => self.decided = Some(Ok(true)),
            Found::Error(error) => self.decided = Some(Err(error)),
            Found::Partial(start) => self.from = start,
            Found::Nothing
                if self.pattern.first_line
                    && text.get(from..).is_some_and(|searched| searched.contains(&b'\n')) =>
            {
                self.decided = Some(Ok(false));
            }
            Found::Nothing => self.from = end,
        }
        self.forget();
    }

    /// Forgets what no match can need any more; at least one byte stays, so that what begins the text is not taken for
    /// the beginning of the body.
    fn forget(&mut self) {
        let mut cut = self.from.saturating_sub(self.pattern.code.lookbehind.max(1));
        if self.pattern.utf {
            while cut > 0 && self.text.get(cut).is_some_and(|byte| is_inside(*byte)) {
                cut -= 1;
            }
        }
        self.text.drain(..cut);
        self.base += cut as u64;
        self.from -= cut;
    }

    /// This byte of the text, or the first after it that begins a character.
    fn at_character(&self, mut byte: usize) -> usize {
        while self.pattern.utf && self.text.get(byte).is_some_and(|byte| is_inside(*byte)) {
            byte += 1;
        }
        byte
    }
}

/// Whether a byte of UTF-8 is inside of a character.
fn is_inside(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// How much of the text is whole characters, as far as one can tell from its end.
fn whole_characters(text: &[u8]) -> usize {
    let tail = text.iter().rev().take(4).take_while(|byte| is_inside(**byte)).count();
    let Some(start) = text.len().checked_sub(tail + 1) else { return text.len() };
    let wanted = match text.get(start) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if tail + 1 < wanted { start } else { text.len() }
}

#[cfg(test)]
mod tests;
