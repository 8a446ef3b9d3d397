//! Lines in the braces of a block of lines, as `virtual_ipaddress` has them: one entry each.

use super::{Parser, Reading};
use crate::diagnostics::Diagnostic;
use crate::items::Item;
use crate::source::Span;
use crate::words::Word;

/// What begins an entry of a list elsewhere.
const BULLETS: &[&str] = &["-", "*", "+", "•"];

impl Parser<'_> {
    pub(super) fn line_of_block(&mut self, name: &Word, words: Vec<Word>) {
        if matches!(self.items.peek(self.context), Some(Item::Open(_))) {
            self.block_among_lines(name);
            return;
        }
        if self.is_keyword_among_lines(name) || self.is_foreign(&words) {
            return;
        }
        let entries = self.entries(words);
        if let Some(node) = self.node() {
            for mut words in entries {
                // Without room to spare: there may be very many lines.
                words.shrink_to_fit();
                node.lines.push(words);
            }
        }
    }

    /// The entries that a line was meant for: without the marks of lists of other languages, each of which is reported.
    /// As it is written it is one.
    fn entries(&mut self, words: Vec<Word>) -> Vec<Vec<Word>> {
        // A sequence that did not become one was reported, or is a name.
        if words.first().is_some_and(|first| first.text.starts_with('~')) {
            return vec![words];
        }
        let has_bullet =
            words.len() > 1 && words.first().is_some_and(|first| BULLETS.contains(&&*first.text));
        let bullet = words.first().filter(|_| has_bullet);
        let mark = bullet.or_else(|| words.iter().find(|word| separator(word).is_some()));
        let Some(mark) = mark else { return vec![words] };
        let (sign, span) = match separator(mark) {
            Some(sign) if !has_bullet => (sign, sign_span(mark)),
            Some(_) | None => (&*mark.text, mark.span),
        };
        self.misspelt = true;
        let after = words.iter().skip_while(|word| word.span != mark.span).nth(1).filter(|_| !has_bullet);
        let message = match (has_bullet, after) {
            (true, _) => format!("an entry does not begin with `{sign}`"),
            (false, Some(_)) => format!("entries are not separated by `{sign}`"),
            (false, None) => format!("a line ends without `{sign}`"),
        };
        let diagnostic =
            Diagnostic::error("foreign-syntax", message).at(span, "each entry is a line of its own");
        let diagnostic = match after {
            Some(after) => diagnostic.suggest_new_line(span.start, after, &self.context.sources),
            None => diagnostic.suggest(span, "", "take it out"),
        };
        self.context.report(diagnostic);
        if self.reading == Reading::AsWritten {
            return vec![words];
        }
        let mut entries = vec![Vec::new()];
        for mut word in words.into_iter().skip(usize::from(has_bullet)) {
            let ends = separator(&word).is_some();
            if ends {
                let length = word.text.len() - word.text.trim_end_matches([',', ';']).len();
                word.text = word.text.trim_end_matches([',', ';']).into();
                word.span.end = word.span.end.saturating_sub(length as u32);
            }
            if let Some(entry) = entries.last_mut().filter(|_| !word.text.is_empty()) {
                entry.push(word);
            }
            if ends {
                entries.push(Vec::new());
            }
        }
        entries.retain(|entry| !entry.is_empty());
        entries
    }
}

/// The `,` or `;` at the end of a word that stands in no quotes.
fn separator(word: &Word) -> Option<&'static str> {
    // What stands in quotes may have blanks in it, and ends as it likes; what is left of a sequence was no list.
    if word.text.len() < 2 || word.text.contains([' ', '\t', '(', ')']) {
        return None;
    }
    [",", ";"].into_iter().find(|sign| word.text.ends_with(sign))
}

/// Where the sign at the end of a word is.
fn sign_span(word: &Word) -> Span {
    Span { start: word.span.end.saturating_sub(1).max(word.span.start), ..word.span }
}
