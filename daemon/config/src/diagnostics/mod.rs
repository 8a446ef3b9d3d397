//! What is wrong with a configuration, or worth saying about it.
//!
//! Goes in: [`Diagnostic`]s, each with a severity, a stable code, a place, and what to do about it. Comes out: text as
//! rustc writes it, JSON lines for programs, and the exit status of `-t`. One mistake makes one diagnostic: whoever
//! reports one also recovers, so that nothing follows from it.

mod diagnostic;
mod json;
mod missing;
mod outcome;
mod readable;
mod render;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use keepwatch_model::Severity;

pub use self::diagnostic::{Diagnostic, Suggestion};
pub use self::outcome::{Outcome, Outcomes};
use crate::source::{FileId, SourceMap, Span};

/// What was found while reading one configuration, in the order of finding.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    dropped: usize,
    /// Of those that were dropped, how many are of each file, and how many of them mistakes.
    dropped_of: HashMap<FileId, (usize, usize)>,
    outcomes: Outcomes,
    errors: usize,
    sources: Arc<SourceMap>,
    /// Which diagnostics there are of expanded texts: the same text makes each only once.
    seen: HashMap<(&'static str, FileId, u32, u32), Vec<usize>>,
}

impl Diagnostics {
    /// How many are kept; a file with more mistakes than this is told how many more there are.
    pub const KEPT: usize = 1000;

    pub(crate) fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.make_readable();
        self.outcomes.add(diagnostic.outcome);
        if let Some(span) = diagnostic.span {
            let place = (diagnostic.code, span.file, span.start, span.end);
            let known = self.seen.get(&place).map_or(&[][..], Vec::as_slice);
            if let Some(first) = same(known, &diagnostic, span, &self.list) {
                if let Some(first) = self.list.get_mut(first) {
                    first.repeated += 1;
                }
                return;
            }
            // What is not kept need not be known again.
            if self.list.len() < Self::KEPT {
                self.seen.entry(place).or_default().push(self.list.len());
            }
        }
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        if self.list.len() < Self::KEPT {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
            if let Some(span) = diagnostic.span {
                let (dropped, errors) = self.dropped_of.entry(span.file).or_default();
                *dropped += 1;
                *errors += usize::from(diagnostic.severity == Severity::Error);
            }
        }
    }

    /// Adds one that is kept in any case.
    pub(crate) fn push_last(&mut self, diagnostic: Diagnostic) {
        self.outcomes.add(diagnostic.outcome);
        self.errors += 1;
        self.list.push(diagnostic);
    }

    pub(crate) fn leads_to(&mut self, outcome: Outcome) {
        self.outcomes.add(outcome);
    }

    /// Something else than the diagnostics say decides what the configuration can do.
    pub(crate) fn set_outcomes(&mut self, outcomes: Outcomes) {
        self.outcomes = outcomes;
    }

    /// Drops the complaints that something is missing which is there, but in the wrong place or with a wrong value (and
    /// was reported there).
    pub(crate) fn drop_missing(&mut self, lost: &[&'static str]) {
        // Lines that a sequence did not make may have been anything.
        let any = self.list.iter().any(|diagnostic| diagnostic.code == "bad-sequence");
        let follows = |diagnostic: &Diagnostic| {
            let lacks = missing::what_is_missing(diagnostic.code);
            (any && !lacks.is_empty()) || lacks.iter().any(|keyword| lost.contains(keyword))
        };
        if lost.is_empty() && !any {
            return;
        }
        self.list.retain(|diagnostic| {
            let follows = follows(diagnostic);
            self.errors -= usize::from(follows && diagnostic.severity == Severity::Error);
            !follows
        });
    }

    /// Drops the complaints that a name is not defined whose definition was reported to be wrong.
    pub(crate) fn drop_undefined(&mut self, lost: &[Box<str>]) {
        let lost: HashSet<&str> = lost.iter().map(|name| &**name).collect();
        let follows = |diagnostic: &Diagnostic| {
            diagnostic.undefined.as_ref().is_some_and(|name| lost.contains(&**name))
        };
        self.errors -= self.list.iter().filter(|diagnostic| follows(diagnostic)).count();
        self.list.retain(|diagnostic| !follows(diagnostic));
    }

    /// Drops all that is said of these files; what it leads to stays.
    pub(crate) fn drop_of(&mut self, files: &HashSet<FileId>) {
        if files.is_empty() {
            return;
        }
        for (dropped, errors) in files.iter().filter_map(|file| self.dropped_of.remove(file)) {
            self.dropped -= dropped;
            self.errors -= errors;
        }
        self.list.retain(|diagnostic| {
            let of_them = diagnostic.span.is_some_and(|span| files.contains(&span.file));
            self.errors -= usize::from(of_them && diagnostic.severity == Severity::Error);
            !of_them
        });
    }

    pub(crate) fn set_sources(&mut self, sources: Arc<SourceMap>) {
        self.sources = sources;
        for diagnostic in &mut self.list {
            diagnostic.hide_secrets(&self.sources);
        }
        let sources = &self.sources;
        let key = |diagnostic: &Diagnostic| {
            // An expanded text is sorted where the file asks for it.
            // That scripts run unsecured is a hint about all of the file, which what is wrong in it goes before.
            let order = if diagnostic.code == "script-security" { 2 } else { 1 };
            diagnostic.span.map_or((0, 0), |span| (order, sources.outermost(span).start))
        };
        if sources.files().count() == 1 {
            self.list.sort_by_key(key);
        }
    }

    /// Everything, in the order of the file; a hint about all of it is last.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Is there nothing to say?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The lines, by file and number from 0, that have a mistake.
    pub(crate) fn lines_with_errors(&self) -> HashSet<(FileId, usize)> {
        let errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let spans = errors.filter_map(|diagnostic| diagnostic.span);
        spans.map(|span| (span.file, self.sources.file(span.file).line_of(span.start))).collect()
    }

    /// Is there a mistake? Then a reload keeps the configuration that is running.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Is a brace wrong? Then the indentation may tell where it should be, and nobody should change it.
    pub fn has_wrong_braces(&self) -> bool {
        const CODES: &[&str] = &["missing-brace", "surplus-brace", "misplaced-brace", "unexpected-brace"];
        self.list.iter().any(|diagnostic| CODES.contains(&diagnostic.code))
    }

    /// Is every mistake one that costs its own line or block and no other? Then the rest is as whoever wrote it means it. Not
    /// so where braces, quotes or the text itself are wrong, where something is missing of what was to be read, or where
    /// there are more mistakes than are kept.
    pub fn cost_their_own_lines_only(&self) -> bool {
        const WIDER: &[&str] = &[
            "bad-sequence",
            "circular-include",
            "endless-expansion",
            "expansion-limit",
            "invalid-encoding",
            "line-ends",
            "line-too-long",
            "missing-include",
            "nul-byte",
            "stray-continuation",
            "too-many-includes",
            "too-many-mistakes",
            "unreadable-file",
            "unreadable-include",
            "unterminated-quote",
        ];
        let mut errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        self.dropped == 0 && !self.has_wrong_braces() && !errors.any(|error| WIDER.contains(&error.code))
    }

    /// Is it not text, or not of lines? Then its bytes are better left alone.
    pub fn is_of_no_lines(&self) -> bool {
        const CODES: &[&str] = &["invalid-encoding", "line-ends"];
        let mut errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        errors.any(|diagnostic| CODES.contains(&diagnostic.code))
    }

    /// How many mistakes.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many diagnostics were not kept because there were too many.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Everything that they lead to.
    pub fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// Exit status of `-t`: [`Outcomes::exit_status`].
    pub fn exit_status(&self) -> u8 {
        self.outcomes.exit_status()
    }

    pub(crate) fn shared_sources(&self) -> Arc<SourceMap> {
        self.sources.clone()
    }

    /// The texts that the places are in.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }
}

/// Which of those known of a place says the same of another expansion of its text, if one does.
///
/// One text can lack two things, each of which is a diagnostic: within one expansion only the same words are the same.
fn same(known: &[usize], new: &Diagnostic, span: Span, list: &[Diagnostic]) -> Option<usize> {
    let of = |index: &usize| list.get(*index);
    let here = known.iter().any(|index| of(index).is_some_and(|other| other.span == Some(span)));
    if here {
        return known
            .iter()
            .copied()
            .find(|index| of(index).is_some_and(|other| other.message == new.message));
    }
    let alike = known.iter().copied().find(|index| of(index).is_some_and(|other| other.label == new.label));
    alike.or(known.first().copied())
}
