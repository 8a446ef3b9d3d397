//! What editing leaves in a file: marks of a merge that was not finished, remarks in another language's comments over
//! several lines.

use super::{Parser, Reading};
use crate::diagnostics::Diagnostic;
use crate::items::Item;
use crate::source::Span;
use crate::words::Word;

/// A merge that was not finished: its first mark, and what stands between the two versions and after them.
const MERGE: (&str, &str, &str) = ("<<<<<<<", "=======", ">>>>>>>");

impl Parser<'_> {
    /// Is this a mark of a merge? The first of them is reported; of two versions the first is read.
    pub(super) fn is_left_over(&mut self, words: &[Word]) -> bool {
        let Some(name) = words.first() else { return false };
        let (first, middle, last) = MERGE;
        if &*name.text == first {
            let diagnostic = Diagnostic::error("unknown-keyword", "a merge was not finished here");
            self.context.report(diagnostic.at(name.span, "the first of two versions follows").help(format!(
                "keep one version, and take out the lines with `{first}`, `{middle}` and `{last}`"
            )));
            self.misspelt = true;
            self.merging = true;
            return true;
        }
        if !self.merging || (&*name.text != middle && &*name.text != last) {
            return false;
        }
        if &*name.text == middle {
            self.pass_over(name.span, last);
        }
        self.merging &= &*name.text != last;
        true
    }

    /// Passes over what follows up to a mark, if there is one and the text is to be read as it was meant.
    pub(super) fn pass_over(&mut self, from: Span, mark: &'static str) {
        let source = self.context.sources.file(from.file);
        let rest = source.text.get(from.end as usize..).unwrap_or("");
        if self.reading == Reading::AsMeant && rest.contains(mark) {
            self.passing_over = Some(mark);
        }
    }

    /// Is this item passed over?
    pub(super) fn is_passed_over(&mut self, item: &Item) -> bool {
        let Some(mark) = self.passing_over else { return false };
        if let Item::Words(line) = item
            && line.text.contains(mark)
        {
            self.passing_over = None;
        }
        true
    }
}
