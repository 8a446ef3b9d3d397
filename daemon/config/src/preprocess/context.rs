//! What every stage of reading adds to: the sources, and what is wrong with them.

use std::collections::HashMap;

use super::lookalike::Lookalikes;
use crate::accounts::Accounts;
use crate::diagnostics::{Diagnostic, Diagnostics, Outcome};
use crate::kept::Circumstances;
use crate::known::Known;
use crate::model::{Name, ScriptUser};
use crate::pattern::Patterns;
use crate::source::{FileId, SourceMap, Span};

/// So many unknown keywords, and more than known ones, are no configuration at all.
const MOST_UNKNOWN: usize = 5_000;

/// So many lines without a keyword, and next to none with one, are of another language.
const FOREIGN: usize = 5;

/// A command and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// Program and arguments as written, never empty.
    pub(crate) argv: Vec<Name>,
    /// Where.
    pub(crate) at: Span,
    /// The `vrrp_script` that it is of: one that cannot be run is not tracked.
    pub(crate) tracked: Option<Name>,
    /// Who is named to run it.
    pub(crate) user: Option<ScriptUser>,
}

/// Sources and diagnostics, which every stage adds to.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) sources: SourceMap,
    pub(crate) diagnostics: Diagnostics,
    /// What the `include` lines stood for so far.
    pub(crate) circumstances: Circumstances,
    /// Every command so far, if they are to be looked at.
    pub(crate) commands: Vec<Command>,
    pub(crate) look_at_scripts: bool,
    /// Every regular expression so far.
    pub(crate) patterns: Patterns,
    /// The users and groups of this machine.
    pub(crate) accounts: Accounts,
    /// What lines further down go by.
    pub(crate) known: Known,
    /// Reading was given up: what is said after that would only follow from it.
    pub(crate) stopped: bool,
    /// Names whose definitions are not written right, which was reported.
    pub(crate) lost_names: Vec<Box<str>>,
    /// Lines that did not become what they were meant to, and the code that said so: what else seems wrong with them
    /// only follows from it.
    pub(crate) spoilt: HashMap<(FileId, usize), &'static str>,
    pub(crate) lookalikes: Lookalikes,
    /// How many keywords were known, and how many were not.
    known_words: usize,
    unknown_words: usize,
    /// The same of each file.
    words_of: HashMap<FileId, Words>,
}

/// What stands in a file where keywords should be.
#[derive(Debug, Default)]
struct Words {
    known: usize,
    /// Keywords of other blocks.
    misplaced: usize,
    unknown: usize,
    /// The first that is not known.
    first: Option<Span>,
}

impl Context {
    /// Something was reported before, and this is what it leads to.
    pub(crate) fn leads_to(&mut self, outcome: Outcome) {
        self.diagnostics.leads_to(outcome);
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        let follows = !self.spoilt.is_empty()
            && diagnostic.span.is_some_and(|span| self.spoilt.contains_key(&self.line_of(span)));
        if follows {
            self.leads_to(diagnostic.outcome);
        } else if !self.stopped {
            self.diagnostics.push(diagnostic);
        }
    }

    /// A word was found where a keyword should be; is it one here, or at least `somewhere`? Gives up a text that has next to
    /// none.
    pub(crate) fn count_keyword(&mut self, at: Span, known: bool, somewhere: bool) {
        self.known_words += usize::from(known);
        self.unknown_words += usize::from(!known);
        let words = self.words_of.entry(at.file).or_default();
        match (known, somewhere) {
            (true, _) => words.known += 1,
            (false, true) => words.misplaced += 1,
            (false, false) => {
                words.unknown += 1;
                words.first.get_or_insert(at);
            }
        }
        if !known && !self.stopped && self.unknown_words > MOST_UNKNOWN.max(self.known_words) {
            self.diagnostics.push_last(
                Diagnostic::error("too-many-mistakes", "too many mistakes to go on reading").fatal().help(
                    format!(
                        "of {} keywords {} are not known",
                        self.known_words + self.unknown_words,
                        self.unknown_words
                    ),
                ),
            );
            self.stopped = true;
        }
    }

    /// Of a file that is no configuration (prose, or that of another program) one thing is said, and not one of each line. Of
    /// one that is included no line is shown, for what secrets it has nobody knows. Some words of prose happen to be keywords,
    /// more of them of some block or other.
    pub(crate) fn judge_files(&mut self) {
        let words = std::mem::take(&mut self.words_of).into_iter();
        let is_foreign = |words: &Words| words.unknown >= FOREIGN.max(10 * words.known + 2 * words.misplaced);
        let foreign = words.filter(|(_, words)| is_foreign(words));
        let mut foreign: Vec<_> = foreign.filter_map(|(file, words)| Some((file, words.first?))).collect();
        foreign.sort_by_key(|(file, _)| *file);
        self.diagnostics.drop_of(&foreign.iter().map(|(file, _)| *file).collect());
        for (file, first) in foreign {
            let path = self.sources.file(file).path.display();
            let message =
                format!("{path} is no configuration: next to none of its lines begins with a keyword");
            let included = self.sources.chain(first).map(|expansion| expansion.at).find(|at| at.file != file);
            let (at, label) = match included {
                Some(at) => (at, "included here"),
                None => (first, "not known, nor is next to all that follows"),
            };
            self.diagnostics.push(Diagnostic::error("no-configuration", message).at(at, label));
        }
    }

    /// Reports why a line does not become what it was meant to; nothing else will be said about it.
    pub(crate) fn spoil(&mut self, diagnostic: Diagnostic) {
        let Some(span) = diagnostic.span else { return self.report(diagnostic) };
        let code = *self.spoilt.entry(self.line_of(span)).or_insert(diagnostic.code);
        // The same line may be used many times: its diagnostic counts them.
        if code != diagnostic.code {
            self.leads_to(diagnostic.outcome);
        } else if !self.stopped {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Nothing else will be said about this line: it is not what it was meant to be, which was said of another.
    pub(super) fn spoil_quietly(&mut self, span: Span, code: &'static str) {
        self.spoilt.entry(self.line_of(span)).or_insert(code);
    }

    fn line_of(&self, span: Span) -> (FileId, usize) {
        (span.file, self.sources.file(span.file).line_of(span.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_given_up_when_next_to_nothing_in_it_is_a_keyword() {
        // One in each of very many blocks is a mistake, or of a newer keepalived, and no reason to give up.
        let mut much = Context::default();
        (0..30_000).for_each(|n| much.count_keyword(Span::default(), n % 3 > 0, false));
        assert!(!much.stopped);
        let mut garbage = Context::default();
        (0..=MOST_UNKNOWN).for_each(|_| garbage.count_keyword(Span::default(), false, false));
        assert!(garbage.stopped);
        assert_eq!(
            garbage.diagnostics.iter().map(|said| said.code).collect::<Vec<_>>(),
            ["too-many-mistakes"]
        );
    }
}
